"""Describe the embeddings format of OpenAI's API, which many servers speak."""

from typing import Any

from trilemma.providers.responses import count_input
from trilemma.providers.spec import Endpoint

__all__ = ["EMBEDDINGS"]


def _embedding_dimension(body: dict[str, Any]) -> int | None:
    vector = body["data"][0].get("embedding") if body.get("data") else None
    if isinstance(vector, str):  # base64 of 4-byte floats
        return (len(vector) * 3 // 4 - vector.count("=", -2)) // 4
    return len(vector) if isinstance(vector, list) else None


EMBEDDINGS = Endpoint(
    path="/embeddings",
    operation="embeddings",
    request={
        "request_model": "model",
        "encoding_formats": "encoding_format",
        "embedding_dimension": "dimensions",
        "message_count": count_input,
    },
    response={
        "response_model": "model",
        "response_id": "id",
        "input_tokens": "usage.prompt_tokens",
        "embedding_dimension": _embedding_dimension,
        "cost": "usage.cost",
    },
)
