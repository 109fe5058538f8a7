"""Describe IBM watsonx.ai's own text generation, whoever's client sends it; its chat is in OpenAI's format."""

from dataclasses import replace
from typing import Any

from trilemma.folding import add_text
from trilemma.providers.chat_completions import CHAT
from trilemma.providers.spec import Endpoint

__all__ = ["ENDPOINTS"]


def fold(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a chunk: its generated tokens are those so far, its input tokens only the first one's."""
    body.update({key: value for key, value in chunk.items() if key != "results"})
    result = (body.setdefault("results", [{}]))[0]
    piece = chunk["results"][0]
    read = result.get("input_token_count", 0) + (piece.get("input_token_count") or 0)
    result.update({key: value for key, value in piece.items() if key != "generated_text"}, input_token_count=read)
    return add_text(result, "generated_text", piece.get("generated_text"))


def _read_ends(body: dict[str, Any]) -> list[str]:
    return [result["stop_reason"] for result in body["results"] if result["stop_reason"] != "not_finished"]


_TEXT = Endpoint(
    path="",
    operation="text_completion",
    request={
        "request_model": "model_id",
        "max_tokens": "parameters.max_new_tokens",
        "temperature": "parameters.temperature",
        "top_p": "parameters.top_p",
        "top_k": "parameters.top_k",
        "seed": "parameters.random_seed",
    },
    response={
        "response_model": "model_id",
        "finish_reasons": _read_ends,
        "input_tokens": lambda body: sum(result["input_token_count"] for result in body["results"]),
        "output_tokens": lambda body: sum(result["generated_token_count"] for result in body["results"]),
    },
    fold=fold,
)
_CHAT = replace(
    CHAT,
    request={**CHAT.request, "request_model": "model_id"},
    response={**CHAT.response, "response_model": ("model", "model_id")},
)
_EMBEDDINGS = Endpoint(
    path="/ml/v1/text/embeddings",
    operation="embeddings",
    request={"request_model": "model_id", "message_count": "inputs[#]"},
    response={
        "response_model": "model_id",
        "input_tokens": "input_token_count",
        "embedding_dimension": lambda body: len(body["results"][0]["embedding"]),
    },
)

# Two spellings of the text's path: that of the preview, and today's.
ENDPOINTS = (
    *(
        replace(_TEXT, path=f"/ml/{path}{stream}")
        for path, stream in (
            ("v1-beta/generation/text", ""),
            ("v1-beta/generation/text", "_stream"),
            ("v1/text/generation", ""),
            ("v1/text/generation", "_stream"),
        )
    ),
    replace(_CHAT, path="/ml/v1/text/chat"),
    replace(_CHAT, path="/ml/v1/text/chat_stream"),
    _EMBEDDINGS,
)
