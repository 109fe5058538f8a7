"""Own the finding "the log itself doubts these runs": rows that bear the mark trilemma.doubt, with its reason."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.evidence.doubting import by_task, doubt, label_of, list_names
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.wording import say_count, say_points, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "doubted_runs"
QUESTIONS = ("doubted_runs",)


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task and reason that an evaluation `trilemma.doubt` names."""
    found = []
    for task, rows in by_task(analysis.ask(QUESTIONS[0])):
        by_reason: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            by_reason[row["doubt"]].append(row)
        found += [_report(analysis, task, reason, by_reason[reason]) for reason in sorted(by_reason)]
    return found


def _report(analysis: Analysis, task: str, reason: str, rows: list[dict[str, Any]]) -> Finding:
    ones = {one.combination: one for one in analysis.of_task(task)}
    runs, total = sum(row["runs"] for row in rows), sum(one.runs for one in ones.values())
    moves = [move for row in rows if (move := _measure_move(row, ones[row["combination"]])) is not None]
    most = max(moves, key=abs) if moves else None
    rest = "" if most is None else f" Without them, success rates move by up to {say_points(most)}."
    everything = sum(ones[row["combination"]].runs for row in rows) == runs
    places = [label_of(analysis, row) for row in rows]
    return doubt(
        KIND,
        task,
        reason,
        where=f"{task}: {reason}",
        title=f"{say_count(runs)} runs are marked by their log: {reason}",
        what=(
            f"{say_count(runs)} of {say_count(total)} runs ({say_share(runs / total)}) bear the mark {reason!r}"
            f"{', each of the runs of' if everything else ', in'} {list_names(places)}.{rest}"
        ),
        n=int(total),
        unit="runs",
        questions=QUESTIONS,
        doubts=("quality",),
        verdict=Verdict.NOT_ENOUGH_DATA if everything else Verdict.ACT,
        risk="Whoever wrote the log knew of a reason not to take these runs as they are.",
        change=(
            "Nothing in the log can settle it: find out from its author, or run again."
            if everything
            else "Leave these runs out ([rows] when in the mapping, or no outcome), and compare."
        ),
    )


def _measure_move(row: dict[str, Any], one: Any) -> float | None:
    """Return by how much the combination's success rate changes without the marked runs."""
    rest = one.known - row["known"]
    return (one.successes - row["successes"]) / rest - one.successes / one.known if rest > 0 and row["known"] else None
