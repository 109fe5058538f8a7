"""Own the interval of a quantile: which order statistics bound it, whatever the distribution."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import stats

__all__ = ["QuantileRanks", "quantile_ranks"]


class QuantileRanks(NamedTuple):
    """Ranks, from 1, of the order statistics that estimate and bound a quantile; None where the sample is too small."""

    low: int | None
    estimate: int
    high: int | None


def quantile_ranks(n: int, level: float, confidence: float = 0.95, design_effect: float = 1.0) -> QuantileRanks:
    """Return the ranks of the interval of the ``level`` quantile among n sorted values, n > 0.

    The chance that at most k of n values lie below the quantile is binomial (Conover 1999, section 3.2): each tail errs
    with at most half of the error allowed. With a design effect (repeated inputs) the ranks of an effective sample
    of n / design_effect values are stretched to n (Woodruff 1952).
    """
    effective = max(1, math.floor(n / max(design_effect, 1.0)))
    tail = (1 - confidence) / 2
    below = int(stats.binom.ppf(tail, effective, level))  # P(at most below) >= tail, P(at most below - 1) < tail
    above = int(stats.binom.isf(tail, effective, level)) + 1
    low = math.floor(below * n / effective) if below >= 1 else None
    high = math.ceil(above * n / effective) if above <= effective else None
    return QuantileRanks(low or None, max(1, math.ceil(n * level - 1e-9)), high)
