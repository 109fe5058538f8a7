"""Own the value of a policy that was not in use, from the logs of one that chose at random with known probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from trilemma_analysis.stats.intervals import Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Logs",
    "Overlap",
    "PolicyValue",
    "check_overlap",
    "value_contrast",
    "value_doubly_robust",
    "value_ips",
    "value_snips",
]

MIN_EFFECTIVE = 30.0  # runs that the weights amount to: with fewer, no interval here keeps its promise
MAX_WEIGHT_SHARE = 0.1  # of all the weight on one run
MIN_PROBABILITY = 1e-3  # a smaller logged probability is taken for a mistake of logging
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Logs:
    """What was logged of n runs, and what the policy to be valued would have done with them.

    Attributes:
        reward: what each run gave (success 0 or 1, minus cost, ...), shape (n,).
        action: which of k actions was chosen, from 0, shape (n,).
        propensity: the logged probability with which it was chosen, shape (n,).
        target: the probabilities with which the policy to be valued would choose each action, shape (n, k).
        context: a segment of the run known before the choice (a category), from 0, shape (n,).
    """

    reward: NDArray[np.float64]
    action: NDArray[np.intp]
    propensity: NDArray[np.float64]
    target: NDArray[np.float64]
    context: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        reward: ArrayLike,
        action: ArrayLike,
        propensity: ArrayLike,
        target: ArrayLike,
        context: ArrayLike | None = None,
    ) -> Logs:
        """Check the shapes and ranges; raises ValueError that names what is wrong."""
        gained, chance, wanted = (np.asarray(value, dtype=float) for value in (reward, propensity, target))
        chosen = np.asarray(action, dtype=np.intp)
        segment = np.zeros(gained.shape, np.intp) if context is None else np.asarray(context, dtype=np.intp)
        if not gained.shape == chosen.shape == chance.shape == segment.shape == wanted.shape[:1]:
            raise ValueError(f"shapes differ: reward {gained.shape}, action {chosen.shape}, target {wanted.shape}")
        if not ((chance > 0) & (chance <= 1)).all():
            worst = chance[~((chance > 0) & (chance <= 1))][0]
            raise ValueError(f"a logged probability is {worst:g}, outside (0, 1]; runs without one cannot be used")
        if (chosen < 0).any() or (chosen >= wanted.shape[1]).any() or not np.allclose(wanted.sum(axis=1), 1):
            raise ValueError(f"actions must be below {wanted.shape[1]} and each row of target must sum to 1")
        return cls(gained, chosen, chance, wanted, segment)

    @property
    def weight(self) -> NDArray[np.float64]:
        """How much more often the policy would have done what was done."""
        return np.asarray(self.target[np.arange(self.action.size), self.action] / self.propensity)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much the logs can say of the policy; ``refusal`` is empty where they can."""

    effective_n: float
    largest_share: float
    unsupported: float
    """Share of the policy's choices, by probability, that were never chosen in their context."""
    mean_weight: float
    """1 on average where the logged probabilities are true."""
    refusal: str


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """The value with its interval, and the overlap that it rests on; no interval where the logs refuse."""

    interval: Interval | None
    overlap: Overlap


def check_overlap(logs: Logs) -> Overlap:
    """Tell whether the logs support the policy: weights that amount to enough runs, none of which decides alone.

    Effective sample size: (sum w)^2 / sum w^2 (Kish 1965; Owen 2013, section 9.3). The mean weight must be 1 within
    four standard errors, or the logged probabilities are not those that chose.
    """
    weight = logs.weight
    total = weight.sum()
    effective = float(total**2 / (weight**2).sum()) if total > 0 else 0.0
    largest = float(weight.max() / total) if total > 0 else 1.0
    unsupported, mean = _count_unsupported(logs), float(weight.mean())
    stray = abs(mean - (1 - unsupported)) / max(float(weight.std(ddof=1)) / np.sqrt(weight.size), 1e-12)
    refusal = ""
    if float(logs.propensity.min()) < MIN_PROBABILITY:
        refusal = f"a logged probability of {logs.propensity.min():.2g} is below {MIN_PROBABILITY:g}"
    elif unsupported > 0.01:
        refusal = f"{unsupported:.0%} of its choices were never made where it would make them"
    elif effective < MIN_EFFECTIVE:
        refusal = f"its runs amount to {effective:.0f} of the logged ones, fewer than {MIN_EFFECTIVE:.0f}"
    elif largest > MAX_WEIGHT_SHARE:
        refusal = f"one run has {largest:.0%} of all the weight"
    elif stray > 4 and abs(mean - 1) > 0.02:
        refusal = f"weights average {mean:.2f} instead of 1: the logged probabilities are not those that chose"
    return Overlap(effective, largest, unsupported, mean, refusal)


def value_ips(logs: Logs, confidence: float = 0.95) -> PolicyValue:
    """Return the inverse-propensity estimate (Horvitz and Thompson 1952): unbiased, and the widest."""
    return _value(logs, logs.weight * logs.reward, confidence)


def value_snips(logs: Logs, confidence: float = 0.95) -> PolicyValue:
    """Return the self-normalised estimate (Swaminathan and Joachims 2015), with the delta method for the ratio.

    Of rewards between 0 and 1 the interval is made on the logit scale, and stays there: as close to 1 as success rates
    are, one that reaches as far up as down misses too often. Nor is it narrower than with the variance of single trials
    of that rate: the few runs with the largest weights may all have gone well by chance, and show no spread.
    """
    weight = logs.weight
    total = weight.mean()
    if total <= 0:
        return PolicyValue(None, check_overlap(logs))
    mean = (weight * logs.reward).mean() / total
    trials = _least_variance(logs.reward, weight / total, np.full(weight.shape, mean))
    return _value(logs, mean + weight * (logs.reward - mean) / total, confidence, least_variance=trials)


