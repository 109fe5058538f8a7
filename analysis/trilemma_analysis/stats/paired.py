"""Own the comparison of two combinations on the same inputs: the mean difference in success rate, and its tests.

One representation serves single and repeated trials: the distinct differences per input and how many inputs have each.
With one trial per side the differences are -1, 0 and 1, and the score test below is Tango's (and Nam's) exactly; with
repeats a difference is a fraction, inputs are the independent units, and the same formulas go on to hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from trilemma_analysis.stats.intervals import Interval, two_sided_z
from trilemma_analysis.stats.roots import find_root

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["bonett_price", "mcnemar_exact", "score_interval", "score_z", "tango"]

_SINGLE = [-1.0, 0.0, 1.0]  # the differences of single trials
_NEWTON_STEPS = 16  # six give the closed form of single trials to 1e-12; fractions take more


def bonett_price(gains: ArrayLike, losses: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the adjusted Wald interval of a paired difference in proportions.

    Args:
        gains: inputs where B succeeds and A fails.
        losses: inputs where A succeeds and B fails.
        n: inputs in all.
        confidence: two-sided level.

    Source: Bonett and Price 2012, eq. 7: one pair is added to each discordant cell. The estimate is the plain one.
    """
    up, down = (np.asarray(x, dtype=float) for x in (gains, losses))
    total = np.asarray(n, dtype=float)
    p_up, p_down = (up + 1) / (total + 2), (down + 1) / (total + 2)
    centre = p_up - p_down
    spread = two_sided_z(confidence) * np.sqrt((p_up + p_down - centre**2) / (total + 2))
    return Interval(np.maximum(centre - spread, -1), (up - down) / total, np.minimum(centre + spread, 1))


