"""Own the finding "errors flatter the latencies": failed runs with no length, or a short one, in or out of a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trilemma_analysis.evidence.doubting import by_task, doubt, label_of, list_names
from trilemma_analysis.wording import say_count, say_seconds, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "hidden_errors"
QUESTIONS = ("run_shapes",)
LEAST_FAILED = 10
LEAST_SHARE = 0.02  # below, p95 can hardly move: a fifth of what lies beyond it
FAST = 0.5  # a failure that takes less than this part of an answer makes its combination look faster
NEVER_S = 1e8  # run_shapes gives a failed run 1e9 s


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task where failed runs have no length, or a much shorter one than answers."""
    rows = analysis.ask(QUESTIONS[0])
    return [found for task, ones in by_task(rows) if (found := _report(analysis, task, ones)) is not None]


def _report(analysis: Analysis, task: str, rows: list[dict[str, Any]]) -> Finding | None:
    if not any(row["answered"] for row in rows):
        return None
    hiding = [row for row in rows if _hides(row)]
    if not hiding:
        return None
    failed, runs = sum(row["failed"] for row in hiding), sum(row["runs"] for row in hiding)
    untimed = sum(row["failed_untimed"] for row in hiding)
    worst = max(hiding, key=lambda row: (row["failed"] / row["runs"], row["combination"]))
    parts = [
        (
            f"{say_count(failed)} of {say_count(runs)} runs of {_count_places(len(hiding))} failed with an error; "
            f"{say_count(untimed)} of them have no length and are in no latency, the others took less than half as "
            "long as an answer."
        ),
        (
            f"{label_of(analysis, worst)} failed in {say_share(worst['failed'] / worst['runs'])} of its runs: p95 of "
            f"its answers is {_say(worst['answered_s'][1])}, and {_say(worst['either_s'][1])} if a failure counts as "
            "an answer that never came."
        ),
    ]
    if moved := _compare_places(analysis, rows):
        parts.append(f"Counted so, places by p95 change: {list_names(moved)}.")
    return doubt(
        KIND,
        task,
        title=f"latencies leave out or shorten {say_count(failed)} runs that failed",
        what=" ".join(parts),
        n=int(runs),
        unit="runs",
        questions=QUESTIONS,
        doubts=("latency",),
        risk="A combination that refuses half of its requests at once can lead a table of latencies.",
        change=(
            "Read latency beside the error rate: compare the share of runs answered in time, or count failures as "
            "never."
        ),
        verification="Record the length of failed calls too; compare p95 with failures counted as never.",
    )


def _hides(row: dict[str, Any]) -> bool:
    if row["failed"] < LEAST_FAILED or row["failed"] < LEAST_SHARE * row["runs"]:
        return False
    if row["failed_untimed"] >= LEAST_SHARE * row["runs"]:
        return True
    answer, failure = row["answered_s"][0], row["failed_s"][0]
    return bool(failure < FAST * answer)  # false where either is not a number


def _compare_places(analysis: Analysis, rows: list[dict[str, Any]]) -> list[str]:
    """Return what changes its place by p95 when failures count as never, of those that answered at all."""
    timed = [row for row in rows if row["answered"]]
    shown, counted = (
        sorted(timed, key=lambda row, name=name: (row[name][1], row["combination"]))  # type: ignore[misc]  # a default binds it
        for name in ("answered_s", "either_s")
    )
    return [
        f"{label_of(analysis, row)} from {before + 1} to {after + 1}"
        for before, row in enumerate(shown)
        if (after := counted.index(row)) != before and row["either_s"][1] > NEVER_S
    ]


def _say(seconds: float) -> str:
    return "no time at all" if seconds > NEVER_S else "unknown" if math.isnan(seconds) else say_seconds(seconds)


def _count_places(count: int) -> str:
    return "one combination" if count == 1 else f"{count} combinations"
