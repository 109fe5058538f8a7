"""Drive the together SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.wire_score.drivers import stainless

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record
    from tests.wire_score.outcome import Outcome

SDK = "together"

_TOGETHER = stainless.Sdk(
    "together",
    "Together",
    "AsyncTogether",
    {
        "/chat/completions": "chat.completions.create",
        "/completions": "completions.create",
        "/embeddings": "embeddings.create",
        "/images/generations": "images.generate",
        "/audio/speech": "audio.speech.create",
        "/rerank": "rerank.create",
    },
)


def fits(record: Record) -> bool:
    """Tell whether Together was asked."""
    return urlsplit(record["url"]).netloc.startswith("api.together.")


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record."""
    return stainless.send(_TOGETHER, record, is_async=is_async)
