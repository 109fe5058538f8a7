"""Own the estimate: a figure with its interval, its sample size, its unit and its method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, PlainSerializer

if TYPE_CHECKING:
    from trilemma_analysis.stats.intervals import Interval

__all__ = [
    "Estimate",
    "Figure",
    "Frozen",
    "is_surely_less",
    "known_ratio",
    "no_estimate",
    "scale_estimate",
    "to_estimate",
]


def _round_figure(value: float | None) -> float | None:
    """Keep ten significant digits: what is left is arithmetic noise, which would make two equal reports differ."""
    return None if value is None else float(f"{value:.10g}")


Figure = Annotated[float | None, PlainSerializer(_round_figure, return_type=float | None)]


class Frozen(BaseModel):
    """What crosses the border of the analysis: immutable, checked, and the same JSON each time."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Frozen):
    """A figure with its interval. None is an end (or a value) that the data do not bound."""

    value: Figure
    low: Figure
    high: Figure
    n: int
    """Independent units behind it: runs, or inputs where runs repeat or are paired."""
    unit: str
    """``share`` (0 to 1), ``s``, ``ratio``, or a currency code."""
    method: str


def to_estimate(interval: Interval, n: int, unit: str, method: str) -> Estimate:
    """Return an interval as an estimate; infinite ends become None."""
    ends = (float(end) for end in (interval.estimate, interval.low, interval.high))
    value, low, high = (end if np.isfinite(end) else None for end in ends)
    return Estimate(value=value, low=low, high=high, n=n, unit=unit, method=method)


def no_estimate(unit: str) -> Estimate:
    """Return the estimate of something nobody saw."""
    return Estimate(value=None, low=None, high=None, n=0, unit=unit, method="no data")


def scale_estimate(estimate: Estimate, factor: float, unit: str | None = None) -> Estimate:
    """Return an estimate times a known factor, positive or negative."""
    value, low, high = (None if end is None else end * factor for end in (estimate.value, estimate.low, estimate.high))
    low, high = (low, high) if factor >= 0 else (high, low)
    changes = {"value": value, "low": low, "high": high, "unit": estimate.unit if unit is None else unit}
    return estimate.model_copy(update=changes)


def known_ratio(ratio: Estimate | None) -> float:
    """Return a ratio's value; infinite where it is unknown, so that it is nobody's least."""
    return math.inf if ratio is None or ratio.value is None else ratio.value


def is_surely_less(ratio: Estimate | None) -> bool:
    """Return whether the whole interval of a ratio lies below 1."""
    return ratio is not None and (ratio.high or math.inf) < 1
