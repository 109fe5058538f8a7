"""Own the sums that ClickHouse sends instead of rows: all that a ratio, and a rate over clusters, needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Moments", "collect_moments"]


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over n independent units (runs; inputs, when runs repeat) of x, y, their squares and their product."""

    n: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    xx: NDArray[np.float64]
    yy: NDArray[np.float64]
    xy: NDArray[np.float64]


def collect_moments(x: NDArray[np.float64], y: NDArray[np.float64]) -> Moments:
    """Return the moments of units given one by one; the last axis is the sample."""
    n = np.full(x.shape[:-1], x.shape[-1], dtype=float)
    return Moments(n, x.sum(-1), y.sum(-1), (x * x).sum(-1), (y * y).sum(-1), (x * y).sum(-1))
