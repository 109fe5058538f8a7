"""Own the pictures of guardrails and fallback: what they stop, how often rightly, how long it takes, what survives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma_analysis.pictures.marks import by_task, share_of, share_of_moments
from trilemma_analysis.pictures.picture import Frame, Mark, Picture

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["ASKS", "KINDS", "NEEDS", "QUESTIONS", "TITLE", "TOPIC", "make"]

TOPIC = "guardrails"
TITLE = "Guardrails and fallback"
ASKS = "What do guardrails stop, how often rightly, how long do they take, and how far down do fallbacks go?"
NEEDS = (
    "Guardrails are traced with `trilemma.guardrail`, fallbacks with `trilemma.fallback`, and marked right or wrong."
)
KINDS = ("guardrail_ledger", "missing_fallback", "retry_waste")
QUESTIONS = ("guardrail_checks", "fallback_attempts", "retry_attempts")


def make(analysis: Analysis) -> list[Picture]:
    """Return the pictures of each task."""
    level = analysis.options.confidence
    checks = by_task(analysis.ask("guardrail_checks"))
    chains = by_task(analysis.ask("fallback_attempts"))
    retries = by_task(analysis.ask("retry_attempts"))
    return [
        *(picture for task, rows in checks.items() for picture in _draw_checks(task, rows, level)),
        *(
            Frame(TOPIC, task, level).draw(
                "How often does each attempt of a fallback succeed?",
                "share of attempts accepted",
                [_mark_attempt(row, level) for row in rows],
                question="fallback_attempts",
            )
            for task, rows in chains.items()
        ),
        *(
            Frame(TOPIC, task, level).draw(
                "How often does it help to try a call again?",
                "share of attempts that succeeded",
                [_mark_retry(row, level) for row in rows],
                question="retry_attempts",
            )
            for task, rows in retries.items()
        ),
    ]


def _draw_checks(task: str, rows: list[dict[str, Any]], level: float) -> list[Picture]:
    stops = [mark for row in rows for mark in _mark_verdicts(row, level)]
    rightly = [mark for row in rows for mark in _mark_precision(row, level)]
    times = [Mark(name=_name(row), estimate=share_of_moments(row, "time", level)) for row in rows]
    frame = Frame(TOPIC, task, level)
    return [
        frame.draw(title, axis, marks, question="guardrail_checks")
        for title, axis, marks in (
            ("What does each guardrail stop?", "share of what it saw", stops),
            ("How often is a block right?", "share of marked blocks that were right", rightly),
            ("How long does it take?", "share of a run's time that it takes", times),
        )
        if marks
    ]


def _mark_verdicts(row: dict[str, Any], level: float) -> list[Mark]:
    return [
        Mark(name=_name(row), group=verdict, estimate=share_of(row[verdict], row["checks"], level))
        for verdict in ("blocked", "changed")
    ]


def _mark_precision(row: dict[str, Any], level: float) -> list[Mark]:
    return [Mark(name=_name(row), estimate=share_of_moments(row, "mark", level))] if row["mark_y"] else []


def _mark_attempt(row: dict[str, Any], level: float) -> Mark:
    name = f"{row['fallback']} {row['place']}: {row['option']}"
    return Mark(name=name, estimate=share_of(row["accepted"], row["tried"], level))


def _mark_retry(row: dict[str, Any], level: float) -> Mark:
    name = f"{row['model']}, attempt {row['attempt']}"
    return Mark(name=name, estimate=share_of(row["succeeded"], row["reached"], level))


def _name(row: dict[str, Any]) -> str:
    return f"{row['guardrail']} ({row['stage']})" if row["stage"] else row["guardrail"]
