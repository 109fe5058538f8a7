"""Own the convex frontier that mixing two combinations reaches, and the one figure that sums it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Hull", "average_quality", "convex_hull"]


@dataclass(frozen=True, slots=True)
class Hull:
    """The corners of a hull, from cheap to dear, and which combinations they are."""

    cost: NDArray[np.float64]
    quality: NDArray[np.float64]
    index: NDArray[np.intp]

    def quality_at(self, cost: ArrayLike) -> NDArray[np.float64]:
        """Return the best quality that a mix of two combinations reaches at a mean cost; NaN where none is so cheap."""
        wanted = np.asarray(cost, dtype=float)
        reached = np.interp(wanted, self.cost, self.quality)
        return np.where(wanted < self.cost[0], np.nan, reached)


def convex_hull(cost: ArrayLike, quality: ArrayLike) -> Hull:
    """Return the non-decreasing upper convex hull of combinations in the plane of cost and quality.

    Any point on it is reached by sending a share of the traffic to each of two neighbouring corners.
    Source: RouterBench 2403.12031, section 3.2; the scan is Andrew's monotone chain (1979). NaN is left out.
    """
    costs, qualities = np.asarray(cost, dtype=float), np.asarray(quality, dtype=float)
    order = np.lexsort((-qualities, costs))
    corners: list[int] = []
    for candidate in order[~(np.isnan(costs) | np.isnan(qualities))[order]]:
        if corners and qualities[candidate] <= qualities[corners[-1]]:
            continue  # dearer, and no better
        while len(corners) > 1 and _is_below(costs, qualities, corners[-2], corners[-1], int(candidate)):
            corners.pop()
        corners.append(int(candidate))
    index = np.array(corners, dtype=np.intp)
    return Hull(costs[index], qualities[index], index)


def average_quality(hull: Hull, low: float, high: float) -> float:
    """Return the mean quality that the hull reaches over costs from low to high: RouterBench's AIQ.

    Source: 2403.12031, equation 2. Costs below the cheapest corner reach no quality and count as 0. Raises ValueError
    where low is not below high.
    """
    if not low < high:
        raise ValueError(f"the range of costs is empty: {low:g} is not below {high:g}")
    start = max(low, float(hull.cost[0]))
    if start >= high:
        return 0.0
    inside = hull.cost[(hull.cost > start) & (hull.cost < high)]
    at = np.concatenate([[start], inside, [high]])
    return float(np.trapezoid(hull.quality_at(at), at) / (high - low))


def _is_below(cost: NDArray[np.float64], quality: NDArray[np.float64], left: int, middle: int, right: int) -> bool:
    """Return whether the middle point lies on or below the line from left to right."""
    rise = (quality[right] - quality[left]) * (cost[middle] - cost[left])
    return bool((quality[middle] - quality[left]) * (cost[right] - cost[left]) <= rise)
