"""Own stored runs as an evaluator, or a person, sees them, and the way of a judgement back into the store."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from trilemma_analysis.scope import find_scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from trilemma.evaluators import Evaluation

    from trilemma_analysis.client import Store

__all__ = ["StoredCall", "StoredRun", "load_runs", "write_evaluations", "write_outcome"]

_LABELS = pa.map_(pa.string(), pa.string())
_AT_ONCE = 500  # runs whose calls are read in one query


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call of a run. Messages are those of the semantic conventions, empty where content was not captured."""

    started_at: datetime
    request_model: str
    response_model: str
    finish_reasons: tuple[str, ...]
    tool_call_names: tuple[str, ...]
    system_instructions: list[Any]
    input_messages: list[Any]
    output_messages: list[Any]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run of a task as the store has it."""

    task_id: str
    trace_id: str
    span_id: str
    task_name: str
    input_id: str
    outcome: str
    failure_mode: str
    combination: str
    cost: float | None
    duration_s: float | None
    started_at: datetime
    calls: tuple[StoredCall, ...] = field(default=())

    @property
    def input(self) -> str:
        """The text of the last user's message of the first call, "" where content was not captured."""
        messages = self.calls[0].input_messages if self.calls else []
        users = [message for message in messages if isinstance(message, dict) and message.get("role") == "user"]
        return _read_text(users[-1:])

    @property
    def output(self) -> str:
        """The text of the last call's answer, "" where content was not captured."""
        return _read_text(self.calls[-1].output_messages) if self.calls else ""


def load_runs(
    store: Store,
    task: str,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    *,
    evaluation: str = "",
    limit: int = 1000,
) -> list[StoredRun]:
    """Return a random sample of a task's runs with their calls, which by ``evaluation`` have not been judged yet.

    ``since`` and ``until`` are as in find_scope; it may raise ConfigurationError.
    """
    scope = find_scope(store, tasks=(task,), since=since, until=until)
    if scope is None:
        return []
    rows = store.ask(
        "evaluable_runs", task=task, evaluation=evaluation, since=scope.since, until=scope.until, limit=limit
    ).to_pylist()
    calls: dict[str, list[StoredCall]] = {}
    for start in range(0, len(rows), _AT_ONCE):
        _load_calls(store, [row["task_id"] for row in rows[start : start + _AT_ONCE]], calls)
    return [StoredRun(**row, calls=tuple(calls.get(row["task_id"], ()))) for row in rows]


def write_evaluations(
    store: Store, name: str, judged: Iterable[tuple[StoredRun, Evaluation]], *, source: str = "judge"
) -> int:
    """Write judgements of runs as ``gen_ai.evaluation.result`` events, and return how many."""
    rows = [
        (
            run.trace_id,
            run.span_id,
            {
                "gen_ai.evaluation.name": name,
                "trilemma.task.id": run.task_id,
                "trilemma.task.name": run.task_name,
                "trilemma.evaluation.source": source,
                **_describe(found),
            },
        )
        for run, found in judged
    ]
    return _write_events(store, "gen_ai.evaluation.result", rows)


def write_outcome(store: Store, task_id: str, outcome: str, *, failure_mode: str = "", source: str = "human") -> None:
    """Write how a task ended, as ``trilemma.outcome`` does; the last one told counts."""
    told = {"trilemma.task.id": task_id, "trilemma.task.outcome": outcome, "trilemma.task.outcome_source": source}
    if failure_mode:
        told["trilemma.task.failure_mode"] = failure_mode
    _write_events(store, "trilemma.task.outcome", [("", "", told)])


def _describe(found: Evaluation) -> dict[str, str]:
    facts = {
        "gen_ai.evaluation.score.value": None if found.score is None else repr(float(found.score)),
        "gen_ai.evaluation.score.label": found.label,
        "gen_ai.evaluation.explanation": found.explanation,
    }
    return {key: fact for key, fact in facts.items() if fact}


def _write_events(store: Store, event: str, rows: Sequence[tuple[str, str, dict[str, str]]]) -> int:
    if not rows:
        return 0
    now_ns = time.time_ns()
    table = pa.table(
        {
            "Timestamp": pa.array([now_ns] * len(rows), pa.timestamp("ns", "UTC")),
            "TraceId": [trace_id for trace_id, _, _ in rows],
            "SpanId": [span_id for _, span_id, _ in rows],
            "SeverityNumber": pa.array([9] * len(rows), pa.uint8()),
            "ServiceName": ["trilemma"] * len(rows),
            "ScopeName": ["trilemma"] * len(rows),
            "LogAttributes": pa.array([list(attributes.items()) for _, _, attributes in rows], _LABELS),
            "EventName": [event] * len(rows),
        }
    )
    return store.insert_arrow("otel_logs", table)


def _load_calls(store: Store, task_ids: list[str], into: dict[str, list[StoredCall]]) -> None:
    rows = store.ask("calls_of_runs", task_ids=task_ids).to_pylist()
    content = ("system_instructions", "input_messages", "output_messages")
    hashes = sorted({part for row in rows for column in content for part in row[column]})
    texts = (
        {row["hash"]: row["text"] for row in store.ask("content_texts", hashes=hashes).to_pylist()} if hashes else {}
    )
    for row in rows:
        task_id = row.pop("task_id")
        parts: dict[str, Any] = {
            column: [_parse(texts.get(part, "")) for part in row.pop(column)] for column in content
        }
        row["finish_reasons"], row["tool_call_names"] = tuple(row["finish_reasons"]), tuple(row["tool_call_names"])
        into.setdefault(task_id, []).append(StoredCall(**row, **parts))


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_text(messages: Iterable[Any]) -> str:
    """Return the text of messages: the text parts of each, or the message itself where it is a text."""
    found: list[str] = []
    for message in messages:
        if isinstance(message, str):
            found.append(message)
        elif isinstance(message, dict):
            parts = message.get("parts") or []
            found += [
                str(part.get("content", "")) for part in parts if isinstance(part, dict) and part.get("type") == "text"
            ]
    return "\n".join(text for text in found if text)
