"""Own the finding "this part says nothing": every combination has the same constant outcome there."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trilemma_analysis.evidence.doubting import by_task, doubt, list_names
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.wording import say_count, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "no_information"
QUESTIONS = ("combinations", "segment_shapes")
LEAST_RUNS = 50  # of all combinations: fewer may be constant by chance
LEAST_SEGMENT = 30
LEAST_SHARE = 0.05  # of a task's runs in such segments: a margin's worth of dilution


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task, or some of its segments, where all combinations are always right or wrong."""
    found = [one for task in sorted({one.task for one in analysis.measures}) if (one := _look_at(analysis, task))]
    dull = {one.task for one in found}
    for task, rows in by_task(analysis.ask("segment_shapes")):
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for row in rows:
            for place, value in enumerate((row["known"], row["successes"], row["known"] > 0)):
                counts[row["segment"]][place] += int(value)
        constant = {
            segment: known
            for segment, (known, won, tried) in sorted(counts.items())
            if known >= LEAST_SEGMENT and won in {0, known} and tried > 1
        }
        known = sum(each[0] for each in counts.values())
        if task not in dull and constant and sum(constant.values()) >= LEAST_SHARE * known:
            found.append(_report_segments(task, list(constant), sum(constant.values()), known))
    return found


def _look_at(analysis: Analysis, task: str) -> Finding | None:
    ones = [one for one in analysis.of_task(task) if one.known]
    known, won = sum(one.known for one in ones), sum(one.successes for one in ones)
    if len(ones) < 2 or known < LEAST_RUNS or won not in {0, known}:
        return None
    word = "succeeded" if won else "failed"
    return doubt(
        KIND,
        task,
        title=f"every run of every combination {word}",
        what=(
            f"All {say_count(known)} runs of {say_count(len(ones))} combinations {word}: the outcome does not depend "
            "on what "
            "was used, so the task tells no combination from another, and pulls every average over tasks together."
        ),
        n=known,
        unit="runs",
        questions=QUESTIONS[:1],
        doubts=("quality",),
        verdict=Verdict.ACT,
        risk=(
            "An evaluation that never says no is taken for quality."
            if won
            else "A harness, format or parser that cannot score an answer is taken for a lack of ability."
        ),
        change=(
            "Look at some answers: either the evaluation cannot tell, or the task is too "
            f"{'easy' if won else 'hard'}. Leave it out of averages."
        ),
    )


def _report_segments(task: str, segments: list[str], runs: int, known: int) -> Finding:
    return doubt(
        KIND,
        task,
        "segments",
        title=f"{say_share(runs / known)} of the runs are in segments where every combination does the same",
        what=(
            f"In {list_names(segments)} ({say_count(runs)} of {say_count(known)} runs) all runs of all combinations "
            "succeeded, or "
            "all failed. They dilute what differs in the other segments."
        ),
        n=known,
        unit="runs",
        questions=QUESTIONS[1:],
        doubts=("quality",),
        change="Look at some of their answers, and compare combinations on the other segments.",
    )
