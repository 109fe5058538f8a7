"""Own the way out: OpenTelemetry providers that export by OTLP, set up where the app has none.

What OpenTelemetry's specification says about its ``OTEL_*`` variables holds; arguments win over variables.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from opentelemetry import trace

from trilemma.closing import close_at_exit
from trilemma.errors import ConfigurationError
from trilemma.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.sdk.resources import Resource

    from trilemma.delivery import Delivery

__all__ = ["ExportSettings", "adopt", "is_disabled", "provide_loggers", "provide_meters", "provide_tracers"]

DEFAULT_ENDPOINTS = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}
_OTLP = "opentelemetry.exporter.otlp.proto"
OTLP_EXPORTERS = {
    ("http/protobuf", "traces"): f"{_OTLP}.http.trace_exporter:OTLPSpanExporter",
    ("http/protobuf", "logs"): f"{_OTLP}.http._log_exporter:OTLPLogExporter",
    ("http/protobuf", "metrics"): f"{_OTLP}.http.metric_exporter:OTLPMetricExporter",
    ("grpc", "traces"): f"{_OTLP}.grpc.trace_exporter:OTLPSpanExporter",
    ("grpc", "logs"): f"{_OTLP}.grpc._log_exporter:OTLPLogExporter",
    ("grpc", "metrics"): f"{_OTLP}.grpc.metric_exporter:OTLPMetricExporter",
}

# By identity: a provider of another's may have no hash, as Logfire's has none.
_adopted: WeakValueDictionary[int, Any] = WeakValueDictionary()


@dataclass(frozen=True)
class ExportSettings:
    """Where to export to, as far as the ``OTEL_*`` variables shall not decide."""

    endpoint: str | None = None
    protocol: str | None = None
    headers: Mapping[str, str] | None = None
    service_name: str | None = None

    def check(self) -> None:
        """Raise ConfigurationError for what cannot work, before anything is set up."""
        for signal in ("traces", "logs"):
            protocol = self.protocol_of(signal)
            if protocol not in DEFAULT_ENDPOINTS:
                known = " or ".join(DEFAULT_ENDPOINTS)
                raise ConfigurationError(
                    f"OTLP protocol {protocol!r} is unknown; set OTEL_EXPORTER_OTLP_PROTOCOL to {known}"
                )
            address = urlsplit(self.endpoint_of(signal))
            if protocol != "grpc" and not (address.scheme in {"http", "https"} and address.hostname):
                raise ConfigurationError(
                    f"OTLP endpoint {self.endpoint_of(signal)!r} is no web address; use one like http://localhost:4318"
                )
            list(_list_exporters(signal))

    def protocol_of(self, signal: str) -> str:
        """Return the OTLP protocol of a signal."""
        return self.protocol or _read_otlp(signal, "PROTOCOL") or _read_otlp("", "PROTOCOL") or "http/protobuf"

    def endpoint_of(self, signal: str) -> str:
        """Return the full address a signal goes to."""
        protocol = self.protocol_of(signal)
        own = _read_otlp(signal, "ENDPOINT")
        if own and not self.endpoint:
            return own
        base = self.endpoint or _read_otlp("", "ENDPOINT") or DEFAULT_ENDPOINTS.get(protocol, "")
        path = f"/v1/{signal}"
        return base if protocol == "grpc" or base.endswith(path) else base.rstrip("/") + path


def is_disabled() -> bool:
    """Tell whether OTEL_SDK_DISABLED switches all telemetry off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def provide_tracers(settings: ExportSettings) -> trace.TracerProvider:
    """Return the app's tracer provider, with task attributes added; where it has none, set one up that exports.

    An app's own provider keeps its exporters; ours is added only where an endpoint was asked for.
    """
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        from opentelemetry.sdk.trace import TracerProvider

        ours = TracerProvider(resource=_make_resource(settings), shutdown_on_exit=False)
        trace.set_tracer_provider(ours)
        if trace.get_tracer_provider() is ours:  # and not one that another thread of the app set just now
            _export_spans(adopt(ours), settings)
            return ours
    provider = trace.get_tracer_provider()
    known = id(provider) in _adopted
    adopt(provider)
    if settings.endpoint and not known and id(provider) in _adopted:
        _export_spans(provider, settings)
    return provider


