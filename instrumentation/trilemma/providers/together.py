"""Describe Together's API: OpenAI's format, and reranking in Cohere's."""

from dataclasses import replace

from trilemma.providers.chat_completions import CHAT, COMPLETIONS
from trilemma.providers.media import IMAGES, SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from trilemma.providers.openai import EMBEDDINGS
from trilemma.providers.spec import Endpoint, Provider

_RERANKED = {"response_id": "id", "response_model": "model", "input_tokens": "usage.prompt_tokens"}

PROVIDER = Provider(
    name="together",
    module="together",
    transport="stainless",
    headers={
        "x-request-id": ("request_id", 0),
        "x-compute-time": ("processing_s", 0.001),
        "x-ratelimit-remaining": ("remaining_requests", 1),
        "x-tokenlimit-remaining": ("remaining_tokens", 1),
    },
    error_types=("error.type", "error.code", "type", "code"),  # in a stream the SDK gives the error alone
    endpoints=(
        replace(CHAT, path="/v1/chat/completions"),
        replace(COMPLETIONS, path="/v1/completions"),
        replace(EMBEDDINGS, path="/v1/embeddings"),
        Endpoint(
            "/v1/rerank",
            "rerank",
            request={"request_model": "model", "message_count": "documents[#]"},
            response=_RERANKED,
        ),
        replace(IMAGES, path="/v1/images/generations"),
        replace(SPEECH, path="/v1/audio/speech"),
        replace(TRANSCRIPTIONS, path="/v1/audio/transcriptions"),
        replace(TRANSLATIONS, path="/v1/audio/translations"),
    ),
)
