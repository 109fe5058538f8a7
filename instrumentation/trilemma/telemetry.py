"""Own which tracer and logger trilemma's spans and events go to: those `instrument` chose, else the global ones."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import Logger, LoggerProvider

__all__ = ["SCOPE", "find_providers", "get_logger", "get_tracer"]

SCOPE = "trilemma"

_finding = threading.RLock()
_find_tracer_provider: Callable[[], trace.TracerProvider] | None = None
_find_logger_provider: Callable[[], LoggerProvider] | None = None
_tracer: trace.Tracer | None = None
_logger: Logger | None = None


def find_providers(
    tracer_provider: Callable[[], trace.TracerProvider] | None = None,
    logger_provider: Callable[[], LoggerProvider] | None = None,
) -> None:
    """Ask these functions for the providers at the first span and the first event; None: take the global one."""
    global _find_tracer_provider, _find_logger_provider, _tracer, _logger  # noqa: PLW0603 - one choice per process
    with _finding:
        _find_tracer_provider, _find_logger_provider = tracer_provider, logger_provider
        _tracer = _logger = None


def get_tracer() -> trace.Tracer:
    """Return the tracer of trilemma's spans; it does nothing while no tracer provider is set."""
    return _tracer or _find_tracer()


def get_logger() -> Logger | None:
    """Return the logger of trilemma's events, or None where no logger provider is set."""
    return _logger or _find_logger()


def _find_tracer() -> trace.Tracer:
    global _tracer  # noqa: PLW0603 - one choice per process
    with _finding:
        if _tracer is None:
            provider = (_find_tracer_provider or trace.get_tracer_provider)()
            _tracer = provider.get_tracer(SCOPE, _read_version())
        return _tracer


def _find_logger() -> Logger | None:
    global _logger  # noqa: PLW0603 - one choice per process
    from opentelemetry._logs import get_logger_provider

    with _finding:
        if _logger is None:
            provider = (_find_logger_provider or get_logger_provider)()
            if type(provider).__name__ == "ProxyLoggerProvider":  # stands for none; its class is not public
                return None
            _logger = provider.get_logger(SCOPE, _read_version())
        return _logger


def _read_version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # 12 ms, which the app may never need

    try:
        return version("trilemma")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return ""
