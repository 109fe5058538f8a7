"""Hold that one call is one span, also where the SDK traces itself (anthropic does since 2.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from trilemma.instrumentation import uninstrument

from tests.instrumentation.providers.cases import MESSAGES
from tests.instrumentation.providers.wire import reply_stream, reply_whole

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced

pytest.importorskip("anthropic._tracing", reason="this anthropic does not trace itself; 2.0 and later do")


@pytest.fixture
def global_spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Set a global tracer provider, which is what makes anthropic trace itself."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


def call(traced: Traced, *, stream: bool = False, **options: object) -> None:
    """Make one call."""
    reply = reply_stream(MESSAGES.name) if stream else reply_whole(MESSAGES.name)
    result = MESSAGES.find(traced.client(MESSAGES, reply, **options))(**MESSAGES.arguments, stream=stream)
    if stream:
        list(result)


@pytest.mark.parametrize("stream", [False, True])
def test_native_span_gives_way(traced: Traced, global_spans: InMemorySpanExporter, stream: bool) -> None:
    """While ours is on, the SDK opens no span of its own for the same call."""
    call(traced, stream=stream)
    assert len(traced.spans()) == 1
    assert not global_spans.get_finished_spans()


def test_native_span_comes_back(traced: Traced, global_spans: InMemorySpanExporter) -> None:
    """Without us the SDK traces itself as before."""
    uninstrument()
    call(traced)
    [span] = global_spans.get_finished_spans()
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "com.anthropic.sdk.python"


def test_users_own_provider_is_left_alone(traced: Traced) -> None:
    """A tracer provider that the user gave the client himself gets the SDK's span; ours goes to ours."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    call(traced, open_telemetry={"tracer_provider": provider})
    assert len(exporter.get_finished_spans()) == 1
    assert len(traced.spans()) == 1


def test_our_provider_given_to_the_client(traced: Traced) -> None:
    """Where the user gives the client the very provider that we use, there is still one span."""
    call(traced, open_telemetry={"tracer_provider": traced.provider})
    assert len(traced.spans()) == 1
