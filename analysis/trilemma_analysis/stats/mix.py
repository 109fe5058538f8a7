"""Own what a change between two periods is made of: other traffic, other rates, other prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from trilemma_analysis.stats.intervals import Interval, two_sided_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    _Ends = tuple[NDArray[np.float64], ...]

__all__ = ["Groups", "MixSplit", "is_simpson", "split_change", "split_cost", "standardise"]


@dataclass(frozen=True, slots=True)
class Groups:
    """Runs per group of one period: how many, their mean, and the variance of one run within the group; shape (..., k).

    A group without runs has mean NaN; where the other period has it, its runs are all mix.
    """

    n: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def of_rates(cls, n: ArrayLike, successes: ArrayLike) -> Groups:
        """Return the groups of a success rate."""
        runs, won = np.asarray(n, dtype=float), np.asarray(successes, dtype=float)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = won / runs
        return cls(runs, rate, rate * (1 - rate))

    @property
    def share(self) -> NDArray[np.float64]:
        """The share of the traffic in each group."""
        return np.asarray(self.n / self.n.sum(axis=-1, keepdims=True))


@dataclass(frozen=True, slots=True)
class MixSplit:
    """The change of a mean, and its two parts, which add up to it."""

    total: Interval
    mix: Interval
    rate: Interval


def split_change(before: Groups, after: Groups, confidence: float = 0.95) -> MixSplit:
    """Split the change of a mean into that of the traffic's mix and that of the rates within groups.

    Source: Kitagawa 1955 (Oaxaca and Blinder with the weights of Reimers 1983): mix = sum (w1 - w0)(m0 + m1) / 2,
    rate = sum (m1 - m0)(w0 + w1) / 2; no residual and no order of which comes first. Intervals by the delta method,
    with the groups' shares multinomial. A group that one period lacks is given the other's mean: its coming is mix.
    """
    w0, w1 = before.share, after.share
    m0 = np.where(before.n > 0, before.mean, after.mean)
    m1 = np.where(after.n > 0, after.mean, m0)
    m0, m1 = np.nan_to_num(m0), np.nan_to_num(m1)
    middle, half = (m0 + m1) / 2, (w0 + w1) / 2
    mix, rate = ((w1 - w0) * middle).sum(axis=-1), ((m1 - m0) * half).sum(axis=-1)
    of_mean = _of_means(before, half) + _of_means(after, half)
    # d rate / d w is (m1 - m0) / 2 in both periods; d mix / d m is (w1 - w0) / 2 in both.
    rate_error = np.sqrt(of_mean + _of_shares(before, (m1 - m0) / 2) + _of_shares(after, (m1 - m0) / 2))
    shift = (w1 - w0) / 2
    of_middle = _of_means(before, shift) + _of_means(after, shift)
    mix_error = np.sqrt(of_middle + _of_shares(before, middle) + _of_shares(after, middle))
    whole = (w1 * m1).sum(axis=-1) - (w0 * m0).sum(axis=-1)
    whole_error = np.sqrt(_of_means(before, w0) + _of_shares(before, m0) + _of_means(after, w1) + _of_shares(after, m1))
    z = two_sided_z(confidence)
    parts = ((whole, whole_error), (mix, mix_error), (rate, rate_error))
    return MixSplit(*(Interval.around(value, z * error) for value, error in parts))


def standardise(groups: Groups, share: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean that the groups' rates would give at a fixed mix; ``share`` sums to 1 over groups that have runs.

    Direct standardisation (Fay and Feuer 1997 give the name): two periods, or two models, at one mix can be compared.
    """
    weight = np.asarray(share, dtype=float)
    mean = (weight * np.nan_to_num(groups.mean)).sum(axis=-1)
    reach = two_sided_z(confidence) * np.sqrt(_of_means(groups, weight))
    return Interval.around(mean, reach)


def is_simpson(a: Groups, b: Groups, alpha: float = 0.05) -> bool:
    """Return whether the pooled comparison of B with A is turned round by the mix.

    True where the pooled difference and the one at the mix of both together have opposite signs, each with a two-sided
    p-value at most alpha (Simpson 1951): then the pooled figure must not be used.
    """
    pooled = split_change(a, b, 1 - alpha).total
    together = (a.n + b.n) / (a.n + b.n).sum()
    shared = np.where((a.n > 0) & (b.n > 0), together, 0.0)
    if not shared.sum():
        return False
    shared = shared / shared.sum()
    first, second = standardise(a, shared), standardise(b, shared)
    gap = float(second.estimate - first.estimate)
    error = float(np.sqrt(_of_means(a, shared) + _of_means(b, shared)))
    is_sure = error > 0 and 2 * stats.norm.sf(abs(gap) / error) <= alpha
    away = float(pooled.low) > 0 or float(pooled.high) < 0
    return bool(is_sure and away and gap * float(pooled.estimate) < 0)


def split_cost(
    share: tuple[ArrayLike, ArrayLike], amount: tuple[ArrayLike, ArrayLike], price: tuple[ArrayLike, ArrayLike]
) -> dict[str, float]:
    """Split the change of cost per run, the sum over groups of share x amount x price, into those three; exactly.

    Args:
        share: of the traffic in each group, before and after.
        amount: tokens per run of each group, before and after.
        price: per token, before and after.

    Source: the Shapley value of the three changes (Shorrocks 2013): each is averaged over the orders in which they
    could have happened. Returns ``mix``, ``amount``, ``price`` and ``total``, in the unit of amount x price.
    """
    ends = [tuple(np.asarray(value, dtype=float) for value in pair) for pair in (share, amount, price)]
    (w0, w1), (a0, a1), (p0, p1) = ends

    def part(change: NDArray[np.float64], x: _Ends, y: _Ends) -> float:
        straight, crossed = x[0] * y[0] + x[1] * y[1], x[0] * y[1] + x[1] * y[0]
        return float((change * (straight / 3 + crossed / 6)).sum())

    return {
        "mix": part(w1 - w0, (a0, a1), (p0, p1)),
        "amount": part(a1 - a0, (w0, w1), (p0, p1)),
        "price": part(p1 - p0, (w0, w1), (a0, a1)),
        "total": float((w1 * a1 * p1 - w0 * a0 * p0).sum()),
    }


def _of_means(groups: Groups, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance that the groups' means bring to a weighted sum of them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(groups.n > 0, groups.variance / groups.n, 0.0)
    return np.asarray((weight**2 * np.nan_to_num(variance)).sum(axis=-1))


def _of_shares(groups: Groups, value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance that the multinomial shares bring to the sum of share x value."""
    share = groups.share
    mean = (share * value).sum(axis=-1, keepdims=True)
    return np.asarray((share * (value - mean) ** 2).sum(axis=-1) / groups.n.sum(axis=-1))