def adopt(provider: trace.TracerProvider | None = None) -> trace.TracerProvider:
    """Put the task's attributes on every span of `provider` (default: the global one) from now on; return it."""
    provider = provider or trace.get_tracer_provider()
    if id(provider) not in _adopted and hasattr(provider, "add_span_processor"):
        from trilemma.task_spans import TaskSpanProcessor

        provider.add_span_processor(TaskSpanProcessor())
        _adopted[id(provider)] = provider
    return provider


def provide_loggers(settings: ExportSettings) -> LoggerProvider:
    """Return the app's logger provider; where it has none, set one up that exports trilemma's events."""
    from opentelemetry import _logs

    if type(_logs.get_logger_provider()).__name__ == "ProxyLoggerProvider":  # stands for none; its class is not public
        from opentelemetry.sdk._logs import LoggerProvider as SdkLoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

        ours = SdkLoggerProvider(resource=_make_resource(settings), shutdown_on_exit=False)
        for exporter, delivery in _make_exporters("logs", settings):
            processor = BatchLogRecordProcessor(exporter)
            ours.add_log_record_processor(processor)
            close_at_exit(processor, delivery)
        _logs.set_logger_provider(ours)
    return _logs.get_logger_provider()


def provide_meters(settings: ExportSettings) -> None:
    """Set up a meter provider where the app has none and a variable asks for metrics by name."""
    from opentelemetry import metrics

    asked = os.environ.get("OTEL_METRICS_EXPORTER") or _read_otlp("metrics", "ENDPOINT")
    if not asked or type(metrics.get_meter_provider()).__name__ != "_ProxyMeterProvider":
        return
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    names = _list_exporters("metrics")
    readers = [PeriodicExportingMetricReader(_make_exporter("metrics", name, settings, None)) for name in names]
    if readers:
        provider = MeterProvider(readers, _make_resource(settings), shutdown_on_exit=False)
        metrics.set_meter_provider(provider)
        close_at_exit(provider)


def _export_spans(provider: Any, settings: ExportSettings) -> None:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if settings.protocol_of("traces") == "grpc":
        # Its exporter imports this, which starts threads as it is imported: too late at the exit of a short program.
        import_module("opentelemetry.sdk._logs")
    for exporter, delivery in _make_exporters("traces", settings):
        processor = BatchSpanProcessor(exporter)
        provider.add_span_processor(processor)
        close_at_exit(processor, delivery)


def _make_resource(settings: ExportSettings) -> Resource:
    from opentelemetry.sdk.resources import Resource

    named = {"service.name": settings.service_name} if settings.service_name else {}
    return Resource.create({"telemetry.distro.name": "trilemma", "telemetry.distro.version": VERSION, **named})


def _make_exporters(signal: str, settings: ExportSettings) -> Iterator[tuple[Any, Delivery | None]]:
    """Make an exporter for each name in OTEL_<SIGNAL>_EXPORTER; one that needs a server is in our delivery's care."""
    from trilemma.delivery import Delivery

    for name in _list_exporters(signal):
        make = partial(_make_exporter, signal, name, settings)
        if name == "otlp":
            delivery = Delivery("spans" if signal == "traces" else "events", settings.endpoint_of(signal), make)
            yield delivery, delivery
        else:
            yield make(None), None


def _make_exporter(signal: str, name: str, settings: ExportSettings, timeout_s: float | None) -> Any:
    if name != "otlp":
        return _find_entry_point(signal, name).load()()
    module, _, attribute = OTLP_EXPORTERS[settings.protocol_of(signal), signal].partition(":")
    exporter = getattr(import_module(module), attribute)
    return exporter(endpoint=settings.endpoint_of(signal), headers=settings.headers, timeout=timeout_s)


def _list_exporters(signal: str) -> Iterator[str]:
    for name in os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "otlp").split(","):
        if name.strip() in {"", "none"}:
            continue
        if name.strip() != "otlp":
            _find_entry_point(signal, name.strip())
        yield name.strip()


def _find_entry_point(signal: str, name: str) -> Any:
    from importlib.metadata import entry_points

    group = entry_points(group=f"opentelemetry_{signal}_exporter")
    if name not in group.names:
        known = ", ".join(sorted({"otlp", "none", *group.names}))
        raise ConfigurationError(
            f"OTEL_{signal.upper()}_EXPORTER={name}: no such exporter is installed; there are {known}"
        )
    return group[name]


def _read_otlp(signal: str, name: str) -> str | None:
    variable = "_".join(part for part in ("OTEL_EXPORTER_OTLP", signal.upper(), name) if part)
    return os.environ.get(variable, "").strip() or None
