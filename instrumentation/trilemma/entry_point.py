"""Own what `opentelemetry-instrument` loads: the class that its entry point names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma.export import ExportSettings
from trilemma.instrumentor import instrument, instrument_deferred, uninstrument

if TYPE_CHECKING:
    from collections.abc import Collection

try:
    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]
except ImportError:  # it comes with opentelemetry-instrument, which is what needs the class
    BaseInstrumentor = object

__all__ = ["TrilemmaInstrumentor"]


class TrilemmaInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # Any, where it is there
    """Be what `opentelemetry-instrument` loads: it patches, and exports only where no one else does."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: a provider SDK that is not installed is no reason not to load."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        providers = {key: kwargs.get(key) for key in ("tracer_provider", "meter_provider", "logger_provider")}
        if providers["tracer_provider"] is None:
            instrument_deferred(ExportSettings(), None, providers["meter_provider"], providers["logger_provider"])
        else:
            instrument(**providers)  # type: ignore[arg-type]

    def _uninstrument(self, **_: Any) -> None:
        uninstrument()
