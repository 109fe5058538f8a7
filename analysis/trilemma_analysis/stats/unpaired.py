"""Own the comparison of two combinations on different inputs: the difference of two independent success rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trilemma_analysis.stats.intervals import Interval, two_sided_z, wilson
from trilemma_analysis.stats.roots import find_root

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["independent_score_z", "miettinen_nurminen", "newcombe"]


def newcombe(
    successes_a: ArrayLike, n_a: ArrayLike, successes_b: ArrayLike, n_b: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the hybrid score interval of rate B minus rate A (Newcombe 1998, method 10); counts may be fractions."""
    a, b = wilson(successes_a, n_a, confidence), wilson(successes_b, n_b, confidence)
    difference = b.estimate - a.estimate
    low = difference - np.hypot(b.estimate - b.low, a.high - a.estimate)
    high = difference + np.hypot(b.high - b.estimate, a.estimate - a.low)
    return Interval(low, difference, high)


def miettinen_nurminen(
    successes_a: ArrayLike, n_a: ArrayLike, successes_b: ArrayLike, n_b: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the score interval of rate B minus rate A (Miettinen and Nurminen 1985); counts may be fractions."""
    a, m, b, n = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (successes_a, n_a, successes_b, n_b)))
    difference = b / n - a / m
    limit = two_sided_z(confidence)
    ends = np.full_like(difference, 1.0)
    low = find_root(lambda null: independent_score_z(a, m, b, n, null) > limit, -ends, difference)
    high = find_root(lambda null: independent_score_z(a, m, b, n, null) >= -limit, difference, ends)
    return Interval(low, difference, high)


def independent_score_z(
    successes_a: ArrayLike, n_a: ArrayLike, successes_b: ArrayLike, n_b: ArrayLike, null: ArrayLike
) -> NDArray[np.float64]:
    """Return the score statistic of "rate B minus rate A is ``null``", positive when the data lie above it.

    Source: Miettinen and Nurminen 1985, with their factor N / (N - 1); Farrington and Manning 1990 without it.
    """
    a, m, b, n = (np.asarray(x, dtype=float) for x in (successes_a, n_a, successes_b, n_b))
    delta = np.asarray(null, dtype=float)
    p_a = _constrained_rate(a, m, b, n, delta)
    p_b = np.clip(p_a + delta, 0, 1)
    variance = (p_a * (1 - p_a) / m + p_b * (1 - p_b) / n) * (m + n) / (m + n - 1)
    gap = b / n - a / m - delta
    with np.errstate(divide="ignore", invalid="ignore"):
        z = gap / np.sqrt(np.maximum(variance, 0))
    return np.where(gap == 0, 0.0, z)


def _constrained_rate(
    a: NDArray[np.float64],
    m: NDArray[np.float64],
    b: NDArray[np.float64],
    n: NDArray[np.float64],
    delta: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return A's likeliest rate when B's is ``delta`` higher: the root of a cubic (Farrington and Manning 1990)."""
    theta = m / n
    rate_a, rate_b = a / m, b / n
    c3 = 1 + theta
    c2 = -(1 + theta + rate_b + theta * rate_a + delta * (theta + 2))
    c1 = delta**2 + delta * (2 * rate_b + theta + 1) + rate_b + theta * rate_a
    c0 = -rate_b * delta * (1 + delta)
    v = c2**3 / (27 * c3**3) - c2 * c1 / (6 * c3**2) + c0 / (2 * c3)
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(np.maximum(c2**2 / (9 * c3**2) - c1 / (3 * c3), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(u == 0, 0.0, v / u**3)
    angle = (np.pi + np.arccos(np.clip(cosine, -1, 1))) / 3
    p_b = np.clip(2 * u * np.cos(angle) - c2 / (3 * c3), np.maximum(delta, 0), np.minimum(1 + delta, 1))
    return np.asarray(np.clip(p_b - delta, 0, 1))
