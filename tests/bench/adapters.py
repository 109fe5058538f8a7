"""Own what is switched on in a benchmark process: nothing, the bare span, trilemma, or a peer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ADAPTERS", "Adapter", "Counter", "Switch", "make_provider", "set_global_provider"]


class Counter:
    """Count the spans and attributes that reach the exporter: proof that an adapter records at all."""

    def __init__(self) -> None:
        self.spans = 0
        self.attributes = 0


class Switch(NamedTuple):
    """Switch one instrumentation on and off again, any number of times."""

    on: Callable[[Any], object]
    """Takes the tracer provider to write to."""
    off: Callable[[], object]


@dataclass(frozen=True)
class Adapter:
    """One thing to measure: how to switch it, and what its environment needs beside both provider SDKs."""

    make_switch: Callable[[bool], Switch]
    packages: tuple[str, ...] = ()  # none: the project's own environment serves
    contents: tuple[str, ...] = ("off", "on")
    prerelease: bool = False
    can_switch_off: bool = True  # a peer that cannot is compared with a process forked before it was switched on


def make_provider() -> tuple[Any, Counter]:
    """Return a tracer provider with a batch processor and an exporter that only counts, and the count."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    counter = Counter()

    class CountingExporter(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            counter.spans += len(spans)
            counter.attributes += sum(len(span.attributes or ()) for span in spans)
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None: ...

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(CountingExporter(), max_queue_size=1 << 17))
    return provider, counter


def set_global_provider(provider: Any) -> None:
    """Set the process's tracer provider, or none: OpenTelemetry itself lets it be set only once."""
    from opentelemetry import trace

    trace._TRACER_PROVIDER = provider


def _opentelemetry(_content: bool) -> Switch:
    return Switch(lambda _provider: None, lambda: None)


def _bare_span(content: bool) -> Switch:
    from tests.bench.bare_span import BareSpan

    bare = BareSpan(content=content)
    return Switch(bare.patch, bare.restore)


def _trilemma(content: bool) -> Switch:
    os.environ[_CONTENT] = "true" if content else "false"
    import trilemma

    return Switch(lambda provider: trilemma.instrument(tracer_provider=provider), trilemma.uninstrument)


def _genai(content: bool) -> Switch:
    os.environ[_CONTENT] = "SPAN_ONLY" if content else ""
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    return _instrumentors(OpenAIInstrumentor(), AnthropicInstrumentor())


def _openllmetry(content: bool) -> Switch:
    os.environ["TRACELOOP_TRACE_CONTENT"] = "true" if content else "false"
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    return _instrumentors(OpenAIInstrumentor(), AnthropicInstrumentor())


def _openinference(content: bool) -> Switch:
    from openinference.instrumentation import TraceConfig
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    hide = not content
    config = TraceConfig(hide_inputs=hide, hide_outputs=hide, hide_embedding_vectors=hide, hide_embeddings_text=hide)
    return _instrumentors(OpenAIInstrumentor(), AnthropicInstrumentor(), config=config)


def _instrumentors(*instrumentors: Any, **options: Any) -> Switch:
    def on(provider: Any) -> None:
        for instrumentor in instrumentors:
            instrumentor.instrument(tracer_provider=provider, **options)

    def off() -> None:
        for instrumentor in instrumentors:
            instrumentor.uninstrument()

    return Switch(on, off)


_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

ADAPTERS: Final = {
    # A tracer provider and no instrumentation: enough for the anthropic SDK to trace itself.
    "opentelemetry": Adapter(_opentelemetry, contents=("off",)),
    "bare-span": Adapter(_bare_span),
    "trilemma": Adapter(_trilemma),
    "otel-genai": Adapter(
        _genai,
        ("opentelemetry-instrumentation-genai-openai", "opentelemetry-instrumentation-genai-anthropic"),
        prerelease=True,
    ),
    # 0.62.4: after uninstrument() of the openai one, spans are written all the same.
    "openllmetry": Adapter(
        _openllmetry,
        ("opentelemetry-instrumentation-openai", "opentelemetry-instrumentation-anthropic"),
        can_switch_off=False,
    ),
    "openinference": Adapter(
        _openinference, ("openinference-instrumentation-openai", "openinference-instrumentation-anthropic")
    ),
}
