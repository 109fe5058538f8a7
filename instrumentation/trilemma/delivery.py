"""Own the last step of export: batches small enough to be taken, kept for a while if not, and one log line about it.

It wraps an OpenTelemetry exporter, which is made at the first batch, on the batch processor's thread and anew in a
forked child: its imports (0.3 s) never wait on the app's thread, and no connection is shared between processes.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from trilemma.fork import keep_from_forking

__all__ = ["Delivery", "cut_batch", "measure_bytes"]

# gRPC servers take messages of up to 4 MiB unless told otherwise; an OTLP/HTTP receiver of the collector 20 MiB.
MAX_REQUEST_BYTES = 3_500_000
MAX_HELD_BYTES = 16_000_000

_log = logging.getLogger("trilemma")
_delivering = threading.local()
_reported: set[str] = set()


class Delivery:
    """Be an exporter of spans or log records for a batch processor, around the one that `make_exporter` makes.

    `make_exporter` takes the time-out of a request in seconds, None for the configured one. `kind` ("spans") and
    `destination` are words for the log.
    """

    def __init__(self, kind: str, destination: str, make_exporter: Callable[[float | None], Any]) -> None:
        self._kind = kind
        self._destination = destination
        self._make_exporter = make_exporter
        self._exporter: Any = None
        self._inherited: list[Any] = []  # a forked child must not close the connections of its parent
        self._pid = os.getpid()
        self._held: deque[tuple[int, list[Any]]] = deque()
        self._held_bytes = 0
        self._limit_s: float | None = None
        self._failed_in_a_hurry = False
        self._sending = False
        self._lost = 0
        self.failing = False

    def export(self, batch: Sequence[Any]) -> Any:
        """Send a batch, in parts where it is large; after a failure hold what is left for the next time."""
        self._notice_fork()
        parts = deque(cut_batch(batch, MAX_REQUEST_BYTES))
        result = None
        while parts and not self._failed_in_a_hurry:
            result, reason = self._send(parts[0][1])
            if reason is not None:
                for size, part in parts:
                    self._hold(size, part)
                self._report_failure(reason)
                return result
            parts.popleft()
        self._send_held()
        return result

    def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002 - the batch processor's signature
        """Do nothing: what is held was refused and waits for its time."""
        return True

    def hurry(self, limit_s: float) -> None:
        """End a request that waits, and give later ones `limit_s`: the process is about to end."""
        self._limit_s = limit_s
        self._close_exporter()  # which wakes it from waiting between two attempts

    def shutdown(self) -> None:
        """Send what is held, unless the last batch has just been refused, and close the exporter."""
        if self._sending:
            self._report_failure("no answer in time")
        elif self._held and not self._failed_in_a_hurry and self._send(self._held[0][1])[1] is None:
            self._held.popleft()
            self._send_held()
        self._close_exporter()

    def _send(self, part: list[Any]) -> tuple[Any, str | None]:
        """Export `part`; return the exporter's result, and why it failed if it did."""
        _delivering.reason = ""
        self._sending = True
        try:
            while self._exporter is None:
                limit_s = self._limit_s
                with keep_from_forking():
                    self._exporter = self._make_exporter(limit_s)
                    _quieten(type(self._exporter))
                if limit_s != self._limit_s:  # the process began to end while this one was made
                    self._close_exporter()
            result = self._exporter.export(part)
        except Exception as error:  # noqa: BLE001 - whatever an exporter raises is a failed delivery
            return None, f"{type(error).__name__}: {error}"
        finally:
            self._sending = False
            reason, _delivering.reason = _delivering.reason, None
        return result, None if getattr(result, "name", "") == "SUCCESS" else reason or "no reason given"

    def _send_held(self) -> None:
        """Send what was held. What fails although its successors were taken will never be taken: it is lost."""
        while self._held and not self._failed_in_a_hurry:
            size, part = self._held.popleft()
            self._held_bytes -= size
            if self._send(part)[1] is not None:
                self._lost += len(part)
        if self.failing:
            self.failing = False
            _reported.discard(urlsplit(self._destination).netloc)
            level = logging.WARNING if self._lost else logging.INFO
            _log.log(level, "trilemma: %s reach %s again; lost: %d", self._kind, self._destination, self._lost)
            self._lost = 0

    def _hold(self, size: int, part: list[Any]) -> None:
        self._held.append((size, part))
        self._held_bytes += size
        while self._held_bytes > MAX_HELD_BYTES:
            oldest_size, oldest = self._held.popleft()
            self._held_bytes -= oldest_size
            self._lost += len(oldest)

    def _report_failure(self, reason: str) -> None:
        self._failed_in_a_hurry = self._limit_s is not None
        self.failing = True
        server = urlsplit(self._destination).netloc
        if server not in _reported:  # once for spans and events together
            _reported.add(server)
            _log.warning(
                "trilemma: cannot deliver %s to %s (%s). Your app is not affected; up to %d MB are kept and sent when "
                "it answers. Start a collector there (`trilemma up`) or set OTEL_EXPORTER_OTLP_ENDPOINT. Logged once.",
                self._kind,
                self._destination,
                _shorten(reason),
                MAX_HELD_BYTES // 1_000_000,
            )

    def _notice_fork(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._inherited.append(self._exporter)
            self._exporter = None
            self._held.clear()  # the parent holds them too, and will send them
            self._held_bytes = 0

    def _close_exporter(self) -> None:
        exporter, self._exporter = self._exporter, None
        if exporter is not None and self._pid == os.getpid():
            limit = {"timeout_millis": 0} if "timeout_millis" in inspect.signature(exporter.shutdown).parameters else {}
            exporter.shutdown(**limit)


def cut_batch(batch: Sequence[Any], max_bytes: int) -> list[tuple[int, list[Any]]]:
    """Cut a batch into parts of at most `max_bytes` by estimate, each with its size; one item may exceed it alone."""
    parts: list[tuple[int, list[Any]]] = []
    total, part = 0, list[Any]()
    for item in batch:
        size = measure_bytes(item)
        if part and total + size > max_bytes:
            parts.append((total, part))
            total, part = 0, []
        part.append(item)
        total += size
    return [*parts, (total, part)] if part else parts


def measure_bytes(item: Any) -> int:
    """Estimate the encoded size of a span or log record, without encoding it."""
    record = getattr(item, "log_record", item)
    attributes = [record.attributes, *(event.attributes for event in getattr(record, "events", ()))]
    body = getattr(record, "body", None)
    return 250 + _measure_value(body) + sum(100 + _measure_value(each) for each in attributes if each)


def _measure_value(value: Any) -> int:
    if isinstance(value, str):
        return 4 + (len(value) if value.isascii() else len(value.encode("utf-8", "replace")))
    if isinstance(value, bytes):
        return 4 + len(value)
    if isinstance(value, Mapping):
        return sum(10 + len(key) + _measure_value(each) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return sum(4 + _measure_value(each) for each in value)
    return 10


class _Quiet(logging.Filter):
    """Keep an exporter's own log lines for the reason of a failure: it writes several per batch."""

    def filter(self, record: logging.LogRecord) -> bool:
        reason = getattr(_delivering, "reason", None)
        if reason is None:  # not ours: the app has an exporter of this kind too
            return True
        _delivering.reason = reason or record.getMessage()
        return False


_quiet = _Quiet()


def _quieten(exporter: type) -> None:
    names = {base.__module__ for base in exporter.__mro__} | {"opentelemetry.exporter.otlp.common.http"}
    for name in names:
        if name in sys.modules:
            logging.getLogger(name).addFilter(_quiet)  # a second time does nothing


def _shorten(reason: str) -> str:
    """Cut the nested wrappings of an HTTP library down to what the operating system said."""
    system_error = re.search(r"\[Errno -?\d+\] ([\w ,]+)", reason)
    return system_error[1].strip() if system_error else reason[:200]
