"""Describe Groq's API: OpenAI's format, with the times of the work in the usage."""

from dataclasses import replace

from trilemma.providers.chat_completions import CHAT
from trilemma.providers.media import SPEECH, TRANSCRIPTIONS, TRANSLATIONS
from trilemma.providers.openai import EMBEDDINGS
from trilemma.providers.spec import Provider

_TIMES = {"processing_s": ("usage.total_time", "x_groq.usage.total_time")}

PROVIDER = Provider(
    name="groq",
    module="groq",
    transport="stainless",
    headers={
        "x-request-id": ("request_id", 0),
        "x-ratelimit-remaining-requests": ("remaining_requests", 1),
        "x-ratelimit-remaining-tokens": ("remaining_tokens", 1),
    },
    error_types=("error.type", "error.code", "type", "code"),  # in a stream the SDK gives the error alone
    endpoints=(
        replace(CHAT, path="/openai/v1/chat/completions", response={**CHAT.response, **_TIMES}),
        replace(EMBEDDINGS, path="/openai/v1/embeddings"),
        replace(SPEECH, path="/openai/v1/audio/speech"),
        replace(TRANSCRIPTIONS, path="/openai/v1/audio/transcriptions"),
        replace(TRANSLATIONS, path="/openai/v1/audio/translations"),
    ),
)
