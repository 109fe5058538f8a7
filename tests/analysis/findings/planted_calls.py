"""Own planted calls and decisions beneath planted runs: what add_runs, with its one call a run, cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings import list_finders
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.planted import LABELS, START_NS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from trilemma_analysis.client import Store
    from trilemma_analysis.findings import Finding

__all__ = ["add_calls", "add_decisions", "add_marks", "find_kind"]


def add_calls(store: Store, ids: list[str], number: int, **columns: ArrayLike) -> None:
    """Insert a further call of each run, the ``number``-th; columns as in planted.Runs, other attributes: extra."""
    n = len(ids)
    given: dict[str, Any] = {
        "task": "support.refund",
        "model": "gpt-large",
        "provider": "openai",
        "cost": 0.01,
        "duration_s": 1.0,
        "started_ns": START_NS + number,
        "error": "",
        "extra": {},
        **columns,
    }
    cost = np.broadcast_to(np.asarray(given["cost"], dtype=float), n)
    attributes = {
        "trilemma.task.name": given["task"],
        "trilemma.task.id": ids,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": given["provider"],
        "gen_ai.request.model": given["model"],
        "trilemma.cost.total": ["" if np.isnan(c) else repr(float(c)) for c in cost],
        "trilemma.cost.currency": "USD",
        "error.type": given["error"],
        **given["extra"],
    }
    _insert(store, ids, f"c{number}-", attributes, given, kind="Client")


def add_decisions(store: Store, ids: list[str], kind: str, number: int = 0, **columns: Any) -> None:
    """Insert a decision beneath each run; its attributes as ``extra``."""
    given: dict[str, Any] = {
        "task": "support.refund",
        "duration_s": 0.01,
        "started_ns": START_NS + number,
        "error": "",
        "extra": {},
        **columns,
    }
    attributes = {
        "trilemma.task.name": given["task"],
        "trilemma.task.id": ids,
        "trilemma.decision.kind": kind,
        "trilemma.decision.name": "planted",
        **given["extra"],
    }
    _insert(store, ids, f"d{number}-", attributes, given, kind="Internal")


def add_marks(store: Store, ids: list[str], marks: ArrayLike, number: int = 0, block: ArrayLike = "") -> None:
    """Mark the decision of each run; '' marks nothing."""
    n = len(ids)
    words, blocks = _spread(marks, n), _spread(block, n)
    rows = [(one, word, each) for one, word, each in zip(ids, words, blocks, strict=True) if word]
    attributes = [
        [
            ("gen_ai.evaluation.name", "trilemma.decision"),
            ("gen_ai.evaluation.score.label", word),
            ("trilemma.decision.mark_source", "human"),
            *([("trilemma.context.block.id", each)] if each else []),
        ]
        for _, word, each in rows
    ]
    table = pa.table({
        "Timestamp": pa.array([START_NS] * len(rows), pa.timestamp("ns", "UTC")),
        "TraceId": [one for one, _, _ in rows],
        "SpanId": [f"d{number}-{one}" for one, _, _ in rows],
        "EventName": ["gen_ai.evaluation.result"] * len(rows),
        "LogAttributes": pa.array(attributes, LABELS),
    })  # fmt: skip
    store.insert_arrow("otel_logs", table)


def find_kind(store: Store, kind: str, **choices: Any) -> list[Finding]:
    """Return the findings of one kind over all of a store, without the rest of a report."""
    scope = find_scope(store)
    assert scope is not None
    (finder,) = [one for one in list_finders() if kind == one.KIND]
    return finder.find(analyse(store, scope, Options(**choices)))


def _insert(
    store: Store, ids: list[str], prefix: str, attributes: dict[str, Any], given: dict[str, Any], *, kind: str
) -> None:
    n = len(ids)
    spread = {name: _spread(value, n) for name, value in attributes.items()}
    maps = [[(k, v) for k, v in zip(spread, row, strict=True) if v] for row in zip(*spread.values(), strict=True)]
    duration = np.broadcast_to(np.asarray(given["duration_s"], dtype=float), n)
    started = np.broadcast_to(np.asarray(given["started_ns"], dtype=np.int64), n)
    table = pa.table({
        "Timestamp": pa.array(started, pa.timestamp("ns", "UTC")),
        "TraceId": ids,
        "SpanId": [f"{prefix}{one}" for one in ids],
        "ParentSpanId": [f"t{one}" for one in ids],
        "SpanName": ["planted"] * n,
        "SpanKind": [kind] * n,
        "ServiceName": ["shop"] * n,
        "ScopeName": ["trilemma"] * n,
        "SpanAttributes": pa.array(maps, LABELS),
        "Duration": pa.array(np.round(duration * 1e9).astype(np.uint64)),
        "StatusCode": ["Error" if one else "Unset" for one in _spread(given["error"], n)],
    })  # fmt: skip
    store.insert_arrow("otel_traces", table)


def _spread(value: Any, n: int) -> list[str]:
    return [str(one) for one in np.broadcast_to(np.asarray(value), n)]
