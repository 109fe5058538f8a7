"""Own the two halves of each task's time, read once, and the split of what moved success between them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.evidence.mixes import choose_group, split_success

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.evidence.mixes import Grouping, Shift

__all__ = ["read_calls", "read_halves", "split_by_source", "split_by_traffic"]

MOST_SEGMENTS = 100
LEAST_KNOWN = 30  # runs with an outcome in each half
_NO_SOURCE = "nobody named"


def read_halves(analysis: Analysis) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of sql/mix_halves.sql by task."""
    halves: dict[str, list[dict[str, Any]]] = {task: [] for task in _list_tasks(analysis)}
    for row in analysis.ask("mix_halves", **_bind(analysis), most_segments=MOST_SEGMENTS):
        halves[row["task_name"]].append(row)
    return halves


def read_calls(analysis: Analysis) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of sql/call_amounts.sql by task, over the same halves."""
    calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("call_amounts", **_bind(analysis)):
        calls[row["task_name"]].append(row)
    return calls


def split_by_traffic(analysis: Analysis, task: str, rows: list[dict[str, Any]]) -> Shift | None:
    """Split the change of a task's success by its segments or combinations; None where the halves tell too little."""
    return _split(analysis, task, rows, choose_group(rows))


def split_by_source(analysis: Analysis, task: str, rows: list[dict[str, Any]]) -> Shift | None:
    """Split the change of a task's success by who told the outcomes; None where the halves tell too little."""
    return _split(analysis, task, rows, ("evaluators", lambda row: row["outcome_source"] or _NO_SOURCE))


def _split(analysis: Analysis, task: str, rows: list[dict[str, Any]], grouping: Grouping) -> Shift | None:
    ones = analysis.of_task(task)
    effective = sum(one.effective_n for one in ones)
    if not effective:
        return None
    shift = split_success(
        rows,
        grouping,
        max(sum(one.known for one in ones) / effective, 1.0),
        analysis.options.confidence,
    )
    return shift if shift is not None and min(shift.known) >= LEAST_KNOWN else None


def _list_tasks(analysis: Analysis) -> list[str]:
    return sorted({one.task for one in analysis.measures})


def _bind(analysis: Analysis) -> dict[str, Any]:
    """Return the parameters that cut the time of each task in two."""
    tasks = _list_tasks(analysis)
    return {"split_tasks": tasks, "split_us": [_find_middle(analysis, task) for task in tasks]}


def _find_middle(analysis: Analysis, task: str) -> int:
    ones = analysis.of_task(task)
    return (min(one.first_us for one in ones) + max(one.last_us for one in ones)) // 2 + 1
