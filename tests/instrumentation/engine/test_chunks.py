"""Hold how chunks are timed and folded, the same whichever way they come."""

from __future__ import annotations

from typing import Any

import pytest
from trilemma.chunks import Chunks


def fold(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Keep what a chunk has; text is content."""
    body.setdefault("seen", []).append(chunk["name"])
    return bool(chunk.get("text"))


def is_text(chunk: dict[str, Any]) -> bool:
    """Tell whether a chunk has text only."""
    return bool(chunk["text"]) and chunk["plain"]


CHUNKS = [
    (1.0, {"name": "role", "text": "", "plain": False}),
    (2.0, {"name": "a", "text": "a", "plain": True}),
    (5.0, {"name": "b", "text": "b", "plain": True}),
    (5.5, {"odd": True}),
    (6.0, {"name": "c", "text": "c", "plain": True}),
    (6.5, {"name": "usage", "text": "", "plain": False}),
]


def run(*, text: bool, by_hook: bool, gaps: bool = False) -> Chunks:
    """Note all chunks."""
    times = iter([at for at, _ in CHUNKS])
    chunks = Chunks(fold, is_text if text else None, lambda: next(times), keep_gaps=gaps)
    hook = chunks.note_results_of(lambda *, data, cast_to, response: data)
    for _, chunk in CHUNKS:
        if by_hook:
            assert hook(data=chunk, cast_to=None, response=None) is chunk
        else:
            chunks.note(chunk)
    return chunks


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("by_hook", [True, False])
@pytest.mark.parametrize("gaps", [True, False])
def test_times(text: bool, by_hook: bool, gaps: bool) -> None:
    """Count, first and last chunk, first and last content and the longest gap are those of the chunks."""
    chunks = run(text=text, by_hook=by_hook, gaps=gaps)
    assert chunks.count == 6
    assert (chunks.first_s, chunks.last_s) == (1.0, 6.5)
    assert (chunks.first_content_s, chunks.last_content_s) == (2.0, 6.0)
    assert chunks.longest_gap_s == 3.0
    assert chunks.gaps_s == ([1.0, 3.0, 0.5, 0.5, 0.5] if gaps else None)


def test_text_is_not_kept_unasked() -> None:
    """Where content is not captured, text is timed and not kept; what else a chunk says is."""
    assert run(text=True, by_hook=True).body["seen"] == ["role", "usage"]
    assert run(text=False, by_hook=True).body["seen"] == ["role", "a", "b", "c", "usage"]
