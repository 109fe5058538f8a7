"""Own switching trilemma on: export and patches by one call, or by OpenTelemetry's own entry point."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from trilemma.closing import close_on_sigterm
from trilemma.export import ExportSettings, adopt, is_disabled, provide_loggers, provide_meters, provide_tracers
from trilemma.telemetry import find_providers, get_tracer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["instrument", "instrument_deferred", "uninstrument"]

_log = logging.getLogger("trilemma")


def instrument(
    providers: Iterable[str] | None = None,
    *,
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: Mapping[str, str] | None = None,
    service_name: str | None = None,
    export: bool = True,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> None:
    """Make every call to an LLM provider a span and export it by OTLP, from now on.

    Call it once, early, after your own OpenTelemetry set-up if you have one. Without a tracer provider of yours it
    sets one up: batches, resource, OTLP to `endpoint` (default: OTEL_EXPORTER_OTLP_ENDPOINT, else
    http://localhost:4318, where `trilemma up` listens), the last batch sent at exit and on SIGTERM. A provider of
    yours is kept, with its exporters; one to `endpoint` is added only where you name it here. All ``OTEL_*`` variables
    hold where no argument is given.

    `providers`: names of SDKs ("openai", "anthropic"); default: all, each as the app imports it. `protocol`:
    "http/protobuf" or "grpc". `export` False: patch only. `tracer_provider`, `meter_provider`, `logger_provider`: use
    these, and export nothing more.

    Raises ConfigurationError for an endpoint, protocol or exporter that cannot work, ProviderNotFoundError for a
    provider that is unknown or not installed. Never touches the network on your thread.
    """
    if is_disabled():
        _switch_off()
        return
    settings = ExportSettings(endpoint, protocol, headers, service_name)
    if tracer_provider is None and export:
        instrument_deferred(settings, providers, meter_provider, logger_provider)
        get_tracer()  # sets up now, in the order in which the app calls
        return
    _patch(providers, tracer_provider, meter_provider, logger_provider)
    find_providers(
        partial(adopt, tracer_provider),
        None if logger_provider is None else lambda: logger_provider,
    )
    get_tracer()


def instrument_deferred(
    settings: ExportSettings,
    providers: Iterable[str] | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
) -> None:
    """Patch now, and look for a tracer provider at the first span: by then the app may have set its own."""
    if is_disabled():
        _switch_off()
        return
    settings.check()
    close_on_sigterm()
    if meter_provider is None:
        provide_meters(settings)
    _patch(providers, None, meter_provider, logger_provider)
    find_providers(
        partial(provide_tracers, settings),
        partial(provide_loggers, settings) if logger_provider is None else lambda: logger_provider,
    )


def uninstrument() -> None:
    """Restore every SDK. What was set up for export stays: OpenTelemetry lets a process set its providers once."""
    from trilemma import instrumentation

    instrumentation.uninstrument()
    find_providers()


def __getattr__(name: str) -> Any:
    # What `opentelemetry-instrument` loads by its entry point stands on a module that takes longer to import than all
    # of trilemma.
    if name == "TrilemmaInstrumentor":
        from trilemma.entry_point import TrilemmaInstrumentor

        return TrilemmaInstrumentor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _patch(
    providers: Iterable[str] | None,
    tracer_provider: TracerProvider | None,
    meter_provider: MeterProvider | None,
    logger_provider: LoggerProvider | None,
) -> None:
    from trilemma import instrumentation

    instrumentation.instrument(
        providers,
        tracer_provider=tracer_provider,
        meter_provider=meter_provider,
        logger_provider=logger_provider,
    )


def _switch_off() -> None:
    from opentelemetry._logs import NoOpLoggerProvider
    from opentelemetry.trace import NoOpTracerProvider

    _log.debug("trilemma: OTEL_SDK_DISABLED is true, so nothing is instrumented")
    find_providers(NoOpTracerProvider, NoOpLoggerProvider)