def value_doubly_robust(logs: Logs, confidence: float = 0.95, seed: int = 0) -> PolicyValue:
    """Return the doubly robust estimate with cross-fitting: right where the probabilities or the model of rewards are.

    The model is the mean reward of an action in a context, shrunk to the action's and from there to the overall mean,
    fitted on the other four fifths of the runs. Source: Dudik, Langford, Li 2011; cross-fitting: Chernozhukov 2018.
    The interval is made as that of value_snips.
    """
    score, least = _score(logs, seed)
    return _value(logs, score, confidence, fitted=_count_cells(logs), least_variance=least)


def value_contrast(logs: Logs, confidence: float = 0.95, seed: int = 0, factor: float = 1.0) -> PolicyValue:
    """Return the doubly robust estimate minus ``factor`` times the mean reward of the policy that was logged.

    Both are means over the same runs, so that of their scores' difference is exact about how alike they are. With the
    factor that makes it 0, its reach over the logged mean is that of the ratio of the two (delta method).
    """
    return _value(logs, _score(logs, seed)[0] - factor * logs.reward, confidence, fitted=_count_cells(logs))


def _score(logs: Logs, seed: int) -> tuple[NDArray[np.float64], float | None]:
    """Return each run's part in the doubly robust estimate, and the least variance that these parts have."""
    fold = np.random.default_rng(seed).permutation(logs.reward.size) % _FOLDS
    predicted = np.empty(logs.target.shape)
    for number in range(_FOLDS):
        predicted[fold == number] = _fit(logs, fold != number)[logs.context[fold == number]]
    direct = (logs.target * predicted).sum(axis=1)
    residual = logs.reward - predicted[np.arange(logs.action.size), logs.action]
    trials = _least_variance(logs.reward, logs.weight, predicted[np.arange(logs.action.size), logs.action])
    least = None if trials is None else trials + float(direct.var())
    return np.asarray(direct + logs.weight * residual), least


def _count_cells(logs: Logs) -> int:
    return int(np.unique(logs.context * logs.target.shape[1] + logs.action).size)


def _fit(logs: Logs, used: NDArray[np.bool_], strength: float = 5.0) -> NDArray[np.float64]:
    """Return the mean reward of each context and action, as if ``strength`` runs more had gone like the wider mean."""
    shape = (int(logs.context.max()) + 1, logs.target.shape[1])
    cell = logs.context[used] * shape[1] + logs.action[used]
    size = shape[0] * shape[1]
    n = np.bincount(cell, minlength=size).reshape(shape).astype(float)
    total = np.bincount(cell, weights=logs.reward[used], minlength=size).reshape(shape)
    overall = total.sum() / max(n.sum(), 1.0)
    of_action = (total.sum(axis=0) + strength * overall) / (n.sum(axis=0) + strength)
    return np.asarray((total + strength * of_action) / (n + strength))


def _value(
    logs: Logs,
    score: NDArray[np.float64],
    confidence: float,
    *,
    fitted: int = 1,
    least_variance: float | None = None,
) -> PolicyValue:
    """Return the mean score with Student's t on the effective runs, less those that ``fitted`` figures took."""
    overlap = check_overlap(logs)
    if overlap.refusal:
        return PolicyValue(None, overlap)
    mean, n = float(score.mean()), score.size
    freedom = max(overlap.effective_n - fitted, 1.0)
    variance = max(float(score.var(ddof=1)), least_variance or 0.0)
    error = np.sqrt(variance / n) * np.sqrt(overlap.effective_n / freedom)
    reach = stats.t.isf((1 - confidence) / 2, freedom) * error
    if least_variance is not None:
        return PolicyValue(_stay_between(mean, float(reach), (1 - confidence) / 2, overlap.effective_n), overlap)
    return PolicyValue(Interval.around(mean, reach), overlap)


def _least_variance(
    reward: NDArray[np.float64], weight: NDArray[np.float64], rate: NDArray[np.float64]
) -> float | None:
    """Return the variance of weighted rewards, were they single trials of these rates; None if some are no shares."""
    if ((reward < 0) | (reward > 1)).any():
        return None
    return float((weight**2 * rate * (1 - rate)).mean())


def _stay_between(mean: float, reach: float, far: float, effective_n: float) -> Interval:
    """Return the interval of a mean between 0 and 1, by the delta method on the logit scale.

    At 0 or 1, where no spread is left to see, the other end is that of as many trials (Clopper and Pearson 1934).
    """
    if mean >= 1:
        low, high = min(max(mean - reach, 0.0), far ** (1 / effective_n)), 1.0
    elif mean <= 0:
        low, high = 0.0, max(min(mean + reach, 1.0), 1 - far ** (1 / effective_n))
    else:
        shift = reach / (mean * (1 - mean))
        low, high = (float(special.expit(special.logit(mean) + step)) for step in (-shift, shift))
    return Interval(np.asarray(low), np.asarray(mean), np.asarray(high))


def _count_unsupported(logs: Logs) -> float:
    shape = (int(logs.context.max()) + 1, logs.target.shape[1])
    seen = np.zeros(shape, bool)
    seen[logs.context, logs.action] = True
    return float((logs.target * ~seen[logs.context]).sum(axis=1).mean())
