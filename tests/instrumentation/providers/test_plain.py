"""Hold what a call without streaming leaves: one whole span, whatever way it is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import SpanKind

from tests.instrumentation.providers.wire import reply_stream, reply_whole

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced

SPANS = Path(__file__).with_name("spans")


def test_whole_span(traced: Traced, case: Case) -> None:
    """A call leaves exactly the span that its file shows."""
    case.find(traced.client(case, reply_whole(case.name)))(**case.arguments)
    assert to_json(traced.span()) == load_span(case.name, traced.span())


def test_whole_span_of_stream(traced: Traced, streamed: Case) -> None:
    """A stream read to its end leaves exactly the span that its file shows."""
    stream = streamed.find(traced.client(streamed, reply_stream(streamed.name)))(**streamed.arguments, stream=True)
    assert len(list(stream)) > 5
    name = f"{streamed.name}.stream"
    assert to_json(traced.span()) == load_span(name, traced.span())


async def test_async_span_equals_sync_span(traced: Traced, case: Case) -> None:
    """An async call leaves the same span as a sync one."""
    await case.find(traced.client(case, reply_whole(case.name), is_async=True))(**case.arguments)
    assert to_json(traced.span()) == load_span(case.name, traced.span())


def load_span(name: str, actual: ReadableSpan) -> dict[str, Any]:
    """Return the span in the file; write the file where it is missing, which fails the test that asks."""
    path = SPANS / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(to_json(actual), indent=1) + "\n", encoding="utf-8")
        pytest.fail(f"{path.name} did not exist; it is written now: review it, and run again")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def to_json(span: ReadableSpan) -> dict[str, Any]:
    """Return a span as its file holds it: all but the resource and what differs by SDK version."""
    attributes = {
        key: value
        for key, value in (span.attributes or {}).items()
        if key not in {"trilemma.request.hash", "trilemma.cost.price_table.version"}
        and (key, value) != ("trilemma.request.tool_count", 0)
    }
    assert span.kind is SpanKind.CLIENT
    assert span.instrumentation_scope is not None
    assert span.start_time is not None
    assert span.end_time is not None
    return json.loads(
        json.dumps(
            {
                "name": span.name,
                "scope": span.instrumentation_scope.name,
                "duration_s": (span.end_time - span.start_time) / 1e9,
                "status": span.status.status_code.name,
                "events": [event.name for event in span.events],
                "attributes": attributes,
            }
        )
    )
