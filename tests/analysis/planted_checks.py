"""Own planted guardrail checks: decision spans beneath planted runs, and the marks that they got later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tests.analysis.planted import LABELS, START_NS
from tests.analysis.planted_verdicts import add_verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike
    from trilemma_analysis.client import Store

__all__ = ["add_checks"]


def add_checks(
    store: Store,
    task: str,
    name: str,
    verdicts: Sequence[str],
    marks: Sequence[str] = (),
    *,
    stage: str = "output",
    prefix: str = "r",
    started_ns: ArrayLike = START_NS,
    duration_s: float = 0.001,
    cost: str = "",
    marked_ns: int = START_NS,
) -> None:
    """Insert one check of each run r0, r1, ... with its verdict, and its mark where there is one."""
    n = len(verdicts)
    facts = [
        [
            ("trilemma.task.name", task),
            ("trilemma.task.id", f"{prefix}{i}"),
            ("trilemma.decision.kind", "guardrail"),
            ("trilemma.decision.name", name),
            ("trilemma.decision.chosen", verdict),
            ("trilemma.guardrail.stage", stage),
            *([("trilemma.decision.cost", cost)] if cost else []),
        ]
        for i, verdict in enumerate(verdicts)
    ]
    spans = [f"{name}{prefix}{i}" for i in range(n)]
    table = pa.table(
        {
            "Timestamp": pa.array(
                np.broadcast_to(np.asarray(started_ns, dtype=np.int64), n), pa.timestamp("ns", "UTC")
            ),
            "TraceId": [f"{prefix}{i}" for i in range(n)],
            "SpanId": spans,
            "ParentSpanId": [f"t{prefix}{i}" for i in range(n)],
            "SpanName": [f"guardrail {name}"] * n,
            "SpanKind": ["Internal"] * n,
            "ServiceName": ["shop"] * n,
            "ScopeName": ["trilemma"] * n,
            "SpanAttributes": pa.array(facts, LABELS),
            "Duration": pa.array(np.full(n, round(duration_s * 1e9), dtype=np.uint64)),
            "StatusCode": ["Unset"] * n,
        }
    )
    store.insert_arrow("otel_traces", table)
    if marks:
        source = {"trilemma.decision.mark_source": "human"}
        add_verdicts(
            store, task, "trilemma.decision", "", marks, prefix=prefix, spans=spans, attributes=source, at_ns=marked_ns
        )
