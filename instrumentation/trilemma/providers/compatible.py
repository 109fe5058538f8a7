"""List what servers compatible with OpenAI's API share: its endpoints, and reranking as Cohere began it."""

from dataclasses import replace

from trilemma.providers.chat_completions import CHAT, COMPLETIONS
from trilemma.providers.embeddings import EMBEDDINGS
from trilemma.providers.media import IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from trilemma.providers.spec import Endpoint

__all__ = ["ERROR_TYPES", "SHARED", "put_under"]

RERANK = Endpoint(
    path="/rerank",
    operation="rerank",
    request={"request_model": "model", "message_count": "documents[#]"},
    response={"response_id": "id", "response_model": "model", "input_tokens": "usage.prompt_tokens"},
)
SHARED = (CHAT, COMPLETIONS, EMBEDDINGS, RERANK, IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS)
ERROR_TYPES = ("error.type", "error.code", "type", "code")  # in a stream a Stainless SDK gives the error alone


def put_under(prefix: str, endpoints: tuple[Endpoint, ...] = SHARED) -> tuple[Endpoint, ...]:
    """Return the endpoints with their paths beneath `prefix`."""
    return tuple(replace(endpoint, path=f"{prefix}{endpoint.path}") for endpoint in endpoints)
