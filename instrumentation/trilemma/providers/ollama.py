"""Describe Ollama's own API: chat, generate, embed, each with its counts and times (ns)."""

from typing import Any

from trilemma.folding import add_text
from trilemma.providers.spec import Content, Endpoint, Hook, Parts, Provider, Table

PARTS: Parts = {
    "function": {"type": "=tool_call", "id": "id", "name": "function.name", "arguments": "function.arguments"}
}


def fold_line(body: dict[str, Any], line: dict[str, Any]) -> bool:
    """Merge a line: pieces of a message or of a response, and at the end the counts."""
    body.update({key: value for key, value in line.items() if key not in {"message", "response", "thinking"}})
    content = add_text(body, "response", line.get("response"))
    content = add_text(body, "thinking", line.get("thinking")) or content
    if piece := line.get("message"):
        message = body.setdefault("message", {"role": "assistant"})
        content = add_text(message, "content", piece.get("content")) or content
        content = add_text(message, "thinking", piece.get("thinking")) or content
        if calls := piece.get("tool_calls"):
            message.setdefault("tool_calls", []).extend(calls)
            content = True
    return content


def is_text(line: dict[str, Any]) -> bool:
    """Tell whether a line adds a piece of text and nothing else."""
    message = line.get("message") or line
    text = message.get("content") or message.get("thinking") or message.get("response")
    return bool(text) and line["done"] is False and "tool_calls" not in message


def _output_type(body: dict[str, Any]) -> str | None:
    return "json" if body.get("format") else None


def _reasoning_level(body: dict[str, Any]) -> str | None:
    return body["think"] if isinstance(body.get("think"), str) else None


_REQUEST: Table = {
    "request_model": "model",
    "max_tokens": "options.num_predict",
    "temperature": "options.temperature",
    "top_p": "options.top_p",
    "top_k": "options.top_k",
    "seed": "options.seed",
    "stop_sequences": "options.stop",
    "frequency_penalty": "options.frequency_penalty",
    "presence_penalty": "options.presence_penalty",
    "output_type": _output_type,
    "reasoning_level": _reasoning_level,
    "message_count": "messages[#]",
    "tool_count": "tools[#]",
}
_RESPONSE: Table = {
    "response_model": "model",
    "finish_reasons": "done_reason",
    "input_tokens": "prompt_eval_count",
    "output_tokens": "eval_count",
    "processing_s": lambda body: body["total_duration"] / 1e9,
    "tool_call_names": "message.tool_calls[].function.name",
    "tool_call_ids": "message.tool_calls[].id",
    "error_type": lambda body: "error" if body.get("error") else None,  # within a stream: a sentence, without a type
}
_EMBEDDED: Table = {
    "response_model": "model",
    "input_tokens": "prompt_eval_count",
    "processing_s": lambda body: body["total_duration"] / 1e9,
    "embedding_dimension": lambda body: len(body["embeddings"][0] if "embeddings" in body else body["embedding"]),
}

PROVIDER = Provider(
    name="ollama",
    module="ollama",
    transport="httpx_client",
    headers={"x-request-id": ("request_id", 0)},
    error_types=("error.type", "error.code"),
    hooks=(Hook("client", "ollama._client", "BaseClient._client"),),
    endpoints=(
        Endpoint(
            "/api/chat",
            "chat",
            request=_REQUEST,
            response=_RESPONSE,
            fold=fold_line,
            is_text=is_text,
            content=Content(input="messages", output="message", finish="done_reason", parts=PARTS),
        ),
        Endpoint(
            "/api/generate",
            "text_completion",
            request=_REQUEST,
            response=_RESPONSE,
            fold=fold_line,
            is_text=is_text,
            content=Content(system="system", input="prompt", output="response", finish="done_reason", parts=PARTS),
        ),
        Endpoint(
            "/api/embed",
            "embeddings",
            request={"request_model": "model", "embedding_dimension": "dimensions", "message_count": "input[#]"},
            response=_EMBEDDED,
        ),
        Endpoint("/api/embeddings", "embeddings", request={"request_model": "model"}, response=_EMBEDDED),
    ),
)