def tango(gains: ArrayLike, losses: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the score interval of a paired difference in proportions (Tango 1998); arguments as in bonett_price."""
    up, down, total = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (gains, losses, n)))
    counts = np.stack([down, total - up - down, up], axis=-1)
    return score_interval(np.array([-1.0, 0.0, 1.0]), counts, confidence)


def mcnemar_exact(gains: ArrayLike, losses: ArrayLike) -> NDArray[np.float64]:
    """Return the exact one-sided p-value of "B is no worse than A", small when losses outweigh gains.

    Given the number of discordant pairs, losses are binomial with probability at most 1/2. Source: McNemar 1947.
    """
    up, down = np.asarray(gains, dtype=float), np.asarray(losses, dtype=float)
    return np.asarray(stats.binom.sf(down - 1, up + down, 0.5))


def score_z(values: NDArray[np.float64], counts: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """Return the score statistic for "the mean difference is ``null``", positive when the data lie above it.

    Args:
        values: the distinct differences, shape (k,), each in [-1, 1].
        counts: inputs with each difference, shape (..., k).
        null: hypothesised mean, in (-1, 1), broadcast against the leading shape of ``counts``.

    The variance is that of the multinomial distribution which fits the counts best among those with mean ``null``; mass
    on -1 and 1 is allowed even where nobody was seen. On {-1, 0, 1} this is Tango 1998 / Nam 1997; in general it is
    the constrained maximum of empirical likelihood (Owen 1990) on a support closed by its bounds.
    """
    weights = np.asarray(counts, dtype=float)
    total = weights.sum(axis=-1)
    mean, hypothesis = np.broadcast_arrays(weights @ values / total, np.asarray(null, dtype=float))
    # Data below the hypothesis are the mirror image of data above it.
    below = mean < hypothesis
    sign = np.where(below, -1.0, 1.0)
    if values.tolist() == _SINGLE:
        variance = _single_variance(weights, hypothesis)
    else:
        variance = _constrained_variance(sign[..., None] * values, weights, sign * hypothesis)
    gap = (mean - hypothesis) * np.sqrt(total)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gap / np.sqrt(variance)
    return np.where(gap == 0, 0.0, z)


def score_interval(
    values: NDArray[np.float64], counts: ArrayLike, confidence: float = 0.95, critical: ArrayLike | None = None
) -> Interval:
    """Return the interval of the mean difference that the score test does not reject; arguments as in score_z.

    ``critical`` replaces the normal quantile: with repeated trials, Student's t with inputs - 1 degrees of freedom.
    """
    weights = np.asarray(counts, dtype=float)
    mean = np.asarray(weights @ values / weights.sum(axis=-1))
    limit = two_sided_z(confidence) if critical is None else np.asarray(critical)
    # Both ends in one search: below the mean z falls through +limit, above it through -limit.
    threshold = np.stack([np.broadcast_to(limit, mean.shape), -np.broadcast_to(limit, mean.shape)])
    ends = find_root(
        lambda null: score_z(values, weights, null) > threshold,
        np.stack([np.full_like(mean, -1.0), mean]),
        np.stack([mean, np.ones_like(mean)]),
    )
    return Interval(ends[0], mean, ends[1])


def _single_variance(weights: NDArray[np.float64], null: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same variance in closed form for losses, ties and gains of single trials (Tango 1998, eq. 6)."""
    losses, gains, total = weights[..., 0], weights[..., 2], weights.sum(axis=-1)
    half = -(2 * total + gains - losses) * null - (losses + gains)
    root = np.sqrt(np.maximum(half**2 - 8 * total * gains * null * (1 + null), 0.0))
    p_gain = (root - half) / (4 * total)
    return np.asarray(np.maximum(2 * p_gain - null * (1 + null), 0.0))


def _constrained_variance(
    values: NDArray[np.float64], weights: NDArray[np.float64], null: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the variance about ``null`` of the likeliest distribution with mean ``null``, for data above it.

    Lagrange gives mass w / (N (1 + lam (v - null))) to each seen value; where even the largest lam that -1 allows
    leaves the mean too high, the rest of the mass lies on -1.
    """
    offset = values - null[..., None]
    reach = np.maximum(1 + null, 1e-12)  # from -1 to the hypothesis
    slack = _find_slack(weights, offset, reach)
    lowest = offset <= -reach[..., None]
    scale = np.where(lowest, slack[..., None], 1 + (1 - slack[..., None]) * offset / reach[..., None])
    with np.errstate(divide="ignore", invalid="ignore"):
        mass = np.where(weights > 0, weights / scale, 0.0) / weights.sum(axis=-1, keepdims=True)
    rest = np.maximum(1 - mass.sum(axis=-1), 0)
    return np.asarray((mass * offset**2).sum(axis=-1) + rest * reach**2)


def _find_slack(
    weights: NDArray[np.float64], offset: NDArray[np.float64], reach: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return 1 - lam * reach, in [0, 1], where the constrained mean is met; 0 where even the largest lam is too small.

    Written in the slack, and times it, the equation has no pole where lam is largest, so Newton's steps converge fast;
    those that leave the bracket found so far halve it.
    """
    lowest = np.where(offset <= -reach[..., None], weights, 0.0).sum(axis=-1)
    others = np.where(offset <= -reach[..., None], 0.0, weights)
    never = (lowest == 0) & (_sum_others(others, offset, reach, np.zeros_like(reach))[0] > 0)
    low, high = np.zeros_like(reach), np.ones_like(reach)
    slack = high / 2
    for _ in range(_NEWTON_STEPS):
        total, slope = _sum_others(others, offset, reach, slack)
        value = slack * total - lowest * reach
        low, high = np.where(value > 0, low, slack), np.where(value > 0, slack, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = slack - value / (total + slack * slope)
        slack = np.where((step >= low) & (step <= high), step, (low + high) / 2)
    return np.where(never, 0.0, slack)


def _sum_others(
    others: NDArray[np.float64], offset: NDArray[np.float64], reach: NDArray[np.float64], slack: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sum of w offset / (1 + lam offset) over values above -1, and its derivative by the slack."""
    lam = ((1 - slack) / reach)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(others > 0, offset / (1 + lam * offset), 0.0)
    return (others * part).sum(axis=-1), (others * part**2).sum(axis=-1) / reach
