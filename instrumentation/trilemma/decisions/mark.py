"""Own what is learned of a decision later: right or wrong, of use or not; an evaluation of the decision's own span."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma.arguments import MARKS, SOURCES, check_word, to_text
from trilemma.decisions.decision import Decision
from trilemma.errors import ArgumentError

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["mark"]

EVALUATION = "trilemma.decision"
_ID_LENGTH = 49  # 32 hexadecimal digits, a dash, 16 more


def mark(
    decision: Decision | str,
    verdict: str,
    *,
    source: str = "human",
    block: str | None = None,
    at: datetime | float | None = None,
    explanation: str | None = None,
) -> None:
    """Say whether a decision was right or of use: now or later, from any process, again if it turns out otherwise.

    `decision` is one, or the `id` you kept of it. `verdict` is right, wrong, used or unused; `block` says of which
    block of a context. `source` is who says so: system, human, judge or import. Of several the last by `at` holds.
    Raises ArgumentError for what cannot be meant.
    """
    from trilemma.evaluation import send_evaluation

    check_word("mark", "verdict", verdict, MARKS)
    check_word("mark", "source", source, SOURCES)
    known = decision.id if isinstance(decision, Decision) else to_text(decision)
    if not known and isinstance(decision, Decision):
        return  # nothing was traced, so that there is nothing to mark
    trace_id, _, span_id = known.partition("-")
    if len(known) != _ID_LENGTH:
        raise ArgumentError(f"mark(decision={decision!r}): give a decision, or the id of one: decision.id")
    send_evaluation(
        EVALUATION,
        label=verdict,
        trace_id=trace_id,
        span_id=span_id,
        at=at,
        explanation=explanation,
        more={"trilemma.decision.mark_source": source, "trilemma.context.block.id": block},
    )
