"""Own what is learned about a task or an answer after the fact: outcomes and evaluations, sent as OTLP log events."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, cast

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext

from trilemma import guard
from trilemma.arguments import OUTCOMES, SOURCES, check_number, check_text, check_word, to_text
from trilemma.errors import ArgumentError
from trilemma.task import Task, task_attributes
from trilemma.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AnyValue

__all__ = ["evaluate", "outcome", "send_evaluation", "send_outcome"]

OUTCOME_EVENT = "trilemma.task.outcome"
EVALUATION_EVENT = "gen_ai.evaluation.result"  # semantic conventions for generative AI

_log = logging.getLogger("trilemma")


def outcome(
    task_id: str | Task,
    outcome: str,
    *,
    failure_mode: str | None = None,
    source: str = "system",
    value: float | None = None,
    at: datetime | float | None = None,
    task_name: str | None = None,
) -> None:
    """Say how a task ended, by its id: later, from any process, again if it turns out otherwise.

    `outcome` is success, failure or unknown; `failure_mode` says why it failed, `source` who judged: system, human,
    judge or import. `at` is when that became known: a datetime with time zone or Unix seconds; default now. Of several
    the last by `at` holds, so that repeating one changes nothing. Raises ArgumentError for what cannot be meant.
    """
    run_id = task_id.id if isinstance(task_id, Task) else check_text("outcome", "task_id", task_id)
    name = task_id.name if isinstance(task_id, Task) else task_name
    if failure_mode and outcome != "failure":
        raise ArgumentError(f"outcome(failure_mode={failure_mode!r}): only a failure has one, not {outcome!r}")
    told = {
        "trilemma.task.outcome": check_word("outcome", "outcome", outcome, OUTCOMES),
        "trilemma.task.failure_mode": to_text(failure_mode or "") or None,
        "trilemma.task.outcome_source": check_word("outcome", "source", source, SOURCES),
        "trilemma.task.value": check_number("outcome", "value", value),
    }
    send_outcome(run_id, name, told, _to_unix_ns("outcome", at))


def evaluate(
    name: str,
    score: float | None = None,
    label: str | None = None,
    explanation: str | None = None,
    *,
    span: Span | SpanContext | None = None,
    task: Task | None = None,
    task_id: str | None = None,
    trace_id: str | None = None,
    span_id: str | None = None,
    response_id: str | None = None,
    source: str | None = None,
    at: datetime | float | None = None,
) -> None:
    """Record a judgement of an answer or a task as a ``gen_ai.evaluation.result`` event.

    What is judged: `span`, or `trace_id` and `span_id` (hex, as a backend shows them), or `task`, or `task_id`;
    default: the current span and task. `name` says what is judged ("groundedness"), by a `score`, a `label`, or both;
    `explanation` says why, `source` who judged: system, human, judge or import. Raises ArgumentError for what cannot
    be meant.
    """
    number = check_number("evaluate", "score", score)
    if number is None and not label:
        raise ArgumentError(f"evaluate({name!r}): give a score, a label, or both")
    judged, found = _find_judged(span, task, task_id, trace_id, span_id)
    attributes = {
        "gen_ai.evaluation.name": check_text("evaluate", "name", name),
        "gen_ai.evaluation.score.value": number,
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.explanation": explanation,
        "gen_ai.response.id": response_id,
        "trilemma.evaluation.source": None if source is None else check_word("evaluate", "source", source, SOURCES),
        **found,
    }
    if not judged.is_valid and not found and response_id is None:
        _log.warning(
            "trilemma: evaluation %r belongs to nothing: there is no current span or task. "
            "Give evaluate() a span, a task_id, or trace_id and span_id",
            name,
        )
    _emit(EVALUATION_EVENT, attributes, judged, _to_unix_ns("evaluate", at))


def send_evaluation(
    name: str,
    *,
    trace_id: str,
    span_id: str,
    score: float | None = None,
    label: str | None = None,
    explanation: str | None = None,
    at: datetime | float | None = None,
    more: Mapping[str, object] | None = None,
) -> None:
    """Emit an evaluation of one span; `more` holds further attributes."""
    attributes = {
        "gen_ai.evaluation.name": name,
        "gen_ai.evaluation.score.value": score,
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.explanation": explanation,
        **(more or {}),
    }
    _emit(EVALUATION_EVENT, attributes, _read_ids(trace_id, span_id), _to_unix_ns("evaluate", at))


def send_outcome(task_id: str, name: str | None, told: Mapping[str, object], at_ns: int | None = None) -> None:
    """Emit the outcome event of a task; `told` holds its attributes."""
    attributes = {"trilemma.task.id": task_id, "trilemma.task.name": name, **told}
    _emit(OUTCOME_EVENT, attributes, trace.INVALID_SPAN_CONTEXT, at_ns)


def _find_judged(
    span: Span | SpanContext | None, task: Task | None, task_id: str | None, trace_id: str | None, span_id: str | None
) -> tuple[SpanContext, dict[str, str]]:
    """Return the span context and the task attributes that the evaluation is about."""
    if span is not None:
        return (span.get_span_context() if isinstance(span, Span) else span), {}
    if trace_id is not None or span_id is not None:
        return _read_ids(trace_id, span_id), {} if task_id is None else {"trilemma.task.id": task_id}
    if task is not None:
        return task.span.get_span_context(), {"trilemma.task.id": task.id, "trilemma.task.name": task.name}
    if task_id is not None:
        return trace.INVALID_SPAN_CONTEXT, {"trilemma.task.id": check_text("evaluate", "task_id", task_id)}
    around = task_attributes()
    names = ("trilemma.task.id", "trilemma.task.name")
    return trace.get_current_span().get_span_context(), {key: around[key] for key in names if key in around}


def _read_ids(trace_id: str | None, span_id: str | None) -> SpanContext:
    try:
        context = SpanContext(int(trace_id or "", 16), int(span_id or "", 16), is_remote=True)
    except (TypeError, ValueError):
        context = trace.INVALID_SPAN_CONTEXT
    if not context.is_valid:
        raise ArgumentError(
            f"evaluate(trace_id={trace_id!r}, span_id={span_id!r}): give both, as 32 and 16 hexadecimal digits"
        )
    return context


@guard.guarded
def _emit(event: str, attributes: Mapping[str, object], judged: SpanContext, at_ns: int | None) -> None:
    logger = get_logger()
    if logger is None:
        _warn_unsent(event)
        return
    now_ns = time.time_ns()
    record = LogRecord(
        timestamp=at_ns or now_ns,
        observed_timestamp=now_ns,
        context=trace.set_span_in_context(NonRecordingSpan(judged)),
        severity_number=SeverityNumber.INFO,
        attributes={key: cast("AnyValue", value) for key, value in attributes.items() if value is not None},
        event_name=event,
    )
    logger.emit(record)


@cache
def _warn_unsent(event: str) -> None:
    """Say it once for each kind of event: losing what a human judged without a word would be worse than a log line."""
    _log.warning(
        "trilemma: %s events go nowhere, because OpenTelemetry has no logger provider in this process. "
        "Call trilemma.instrument() first, or set a logger provider. Logged once",
        event,
    )


def _to_unix_ns(function: str, at: datetime | float | None) -> int | None:
    if at is None:
        return None
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise ArgumentError(
                f"{function}(at={at!r}): the time zone is missing; use datetime.now(timezone.utc) or Unix seconds"
            )
        return round(at.timestamp() * 1e9)
    seconds = check_number(function, "at", at)
    return None if seconds is None else round(seconds * 1e9)
