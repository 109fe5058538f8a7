"""Own when write-ahead segments become rows: by size under load, at once when a reader waits, soon in any case."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trilemma_collector.journal.recovery import forget_stored_segments, keep_stored_segment
from trilemma_collector.storage.durability import flush_file_system
from trilemma_collector.storage.engine import ClickHouseError
from trilemma_collector.storage.segments import NOT_THE_DATA

if TYPE_CHECKING:
    from trilemma_collector.journal import Journal, Segment
    from trilemma_collector.storage.directory import DataDirectory
    from trilemma_collector.storage.segments import SegmentStore

__all__ = ["Inserter", "Progress"]

logger = logging.getLogger(__name__)

# An INSERT has a fixed cost of some 30 ms in the views; with 20,000 spans or more it no longer shows.
ENOUGH_BYTES = 32 * 1024 * 1024
# Readers do not wait for this one. Each INSERT is a part of each table, and parts must be merged.
LONGEST_WAIT_S = 3.0
FLUSH_DISK_EVERY_S = 10.0
LONGEST_RETRY_WAIT_S = 30.0
ATTEMPTS_BEFORE_BLAMING_THE_DATA = 4


@dataclass
class Progress:
    """What has been stored since the start, and what stands in the way."""

    requests: int = 0
    segments: int = 0
    quarantined: int = 0
    problem: str = ""


class Inserter:
    """Store segments on one thread."""

    def __init__(self, journal: Journal, store: SegmentStore, directory: DataDirectory, *, flush_to_disk: bool) -> None:
        self.progress = Progress()
        self._journal = journal
        self._store = store
        self._directory = directory
        self._flush_to_disk = flush_to_disk
        self._changed = threading.Condition()
        self._readers: list[Future[None]] = []
        self._stopping = False
        self._failures = 0
        self._unexplained_failures = 0
        self._next_attempt_at = 0.0
        self._disk_flushed_at = time.monotonic()
        self._unflushed = False
        journal.on_growth = self.notice_growth
        self._thread = threading.Thread(target=self._store_until_stopped, name="inserter", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._store.open()
        self._thread.start()

    def notice_growth(self) -> None:
        """Look at the journal again; cheap, from any thread."""
        with self._changed:
            self._changed.notify()

    def flush(self) -> Future[None]:
        """Return a future that is done once everything acknowledged until now can be read."""
        reader: Future[None] = Future()
        with self._changed:
            if self._journal.backlog_bytes == 0:
                reader.set_result(None)
            else:
                self._readers.append(reader)
                self._changed.notify()
        return reader

    def close(self) -> None:
        """Store what the journal holds and stop. What cannot be stored stays for the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        self._store.close()

    def _store_until_stopped(self) -> None:
        while True:
            with self._changed:
                while not self._stopping and (wait_s := self._find_wait()) > 0:
                    self._changed.wait(None if wait_s == float("inf") else wait_s)
                readers, self._readers = self._readers, []
                stopping = self._stopping
            self._store_all()
            for reader in readers:
                if not reader.cancelled():
                    reader.set_result(None)
            self._make_room(now=stopping)
            if stopping:
                return

    def _find_wait(self) -> float:
        """Return how long there is nothing to do, in seconds."""
        now = time.monotonic()
        if now < self._next_attempt_at and self._journal.backlog_bytes:
            return self._next_attempt_at - now
        waiting = self._journal.look()
        if waiting.closed_count or waiting.open_bytes >= ENOUGH_BYTES or self._readers:
            return 0.0
        until = [waiting.open_since + LONGEST_WAIT_S] if waiting.open_bytes else []
        if self._unflushed:
            until.append(self._disk_flushed_at + FLUSH_DISK_EVERY_S)
        return min(until, default=float("inf")) - now

    def _store_all(self) -> None:
        segments = self._journal.take()
        for index, segment in enumerate(segments):
            if not self._store_segment(segment):
                self._journal.give_back(segments[index:])
                return

    def _store_segment(self, segment: Segment) -> bool:
        try:
            if self._unexplained_failures < ATTEMPTS_BEFORE_BLAMING_THE_DATA:
                self._store.store(segment)
            else:
                self._store.store_in_parts(segment, blame_data=True)
        except Exception as error:  # noqa: BLE001 - whatever it is: without this thread nothing would be stored any more
            self._postpone(segment, error)
            return False
        self._failures = self._unexplained_failures = 0
        self._next_attempt_at, self.progress.problem = 0.0, ""
        self.progress.segments += 1
        self.progress.requests += segment.record_count
        self.progress.quarantined = self._store.quarantined
        self._let_go(segment)
        return True

    def _postpone(self, segment: Segment, error: Exception) -> None:
        self._failures += 1
        if isinstance(error, ClickHouseError) and error.code not in NOT_THE_DATA:
            self._unexplained_failures += 1
        wait_s = min(0.5 * 2.0**self._failures, LONGEST_RETRY_WAIT_S)
        self._next_attempt_at = time.monotonic() + wait_s
        self.progress.problem = f"{segment.path.name} cannot be stored: {(str(error) or repr(error)).splitlines()[0]}"
        logger.error("%s. It stays in the write-ahead file; next attempt in %.0f s", self.progress.problem, wait_s)

    def _let_go(self, segment: Segment) -> None:
        if self._flush_to_disk:
            keep_stored_segment(segment)
            self._unflushed = True
        else:
            segment.path.unlink()
        self._journal.release(segment)

    def _make_room(self, *, now: bool) -> None:
        """Delete stored segments once their rows are on disk, too: a power cut must not take both."""
        if not self._unflushed or (not now and time.monotonic() < self._disk_flushed_at + FLUSH_DISK_EVERY_S):
            return
        flush_file_system(self._directory.path)
        forget_stored_segments(self._directory.write_ahead)
        self._disk_flushed_at, self._unflushed = time.monotonic(), False
