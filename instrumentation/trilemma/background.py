"""Own work that must not take the caller's time: a bounded queue, one thread, and what is left at exit."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from trilemma.closing import close_at_exit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Background"]

_log = logging.getLogger("trilemma")
_TELL_EVERY_S = 60.0


class Background:
    """Run work in order on a thread of its own, started when there is some; what comes while it is full is dropped."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.dropped = 0
        self._told_at_s = 0.0
        self._thread: threading.Thread | None = None
        self._reset()
        close_at_exit(self, first=True)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)  # the parent's work is the parent's to do

    def submit(self, work: Callable[[], None]) -> bool:
        """Queue `work` and return at once; False where the queue is full or closed, and it will not be done."""
        with self._changed:
            if self._closed or len(self._waiting) >= self.limit:
                self.dropped += 1
                self._tell()
                return False
            self._waiting.append(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until all that was queued is done; False where the time is up before."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_millis / 1000)

    def shutdown(self, timeout_millis: int = 30_000) -> None:
        """Do what is left within the time, and take no more; what is then left is told."""
        done = self.force_flush(timeout_millis)
        with self._changed:
            self._closed = True
            left = len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        if not done:
            _log.warning("trilemma: %s: %d not done when the process ended", self.name, left + 1)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                work = self._waiting.popleft()
                self._busy = True
            try:
                work()
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._thread = None
        self._busy = self._closed = False

    def _tell(self) -> None:
        now_s = time.monotonic()
        if now_s - self._told_at_s >= _TELL_EVERY_S:
            self._told_at_s = now_s
            _log.warning(
                "trilemma: %s: the queue of %d is full; %d dropped so far", self.name, self.limit, self.dropped
            )
