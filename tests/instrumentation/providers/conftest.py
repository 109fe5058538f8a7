"""Own the fixtures of the provider tests: the instrumentation switched on, on a fixed clock, into memory."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import IdGenerator, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from trilemma import guard
from trilemma.engine import Clock
from trilemma.instrumentation import instrument, uninstrument
from trilemma.registry import attribute

from tests.instrumentation.providers.cases import ALL, STREAMED, Case
from tests.instrumentation.providers.wire import ManualClock, Reply, Script, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan


class Ids(IdGenerator):
    """Count spans and traces instead of drawing lots."""

    def __init__(self) -> None:
        self._count = 0

    def generate_span_id(self) -> int:
        """Return the next number."""
        self._count += 1
        return self._count

    def generate_trace_id(self) -> int:
        """Return the next number."""
        return self.generate_span_id()


class Traced:
    """Hold what a test needs: the clock, the spans so far, and clients whose provider is a script."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(id_generator=Ids(), shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def script(self, *replies: Reply) -> Script:
        """Return a provider that gives these replies."""
        return Script(self.clock, *replies)

    def client(self, case: Case, *replies: Reply, is_async: bool = False, **options: Any) -> Any:
        """Return a real client of the case's SDK, which gets these replies."""
        return make_client(case, self.script(*replies), is_async=is_async, **options)

    def instrument(self, **options: Any) -> None:
        """Switch the instrumentation on anew with these options."""
        uninstrument()
        clock = Clock(self.clock.wall_ns, self.clock.monotonic_s)
        instrument(tracer_provider=self.provider, clock=clock, **options)

    def instrument_live(self) -> None:
        """Switch the instrumentation on anew, on the real clocks."""
        uninstrument()
        instrument(tracer_provider=self.provider)

    def spans(self) -> list[ReadableSpan]:
        """Return the spans that have ended."""
        return list(self.exporter.get_finished_spans())

    def span(self) -> ReadableSpan:
        """Return the one span there must be."""
        [span] = self.spans()
        return span

    def record(self) -> dict[str, Any]:
        """Return the one span's attributes by the registry's names."""
        return read(self.span())


def read(span: ReadableSpan) -> Read:
    """Return a span's attributes, to be asked by the registry's names."""
    return Read(span.attributes or {})


class Read(dict[str, Any]):
    """Be attributes that answer to the registry's names; None where absent."""

    def __missing__(self, name: str) -> Any:
        return self.get(attribute(name))


def find(client: Any, path: str) -> Any:
    """Return a method or an API of the client, or skip where the SDK is older than it."""
    for name in path.split("."):
        client = getattr(client, name, None)
    if client is None:
        pytest.skip(f"the installed SDK has no {path}")
    return client


def is_error(span: ReadableSpan) -> bool:
    """Tell whether a span's status is ERROR."""
    return span.status.status_code is StatusCode.ERROR


@pytest.fixture
def traced() -> Iterator[Traced]:
    """Trace every SDK into memory, raise our own errors, and restore the SDKs afterwards."""
    held = Traced()
    guard.raise_errors(True)
    held.instrument()
    yield held
    uninstrument()
    guard.raise_errors(False)


@pytest.fixture(params=ALL, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Be each endpoint in turn."""
    return require(request.param)


@pytest.fixture(params=STREAMED, ids=lambda case: case.name)
def streamed(request: pytest.FixtureRequest) -> Case:
    """Be each endpoint that streams in turn."""
    return require(request.param)


def require(case: Case) -> Case:
    """Return the case, or skip the test where the installed SDK is older than its endpoint."""
    if not case.is_here():
        pytest.skip(f"the installed {case.sdk} {version(case.sdk)} has no {case.path}")
    return case
