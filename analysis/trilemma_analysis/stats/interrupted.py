"""Own the effect of a change that everyone got at once: the series before and after, against series it cannot touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from trilemma_analysis.stats.intervals import Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Interruption", "measure_interruption"]

MIN_BUCKETS = 8  # on each side
_ROUNDS = 20  # of estimating the autocorrelation and the level in turn


@dataclass(frozen=True, slots=True)
class Interruption:
    """The change of level at the interruption, and what the controls did at the same time.

    Attributes:
        effect: of the series, less what the controls did where there are any.
        controls: the change of level of each control, which should be none.
        autocorrelation: of the buckets, after trend and level are taken out.
        is_confounded: whether the controls moved too (5 %, Bonferroni over them): then something else happened.
    """

    effect: Interval
    controls: tuple[Interval, ...]
    autocorrelation: float
    is_confounded: bool


def measure_interruption(
    series: ArrayLike,
    start: int,
    controls: ArrayLike | None = None,
    *,
    trend: bool = True,
    season: int = 0,
    confidence: float = 0.95,
) -> Interruption:
    """Return the change of level from bucket ``start`` on, by segmented regression with autocorrelated errors.

    Args:
        series: the outcome per bucket (a rate, a mean, a log latency), shape (buckets,).
        start: the first bucket after the change.
        controls: series that the change cannot touch, shape (controls, buckets); their mean is taken off the series.
        trend: whether a straight line in time, of one slope before and after, is taken out.
        season: buckets of a repeating rhythm that is taken out (7 for days of a week); 0 for none.
        confidence: of the intervals.

    Source: Bernal, Cummins, Gasparrini 2017, Int. J. Epidemiol. 46(1); errors AR(1) by Prais and Winsten 1954 with the
    autocorrelation corrected for the bias of short series (Kendall 1954), so that slow drift is not taken for an
    effect; Student's t. Negative controls: Lipsitch, Tchetgen, Cohen 2010. Raises ValueError with too few buckets.
    """
    seen = np.asarray(series, dtype=float)
    others = np.empty((0, seen.size)) if controls is None else np.atleast_2d(np.asarray(controls, dtype=float))
    if min(start, seen.size - start) < MIN_BUCKETS:
        raise ValueError(
            f"{start} buckets before and {seen.size - start} after the change: {MIN_BUCKETS} of each are needed"
        )
    design = _design(seen.size, start, trend=trend, season=season)
    own = seen - others.mean(axis=0) if len(others) else seen
    level, error, freedom, correlation = _fit(own, design)
    moved = []
    for other in others:
        its, its_error, its_freedom, _ = _fit(other, design)
        moved.append((its, its_error, its_freedom))
    p = [2 * float(stats.t.sf(abs(its) / its_error, f)) if its_error > 0 else 1.0 for its, its_error, f in moved]
    return Interruption(
        effect=_interval(level, error, freedom, confidence),
        controls=tuple(_interval(*one, confidence) for one in moved),
        autocorrelation=correlation,
        is_confounded=bool(p) and min(p) * len(p) <= 1 - confidence,
    )


def _design(buckets: int, start: int, *, trend: bool, season: int) -> NDArray[np.float64]:
    """Return the regressors: the step first, then the constant, the line, and the rhythm."""
    at = np.arange(buckets)
    columns = [(at >= start).astype(float), np.ones(buckets)]
    if trend:
        columns.append((at - at.mean()) / buckets)
    if season > 1:
        columns += [(at % season == place).astype(float) - (at % season == 0) for place in range(1, season)]
    return np.stack(columns, axis=1)


def _fit(series: NDArray[np.float64], design: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return level, standard error, degrees of freedom and autocorrelation of a Prais-Winsten fit."""
    n, k = design.shape
    correlation = 0.0
    for _ in range(_ROUNDS):
        y, x = _whiten(series, correlation), _whiten(design, correlation)
        fitted, *_ = np.linalg.lstsq(x, y, rcond=None)
        residual = series - design @ fitted
        scale = float((residual[:-1] ** 2).sum())
        raw = float((residual[1:] * residual[:-1]).sum()) / scale if scale > 0 else 0.0
        updated = float(np.clip(raw + (k + (k + 2) * raw) / n, 0.0, 0.95))
        if abs(updated - correlation) < 1e-4:
            break
        correlation = updated
    y, x = _whiten(series, correlation), _whiten(design, correlation)
    inverse = np.linalg.pinv(x.T @ x)
    fitted = inverse @ x.T @ y
    freedom = max(n - k - 1, 1)
    spread = float(((y - x @ fitted) ** 2).sum()) / freedom
    # The correlation is estimated too: as many independent buckets as would tell as much (Bartlett 1946).
    independent = max(n * (1 - correlation) / (1 + correlation) - k, 2.0)
    # Prais and Winsten take the correlation as known; in short series its own error widens the level's.
    error = float(np.sqrt(spread * inverse[0, 0] * (1 + k / n)))
    return float(fitted[0]), error, min(float(freedom), independent), correlation


def _whiten(values: NDArray[np.float64], correlation: float) -> NDArray[np.float64]:
    first = np.sqrt(1 - correlation**2) * values[:1]
    return np.concatenate([first, values[1:] - correlation * values[:-1]])


def _interval(level: float, error: float, freedom: float, confidence: float) -> Interval:
    reach = float(stats.t.isf((1 - confidence) / 2, freedom)) * error
    return Interval.around(level, reach)
