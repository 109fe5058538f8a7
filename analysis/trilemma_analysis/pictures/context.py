"""Own the pictures of context: what each source brings in, and which part of it is ever of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma_analysis.pictures.marks import by_task, mean_of, share_of
from trilemma_analysis.pictures.picture import Frame, Mark, Picture

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["ASKS", "KINDS", "NEEDS", "QUESTIONS", "TITLE", "TOPIC", "make"]

TOPIC = "context"
TITLE = "Context"
ASKS = "Which sources fill the context, and which part of what they bring is ever of use?"
NEEDS = "Context is traced with `trilemma.context`, and its blocks are marked used or unused when that is known."
KINDS = ("context_waste",)
QUESTIONS = ("context_sources",)
MARKS = {"used": "marked used", "unused": "marked unused", "unmarked": "not marked"}


def make(analysis: Analysis) -> list[Picture]:
    """Return the pictures of each task."""
    level = analysis.options.confidence
    pictures = []
    for task, rows in by_task(analysis.ask("context_sources")).items():
        frame, question = Frame(TOPIC, task, level), "context_sources"
        if tokens := _mark_tokens(rows, level):
            axis = "tokens per context (mean)"
            pictures.append(frame.draw("What fills the context?", axis, tokens, question=question, form="bars"))
        if used := _mark_use(rows, level):
            axis = "share of marked blocks that were of use"
            pictures.append(frame.draw("Which part is of use?", axis, used, question=question))
    return pictures


def _mark_tokens(rows: list[dict[str, Any]], level: float) -> list[Mark]:
    return [
        Mark(name=_name(row), group=said, estimate=mean_of(row, mark, "tokens", level))
        for row in rows
        for mark, said in MARKS.items()
        if row[f"{mark}_x"]
    ]


def _mark_use(rows: list[dict[str, Any]], level: float) -> list[Mark]:
    counts = [(row, row["marked_used"], row["marked_used"] + row["marked_unused"]) for row in rows]
    return [Mark(name=_name(row), estimate=share_of(used, marked, level)) for row, used, marked in counts if marked]


def _name(row: dict[str, Any]) -> str:
    return f"{row['context']}: {row['source']}" if row["source"] else row["context"]
