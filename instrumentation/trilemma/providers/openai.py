"""Describe OpenAI's API: each format it speaks, and what its headers and errors say."""

from trilemma.providers import media
from trilemma.providers.assistants import RUNS
from trilemma.providers.batches import BATCHES
from trilemma.providers.chat_completions import CHAT, COMPLETIONS
from trilemma.providers.embeddings import EMBEDDINGS
from trilemma.providers.realtime import REALTIME
from trilemma.providers.responses import COMPACT, FETCH, RESPONSES
from trilemma.providers.spec import Provider

__all__ = ["EMBEDDINGS", "PROVIDER"]

PROVIDER = Provider(
    name="openai",
    module="openai",
    transport="stainless",
    headers={
        "x-request-id": ("request_id", 0),
        "openai-processing-ms": ("processing_s", 0.001),
        "x-ratelimit-remaining-requests": ("remaining_requests", 1),
        "x-ratelimit-remaining-tokens": ("remaining_tokens", 1),
    },
    error_types=("type", "code", "error.type", "error.code"),  # the SDK before 1.2 gives the body whole
    aliases={"service_tier": "openai.response.service_tier"},
    socket=REALTIME,
    endpoints=(
        CHAT,
        RESPONSES,
        EMBEDDINGS,
        COMPLETIONS,
        COMPACT,
        FETCH,
        media.IMAGES,
        media.IMAGE_EDITS,
        media.IMAGE_VARIATIONS,
        media.SPEECH,
        media.TRANSCRIPTIONS,
        media.TRANSLATIONS,
        media.MODERATIONS,
        *BATCHES,
        *RUNS,
        REALTIME.session,
        REALTIME.response,
        REALTIME.transcript,
    ),
)
