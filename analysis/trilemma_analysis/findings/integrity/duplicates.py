"""Own the finding "these rows were published again": equal to the nanosecond, under other ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma_analysis.evidence.doubting import by_task, doubt, list_names
from trilemma_analysis.wording import say_count, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "duplicates"
QUESTIONS = ("republished_calls",)
LEAST_COPIES = 20
# Two calls agree in length to the nanosecond by chance about never; logs kept in microseconds give one in a thousand.
LEAST_SHARE = 0.01


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task in which calls are there again."""
    rows = analysis.ask(QUESTIONS[0])
    return [found for task, ones in by_task(rows) if (found := _report(task, ones)) is not None]


def _report(task: str, rows: list[dict[str, Any]]) -> Finding | None:
    calls, copies, later = (sum(row[name] for row in rows) for name in ("calls", "copies", "later_copies"))
    if copies < LEAST_COPIES or copies < LEAST_SHARE * calls:
        return None
    models = sorted((row for row in rows if row["copies"]), key=lambda row: (-row["copies"], row["request_model"]))
    spelled = sum(row["spelled"] for row in rows)
    return doubt(
        KIND,
        task,
        title=f"{say_share(copies / calls)} of the calls that can be told apart are copies of earlier ones",
        what=(
            f"{say_count(copies)} of {say_count(calls)} calls have the same model, variant, input, token counts and "
            f"length to the nanosecond as one before; {say_count(later)} of them stand on another day"
            f"{f', and of {say_count(spelled)} the output is known to be the same' if spelled else ''}. No provider "
            "answers twice that alike: the "
            f"rows were published again, and count several times. Most: "
            f"{list_names([row['request_model'] for row in models])}."
        ),
        n=int(calls),
        unit="calls",
        questions=QUESTIONS,
        doubts=("quality", "cost", "latency"),
        risk=(
            "Intervals are too narrow, since copies add no information; copies on later days hide changes over time, "
            "and totals and traffic are too high."
        ),
        change=(
            "Load each row once: keep the first of the rows that are equal in all but id and day (--since or [rows] "
            "when)."
        ),
    )
