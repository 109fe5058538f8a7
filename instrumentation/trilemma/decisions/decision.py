"""Own what every decision is: a span of its own beneath the task, so that its result can be told later by its id."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.trace import INVALID_SPAN, Status, StatusCode

from trilemma import guard
from trilemma.span_attributes import write_attributes
from trilemma.task import Entered, task_attributes
from trilemma.telemetry import start_decision_span

if TYPE_CHECKING:
    from opentelemetry.context import Context

__all__ = ["Decision", "decide"]

KIND = "trilemma.decision.kind"
NAME = "trilemma.decision.name"
CHOSEN = "trilemma.decision.chosen"
REASON = "trilemma.decision.reason"


class Decision(Entered):
    """A decision in the making: ``with`` it is open, and what is called meanwhile lies beneath it.

    `facts` are its attributes, written at its end; None is left out. `id` names it for `trilemma.mark`, also in another
    process.
    """

    __slots__ = ("facts", "kind", "name", "span")

    def __init__(self, kind: str, name: str, facts: dict[str, Any] | None = None) -> None:
        self.kind = kind
        self.name = name
        self.facts: dict[str, Any] = {} if facts is None else facts
        self.span: trace.Span = INVALID_SPAN
        self._token = None

    @property
    def id(self) -> str:
        """The id to keep with your own data, "" where nothing is traced: trace id and span id in hexadecimal digits."""
        context = self.span.get_span_context()
        return f"{context.trace_id:032x}-{context.span_id:016x}" if context.is_valid else ""

    def begin(self) -> Context:
        """Start its span, and return the context of what lies beneath it."""
        context = get_current()
        return self._begin(context) or context

    @guard.guarded
    def end(self, error: BaseException | None = None) -> None:
        """End its span with what is known; a second end does nothing."""
        span = self.span
        if span is INVALID_SPAN or not span.is_recording():
            return
        ended_ns = time.time_ns()
        facts, failure = self.facts.copy(), None
        if isinstance(error, Exception):
            failure = facts["error.type"] = type(error).__name__
        end_late = getattr(span, "end_late", None)
        if end_late is not None and end_late(ended_ns, _Facts(facts, failure)):
            return
        write_attributes(span, clean(facts))
        if failure is not None:
            span.set_status(Status(StatusCode.ERROR, failure))
        span.end(ended_ns)

    @guard.guarded
    def _begin(self, context: Context) -> Context:
        attributes = {KIND: self.kind, NAME: self.name, **task_attributes(context)}
        self.span = start_decision_span(f"{self.kind} {self.name}", attributes, time.time_ns(), context)
        return trace.set_span_in_context(self.span, context)


class _Facts:
    """Be what a decision's span says when someone looks at it (trilemma.late_span)."""

    __slots__ = ("_facts", "_failure")

    def __init__(self, facts: dict[str, Any], failure: str | None) -> None:
        self._facts = facts
        self._failure = failure

    def read_late(self) -> tuple[dict[str, Any], str | None]:
        """Return the attributes, and the type of the failure."""
        return clean(self._facts), self._failure


def decide(kind: str, name: str, facts: dict[str, Any]) -> Decision:
    """Record a decision that takes no time: its span begins and ends now."""
    decision = Decision(kind, name, facts)
    _begin_and_end(decision)
    return decision


@guard.guarded
def _begin_and_end(decision: Decision) -> None:
    decision.begin()
    decision.end()


def clean(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that are known, lists as the tuples that spans hold."""
    return {key: tuple(fact) if type(fact) is list else fact for key, fact in facts.items() if fact is not None}
