"""Own OpenAI's wire formats: chat completions and embeddings, whole and streamed, and its errors and headers."""

from __future__ import annotations

import base64
import hashlib
import json
from array import array
from typing import TYPE_CHECKING, Any

from tests.demo.emulator.exchange import Answer, Exchange, count_tokens
from tests.demo.truths import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = [
    "ERROR_KINDS",
    "body",
    "count_input",
    "embeddings",
    "error_body",
    "events",
    "find_fault",
    "headers",
    "read_chat",
    "read_embeddings",
    "reasons",
]

# (status, type, code, message, seconds for Retry-After)
ERROR_KINDS = (
    (429, "requests", "rate_limit_exceeded", "Rate limit reached for {model}. Please try again in 2s.", 2),
    (500, "server_error", None, "The server had an error while processing your request. Sorry about that!", None),
    (503, "server_error", "server_overloaded", "The engine is currently overloaded, please try again later", None),
)


def find_fault(body: dict[str, Any], endpoint: str) -> tuple[int, str] | None:
    """Return (status, message) for a request the real API would refuse, else None."""
    needed = "messages" if endpoint == "chat" else "input"
    for parameter in ("model", needed):
        if not body.get(parameter):
            return 400, f"you must provide a {parameter} parameter"
    if body["model"] not in MODELS:
        return 404, f"The model `{body['model']}` does not exist or you do not have access to it."
    return None


def read_chat(body: dict[str, Any], at: datetime, attempt: int, seen_before: int) -> Exchange:
    """Read a chat completion request."""
    said = {role: [_text_of(m) for m in body["messages"] if m["role"] == role] for role in ("user", "tool")}
    instructions = [_text_of(m) for m in body["messages"] if m["role"] in {"system", "developer"}]
    schema = (body.get("response_format") or {}).get("json_schema") or {}
    return Exchange(
        body=body,
        model=body["model"],
        system="\n".join(instructions),
        user="\n".join(said["user"]),
        tool_results=said["tool"],
        tools=[tool["function"]["name"] for tool in body.get("tools") or ()],
        schema=schema.get("name", ""),
        at=at,
        attempt=attempt,
        seen_before=seen_before,
    )


def read_embeddings(body: dict[str, Any], at: datetime, attempt: int, seen_before: int) -> Exchange:
    """Read an embeddings request."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    return Exchange(body, body["model"], "", "\n".join(map(str, texts)), [], [], "", at, attempt, seen_before)


def reasons(body: dict[str, Any]) -> bool:
    """Say whether the request asks for reasoning."""
    return body.get("reasoning_effort") not in {None, "none"}


def count_input(exchange: Exchange) -> tuple[int, str, int]:
    """Return (all input tokens, the cacheable prefix, its tokens): OpenAI caches prefixes of 1,024 tokens and more."""
    total = count_tokens(json.dumps(exchange.body.get("messages", exchange.user)))
    total += count_tokens(json.dumps(exchange.body.get("tools", "")))
    prefix = count_tokens(exchange.system) // 128 * 128
    return total, f"{exchange.model}/{exchange.system}", prefix if prefix >= 1024 else 0


def body(exchange: Exchange) -> dict[str, Any]:
    """Return a whole chat completion."""
    message = {"role": "assistant", "content": exchange.answer.text or None, "refusal": None, "annotations": []}
    if exchange.answer.tool:
        message["tool_calls"] = [_tool_call(exchange, json.dumps(exchange.answer.arguments))]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(exchange.answer)}
    return {**_head(exchange, "chat.completion"), "choices": [choice], "usage": _usage(exchange)}


def events(exchange: Exchange, text: list[str], arguments: list[str]) -> Iterator[tuple[bytes, bool]]:
    """Yield (event, whether it is content) of a streamed chat completion; the first chunk has only the role."""
    yield _chunk(exchange, {"role": "assistant", "content": "", "refusal": None}), False
    for piece in text:
        yield _chunk(exchange, {"content": piece}), True
    if exchange.answer.tool:
        yield _chunk(exchange, {"tool_calls": [{"index": 0, **_tool_call(exchange, "")}]}), True
    for piece in arguments:
        yield _chunk(exchange, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), True
    yield _chunk(exchange, {}, _finish_reason(exchange.answer)), False
    if (exchange.body.get("stream_options") or {}).get("include_usage"):
        head = _head(exchange, "chat.completion.chunk")
        yield _frame({**head, "choices": [], "usage": _usage(exchange)}), False
    yield b"data: [DONE]\n\n", False


def embeddings(exchange: Exchange) -> dict[str, Any]:
    """Return an embeddings response; equal texts have equal vectors."""
    texts = exchange.body["input"] if isinstance(exchange.body["input"], list) else [exchange.body["input"]]
    size = exchange.body.get("dimensions") or 1536
    encode = exchange.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": i, "embedding": _vector(str(text), size, encode)}
        for i, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": exchange.usage.input, "total_tokens": exchange.usage.input}
    return {"object": "list", "data": data, "model": MODELS[exchange.model].answers_as, "usage": usage}


def error_body(kind: str, code: str | None, message: str, request_id: str) -> dict[str, Any]:
    """Return the body of an error; OpenAI puts the request id in the headers only."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def headers(request_id: str, processing_s: float, remaining: tuple[int, int]) -> dict[str, str]:
    """Return the headers that OpenAI sends with each response."""
    return {
        "x-request-id": request_id,
        "openai-version": "2020-10-01",
        "openai-organization": "demo",
        "openai-processing-ms": str(round(processing_s * 1e3)),
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": str(remaining[0]),
        "x-ratelimit-remaining-tokens": str(remaining[1]),
        "x-ratelimit-reset-requests": "6ms",
    }


def _text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _finish_reason(answer: Answer) -> str:
    return "tool_calls" if answer.tool else "stop"


def _tool_call(exchange: Exchange, arguments: str) -> dict[str, Any]:
    function = {"name": exchange.answer.tool, "arguments": arguments}
    return {"id": f"call_{exchange.response_id[-24:]}", "type": "function", "function": function}


def _head(exchange: Exchange, kind: str) -> dict[str, Any]:
    return {
        "id": exchange.response_id,
        "object": kind,
        "created": exchange.created,
        "model": MODELS[exchange.model].answers_as,
        "service_tier": "default",
        "system_fingerprint": "fp_e2a7c40b91",
    }


def _usage(exchange: Exchange) -> dict[str, Any]:
    usage = exchange.usage
    prompt = usage.input + usage.cache_read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _chunk(exchange: Exchange, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _frame({**_head(exchange, "chat.completion.chunk"), "choices": [choice], "usage": None})


def _frame(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def _vector(text: str, size: int, encode: bool) -> str | list[float]:
    floats = array("f", [(byte - 127.5) / 4000 for byte in hashlib.shake_128(text.encode()).digest(size)])
    return base64.b64encode(floats.tobytes()).decode() if encode else list(floats)
