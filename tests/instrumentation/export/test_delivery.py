"""Own the proof of delivery: small enough requests, nothing lost that can be kept, and one line when it fails."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from trilemma import delivery
from trilemma.delivery import MAX_REQUEST_BYTES, Delivery, cut_batch, measure_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("test")


def make_span(name: str = "s", /, **attributes: Any) -> ReadableSpan:
    """Make a finished span."""
    span = TRACER.start_span(name, attributes=attributes)
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


class FlakyExporter(SpanExporter):
    """Take spans while `up`; refuse a span named "poison" always."""

    def __init__(self) -> None:
        self.up = True
        self.taken: list[str] = []
        self.attempts = 0
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take or refuse a batch."""
        self.attempts += 1
        if not self.up or any(span.name == "poison" for span in spans):
            logging.getLogger(__name__).warning("the exporter says: [Errno 111] Connection refused")
            return SpanExportResult.FAILURE
        self.taken += [span.name for span in spans]
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Note that it was closed."""
        self.closed = True


@pytest.fixture
def exporter() -> Iterator[FlakyExporter]:
    """Make an exporter whose health the test controls."""
    delivery._reported.clear()
    yield FlakyExporter()
    delivery._reported.clear()


def deliver_to(exporter: FlakyExporter) -> Delivery:
    """Wrap an exporter as export.py does."""
    return Delivery("spans", "http://collector:4318/v1/traces", lambda _: exporter)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 30_000), max_size=40))
def test_batches_are_cut_by_size(sizes: list[int]) -> None:
    """Parts keep every span in order, none exceeds the limit unless it is one span, and none could have been longer."""
    spans = [make_span(str(index), content="x" * size) for index, size in enumerate(sizes)]
    parts = cut_batch(spans, 50_000)
    assert [span for _, part in parts for span in part] == spans
    assert all(size <= 50_000 or len(part) == 1 for size, part in parts)
    assert all(size + measure_bytes(following[0]) > 50_000 for (size, _), (_, following) in pairwise(parts))


VALUES = st.one_of(st.text(max_size=300), st.integers(-(2**60), 2**60), st.booleans(), st.lists(st.text(max_size=30)))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=8), VALUES, max_size=20))
def test_estimate_is_close(attributes: dict[str, Any]) -> None:
    """The estimate is at least what a span adds to a request, and little more."""
    span = make_span("a task's name", **attributes)
    encoded = encode_spans([span, span]).ByteSize() - encode_spans([span]).ByteSize()
    assert encoded <= measure_bytes(span) <= encoded + 500 + 20 * len(attributes)


def test_large_spans_go_in_parts(exporter: FlakyExporter) -> None:
    """143 spans of 120 kB, which one request could not hold, all arrive (complaint 25)."""
    sizes = []
    original = exporter.export

    def note_size(spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sizes.append(encode_spans(spans).ByteSize())
        return original(spans)

    exporter.export = note_size  # type: ignore[method-assign]
    deliver_to(exporter).export([make_span(str(number), content="é" * 60_000) for number in range(143)])
    assert exporter.taken == [str(number) for number in range(143)]
    assert len(sizes) > 1
    assert max(sizes) < 4 * 1024 * 1024
    assert max(sizes) < MAX_REQUEST_BYTES


def test_outage_loses_nothing(exporter: FlakyExporter, caplog: pytest.LogCaptureFixture) -> None:
    """What a collector that is away did not take is sent when it is back; the log has one line for each change."""
    caplog.set_level(logging.INFO)
    sending = deliver_to(exporter)
    sending.export([make_span("a")])
    exporter.up = False
    for name in "bcd":
        sending.export([make_span(name)])
    exporter.up = True
    sending.export([make_span("e")])
    assert exporter.taken == ["a", "e", "b", "c", "d"]
    first, second = (record.getMessage() for record in caplog.records)
    assert "cannot deliver spans to http://collector:4318/v1/traces (Connection refused)" in first
    assert "trilemma up" in first
    assert "reach http://collector:4318/v1/traces again; lost: 0" in second


def test_poison_is_dropped(exporter: FlakyExporter, caplog: pytest.LogCaptureFixture) -> None:
    """A request that is refused while others are taken is given up, counted, and holds nothing else up."""
    sending = deliver_to(exporter)
    sending.export([make_span("poison")])
    sending.export([make_span("a")])
    sending.export([make_span("b")])
    assert exporter.taken == ["a", "b"]
    assert "lost: 1" in caplog.text
    attempts = exporter.attempts
    sending.export([make_span("c")])
    assert exporter.attempts == attempts + 1


def test_memory_is_bounded(exporter: FlakyExporter, caplog: pytest.LogCaptureFixture) -> None:
    """In a long outage the newest spans are kept up to the limit, and the count of the lost is told."""
    sending = deliver_to(exporter)
    exporter.up = False
    for number in range(100):
        sending.export([make_span(str(number), content="x" * 1_000_000)])
    assert sending._held_bytes <= delivery.MAX_HELD_BYTES
    exporter.up = True
    sending.export([make_span("last")])
    kept = len(exporter.taken) - 1
    assert exporter.taken == ["last", *(str(number) for number in range(100 - kept, 100))]
    assert 10 <= kept <= 16
    assert f"lost: {100 - kept}" in caplog.text


def test_shutdown_sends_what_is_held(exporter: FlakyExporter) -> None:
    """At the end what is held is tried once more."""
    sending = deliver_to(exporter)
    exporter.up = False
    sending.export([make_span("a")])
    exporter.up = True
    sending.hurry(1.0)
    sending.shutdown()
    assert exporter.taken == ["a"]
    assert exporter.closed


def test_shutdown_does_not_insist(exporter: FlakyExporter) -> None:
    """At the end a collector that has just refused is not asked again and again."""
    sending = deliver_to(exporter)
    exporter.up = False
    for name in "abc":
        sending.export([make_span(name)])
    sending.hurry(1.0)
    attempts = exporter.attempts
    sending.export([make_span("d")])
    sending.shutdown()
    assert exporter.attempts == attempts + 1


def test_an_exporter_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """An exporter that cannot be made is a failed delivery, with its reason, not a traceback per batch."""
    delivery._reported.clear()

    def fail(_: float | None) -> Any:
        raise ValueError("compression 'zip' is unknown")

    sending = Delivery("spans", "http://collector:4318/v1/traces", fail)
    for _ in range(3):
        sending.export([make_span()])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "ValueError: compression 'zip' is unknown" in caplog.text


def test_the_apps_own_exporter_may_speak(exporter: FlakyExporter, caplog: pytest.LogCaptureFixture) -> None:
    """Quieting our exporter's logger does not quiet the same kind of exporter of the app's."""
    exporter.up = False
    deliver_to(exporter).export([make_span()])
    assert "the exporter says" not in caplog.text
    exporter.export([make_span()])
    assert "the exporter says" in caplog.text
