"""Describe Cohere's API, versions 1 and 2: chat, generate, embed, rerank, classify; billed by units of their own."""

from typing import Any

from trilemma.folding import add_text, find_item
from trilemma.providers.spec import Content, Endpoint, Hook, Parts, Provider, Table
from trilemma.record import Source

PARTS: Parts = {
    "text": {"type": "=text", "content": "text"},
    "thinking": {"type": "=reasoning", "content": "thinking"},
    "image_url": {"type": "=uri", "modality": "=image", "uri": "image_url.url"},
    "function": {"type": "=tool_call", "id": "id", "name": "function.name", "arguments": "function.arguments"},
}


def fold_v1(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge an event of version 1, whose last one holds the whole response."""
    kind = event.get("event_type")
    if kind == "text-generation":
        return add_text(body, "text", event.get("text"))
    if kind == "stream-end":
        body.update({key: value for key, value in event.items() if key == "finish_reason" or key.startswith("error")})
        body.update(event.get("response") or {})
        return False
    body.update({key: value for key, value in event.items() if key in {"generation_id", "tool_calls"} and value})
    return kind in {"tool-calls-generation", "tool-calls-chunk"}


def fold_v2(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge an event of version 2."""
    kind, delta = event.get("type"), event.get("delta") or {}
    if kind == "message-start":
        body["id"] = event.get("id")
    elif kind == "message-end":
        body.update(delta)
    said = delta.get("message") or {}
    message = body.setdefault("message", {"role": "assistant", "content": [], "tool_calls": []})
    if kind in {"content-start", "content-delta"}:
        piece, block = said.get("content") or {}, find_item(message["content"], event.get("index"))
        block.update({key: value for key, value in piece.items() if key == "type"})
        return add_text(block, "text", piece.get("text")) or add_text(block, "thinking", piece.get("thinking"))
    if kind in {"tool-call-start", "tool-call-delta"}:
        piece, call = said.get("tool_calls") or {}, find_item(message["tool_calls"], event.get("index"))
        call.update({key: value for key, value in piece.items() if key in {"id", "type"}})
        function, made = piece.get("function") or {}, call.setdefault("function", {})
        made.update({key: value for key, value in function.items() if key == "name"})
        return add_text(made, "arguments", function.get("arguments")) or bool(function.get("name"))
    return kind == "tool-plan-delta" and add_text(message, "tool_plan", said.get("tool_plan"))


def is_text(event: dict[str, Any]) -> bool:
    """Tell whether an event adds a piece of text, reasoning or arguments and nothing else."""
    kind = event.get("type") or event["event_type"]
    return kind == "text-generation" or kind in {"content-delta", "tool-call-delta"}


def _embedding_dimension(body: dict[str, Any]) -> int:
    vectors = body["embeddings"]
    return len((vectors["float"] if isinstance(vectors, dict) else vectors)[0])


_REQUEST: Table = {
    "request_model": "model",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "seed": "seed",
    "stop_sequences": "stop_sequences",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "output_type": lambda body: {"json_object": "json"}.get(body["response_format"]["type"]),
    "tool_count": "tools[#]",
}


def _answer(place: str, **more: Source) -> Table:
    """Return where the figures are: the tokens, else what is billed of them."""
    return {
        "input_tokens": (f"{place}.tokens.input_tokens", f"{place}.billed_units.input_tokens"),
        "output_tokens": (f"{place}.tokens.output_tokens", f"{place}.billed_units.output_tokens"),
        "billed_input_tokens": f"{place}.billed_units.input_tokens",
        "billed_output_tokens": f"{place}.billed_units.output_tokens",
        "cache_read_tokens": f"{place}.cached_tokens",
        "finish_reasons": ("finish_reason", "generations[].finish_reason"),
        "error_type": lambda body: "ERROR" if body["finish_reason"].startswith("ERROR") else None,
        "response_id": ("generation_id", "id"),
        **more,
    }


_META = _answer("meta", tool_call_names="tool_calls[].name", embedding_dimension=_embedding_dimension)
_USAGE = _answer("usage", tool_call_names="message.tool_calls[].function.name", tool_call_ids="message.tool_calls[].id")
_V1 = Content(system="preamble", input="message", output="text", finish="finish_reason", parts=PARTS)
_V2 = Content(input="messages", output="message", finish="finish_reason", parts=PARTS)
_V1_REQUEST: Table = {**_REQUEST, "message_count": lambda body: 1 + len(body.get("chat_history") or ())}
_V2_REQUEST: Table = {**_REQUEST, "message_count": "messages[#]"}
_EMBED: Table = {"request_model": "model", "message_count": "texts[#]", "embedding_dimension": "output_dimension"}
_RERANK: Table = {"request_model": "model", "message_count": "documents[#]"}

PROVIDER = Provider(
    name="cohere",
    module="cohere",
    transport="httpx_client",
    headers={"x-debug-trace-id": ("request_id", 0)},
    error_types=("error_type", "error.type"),  # the second of servers that have its rerank
    hooks=(
        Hook("call", "cohere.core.http_client", "HttpClient.request", again="retries"),
        Hook("call", "cohere.core.http_client", "HttpClient.stream"),
        Hook("call", "cohere.core.http_client", "AsyncHttpClient.request", again="retries"),
        Hook("call", "cohere.core.http_client", "AsyncHttpClient.stream"),
        Hook("wait", "cohere.core.http_client", "_retry_timeout"),
        Hook("wait", "cohere.core.http_client", "_retry_timeout_from_retries"),
    ),
    endpoints=(
        Endpoint("/v1/chat", "chat", _V1_REQUEST, _META, fold=fold_v1, is_text=is_text, content=_V1),
        Endpoint("/v2/chat", "chat", _V2_REQUEST, _USAGE, fold=fold_v2, is_text=is_text, content=_V2),
        Endpoint("/v1/generate", "text_completion", _REQUEST, _META),
        Endpoint("/v1/embed", "embeddings", _EMBED, _META),
        Endpoint("/v2/embed", "embeddings", _EMBED, _META),
        Endpoint("/v1/rerank", "rerank", _RERANK, _META),
        Endpoint("/v2/rerank", "rerank", _RERANK, _META),
        Endpoint("/v1/classify", "classify", {"request_model": "model"}, _META),
        Endpoint("/v1/summarize", "text_completion", {"request_model": "model"}, _META),
        Endpoint("/v2/audio/transcriptions", "speech_to_text", {"request_model": "model"}),
    ),
)
