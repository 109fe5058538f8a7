"""Work that is read by whoever, however often, is one row of its task: from the real SDK through the schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import trilemma

from tests.collector_config.schema.test_one_call_one_row import insert, read, store
from tests.instrumentation.providers.conftest import traced
from tests.instrumentation.providers.test_batches import read_openai
from tests.instrumentation.providers.test_media import IMAGES, reply

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from trilemma_analysis.client import Store

    from tests.instrumentation.providers.conftest import Traced

__all__ = ["store", "traced"]  # fixtures
TASK_STARTS_NS = 1_741_967_000 * 10**9


def to_row(span: ReadableSpan) -> dict[str, Any]:
    """Return a span as the Collector's exporter writes it."""
    assert span.context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.instrumentation_scope is not None
    attributes = dict(span.attributes or {})
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in attributes.items()}
    is_task = span.name == attributes.get("trilemma.task.name")  # on the real clock, which the calls are not
    return {
        "Timestamp": TASK_STARTS_NS if is_task else span.start_time,
        "TraceId": f"{span.context.trace_id:032x}",
        "SpanId": f"{span.context.span_id:016x}",
        "ParentSpanId": f"{span.parent.span_id:016x}" if span.parent else "",
        "SpanName": span.name,
        "SpanKind": span.kind.name.title(),
        "ScopeName": span.instrumentation_scope.name,
        "SpanAttributes": texts,
        "Duration": span.end_time - span.start_time,
        "StatusCode": span.status.status_code.name.title(),
    }


def test_items_read_twice_are_one_row_each(store: Store, traced: Traced) -> None:
    """A batch's results, read in two processes, are as many rows as items, and cost their task once."""
    with trilemma.task("support.refund", id="t-1") as task:
        task.succeed()
    for _ in range(2):
        read_openai(traced)
        insert(store, [to_row(span) for span in traced.spans()])
        traced.exporter.clear()
    rows = read(
        store, "SELECT batch, error_type, duration_s FROM llm_calls WHERE operation = 'chat' ORDER BY error_type"
    )
    assert [(row["batch"], row["error_type"]) for row in rows] == [
        (True, ""),
        (True, ""),
        (True, "batch_expired"),
        (True, "rate_limit_error"),
    ]
    assert {row["duration_s"] for row in rows} == {1000.0}
    [run] = read(store, "SELECT task_id, call_count, models, cost, outcome FROM task_runs WHERE task_id = 't-1'")
    assert (run["call_count"], run["models"], run["outcome"]) == (1, ["gpt-4o-mini-2024-07-18"], "success")
    assert abs(run["cost"] - 0.000105) < 1e-9


def test_calls_of_every_operation_are_rows(store: Store, traced: Traced) -> None:
    """An image is a call of its task, with its cost; asking for the list of files is none."""
    from tests.instrumentation.providers.cases import CHAT

    client = traced.client(CHAT, reply(IMAGES), reply({"object": "list", "data": []}))
    with trilemma.task("draw", id="t-2"):
        client.images.generate(model="gpt-image-1.5", prompt="an order")
        client.files.list()
    insert(store, [to_row(span) for span in traced.spans()])
    [row] = read(store, "SELECT operation, request_model, cost FROM llm_calls WHERE task_id = 't-2'")
    assert (row["operation"], row["request_model"]) == ("image_generation", "gpt-image-1.5")
    [run] = read(store, "SELECT cost, call_count FROM task_runs WHERE task_id = 't-2'")
    assert (run["cost"], run["call_count"]) == (row["cost"], 1)
