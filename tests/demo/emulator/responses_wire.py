"""Own OpenAI's wire format for responses, whole and streamed; its errors and headers are those of chat completions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.demo.emulator.exchange import Exchange, count_tokens
from tests.demo.emulator.openai_wire import ERROR_KINDS, error_body, find_fault, headers
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
    "read_response",
    "reasons",
]


def read_response(body: dict[str, Any], at: datetime, attempt: int, seen_before: int) -> Exchange:
    """Read a responses request."""
    items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    return Exchange(
        body=body,
        model=body["model"],
        system=body.get("instructions") or "",
        user="\n".join(_text_of(item) for item in items if item.get("role") == "user"),
        tool_results=[item["output"] for item in items if item.get("type") == "function_call_output"],
        tools=[tool["name"] for tool in body.get("tools") or () if tool["type"] == "function"],
        schema=((body.get("text") or {}).get("format") or {}).get("name", ""),
        at=at,
        attempt=attempt,
        seen_before=seen_before,
    )


def reasons(body: dict[str, Any]) -> bool:
    """Say whether the request asks for reasoning."""
    return (body.get("reasoning") or {}).get("effort") not in {None, "none"}


def count_input(exchange: Exchange) -> tuple[int, str, int]:
    """Return (all input tokens, the cacheable prefix, its tokens)."""
    total = count_tokens(exchange.system) + count_tokens(json.dumps(exchange.body["input"]))
    total += count_tokens(json.dumps(exchange.body.get("tools", "")))
    prefix = count_tokens(exchange.system) // 128 * 128
    return total, f"{exchange.model}/{exchange.system}", prefix if prefix >= 1024 else 0


def body(exchange: Exchange) -> dict[str, Any]:
    """Return a whole response."""
    return {**_head(exchange, "completed"), "output": _output(exchange), "usage": _usage(exchange)}


def events(exchange: Exchange, text: list[str], arguments: list[str]) -> Iterator[tuple[bytes, bool]]:
    """Yield (event, whether it is content) of a streamed response."""
    number = iter(range(1_000_000))

    def frame(kind: str, **fields: Any) -> bytes:
        event = {"type": kind, "sequence_number": next(number), **fields}
        return f"event: {kind}\ndata: {json.dumps(event)}\n\n".encode()

    opening = {**_head(exchange, "in_progress"), "output": [], "usage": None}
    yield frame("response.created", response=opening), False
    yield frame("response.in_progress", response=opening), False
    for index, item in enumerate(_output(exchange)):
        place = {"output_index": index, "item_id": item["id"]}
        is_text = item["type"] == "message"
        empty = {**item, "status": "in_progress", **({"content": []} if is_text else {"arguments": ""})}
        yield frame("response.output_item.added", output_index=index, item=empty), False
        if is_text:
            place |= {"content_index": 0}
            part = item["content"][0]
            yield frame("response.content_part.added", part={**part, "text": ""}, **place), False
            for piece in text:
                yield frame("response.output_text.delta", delta=piece, logprobs=[], **place), True
            yield frame("response.output_text.done", text=part["text"], logprobs=[], **place), False
            yield frame("response.content_part.done", part=part, **place), False
        else:
            for piece in arguments:
                yield frame("response.function_call_arguments.delta", delta=piece, **place), True
            done = {"arguments": item["arguments"], "name": item["name"], **place}
            yield frame("response.function_call_arguments.done", **done), False
        yield frame("response.output_item.done", output_index=index, item=item), False
    yield frame("response.completed", response=body(exchange)), False


def _text_of(item: dict[str, Any]) -> str:
    content = item.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _head(exchange: Exchange, status: str) -> dict[str, Any]:
    asked = exchange.body
    return {
        "id": exchange.response_id,
        "object": "response",
        "created_at": exchange.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "model": MODELS[exchange.model].answers_as,
        "parallel_tool_calls": True,
        "previous_response_id": asked.get("previous_response_id"),
        "reasoning": asked.get("reasoning") or {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": asked.get("temperature", 1.0),
        "text": asked.get("text") or {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": asked.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "metadata": {},
    }


def _output(exchange: Exchange) -> list[dict[str, Any]]:
    answer, suffix = exchange.answer, exchange.response_id[-24:]
    items: list[dict[str, Any]] = []
    if answer.text or not answer.tool:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text}
        message = {"id": f"msg_{suffix}", "type": "message", "status": "completed", "role": "assistant"}
        items.append({**message, "content": [part]})
    if answer.tool:
        call = {"id": f"fc_{suffix}", "type": "function_call", "status": "completed", "call_id": f"call_{suffix}"}
        items.append({**call, "name": answer.tool, "arguments": json.dumps(answer.arguments)})
    return items


def _usage(exchange: Exchange) -> dict[str, Any]:
    usage = exchange.usage
    total = usage.input + usage.cache_read
    return {
        "input_tokens": total,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": total + usage.output,
    }
