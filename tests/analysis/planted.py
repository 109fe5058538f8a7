"""Own stores with planted truths: task runs as arrays, sent as OTLP rows through the landing tables like any others."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from trilemma_analysis.client import connect
from trilemma_collector.schema import migrate, run_on_client

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import ArrayLike
    from trilemma_analysis.client import Store

__all__ = ["Runs", "add_runs", "make_store"]

START_NS = 1_780_000_000 * 10**9  # 2026-05-28T20:26:40Z
HOUR_NS = 3600 * 10**9
LABELS = pa.map_(pa.string(), pa.string())


@dataclass
class Runs:
    """Task runs of one call each; a scalar stands for all runs, ``nan`` and '' for unknown."""

    n: int
    task: ArrayLike = "support.refund"
    model: ArrayLike = "gpt-large"
    input_id: ArrayLike = ""
    outcome: ArrayLike = "success"
    cost: ArrayLike = 0.01
    duration_s: ArrayLike = 1.0
    started_ns: ArrayLike = START_NS
    request_hash: ArrayLike = ""
    error: ArrayLike = ""
    currency: ArrayLike = "USD"
    service: ArrayLike = "shop"
    ids: ArrayLike | None = None
    """Ids of the runs after the prefix, in place of their numbers; '' for calls outside any task."""
    extra: dict[str, Any] = field(default_factory=dict)
    """More attributes of the task and what is beneath, e.g. ``gen_ai.prompt.version``."""


def make_store(directory: Path | str) -> Store:
    """Build an empty store with our schema in a directory and open it."""
    shutil.copytree(_build_empty_store(), directory, symlinks=True, dirs_exist_ok=True)
    return connect(f"chdb://{directory}")


@cache
def _build_empty_store() -> str:
    """Apply the migrations once: it takes longer than a copy."""
    directory = tempfile.mkdtemp(prefix="trilemma-empty-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    with connect(f"chdb://{directory}", require_schema=False) as store:
        migrate(run_on_client(store.client))
    return directory


def add_runs(store: Store, runs: Runs, *, prefix: str = "r") -> None:
    """Insert the task span and the call span of each run; ``prefix`` keeps ids of several insertions apart."""
    n = runs.n
    wanted = _spread(np.arange(n) if runs.ids is None else runs.ids, n)
    ids = [f"{prefix}{i}" for i in (wanted if any(wanted) else range(n))]
    shared = {
        "trilemma.task.name": _spread(runs.task, n),
        "trilemma.task.id": ids if any(wanted) else [""] * n,
        "trilemma.task.input_id": _spread(runs.input_id, n),
        **{name: _spread(value, n) for name, value in runs.extra.items()},
    }
    cost = np.broadcast_to(np.asarray(runs.cost, dtype=float), n)
    call = {
        **shared,
        "gen_ai.operation.name": ["chat"] * n,
        "gen_ai.provider.name": ["openai"] * n,
        "gen_ai.request.model": _spread(runs.model, n),
        "trilemma.request.hash": _spread(runs.request_hash, n),
        "trilemma.cost.total": ["" if np.isnan(c) else repr(float(c)) for c in cost],
        "trilemma.cost.currency": _spread(runs.currency, n),
        "error.type": _spread(runs.error, n),
    }
    task = {**shared, "trilemma.task.outcome": _spread(runs.outcome, n)}
    if any(wanted):
        _insert(store, _describe_spans(runs, ids, task))
    _insert(store, _describe_spans(runs, ids, call, child=True))


def _describe_spans(runs: Runs, ids: list[str], attributes: dict[str, list[str]], *, child: bool = False) -> pa.Table:
    """Return one span per run in the exporter's columns: the task's, or the call beneath it."""
    n = runs.n
    duration = np.broadcast_to(np.asarray(runs.duration_s, dtype=float), n)
    started = np.broadcast_to(np.asarray(runs.started_ns, dtype=np.int64), n)
    keys = list(attributes)
    maps = [[(k, v) for k, v in zip(keys, row, strict=True) if v] for row in zip(*attributes.values(), strict=True)]
    names = [f"chat {m}" for m in attributes["gen_ai.request.model"]] if child else _spread(runs.task, n)
    return pa.table(
        {
            "Timestamp": pa.array(started, pa.timestamp("ns", "UTC")),
            "TraceId": ids,
            "SpanId": [f"{'c' if child else 't'}{i}" for i in ids],
            "ParentSpanId": [f"t{i}" if child else "" for i in ids],
            "SpanName": names,
            "SpanKind": ["Client" if child else "Internal"] * n,
            "ServiceName": _spread(runs.service, n),
            "ScopeName": ["trilemma"] * n,
            "SpanAttributes": pa.array(maps, LABELS),
            "Duration": pa.array(np.round(np.nan_to_num(duration) * 1e9).astype(np.uint64)),
            "StatusCode": ["Error" if f else "Unset" for f in _spread(runs.error, n)],
        }
    )


def _insert(store: Store, spans: pa.Table) -> None:
    store.insert_arrow("otel_traces", spans)


def _spread(value: ArrayLike, n: int) -> list[str]:
    return [str(v) for v in np.broadcast_to(np.asarray(value), n)]
