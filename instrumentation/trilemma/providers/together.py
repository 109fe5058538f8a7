"""Describe Together's API: OpenAI's format, and reranking."""

from trilemma.providers.compatible import ERROR_TYPES, put_under
from trilemma.providers.spec import Provider

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
    error_types=ERROR_TYPES,
    endpoints=put_under("/v1") + put_under(""),  # the SDK has it in its paths now, and had it in its base URL
)
