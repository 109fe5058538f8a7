"""Own the writing of the write-ahead files: many requests, one flush to disk, then the acknowledgements."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections import defaultdict
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from trilemma.errors import CollectorError

from trilemma_collector.journal.segment import Segment, encode_record, measure_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["SEGMENT_SUFFIX", "Journal", "JournalFullError", "Waiting"]

logger = logging.getLogger(__name__)

SEGMENT_SUFFIX = ".otlp"
# A bound on what one INSERT decodes at once; ClickHouse needs a few times that in memory.
LARGEST_SEGMENT_BYTES = 40 * 1024 * 1024
# writev takes at most IOV_MAX parts (1,024 on Linux and macOS); a record is three.
RECORDS_PER_WRITE = 256
# Not on macOS: there fsync does it.
_flush_data = getattr(os, "fdatasync", os.fsync)


class JournalFullError(CollectorError):
    """Say that the storage lags behind, or that the disk refuses; the sender is told to try again later."""


class Waiting(NamedTuple):
    """What waits for the storage: bytes in segments being written, since when, and segments already closed."""

    open_bytes: int
    open_since: float
    closed_count: int


class _Request(NamedTuple):
    kind: str
    body: bytes
    done: Future[None]


@dataclass
class _OpenSegment:
    segment: Segment
    descriptor: int


class Journal:
    """Write requests to segments on one thread, and hand over the segments that are to be stored.

    Attributes:
        on_growth: called from that thread when there is more to store; must return at once.
    """

    def __init__(self, directory: Path, *, limit_bytes: int, flush_to_disk: bool) -> None:
        """Prepare to write into a directory.

        Args:
            directory: where segments go; it exists.
            limit_bytes: refuse requests when more than this waits for the storage.
            flush_to_disk: acknowledge only what the disk has: it survives a power cut, not only kill -9.
        """
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._flush_to_disk = flush_to_disk
        self.on_growth: Callable[[], None] = _ignore
        self._queue_changed = threading.Condition()
        self._queue: list[_Request] = []
        self._backlog_bytes = 0
        self._stopping = False
        self._files = threading.Lock()
        self._open: dict[str, _OpenSegment] = {}
        self._closed: list[Segment] = []
        self._thread = threading.Thread(target=self._write_until_stopped, name="journal-writer", daemon=True)

    def start(self) -> None:
        """Begin to write; requests that came before wait until then."""
        self._thread.start()

    @property
    def backlog_bytes(self) -> int:
        """Return how much is accepted and not yet stored."""
        return self._backlog_bytes

    def append(self, kind: str, body: bytes) -> Future[None]:
        """Queue a request; the future is done when the request is safe and may be acknowledged.

        Raises:
            JournalFullError: too much waits for the storage, or the collector is stopping.
        """
        size = measure_record(body)
        done: Future[None] = Future()
        with self._queue_changed:
            if self._stopping:
                raise JournalFullError("the collector is stopping; send the request again in a moment")
            if self._backlog_bytes + size > self._limit_bytes:
                raise JournalFullError(
                    f"{self._backlog_bytes:,} bytes wait to be stored and the limit is {self._limit_bytes:,}; "
                    f"send again later, or start the collector with a larger --max-backlog-mb"
                )
            self._backlog_bytes += size
            self._queue.append(_Request(kind, body, done))
            self._queue_changed.notify()
        return done

    def adopt(self, segment: Segment) -> None:
        """Take over a segment that an earlier process left."""
        with self._queue_changed:
            self._backlog_bytes += segment.size_bytes
        with self._files:
            self._closed.append(segment)

    def look(self) -> Waiting:
        """Say what waits for the storage."""
        with self._files:
            segments = [item.segment for item in self._open.values()]
            return Waiting(
                sum(segment.size_bytes for segment in segments),
                min((segment.opened_at for segment in segments), default=0.0),
                len(self._closed),
            )

    def take(self) -> list[Segment]:
        """Close what is being written and hand over every closed segment, oldest first."""
        with self._files:
            for kind in list(self._open):
                self._close_segment(kind)
            taken, self._closed = self._closed, []
        return sorted(taken, key=lambda segment: segment.path.name.partition("-")[2])

    def give_back(self, segments: Iterable[Segment]) -> None:
        """Return segments that could not be stored now; :meth:`take` hands them over again."""
        with self._files:
            self._closed.extend(segments)

    def release(self, segment: Segment) -> None:
        """Count a segment's bytes as stored."""
        with self._queue_changed:
            self._backlog_bytes -= segment.size_bytes

    def close(self) -> None:
        """Write what is queued, close the files and stop; later requests are refused."""
        with self._queue_changed:
            self._stopping = True
            self._queue_changed.notify()
        self._thread.join()
        with self._files:
            for kind in list(self._open):
                self._close_segment(kind)

    def _write_until_stopped(self) -> None:
        while True:
            with self._queue_changed:
                while not self._queue and not self._stopping:
                    self._queue_changed.wait()
                if not self._queue:
                    return
                requests, self._queue = self._queue, []
            by_kind: dict[str, list[_Request]] = defaultdict(list)
            for request in requests:
                by_kind[request.kind].append(request)
            for kind, group in by_kind.items():
                for start in range(0, len(group), RECORDS_PER_WRITE):
                    self._write_group(kind, group[start : start + RECORDS_PER_WRITE])
            self.on_growth()

    def _write_group(self, kind: str, requests: list[_Request]) -> None:
        try:
            with self._files:
                self._write_records(kind, [request.body for request in requests])
        except Exception as error:  # noqa: BLE001 - whatever it is: without this thread every sender would wait for ever
            logger.error("the write-ahead file in %s cannot be written: %s", self._directory, error)  # noqa: TRY400 - the system's own words say it all
            refusal = JournalFullError(
                f"the write-ahead file in {self._directory} cannot be written ({error}); free disk space there"
            )
            with self._queue_changed:
                self._backlog_bytes -= sum(measure_record(request.body) for request in requests)
            for request in requests:
                request.done.set_exception(refusal)
            return
        for request in requests:
            request.done.set_result(None)

    def _write_records(self, kind: str, bodies: list[bytes]) -> None:
        """Write and flush; on failure the file ends where it ended before, and nothing is acknowledged."""
        item = self._open.get(kind) or self._open_segment(kind)
        segment = item.segment
        parts = [part for body in bodies for part in encode_record(body)]
        try:
            _write_all(item.descriptor, parts)
            if self._flush_to_disk:
                _flush_data(item.descriptor)
        except OSError:
            # Not used again: after a failed flush the kernel may claim success for pages it has dropped.
            os.truncate(item.descriptor, segment.size_bytes)
            self._close_segment(kind)
            raise
        segment.size_bytes += sum(map(len, parts))
        segment.record_count += len(bodies)
        if segment.size_bytes >= LARGEST_SEGMENT_BYTES:
            self._close_segment(kind)

    def _open_segment(self, kind: str) -> _OpenSegment:
        path = self._directory / f"{kind}-{time.time_ns():020d}-{uuid.uuid4().hex[:12]}{SEGMENT_SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        if self._flush_to_disk:
            _flush_directory(self._directory)
        item = _OpenSegment(Segment(path, kind, opened_at=time.monotonic()), descriptor)
        self._open[kind] = item
        return item

    def _close_segment(self, kind: str) -> None:
        item = self._open.pop(kind)
        os.close(item.descriptor)
        if item.segment.record_count:
            self._closed.append(item.segment)
        else:
            item.segment.path.unlink()


def _write_all(descriptor: int, parts: list[bytes]) -> None:
    """Write every part: writev may write less than it was given."""
    expected = sum(map(len, parts))
    written = os.writev(descriptor, parts)
    if written < expected:
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _flush_directory(directory: Path) -> None:
    """Make a new file's name survive a power cut, too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _ignore() -> None:
    """Do nothing, until someone wants to know."""
