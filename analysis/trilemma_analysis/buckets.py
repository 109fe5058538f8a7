"""Own how the time of the runs is cut: into buckets of a round width, few enough to hold runs each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["find_width"]

MOST_BUCKETS = 60
WIDTHS_S = (1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 28 * 86_400)


def find_width(analysis: Analysis, most: int = MOST_BUCKETS) -> int:
    """Return the finest round bucket width, in seconds, that cuts the time of the runs into at most so many."""
    first, last = min(one.first_us for one in analysis.measures), max(one.last_us for one in analysis.measures)
    return next((width for width in WIDTHS_S if (last / 1e6 - first / 1e6) / width <= most), WIDTHS_S[-1])
