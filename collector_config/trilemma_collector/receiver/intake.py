"""Own the acceptance of one OTLP request, whatever it came over: check it, write it ahead, count it."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future
from typing import TYPE_CHECKING

from trilemma_collector.otlp.messages import check_request

if TYPE_CHECKING:
    from trilemma_collector.journal import Journal

__all__ = ["Intake"]


class Intake:
    """Take requests in; the future that comes back is done when the request is safe."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.accepted: dict[str, int] = defaultdict(int)
        self.refused: dict[str, int] = defaultdict(int)

    def accept(self, signal: str, body: bytes) -> Future[None]:
        """Check a traces or logs request and queue it.

        Raises:
            MalformedRequestError: the body is no such request; it must not be sent again.
            JournalFullError: the storage lags behind; it should be sent again later.
        """
        if not body:  # an empty message is a valid request with nothing in it
            nothing: Future[None] = Future()
            nothing.set_result(None)
            return nothing
        try:
            check_request(signal, body)
            safe = self._journal.append(signal, body)
        except Exception:
            self.refused[signal] += 1
            raise
        self.accepted[signal] += 1
        return safe
