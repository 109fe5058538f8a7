"""Own what is switched on in a benchmark process: nothing, the bare span, trilemma, or a peer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ADAPTERS", "Adapter", "Counter"]


class Counter:
    """Count the spans and attributes that reach the exporter: proof that an adapter records at all."""

    def __init__(self) -> None:
        self.spans = 0
        self.attributes = 0
        self.flush: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Adapter:
    """One thing to measure: how to switch it on, and what its environment needs beside both provider SDKs."""

    switch_on: Callable[[bool], Counter]
    packages: tuple[str, ...] = ()  # none: the project's own environment serves
    contents: tuple[str, ...] = ("off", "on")
    prerelease: bool = False


def _provider() -> tuple[Any, Counter]:
    """Set a global tracer provider with a batch processor and an exporter that only counts."""
    from opentelemetry import trace
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
    trace.set_tracer_provider(provider)
    counter.flush = provider.force_flush
    return provider, counter


def _nothing(_content: bool) -> Counter:
    return Counter()


def _opentelemetry(_content: bool) -> Counter:
    return _provider()[1]


def _bare_span(content: bool) -> Counter:
    from tests.bench.bare_span import patch_all

    provider, counter = _provider()
    patch_all(provider.get_tracer("bare"), content=content)
    return counter


def _trilemma(content: bool) -> Counter:
    os.environ[_CONTENT] = "true" if content else "false"
    provider, counter = _provider()
    from trilemma.instrumentation import instrument

    instrument(tracer_provider=provider)
    return counter


def _genai(content: bool) -> Counter:
    os.environ[_CONTENT] = "SPAN_ONLY" if content else ""
    provider, counter = _provider()
    from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    return counter


def _openllmetry(content: bool) -> Counter:
    os.environ["TRACELOOP_TRACE_CONTENT"] = "true" if content else "false"
    provider, counter = _provider()
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument(tracer_provider=provider)
    AnthropicInstrumentor().instrument(tracer_provider=provider)
    return counter


def _openinference(content: bool) -> Counter:
    provider, counter = _provider()
    from openinference.instrumentation import TraceConfig
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    hide = not content
    config = TraceConfig(hide_inputs=hide, hide_outputs=hide, hide_embedding_vectors=hide, hide_embeddings_text=hide)
    OpenAIInstrumentor().instrument(tracer_provider=provider, config=config)
    AnthropicInstrumentor().instrument(tracer_provider=provider, config=config)
    return counter


_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

ADAPTERS: Final = {
    # `baseline` is what the others are measured against; `opentelemetry` has a tracer provider and no instrumentation,
    # which is enough for the anthropic SDK to trace itself.
    "baseline": Adapter(_nothing, contents=("off",)),
    "opentelemetry": Adapter(_opentelemetry, contents=("off",)),
    "bare-span": Adapter(_bare_span),
    "trilemma": Adapter(_trilemma),
    "otel-genai": Adapter(
        _genai,
        ("opentelemetry-instrumentation-genai-openai", "opentelemetry-instrumentation-genai-anthropic"),
        prerelease=True,
    ),
    "openllmetry": Adapter(
        _openllmetry, ("opentelemetry-instrumentation-openai", "opentelemetry-instrumentation-anthropic")
    ),
    "openinference": Adapter(
        _openinference, ("openinference-instrumentation-openai", "openinference-instrumentation-anthropic")
    ),
}
