"""Own the interval, and the intervals of one success rate: Wilson and Jeffreys, never Wald."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Interval", "jeffreys", "two_sided_z", "wilson"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its two-sided confidence interval; the fields are floats, or arrays of one shape."""

    low: NDArray[np.float64]
    estimate: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def around(cls, estimate: ArrayLike, reach: ArrayLike) -> Interval:
        """Return the interval that reaches as far to both sides of the estimate."""
        middle, half = np.asarray(estimate, dtype=float), np.asarray(reach, dtype=float)
        return cls(middle - half, middle, middle + half)

    def covers(self, truth: ArrayLike) -> NDArray[np.bool_]:
        """Return where the interval holds the truth."""
        value = np.asarray(truth, dtype=float)
        return np.asarray((self.low <= value) & (value <= self.high))


def two_sided_z(confidence: float) -> float:
    """Return the standard normal quantile of a two-sided interval: 1.96 for 0.95."""
    return float(stats.norm.isf((1 - confidence) / 2))


def wilson(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95, z: ArrayLike | None = None) -> Interval:
    """Return Wilson's score interval of a binomial proportion.

    Source: Wilson 1927; Brown, Cai, DasGupta 2001, eq. 4. ``successes`` and ``n`` (> 0) may be fractions, as an
    effective sample size is; ``z`` replaces the normal quantile, by one of Student's t for instance.
    """
    count, total = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    quantile = np.asarray(two_sided_z(confidence) if z is None else z)
    rate = count / total
    spread = quantile * np.sqrt(rate * (1 - rate) / total + quantile**2 / (4 * total**2))
    shrink = 1 + quantile**2 / total
    centre = rate + quantile**2 / (2 * total)
    # At 0 and n the formula's ends are 0 and 1 exactly, but for rounding.
    low = np.where(rate <= 0, 0.0, np.clip((centre - spread) / shrink, 0, 1))
    high = np.where(rate >= 1, 1.0, np.clip((centre + spread) / shrink, 0, 1))
    return Interval(low, rate, high)


def jeffreys(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return Jeffreys' interval: the equal-tailed posterior under a Beta(1/2, 1/2) prior, closed at 0 and n.

    Source: Brown, Cai, DasGupta 2001, section 3.1.2 with the modification at 0 and n.
    """
    count, total = np.asarray(successes, dtype=float), np.asarray(n, dtype=float)
    tail = (1 - confidence) / 2
    posterior = stats.beta(count + 0.5, total - count + 0.5)
    low = np.where(count <= 0, 0.0, posterior.ppf(tail))
    high = np.where(count >= total, 1.0, posterior.isf(tail))
    return Interval(low, count / total, high)
