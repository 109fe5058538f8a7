"""Own what pictures have in common: rates and means as marks, and the round buckets that time is cut into."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from trilemma_analysis.buckets import find_width
from trilemma_analysis.estimate import no_estimate, to_estimate
from trilemma_analysis.measures import read_moments
from trilemma_analysis.stats.intervals import wilson
from trilemma_analysis.stats.ratios import ratio_of_sums, share_of_sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.estimate import Estimate

__all__ = [
    "by_task",
    "choose_most",
    "mean_of",
    "name_versions",
    "read_time",
    "share_of",
    "share_of_moments",
    "width_of",
]

BUCKETS = 24  # more would have too few runs each to tell them apart


def share_of(part: int, whole: int, confidence: float) -> Estimate:
    """Return a share of runs that are their own units."""
    if not whole:
        return no_estimate("share")
    return to_estimate(wilson(part, whole, confidence), int(whole), "share", "Wilson")


def share_of_moments(row: dict[str, Any], prefix: str, confidence: float) -> Estimate:
    """Return the share of sums x in y, over units that stand in a row as moments."""
    moments = read_moments(row, prefix)
    if not moments.y:
        return no_estimate("share")
    method = "delta method on the logit scale"
    return to_estimate(share_of_sums(moments, confidence), int(row[f"{prefix}_n"]), "share", method)


def mean_of(row: dict[str, Any], prefix: str, unit: str, confidence: float, scale: float = 1.0) -> Estimate:
    """Return the mean of amounts x over y, over units that stand in a row as moments."""
    moments = read_moments(row, prefix, x_scale=scale)
    if not moments.y:
        return no_estimate(unit)
    method = "delta method on the log scale"
    return to_estimate(ratio_of_sums(moments, confidence), int(row[f"{prefix}_n"]), unit, method)


def width_of(analysis: Analysis) -> int:
    """Return the width of a picture's bucket, in seconds."""
    return find_width(analysis, BUCKETS)


def read_time(bucket: int, width_s: int) -> datetime:
    """Return when a bucket begins."""
    return datetime.fromtimestamp(bucket * width_s, UTC)


def by_task(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return rows by their task, in their order."""
    tasks: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        tasks[row["task_name"]].append(row)
    return dict(tasks)


def choose_most(counts: Mapping[str, int], most: int) -> list[str]:
    """Return the names with the largest counts, so many as a picture has room for."""
    return [name for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))][:most]


def name_versions(prompt: str, version: str) -> str:
    """Return a prompt's name and version as combinations write them."""
    return f"{prompt}@{version}" if prompt else version
