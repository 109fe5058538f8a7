"""Own the finding "these are not the times at which requests came": written in a batch, or evenly spaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.evidence.doubting import by_task, doubt, label_of, list_names
from trilemma_analysis.wording import say_count, say_seconds, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "made_up_times"
QUESTIONS = ("run_shapes",)
LEAST_RUNS = 50
BATCH = 20  # runs a moment: a burst of requests differs in microseconds
EVEN_SHARE = 0.9  # of the gaps, equal to the one before; arrivals hardly ever are
TOLERANCE_NS = 1000


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task whose start times are those of writing, or of counting."""
    found = []
    for task, rows in by_task(analysis.ask(QUESTIONS[0])):
        seen = [row for row in rows if row["runs"] >= LEAST_RUNS]
        if batches := [row for row in seen if row["moments"] * BATCH <= row["runs"]]:
            found.append(_report_batches(analysis, task, batches))
        if even := [(row, gap) for row in seen if (gap := find_even_gap(row["first_starts_ns"])) is not None]:
            found.append(_report_even(analysis, task, even))
    return found


def find_even_gap(starts_ns: list[int]) -> int | None:
    """Return the gap, in ns, by which nearly all starts follow the one before; None where gaps differ or are 0."""
    gaps = np.diff(np.asarray(starts_ns, dtype=np.int64))
    if gaps.size < LEAST_RUNS - 1:
        return None
    typical = int(np.sort(gaps)[gaps.size // 2])
    even = np.abs(gaps - typical) <= TOLERANCE_NS
    return typical if typical > TOLERANCE_NS and even.mean() >= EVEN_SHARE else None


def _report_batches(analysis: Analysis, task: str, rows: list[dict[str, Any]]) -> Finding:
    runs, moments = sum(row["runs"] for row in rows), sum(row["moments"] for row in rows)
    return doubt(
        KIND,
        task,
        "batches",
        title=f"{say_count(runs)} runs began at {say_count(moments)} moments",
        what=(
            f"{say_count(runs)} runs of {list_names([label_of(analysis, row) for row in rows])} share "
            f"{say_count(moments)} start "
            "times: when the log was written, not when the requests came."
        ),
        **_common(runs),
    )


def _report_even(analysis: Analysis, task: str, even: list[tuple[dict[str, Any], int]]) -> Finding:
    runs = sum(row["runs"] for row, _ in even)
    return doubt(
        KIND,
        task,
        "even",
        title=f"runs begin every {say_seconds(even[0][1] / 1e9)}, to the microsecond",
        what=(
            f"At least {say_share(EVEN_SHARE)} of the runs of "
            f"{list_names([label_of(analysis, row) for row, _ in even])} begin just as "
            "long after the one before: these are numbers of rows, not the times at which requests came."
        ),
        **_common(runs),
    )


def _common(runs: int) -> dict[str, Any]:
    return {
        "n": runs,
        "unit": "runs",
        "questions": QUESTIONS,
        "doubts": ("latency",),
        "risk": (
            "Hits of a cache with a time to live, load, bursts, and the time of a change depend on when requests came. "
            "Latency by hour cannot be told from the order of rows."
        ),
        "change": "Log when each request was sent; take no caching or capacity decision from these times.",
    }
