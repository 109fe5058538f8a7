"""Own feedback by one HTTP call: a task's outcome, an evaluation, or a mark of a decision, as the OTLP log event it is.

Each is a JSON object; several are a list. The same facts can be sent as OTLP log events; this is the short form.
"""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from trilemma.arguments import MARKS, OUTCOMES, SOURCES

from trilemma_collector.otlp.from_json import convert_document, parse_json
from trilemma_collector.otlp.messages import MalformedRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["convert_feedback"]

# What each kind of feedback may say: its key, the attribute that this becomes, its type.
_COMMON: dict[str, tuple[str, type]] = {"task_id": ("trilemma.task.id", str), "task": ("trilemma.task.name", str)}
_OUTCOME: dict[str, tuple[str, type]] = {
    "outcome": ("trilemma.task.outcome", str),
    "failure_mode": ("trilemma.task.failure_mode", str),
    "source": ("trilemma.task.outcome_source", str),
    "value": ("trilemma.task.value", float),
}
_EVALUATION: dict[str, tuple[str, type]] = {
    "evaluation": ("gen_ai.evaluation.name", str),
    "score": ("gen_ai.evaluation.score.value", float),
    "label": ("gen_ai.evaluation.score.label", str),
    "explanation": ("gen_ai.evaluation.explanation", str),
    "response_id": ("gen_ai.response.id", str),
    "source": ("trilemma.evaluation.source", str),
}
_MARK: dict[str, tuple[str, type]] = {
    "mark": ("gen_ai.evaluation.score.label", str),
    "block": ("trilemma.context.block.id", str),
    "source": ("trilemma.decision.mark_source", str),
    "explanation": ("gen_ai.evaluation.explanation", str),
}
_KINDS: dict[str, dict[str, tuple[str, type]]] = {"outcome": _OUTCOME, "evaluation": _EVALUATION, "mark": _MARK}
_WORDS = {"outcome": OUTCOMES, "mark": MARKS, "source": SOURCES}
_PLACE = {"trace_id", "span_id", "decision", "at"}


def convert_feedback(body: bytes) -> bytes:
    """Return feedback in JSON as a logs request in Protobuf bytes.

    Raises:
        MalformedRequestError: it is not JSON, or a field is missing, unknown or of another type; nothing of it is kept.
    """
    given = parse_json(body)
    entries = given if isinstance(given, list) else [given]
    if not entries:
        raise MalformedRequestError("the list is empty; send an outcome, an evaluation or a mark")
    records = [_convert(entry, number) for number, entry in enumerate(entries, 1)]
    return convert_document("logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})


def _convert(entry: Any, number: int) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise MalformedRequestError(f"entry {number} is a JSON {type(entry).__name__}, not an object")
    kinds = [kind for kind in ("outcome", "evaluation", "mark") if kind in entry]
    if len(kinds) != 1:
        raise MalformedRequestError(
            f"entry {number} must have one of outcome, evaluation and mark; it has: {', '.join(kinds) or 'none'}"
        )
    table = {**_KINDS[kinds[0]], **_COMMON}
    attributes = dict(_read_fields(entry, number, table))
    ids = _read_ids(entry, number)
    if kinds[0] == "mark":
        attributes["gen_ai.evaluation.name"] = "trilemma.decision"
    _check_place(kinds[0], entry, number, ids)
    return {
        "timeUnixNano": str(_read_time(entry.get("at"), number)),
        "observedTimeUnixNano": str(time.time_ns()),
        "severityNumber": 9,
        "eventName": "trilemma.task.outcome" if kinds[0] == "outcome" else "gen_ai.evaluation.result",
        "attributes": [{"key": name, "value": _wrap(value)} for name, value in attributes.items()],
        **ids,
    }


def _read_fields(
    entry: Mapping[str, Any], number: int, table: Mapping[str, tuple[str, type]]
) -> Iterator[tuple[str, float | str]]:
    for key, value in entry.items():
        if key in _PLACE or value is None:
            continue
        if key not in table:
            raise MalformedRequestError(f"entry {number}: {key!r} is not known; known are: {', '.join(sorted(table))}")
        attribute, kind = table[key]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        if not (is_number if kind is float else isinstance(value, str) and value):
            raise MalformedRequestError(
                f"entry {number}: {key} {value!r} must be a {'number' if kind is float else 'text'}"
            )
        if key in _WORDS and value not in _WORDS[key]:
            raise MalformedRequestError(f"entry {number}: {key} {value!r} must be one of {', '.join(_WORDS[key])}")
        yield attribute, float(value) if kind is float else value


def _read_ids(entry: Mapping[str, Any], number: int) -> dict[str, str]:
    """Return the trace and span that the entry is about, where it names them."""
    trace_id, span_id = entry.get("trace_id") or "", entry.get("span_id") or ""
    if decision := entry.get("decision"):
        trace_id, _, span_id = str(decision).partition("-")
    if not trace_id and not span_id:
        return {}
    try:
        lengths = len(bytes.fromhex(trace_id)), len(bytes.fromhex(span_id))
    except (TypeError, ValueError):
        lengths = (0, 0)
    if lengths != (16, 8):
        raise MalformedRequestError(
            f"entry {number}: trace_id {trace_id!r} and span_id {span_id!r} must be 32 and 16 hexadecimal digits"
        )
    return {"traceId": trace_id, "spanId": span_id}


def _check_place(kind: str, entry: Mapping[str, Any], number: int, ids: Mapping[str, str]) -> None:
    if kind == "outcome" and not entry.get("task_id"):
        raise MalformedRequestError(f"entry {number}: an outcome needs the task_id it is of")
    if kind == "mark" and not ids:
        raise MalformedRequestError(f"entry {number}: a mark needs the decision it is of, as decision.id gives it")
    if kind == "evaluation" and not ids and not entry.get("task_id") and not entry.get("response_id"):
        raise MalformedRequestError(
            f"entry {number}: an evaluation needs a task_id, a trace_id with a span_id, or a response_id"
        )
    if kind == "evaluation" and entry.get("score") is None and not entry.get("label"):
        raise MalformedRequestError(f"entry {number}: an evaluation needs a score, a label, or both")


def _read_time(at: Any, number: int) -> int:
    """Return a moment in Unix nanoseconds: now, Unix seconds, or ISO 8601 with a time zone."""
    if at is None:
        return time.time_ns()
    if isinstance(at, (int, float)) and not isinstance(at, bool) and math.isfinite(at) and at >= 0:
        return round(at * 1e9)
    try:
        moment = datetime.fromisoformat(at)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise MalformedRequestError(
            f"entry {number}: at {at!r} is no time; send Unix seconds, or one like 2026-11-30T09:00:00Z"
        )
    return round(moment.timestamp() * 1e9)


def _wrap(value: float | str) -> dict[str, Any]:
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
