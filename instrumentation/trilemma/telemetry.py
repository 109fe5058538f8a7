"""Own which tracer and logger trilemma's spans and events go to: those `instrument` chose, else the global ones."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry import trace

from trilemma.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from opentelemetry._logs import Logger, LoggerProvider
    from opentelemetry.context import Context

    Start: TypeAlias = Callable[[str, dict[str, Any], int, Context], trace.Span]

__all__ = ["SCOPE", "find_providers", "get_logger", "get_tracer", "start_call_span", "start_decision_span"]

SCOPE = "trilemma"
_CLIENT, _INTERNAL = trace.SpanKind.CLIENT, trace.SpanKind.INTERNAL

_finding = threading.RLock()
_find_tracer_provider: Callable[[], trace.TracerProvider] | None = None
_find_logger_provider: Callable[[], LoggerProvider] | None = None
_tracer: trace.Tracer | None = None
_starts: dict[trace.SpanKind, Start] = {}  # by the kind of span
_logger: Logger | None = None


def find_providers(
    tracer_provider: Callable[[], trace.TracerProvider] | None = None,
    logger_provider: Callable[[], LoggerProvider] | None = None,
) -> None:
    """Ask these functions for the providers at the first span and the first event; None: take the global one."""
    global _find_tracer_provider, _find_logger_provider
    global _tracer, _logger  # noqa: PLW0603 - one choice per process
    with _finding:
        _find_tracer_provider, _find_logger_provider = tracer_provider, logger_provider
        _tracer = _logger = None
        _starts.clear()


def get_tracer() -> trace.Tracer:
    """Return the tracer of trilemma's spans; it does nothing while no tracer provider is set."""
    return _tracer or _find_tracer()


def start_call_span(name: str, attributes: dict[str, Any], started_ns: int, context: Context) -> trace.Span:
    """Start the span of a call in `context`; what is past its start may be written late (trilemma.late_span)."""
    return (_starts.get(_CLIENT) or _make_start(_CLIENT))(name, attributes, started_ns, context)


def start_decision_span(name: str, attributes: dict[str, Any], started_ns: int, context: Context) -> trace.Span:
    """Start the span of a decision, INTERNAL, in the same way."""
    return (_starts.get(_INTERNAL) or _make_start(_INTERNAL))(name, attributes, started_ns, context)


def get_logger() -> Logger | None:
    """Return the logger of trilemma's events, or None where no logger provider is set."""
    return _logger or _find_logger()


def _find_tracer() -> trace.Tracer:
    global _tracer  # noqa: PLW0603 - one choice per process
    with _finding:
        if _tracer is None:
            provider = (_find_tracer_provider or trace.get_tracer_provider)()
            _tracer = provider.get_tracer(SCOPE, VERSION)
        return _tracer


def _make_start(kind: trace.SpanKind) -> Start:
    """Return what starts spans of a kind: late ones, or at once while the SDK is not there, which is asked again."""
    tracer = get_tracer()
    tracer = getattr(tracer, "_tracer", tracer)  # of a proxy, which stands for the SDK's until a provider is set
    if type(tracer).__module__ != "opentelemetry.sdk.trace":
        return partial(_start_at_once, kind)
    from trilemma.late_span import LateTracer  # not before the app has imported the SDK

    start = _starts[kind] = LateTracer(tracer, kind).start_span  # type: ignore[arg-type]
    return start


def _start_at_once(
    kind: trace.SpanKind, name: str, attributes: dict[str, Any], started_ns: int, context: Context
) -> trace.Span:
    return get_tracer().start_span(name, context, kind, attributes, start_time=started_ns)


def _find_logger() -> Logger | None:
    global _logger  # noqa: PLW0603 - one choice per process
    from opentelemetry._logs import get_logger_provider

    with _finding:
        if _logger is None:
            provider = (_find_logger_provider or get_logger_provider)()
            if type(provider).__name__ == "ProxyLoggerProvider":  # stands for none; its class is not public
                return None
            _logger = provider.get_logger(SCOPE, VERSION)
        return _logger
