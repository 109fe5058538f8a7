"""Own the scoring of records, one after another: drive it, take its spans, compare."""

from __future__ import annotations

import contextlib
import signal
import warnings
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.wire_score.compare import compare
from tests.wire_score.drivers import find_drivers
from tests.wire_score.instrumentations import INSTRUMENTATIONS
from tests.wire_score.outcome import NotDrivenError, Outcome, close_loop, let_go

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.wire_score.corpus import Record

__all__ = ["Scored", "drive", "is_async", "score_records"]

_MAX_S = 30


class Scored(NamedTuple):
    """Be one record's result: field to (expected, on the span, whether right), and how it was driven."""

    id: str
    provider: str
    endpoint: str
    driver: str  # "" where none could
    fields: dict[str, tuple[Any, Any, bool]]


def score_records(records: Iterable[Record], instrumentation: str = "trilemma") -> Iterator[Scored]:
    """Score each record; what goes wrong with one is that record's miss."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    chosen = INSTRUMENTATIONS[instrumentation]
    chosen.switch_on(provider)
    signal.signal(signal.SIGALRM, _stop)
    for record in records:
        exporter.clear()
        names = record["id"], str(record.get("provider")), str(record.get("endpoint"))
        try:
            with _time_limit(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of SDKs, about the recordings' old models and settings
                driver, outcome = drive(record, is_async=is_async(record))
                if outcome.error and record["stream"]:
                    let_go()
            spans = [span.attributes or {} for span in exporter.get_finished_spans()]
            yield Scored(*names, driver, compare(record, spans, read=chosen.read))
        except Exception as error:  # noqa: BLE001  # whatever a record is or does
            reason = f"not driven: {error}" if isinstance(error, NotDrivenError) else f"not driven: {error!r}"
            yield Scored(*names, "", {"spans": (1, reason[:300], False)})
    close_loop()


def is_async(record: Record) -> bool:
    """Tell which of an SDK's two clients sends a record: either one for half of them, always the same."""
    return bool(zlib.crc32(record["id"].encode()) & 1)


def drive(record: Record, *, is_async: bool) -> tuple[str, Outcome]:
    """Send a record by the best driver that can; raises NotDrivenError where none does."""
    if "method" not in record:
        raise NotDrivenError("no record of this format")
    reasons = []
    for driver in find_drivers(record):
        try:
            return driver.SDK, driver.send(record, is_async=is_async)
        except NotDrivenError as error:
            reasons.append(f"{driver.SDK}: {error}")
    raise NotDrivenError("; ".join(reasons) or "no SDK here has the endpoint")


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, _MAX_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _stop(*_: object) -> None:
    raise NotDrivenError(f"took longer than {_MAX_S} s")
