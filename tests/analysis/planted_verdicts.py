"""Own planted verdicts: evaluations of planted runs, sent as OTLP log events like any others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tests.analysis.planted import LABELS, START_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike
    from trilemma_analysis.client import Store

__all__ = ["add_verdicts", "say"]


def add_verdicts(
    store: Store,
    task: str,
    name: str,
    source: str,
    labels: Sequence[str],
    *,
    prefix: str = "r",
    spans: Sequence[str] | None = None,
    attributes: dict[str, str] | None = None,
    at_ns: int = START_NS,
) -> None:
    """Insert one evaluation of each run r0, r1, ... of a task; '' for runs that were not judged."""
    judged = [(i, label) for i, label in enumerate(labels) if label]
    facts = [
        [
            ("gen_ai.evaluation.name", name),
            ("gen_ai.evaluation.score.label", label),
            ("trilemma.task.id", f"{prefix}{i}"),
            ("trilemma.task.name", task),
            ("trilemma.evaluation.source", source),
            *(attributes or {}).items(),
        ]
        for i, label in judged
    ]
    table = pa.table(
        {
            "Timestamp": pa.array([at_ns] * len(judged), pa.timestamp("ns", "UTC")),
            "TraceId": [f"{prefix}{i}" for i, _ in judged],
            "SpanId": [f"t{prefix}{i}" if spans is None else spans[i] for i, _ in judged],
            "SeverityNumber": pa.array([9] * len(judged), pa.uint8()),
            "ServiceName": ["shop"] * len(judged),
            "ScopeName": ["trilemma"] * len(judged),
            "LogAttributes": pa.array(facts, LABELS),
            "EventName": ["gen_ai.evaluation.result"] * len(judged),
        }
    )
    store.insert_arrow("otel_logs", table)


def say(yes: ArrayLike, seen: ArrayLike = True) -> list[str]:
    """Return yes or no by a condition, and '' where it was not seen."""
    return [str(label) for label in np.where(seen, np.where(yes, "yes", "no"), "")]
