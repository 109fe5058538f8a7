"""Own times that were not seen to their end: runs still open, calls that timed out, requests that gave up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from trilemma_analysis.stats.intervals import Interval, two_sided_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Survival", "kaplan_meier", "restricted_mean", "survival_at", "survival_quantile"]


@dataclass(frozen=True, slots=True)
class Survival:
    """The share still open after each time at which something ended; all arrays have one shape, in order of time."""

    time: NDArray[np.float64]
    share: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    ended: NDArray[np.float64]
    last: float
    """The longest time seen, ended or not: beyond it nothing is known, unless the share is 0 by then."""


def kaplan_meier(time: ArrayLike, ended: ArrayLike, counts: ArrayLike = 1) -> Survival:
    """Return the product-limit estimate of the share still open.

    Args:
        time: how long each unit was seen (any unit, > 0).
        ended: whether it ended then (true) or was only no longer seen (false: right-censored).
        counts: how many units each line stands for.

    Source: Kaplan and Meier 1958. Units that end and units that leave at the same time: the ends come first.
    """
    seen, ends = np.asarray(time, dtype=float), np.asarray(ended, dtype=bool)
    units = np.broadcast_to(np.asarray(counts, dtype=float), seen.shape)
    moments, index = np.unique(seen, return_inverse=True)
    left = np.bincount(index, weights=units, minlength=moments.size).astype(float)
    died = np.bincount(index, weights=np.where(ends, units, 0.0), minlength=moments.size).astype(float)
    at_risk = left[::-1].cumsum()[::-1]
    share = np.cumprod(1 - died / at_risk)
    happened = died > 0
    last = float(moments[-1]) if moments.size else 0.0
    return Survival(moments[happened], share[happened], at_risk[happened], died[happened], last)


def survival_at(curve: Survival, time: float, confidence: float = 0.95) -> Interval:
    """Return the share still open after ``time``, with the interval of the log-log transform.

    Source: Greenwood 1926 for the variance, Kalbfleisch and Prentice 1980 for the transform: it stays within 0 and 1.
    Where nothing has ended yet, or nothing is left, the other end is that of as many trials without one (Clopper and
    Pearson 1934).
    """
    upto = int((curve.time <= time).sum())
    ends = _log_log(curve, confidence)
    if not upto:
        low = ((1 - confidence) / 2) ** (1 / (curve.at_risk[0] if curve.at_risk.size else 1.0))
        return Interval(np.asarray(low), np.asarray(1.0), np.asarray(1.0))
    return Interval(ends.low[upto - 1], ends.estimate[upto - 1], ends.high[upto - 1])


def survival_quantile(curve: Survival, level: float, confidence: float = 0.95) -> Interval:
    """Return the time by which ``level`` of the units have ended; infinite where the data do not reach it.

    Source: Brookmeyer and Crowley 1982: the times at which the interval of the share still open holds 1 - level.
    """
    still = 1 - level
    estimate = _first_time(curve, curve.share <= still + 1e-12)
    ends = _log_log(curve, confidence)
    low, high = _first_time(curve, ends.low <= still + 1e-12), _first_time(curve, ends.high <= still - 1e-12)
    return Interval(np.asarray(low), np.asarray(estimate), np.asarray(high))


def restricted_mean(curve: Survival, horizon: float, confidence: float = 0.95) -> Interval:
    """Return the mean time to the end, counting no more than ``horizon`` of any unit.

    Source: Royston and Parmar 2013: the area under the curve up to the horizon, with Greenwood's variance and
    Student's t on the number of ends. Raises ValueError where the curve does not reach the horizon.
    """
    if horizon > curve.last and (not curve.share.size or curve.share[-1] > 0):
        raise ValueError(f"horizon {horizon:g} lies beyond {curve.last:g}, the longest time seen; choose a shorter one")
    inside = curve.time < horizon
    times = np.concatenate([[0.0], curve.time[inside], [horizon]])
    share = np.concatenate([[1.0], curve.share[inside]])
    areas = share * np.diff(times)
    after = areas[::-1].cumsum()[::-1][1:]  # area to the right of each end
    risk, died = curve.at_risk[inside], curve.ended[inside]
    variance = (after**2 * died / (risk * np.maximum(risk - died, 1.0))).sum()
    ends = max(float(died.sum()), 2.0)
    reach = stats.t.isf((1 - confidence) / 2, ends - 1) * np.sqrt(variance * ends / (ends - 1))
    mean = float(areas.sum())
    return Interval(np.asarray(max(mean - reach, 0.0)), np.asarray(mean), np.asarray(min(mean + reach, horizon)))


def _log_log(curve: Survival, confidence: float) -> Interval:
    """Return the interval of the share still open after each end."""
    risk, died, share = curve.at_risk, curve.ended, curve.share
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(died / (risk * (risk - died)))) / np.abs(np.log(share))
        reach = np.exp(two_sided_z(confidence) * error)
        low, high = share**reach, share ** (1 / reach)
    none_left = 1 - ((1 - confidence) / 2) ** (1 / risk[0]) if risk.size else 1.0
    return Interval(np.where(share > 0, low, 0.0), share, np.where(share > 0, high, none_left))


def _first_time(curve: Survival, is_there: NDArray[np.bool_]) -> float:
    return float(curve.time[is_there.argmax()]) if is_there.any() else float("inf")
