"""Own what a stream's chunks say: when they came, and what they add up to.

A chunk is noted with its time and folded with others later: between two chunks of a live stream every instruction is a
cache miss, so a chunk costs a third this way.
"""

from collections.abc import Callable
from typing import Any

from trilemma import guard

__all__ = ["Chunks"]

_BATCH = 2 * 128  # pairs of time and chunk; bounds what is kept of a long stream


class Chunks:
    """Collect the chunks of one stream and fold them into `body`."""

    __slots__ = (
        "_clock_s",
        "_fold",
        "_noted",
        "body",
        "count",
        "first_content_s",
        "first_s",
        "gaps_s",
        "last_content_s",
        "last_s",
        "longest_gap_s",
    )

    def __init__(
        self,
        fold: Callable[[dict[str, Any], dict[str, Any]], bool],
        clock_s: Callable[[], float],
        *,
        keep_gaps: bool,
    ) -> None:
        self._fold = fold
        self._clock_s = clock_s
        self._noted: list[Any] = []
        self.body: dict[str, Any] = {}
        self.count = 0
        self.first_s = self.last_s = self.longest_gap_s = 0.0
        self.first_content_s = self.last_content_s = 0.0
        self.gaps_s: list[float] | None = [] if keep_gaps else None

    def note(self, chunk: Any) -> None:
        """Take the next chunk."""
        self._noted += (self._clock_s(), chunk)
        if len(self._noted) >= _BATCH:
            self.fold()

    def note_results_of(self, process: Callable[..., Any]) -> Callable[..., Any]:
        """Return the SDK's function that makes a chunk's object of its ``data``, noting each ``data`` on the way."""

        def process_noted(
            *,
            data: Any,
            cast_to: Any,
            response: Any,
            noted: list[Any] = self._noted,
            clock_s: Callable[[], float] = self._clock_s,
        ) -> Any:
            noted += (clock_s(), data)
            if len(noted) >= _BATCH:
                self.fold()
            return process(data=data, cast_to=cast_to, response=response)

        return process_noted

    def fold(self) -> None:
        """Fold what is noted."""
        noted, fold, body = self._noted, self._fold, self.body
        for position in range(0, len(noted), 2):
            at_s, chunk = noted[position], noted[position + 1]
            if self.count:
                self._note_gap(at_s - self.last_s)
            else:
                self.first_s = at_s
            self.count += 1
            self.last_s = at_s
            try:
                if fold(body, chunk):
                    self.last_content_s = at_s
                    if not self.first_content_s:
                        self.first_content_s = at_s
            except guard.ODD_SHAPE:
                continue  # the provider's: an odd chunk costs that chunk
            except Exception:  # noqa: BLE001  # ours
                guard.caught(self._fold.__name__)
        noted.clear()

    def _note_gap(self, gap_s: float) -> None:
        self.longest_gap_s = max(self.longest_gap_s, gap_s)
        if self.gaps_s is not None:
            self.gaps_s.append(gap_s)
