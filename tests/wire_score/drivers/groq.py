"""Drive the groq SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.wire_score.drivers import stainless

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record
    from tests.wire_score.outcome import Outcome

SDK = "groq"

_GROQ = stainless.Sdk(
    "groq",
    "Groq",
    "AsyncGroq",
    {
        "/openai/v1/chat/completions": "chat.completions.create",
        "/openai/v1/embeddings": "embeddings.create",
        "/openai/v1/audio/speech": "audio.speech.create",
    },
    prefix="/openai",
)


def fits(record: Record) -> bool:
    """Tell whether Groq was asked; its SDK has no responses."""
    url = urlsplit(record["url"])
    return url.netloc == "api.groq.com" and not url.path.endswith("/responses")


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record."""
    return stainless.send(_GROQ, record, is_async=is_async)
