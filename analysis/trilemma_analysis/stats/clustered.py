"""Own what repeated trials do to a success rate: inputs are the independent units, not runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from trilemma_analysis.stats.intervals import Interval, two_sided_z, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trilemma_analysis.stats.moments import Moments

__all__ = ["ClusteredRate", "clustered_rate", "count_clusters", "design_effect"]


@dataclass(frozen=True, slots=True)
class ClusteredRate:
    """A success rate over clusters, the design effect, and the number of independent runs that would tell as much."""

    interval: Interval
    design_effect: NDArray[np.float64]
    effective_n: NDArray[np.float64]


def count_clusters(moments: Moments) -> NDArray[np.float64]:
    """Return the effective number of clusters, (sum of runs)^2 / sum of runs squared (Kish 1965): fewer when uneven."""
    return np.asarray(moments.y**2 / moments.yy)


def design_effect(moments: Moments) -> NDArray[np.float64]:
    """Return the variance of a clustered rate over that of as many independent runs, never below 1.

    Args:
        moments: over clusters (inputs), with x the successes and y the runs of each.

    Source: the linearised (cluster-robust) variance of a ratio, Cochran 1977 section 3.12, with G / (G - 1) and G the
    effective number of clusters: a few inputs tried very often tell as little as a few inputs (Carter et al. 2017).
    """
    g, won, runs = count_clusters(moments), moments.x, moments.y
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = won / runs
        variance = g / (g - 1) * (moments.xx - 2 * rate * moments.xy + rate**2 * moments.yy) / runs**2
        effect = variance / (rate * (1 - rate) / runs)
    # One cluster, or a rate of 0 or 1, tells nothing of the correlation: then a cluster counts as one run.
    unknown = (g <= 1) | (won <= 0) | (won >= runs)
    return np.where(unknown, moments.yy / runs, np.maximum(effect, 1.0))


def clustered_rate(moments: Moments, confidence: float = 0.95) -> ClusteredRate:
    """Return a rate's Wilson interval on the effective sample size, with Student's t; arguments as in design_effect.

    Source: Korn and Graubard 1998 for the effective sample size; Dean and Pagano 2015 for Wilson's interval on it.
    With one run per cluster this is Wilson's interval.
    """
    rate, effect = moments.x / moments.y, design_effect(moments)
    repeated = moments.y > moments.n
    effect = np.where(repeated, effect, 1.0)
    effective = moments.y / effect
    student = stats.t.isf((1 - confidence) / 2, np.maximum(count_clusters(moments) - 1, 1))
    z = np.where(repeated, student, two_sided_z(confidence))
    interval = wilson(rate * effective, effective, confidence, z)
    return ClusteredRate(Interval(interval.low, rate, interval.high), effect, effective)
