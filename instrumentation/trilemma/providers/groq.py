"""Describe Groq's API: OpenAI's format, with the times of the work in the usage."""

from dataclasses import replace

from trilemma.providers.compatible import ERROR_TYPES, SHARED, put_under
from trilemma.providers.spec import Provider

CHAT, *_OTHERS = SHARED
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
    error_types=ERROR_TYPES,
    endpoints=put_under("/openai/v1", (replace(CHAT, response={**CHAT.response, **_TIMES}), *_OTHERS)),
)
