"""Own the fixtures of the task's tests: real OpenTelemetry providers that keep what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from trilemma import guard
from trilemma.task_spans import TaskSpanProcessor
from trilemma.telemetry import find_providers

# Its name up to OpenTelemetry 1.38; the tests run on the oldest release that trilemma supports too.
InMemoryLogExporter: Any = getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer


class Telemetry(NamedTuple):
    """What trilemma sent, and a tracer of the app's own on the same provider."""

    tracer: Tracer
    span_exporter: InMemorySpanExporter
    log_exporter: Any

    def span(self, name: str) -> ReadableSpan:
        """Return the one span of that name."""
        [found] = [span for span in self.span_exporter.get_finished_spans() if span.name == name]
        return found

    def attributes(self, name: str) -> dict[str, Any]:
        """Return the attributes of the one span of that name."""
        return dict(self.span(name).attributes or {})

    def events(self) -> list[Any]:
        """Return the log records so far."""
        return [data.log_record for data in self.log_exporter.get_finished_logs()]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """Send trilemma's spans and events to memory, and raise its own errors instead of hiding them."""
    tracer_provider, logger_provider = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    kept = Telemetry(tracer_provider.get_tracer("app"), InMemorySpanExporter(), InMemoryLogExporter())
    tracer_provider.add_span_processor(TaskSpanProcessor())
    tracer_provider.add_span_processor(SimpleSpanProcessor(kept.span_exporter))
    logger_provider.add_log_record_processor(log_export.SimpleLogRecordProcessor(kept.log_exporter))
    find_providers(lambda: tracer_provider, lambda: logger_provider)
    guard.raise_errors(True)
    yield kept
    guard.raise_errors(False)
    find_providers()
    tracer_provider.shutdown()
    logger_provider.shutdown()
