"""Own the context of a call: which blocks were found, kept and dropped, how large, and whether they were of use."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from trilemma.arguments import check_number, check_text, to_text
from trilemma.decisions.decision import Decision

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Blocks", "context", "fingerprint"]

_BLOCK = "trilemma.context.block."


class Blocks(Decision):
    """The blocks of one context, made by `context`; content is never recorded, only fingerprints of it."""

    __slots__ = ("_hashes", "_ids", "_kept", "_reasons", "_scores", "_sources", "_tokens")

    def __init__(self, name: str, budget_tokens: int | None = None) -> None:
        super().__init__("context", name, {"trilemma.context.budget_tokens": budget_tokens})
        self._ids: list[str] = []
        self._sources: list[str] = []
        self._hashes: list[str] = []
        self._tokens: list[int] = []
        self._kept: list[bool] = []
        self._reasons: list[str] = []
        self._scores: list[float] = []

    def keep(
        self,
        text: str,
        *,
        id: str | int | None = None,  # noqa: A002 - the word for it
        source: str = "",
        tokens: int | None = None,
        score: float | None = None,
    ) -> str:
        """Note a block that goes into the prompt, and return its id (default: its fingerprint)."""
        return self._note(text, id, source, tokens, score, kept=True, reason="")

    def drop(
        self,
        text: str,
        *,
        id: str | int | None = None,  # noqa: A002 - the word for it
        source: str = "",
        tokens: int | None = None,
        score: float | None = None,
        reason: str = "",
    ) -> str:
        """Note a block that was found and left out, and why: too long, too old, a duplicate."""
        return self._note(text, id, source, tokens, score, kept=False, reason=reason)

    def mark_used(self, *block_ids: str, source: str = "system", at: datetime | float | None = None) -> None:
        """Say which blocks the answer rests on, now or after the task's end; repeat it as you like."""
        from trilemma.decisions.mark import mark

        for block_id in block_ids:
            mark(self, "used", block=block_id, source=source, at=at)

    def end(self, error: BaseException | None = None) -> None:
        """End the span with the blocks noted so far."""
        if self._ids:
            self.facts |= {
                f"{_BLOCK}ids": self._ids,
                f"{_BLOCK}sources": self._sources,
                f"{_BLOCK}hashes": self._hashes,
                f"{_BLOCK}tokens": self._tokens,
                f"{_BLOCK}kept": self._kept,
                f"{_BLOCK}reasons": self._reasons,
                f"{_BLOCK}scores": self._scores,
            }
        super().end(error)

    def _note(
        self, text: str, block_id: Any, source: str, tokens: int | None, score: float | None, *, kept: bool, reason: str
    ) -> str:
        count, rank = check_number("context", "tokens", tokens), check_number("context", "score", score)
        name = fingerprint(text)
        found = name if block_id is None else to_text(block_id)
        self._ids.append(found)
        self._hashes.append(name)
        self._sources.append(to_text(source))
        self._tokens.append(-1 if count is None else int(count))  # arrays of spans hold no null
        self._scores.append(float("-inf") if rank is None else rank)
        self._kept.append(kept)
        self._reasons.append(to_text(reason))
        return found


def context(name: str, *, budget_tokens: int | None = None) -> Blocks:
    """Record what goes into a prompt besides its template: ``with trilemma.context("kb") as blocks``.

    `name` says which context it is ("kb", "history", "tools"), `budget_tokens` how much may be kept.
    """
    return Blocks(check_text("context", "name", name), budget_tokens)


def fingerprint(text: str) -> str:
    """Return 16 hexadecimal digits that stand for a text: equal texts, equal digits, and no way back."""
    return blake2b(str(text).encode("utf-8", "replace"), digest_size=8).hexdigest()
