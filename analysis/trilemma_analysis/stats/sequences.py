"""Own intervals that hold at every moment at once, so that a rollout may be looked at as often as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trilemma_analysis.stats.intervals import Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["asymptotic_reach", "asymptotic_sequence", "betting_sequence", "mixture_scale", "units_needed"]

_GRID = 1000  # means that are tried: the interval is rounded outwards to a thousandth of its range
_BET_LIMIT = 0.5  # of the largest bet that cannot go broke


def mixture_scale(best_at: float, alpha: float = 0.05) -> float:
    """Return rho, with which an asymptotic sequence is narrowest after ``best_at`` units.

    Source: Waudby-Smith et al. 2024, Ann. Statist. 52(6), appendix B.2, equation for the optimal rho.
    """
    return float(np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / best_at))


def asymptotic_reach(
    t: ArrayLike, variance: ArrayLike, best_at: float = 500, confidence: float = 0.95
) -> NDArray[np.float64]:
    """Return how far an asymptotic sequence reaches to each side after t units of a variance (theorem 2.2)."""
    units, rho2 = np.asarray(t, dtype=float), mixture_scale(best_at, 1 - confidence) ** 2
    spread = 2 * (units * rho2 + 1) / (units**2 * rho2) * np.log(np.sqrt(units * rho2 + 1) / (1 - confidence))
    return np.asarray(np.sqrt(np.asarray(variance, dtype=float) * spread))


def units_needed(
    variance: float, distance: float, best_at: float = 500, first: int = 100, confidence: float = 0.95
) -> int | None:
    """Return after how many units a sequence reaches no farther than a distance; None beyond ten million."""
    units = np.unique(np.geomspace(first, 1e7, 2000).round())
    enough = np.flatnonzero(asymptotic_reach(units, variance, best_at, confidence) <= distance)
    return int(units[enough[0]]) if enough.size else None


def asymptotic_sequence(
    values: ArrayLike, best_at: float = 500, first: int = 100, confidence: float = 0.95
) -> Interval:
    """Return the interval of the mean after each unit, which all hold the mean at once with this confidence.

    Args:
        values: one per unit in order of time; the last axis is time. Any scale: costs, latencies, differences.
        best_at: after how many units it shall be narrowest.
        first: units before which nothing is said (the whole line): fewer do not show how much units differ.
        confidence: that the mean is inside all the time.

    Source: Waudby-Smith et al. 2024, Ann. Statist. 52(6), theorem 2.2, with the running standard deviation. The
    promise is asymptotic in ``first``; for success rates use betting_sequence, which holds at any n.
    """
    seen = np.asarray(values, dtype=float)
    t = np.arange(1, seen.shape[-1] + 1)
    mean = seen.cumsum(axis=-1) / t
    variance = np.maximum((seen**2).cumsum(axis=-1) / t - mean**2, 0) * t / np.maximum(t - 1, 1)
    reach = np.where(t >= first, asymptotic_reach(t, variance, best_at, confidence), np.inf)
    return Interval.around(mean, reach)


def betting_sequence(values: ArrayLike, low: float = 0.0, high: float = 1.0, confidence: float = 0.95) -> Interval:
    """Return the interval of the mean of values between low and high after each unit, exact at any n.

    Args:
        values: one per unit in order of time, shape (time,).
        low: the least that a value can be.
        high: the most that it can be.
        confidence: that the mean is inside all the time.

    Source: Waudby-Smith and Ramdas 2024, JRSS B 86(1), theorem 3: the hedged capital process with predictable plug-in
    bets. A mean is left out for good once betting against it has multiplied the stake by 1 / alpha. Raises ValueError
    for a value outside the range.
    """
    seen = np.asarray(values, dtype=float)
    if seen.size and (seen.min() < low or seen.max() > high):
        raise ValueError(f"a value lies outside {low:g} to {high:g}: {seen.min():g} to {seen.max():g} were seen")
    x = (seen - low) / (high - low)
    alpha = 1 - confidence
    bets = _plug_in_bets(x, alpha)
    means = np.arange(_GRID + 1) / _GRID
    is_in = np.ones(means.size, bool)
    log_up, log_down = np.zeros(means.size), np.zeros(means.size)
    ends = np.empty((2, x.size))
    with np.errstate(divide="ignore"):
        most_up, most_down = _BET_LIMIT / means, _BET_LIMIT / (1 - means)
    for at, (value, bet) in enumerate(zip(x, bets, strict=True)):
        log_up += np.log1p(np.minimum(bet, most_up) * (value - means))
        log_down += np.log1p(-np.minimum(bet, most_down) * (value - means))
        is_in &= np.maximum(log_up, log_down) + np.log(0.5) < -np.log(alpha)
        inside = np.flatnonzero(is_in)
        nearest = round(float(x[: at + 1].mean()) * _GRID)  # rounding may leave no mean of the grid
        first, last = (inside[0], inside[-1]) if inside.size else (nearest, nearest)
        ends[:, at] = max(first - 1, 0) / _GRID, min(last + 1, _GRID) / _GRID
    mean = x.cumsum() / np.arange(1, x.size + 1)
    scale = high - low
    return Interval(low + scale * ends[0], low + scale * mean, low + scale * ends[1])


def _plug_in_bets(x: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return the bet before each value, of the values before it alone (the paper's equations 26 and 27)."""
    t = np.arange(1, x.size + 1)
    mean = (0.5 + x.cumsum()) / (t + 1)
    variance = (0.25 + ((x - mean) ** 2).cumsum()) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    return np.asarray(np.sqrt(2 * np.log(2 / alpha) / (before * t * np.log(t + 1))))
