"""Hold that a late span is, for whoever looks at it, what the SDK would have made at once."""

from __future__ import annotations

import copy
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, TraceIdRatioBased
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags
from trilemma import late_span
from trilemma.late_span import LateSpan, LateTracer

if TYPE_CHECKING:
    from collections.abc import Callable

START = {"gen_ai.operation.name": "chat", "server.port": 443}
READ = {"gen_ai.usage.input_tokens": 7, "gen_ai.response.finish_reasons": ("stop",)}


class Reading:
    """Count how often it is asked."""

    def __init__(self, failure: str | None = None) -> None:
        self.asked = 0
        self.failure = failure

    def read_late(self) -> tuple[dict[str, Any], str | None]:
        """Return what a response said."""
        self.asked += 1
        return READ, self.failure


class Made:
    """Hold a provider that writes into memory, and the two ways to start a span."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        tracer: Any = self.provider.get_tracer("trilemma", "1")
        self.tracer = tracer
        self.late = LateTracer(tracer)

    def start_late(self, context: Context | None = None) -> Any:
        """Start a span as a call does."""
        return self.late.start_span("chat m", dict(START), 1000, context or Context())

    def start_usual(self, context: Context | None = None) -> Any:
        """Start the same span by the SDK alone."""
        return self.tracer.start_span("chat m", context or Context(), SpanKind.CLIENT, START, start_time=1000)

    def ended(self) -> ReadableSpan:
        """Return the one span that has ended since."""
        [span] = self.exporter.get_finished_spans()
        self.exporter.clear()
        return span


@pytest.fixture
def made() -> Made:
    """Return a provider as most apps have it."""
    return Made()


def without_ids(span: ReadableSpan) -> Any:
    """Return all of a span but its own ids, as the SDK writes it."""
    said = json.loads(span.to_json())
    return {**said, "context": None}


@pytest.mark.parametrize("failure", [None, "rate_limit"])
@pytest.mark.parametrize("parent", [None, 0, TraceFlags.SAMPLED, TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID])
def test_equal(made: Made, parent: int | None, failure: str | None) -> None:
    """Attributes, status, times, resource, scope, kind, parent, flags and name are those of the usual span."""
    above = None
    if parent is not None:
        above = trace.NonRecordingSpan(SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(parent)))
    context = Context() if above is None else trace.set_span_in_context(above, Context())
    late, usual = made.start_late(context), made.start_usual(context)
    assert late.get_span_context().trace_flags == usual.get_span_context().trace_flags
    assert late.is_recording() == usual.is_recording() == (parent != 0)
    if parent == 0:
        return
    assert late.end_late(2000, Reading(failure))
    ours = made.ended()
    usual.set_attributes(READ)
    if failure:
        usual.set_status(trace.Status(StatusCode.ERROR, failure))
    usual.end(2000)
    assert without_ids(ours) == without_ids(made.ended())
    assert (ours.dropped_attributes, ours.dropped_events, ours.dropped_links) == (0, 0, 0)
    assert ours.instrumentation_scope.name == "trilemma"  # type: ignore[union-attr]


def test_read_once_and_only_when_asked_for(made: Made) -> None:
    """Nothing is read until someone looks; then once, however many look at the same time."""
    reading = Reading()
    made.start_late().end_late(2000, reading)
    span = made.ended()
    assert span.context is not None
    assert reading.asked == 0
    threads = [threading.Thread(target=lambda: dict(span.attributes or {})) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reading.asked == 1
    assert dict(span.attributes or {}) == {**START, **READ}


def test_looked_at_while_it_runs(made: Made) -> None:
    """What the app writes to the current span is kept, and the call then ends it the usual way."""
    span = made.start_late()
    span.set_attribute("app", "mine")
    span.add_event("seen")
    assert not span.end_late(2000, Reading())
    span.set_attributes(READ)
    span.end(2000)
    ended = made.ended()
    assert dict(ended.attributes or {}) == {**START, "app": "mine", **READ}
    assert [event.name for event in ended.events] == ["seen"]
    assert (ended.start_time, ended.end_time) == (1000, 2000)


def test_held_after_its_end(made: Made) -> None:
    """The app's own reference to a span that has ended shows what the exporter gets, and takes no more."""
    span = made.start_late()
    span.end_late(2000, Reading())
    assert not span.is_recording()
    assert dict(span.attributes) == {**START, **READ}
    span.set_attribute("too", "late")
    assert "too" not in (made.ended().attributes or {})


def test_deep_copy(made: Made) -> None:
    """A processor may copy a span, and a copy has everything."""
    made.start_late().end_late(2000, Reading())
    assert dict(copy.deepcopy(made.ended()).attributes or {}) == {**START, **READ}


class Watching(SpanProcessor):
    """Look at the start of spans."""

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        """Write onto it."""
        span.set_attribute("watched", dict(span.attributes) == START)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Made(sampler=ALWAYS_ON),
        lambda: Made(sampler=TraceIdRatioBased(1.0)),
        lambda: Made(span_limits=SpanLimits(max_span_attributes=3)),
        lambda: Made(span_limits=SpanLimits(max_span_attribute_length=3)),
    ],
)
def test_not_where_something_decides(make: Callable[[], Made]) -> None:
    """With a sampler or limits of the app's, the tracer makes the span."""
    assert not isinstance(make().start_late(), LateSpan)


def test_not_where_a_processor_sees_the_start(made: Made) -> None:
    """A processor with code for the start of a span gets it made, also one that is added later."""
    assert isinstance(made.start_late(), LateSpan)
    made.provider.add_span_processor(Watching())
    span = made.start_late()
    assert not isinstance(span, LateSpan)
    assert span.attributes["watched"] is True


def test_few_wait(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The responses that wait to be read are few, also where no exporter looks."""
    monkeypatch.setattr(late_span, "_waiting", type(late_span._waiting)())
    readings = [Reading() for _ in range(late_span._MAX_WAITING + 2)]
    for reading in readings:
        made.start_late().end_late(2000, reading)
    assert sum(reading.asked for reading in readings) == late_span._MAX_WAITING + 1
