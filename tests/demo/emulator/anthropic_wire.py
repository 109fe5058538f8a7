"""Own Anthropic's wire format: messages, whole and streamed, its prompt cache, and its errors and headers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.demo.emulator.exchange import Exchange, count_tokens
from tests.demo.truths import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

__all__ = [
    "ERROR_KINDS",
    "body",
    "count_input",
    "error_body",
    "events",
    "find_fault",
    "headers",
    "read_messages",
    "reasons",
]

# (status, type, code, message, seconds for Retry-After)
ERROR_KINDS = (
    (429, "rate_limit_error", None, "This request would exceed the rate limit for your organization.", 3),
    (500, "api_error", None, "Internal server error", None),
    (529, "overloaded_error", None, "Overloaded", None),
)


def find_fault(body: dict[str, Any], endpoint: str) -> tuple[int, str] | None:
    """Return (status, message) for a request the real API would refuse, else None."""
    for parameter in ("model", "max_tokens", "messages"):
        if not body.get(parameter):
            return 400, f"{parameter}: Field required"
    if body["model"] not in MODELS:
        return 404, f"model: {body['model']}"
    return None


def read_messages(body: dict[str, Any], at: datetime, attempt: int, seen_before: int) -> Exchange:
    """Read a messages request."""
    blocks = [block for m in body["messages"] if m["role"] == "user" for block in _blocks_of(m["content"])]
    results = [_text_of(block.get("content", "")) for block in blocks if block["type"] == "tool_result"]
    return Exchange(
        body=body,
        model=body["model"],
        system=_text_of(body.get("system") or ""),
        user="\n".join(block["text"] for block in blocks if block["type"] == "text"),
        tool_results=results,
        tools=[tool["name"] for tool in body.get("tools") or ()],
        schema="",
        at=at,
        attempt=attempt,
        seen_before=seen_before,
    )


def reasons(body: dict[str, Any]) -> bool:
    """Say whether the request asks for thinking."""
    return (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}


def count_input(exchange: Exchange) -> tuple[int, str, int]:
    """Return (all input tokens, the prefix marked for caching, its tokens); unmarked or under 1,024 is not cached."""
    total = count_tokens(exchange.system) + count_tokens(json.dumps(exchange.body["messages"]))
    total += count_tokens(json.dumps(exchange.body.get("tools", "")))
    system = exchange.body.get("system")
    marked = isinstance(system, list) and any(block.get("cache_control") for block in system)
    prefix = count_tokens(exchange.system) if marked else 0
    return total, f"{exchange.model}/{exchange.system}", prefix if prefix >= 1024 else 0


def body(exchange: Exchange) -> dict[str, Any]:
    """Return a whole message."""
    return {**_head(exchange), "content": _content(exchange), "stop_reason": _stop_reason(exchange)}


def events(exchange: Exchange, text: list[str], arguments: list[str]) -> Iterator[tuple[bytes, bool]]:
    """Yield (event, whether it is content) of a streamed message; the first ones have no content."""
    opening = _head(exchange)
    opening["usage"] = {**opening["usage"], "output_tokens": 1}
    yield _frame("message_start", message={**opening, "content": [], "stop_reason": None}), False
    for index, block in enumerate(_content(exchange)):
        is_text = block["type"] == "text"
        empty = {**block, "text": ""} if is_text else {**block, "input": {}}
        yield _frame("content_block_start", index=index, content_block=empty), False
        if index == 0:
            yield _frame("ping"), False
        kind, key = ("text_delta", "text") if is_text else ("input_json_delta", "partial_json")
        for piece in text if is_text else arguments:
            yield _frame("content_block_delta", index=index, delta={"type": kind, key: piece}), True
        yield _frame("content_block_stop", index=index), False
    ending = {"stop_reason": _stop_reason(exchange), "stop_sequence": None}
    yield _frame("message_delta", delta=ending, usage={"output_tokens": exchange.usage.output}), False
    yield _frame("message_stop"), False


def error_body(kind: str, code: str | None, message: str, request_id: str) -> dict[str, Any]:
    """Return the body of an error."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def headers(request_id: str, processing_s: float, remaining: tuple[int, int]) -> dict[str, str]:
    """Return the headers that Anthropic sends with each response; it does not state its processing time."""
    return {
        "request-id": request_id,
        "anthropic-organization-id": "demo",
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": str(remaining[0]),
        "anthropic-ratelimit-tokens-remaining": str(remaining[1]),
    }


def _blocks_of(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text_of(content: Any) -> str:
    return "\n".join(block.get("text", "") for block in _blocks_of(content))


def _head(exchange: Exchange) -> dict[str, Any]:
    return {
        "id": exchange.response_id,
        "type": "message",
        "role": "assistant",
        "model": MODELS[exchange.model].answers_as,
        "stop_sequence": None,
        "usage": _usage(exchange),
    }


def _usage(exchange: Exchange) -> dict[str, Any]:
    usage = exchange.usage
    one_hour = '"ttl": "1h"' in json.dumps(exchange.body.get("system", ""))
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 0 if one_hour else usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write if one_hour else 0,
        },
        "output_tokens": usage.output,
        "service_tier": "standard",
    }


def _content(exchange: Exchange) -> list[dict[str, Any]]:
    answer = exchange.answer
    blocks: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text or not answer.tool else []
    if answer.tool:
        tool_id = f"toolu_{exchange.response_id[-20:]}"
        blocks.append({"type": "tool_use", "id": tool_id, "name": answer.tool, "input": answer.arguments})
    return blocks


def _stop_reason(exchange: Exchange) -> str:
    return "tool_use" if exchange.answer.tool else "end_turn"


def _frame(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
