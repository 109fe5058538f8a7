"""Own what a stream's chunks say: when they came, and what they add up to."""

from collections.abc import Callable
from typing import Any

from trilemma import guard

__all__ = ["Chunks", "Fold", "IsText"]

Fold = Callable[[dict[str, Any], dict[str, Any]], bool]
IsText = Callable[[dict[str, Any]], bool]


class Chunks:
    """Time the chunks of one stream and fold them into `body`.

    Between two chunks of a live stream the caches hold the SDK's work, so that each instruction here costs several
    times what it would in a loop. A chunk that only adds text, most of them, is therefore timed and not folded, unless
    someone will read the text (`is_text` is None).
    """

    __slots__ = (
        "_clock_s",
        "_fold",
        "_is_text",
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
        self, fold: Fold, is_text: IsText | None, clock_s: Callable[[], float], *, keep_gaps: bool = False
    ) -> None:
        self._fold = fold
        self._is_text = is_text or _is_never_text
        self._clock_s = clock_s
        self.body: dict[str, Any] = {}
        self.count = 0
        self.first_s = self.last_s = self.longest_gap_s = 0.0
        self.first_content_s = self.last_content_s = 0.0
        self.gaps_s: list[float] | None = [] if keep_gaps else None

    def note(self, chunk: Any) -> None:
        """Take the next chunk."""
        try:
            self._take(chunk, self._clock_s())
        except guard.ODD_SHAPE:
            return  # the provider's: an odd chunk costs that chunk
        except Exception:  # noqa: BLE001  # ours
            guard.caught("note")

    def note_results_of(self, process: Callable[..., Any]) -> Callable[..., Any]:
        """Return the SDK's function that makes a chunk's object of its ``data``, noting each ``data`` on the way."""
        note, is_text, clock_s = self.note, self._is_text, self._clock_s
        if self.gaps_s is not None:
            is_text = _is_never_text

        def process_noted(*, data: Any, cast_to: Any, response: Any) -> Any:
            # Text that follows text, as most chunks do, is timed here without the calls of `note` and `_take`.
            try:
                if self.first_content_s and is_text(data):
                    now_s = clock_s()
                    if now_s - self.last_s > self.longest_gap_s:  # noqa: PLR1730  # the call of max costs more
                        self.longest_gap_s = now_s - self.last_s
                    self.last_s = self.last_content_s = now_s
                    self.count += 1
                else:
                    note(data)
            except Exception:  # noqa: BLE001  # odd for `is_text`, which `note` knows how to take
                note(data)
            return process(data=data, cast_to=cast_to, response=response)

        return process_noted

    def _take(self, chunk: Any, now_s: float) -> None:
        if not self.count:
            self.first_s = self.last_s = now_s
        elif self.gaps_s is not None:
            self.gaps_s.append(now_s - self.last_s)
        self.longest_gap_s = max(self.longest_gap_s, now_s - self.last_s)
        self.last_s = now_s
        self.count += 1
        # The first one is folded whatever it is: it has the response's id and model.
        if (self.count > 1 and self._adds_text(chunk)) or self._fold(self.body, chunk):
            self.last_content_s = now_s
            if not self.first_content_s:
                self.first_content_s = now_s

    def _adds_text(self, chunk: Any) -> bool:
        try:
            return self._is_text(chunk)
        except guard.ODD_SHAPE:
            return False  # such as an error in the place of a chunk, which folding keeps


def _is_never_text(_: dict[str, Any]) -> bool:
    return False
