"""Describe Anthropic's Messages format, which Bedrock, Vertex AI and other servers speak as well."""

from typing import Any

from trilemma.folding import add_text, find_item
from trilemma.providers.spec import Content, Endpoint, Parts

__all__ = ["MESSAGES", "PARTS", "fold_message", "is_message_text"]

PARTS: Parts = {
    "text": {"type": "=text", "content": "text"},
    "thinking": {"type": "=reasoning", "content": "thinking"},
    "tool_use": {"type": "=tool_call", "id": "id", "name": "name", "arguments": ("partial_json", "input")},
    "server_tool_use": {
        "type": "=server_tool_call",
        "id": "id",
        "name": "name",
        "arguments": ("partial_json", "input"),
    },
    "tool_result": {"type": "=tool_call_response", "id": "tool_use_id", "response": "content"},
}

# The field of a content block that each kind of delta adds to.
_DELTA_FIELDS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def fold_message(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge a stream event into the message."""
    kind = event.get("type")
    if kind == "content_block_delta":
        delta = event.get("delta") or {}
        field = _DELTA_FIELDS.get(delta.get("type") or "")
        if field is None:
            return False
        return add_text(find_item(body.setdefault("content", []), event.get("index")), field, delta.get(field))
    if kind == "content_block_start":
        find_item(body.setdefault("content", []), event.get("index")).update(event.get("content_block") or {})
    elif kind == "message_start":
        body.update(event.get("message") or {})
        body["content"] = []
        # Its output count is a placeholder; the first true one is in message_delta.
        body["usage"] = {key: value for key, value in (body.get("usage") or {}).items() if key != "output_tokens"}
    elif kind == "message_delta":
        body.update(event.get("delta") or {})
        usage = event.get("usage") or {}
        body.setdefault("usage", {}).update({key: value for key, value in usage.items() if value is not None})
    return False


def is_message_text(event: dict[str, Any]) -> bool:
    """Tell whether an event adds a piece of text, reasoning or arguments to a block."""
    return event["type"] == "content_block_delta" and event["delta"]["type"] in _DELTA_FIELDS


def _sum_input(body: dict[str, Any]) -> int | None:
    """Anthropic counts cached input apart; the conventions count it in."""
    usage = body.get("usage")
    if type(usage) is not dict or type(usage.get("input_tokens")) is not int:
        return None
    counts = (usage.get(f"{kind}input_tokens") for kind in ("", "cache_creation_", "cache_read_"))
    return sum(count for count in counts if type(count) is int)


def _service_tier(body: dict[str, Any]) -> Any:
    usage = body.get("usage")
    if type(usage) is not dict:
        return None
    return "fast" if usage.get("speed") == "fast" else usage.get("service_tier")


def _output_type(body: dict[str, Any]) -> str | None:
    asked = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return "json" if asked.get("type") == "json_schema" else None


MESSAGES = Endpoint(
    path="/v1/messages",
    operation="chat",
    request={
        "request_model": "model",
        "max_tokens": "max_tokens",
        "temperature": "temperature",
        "top_p": "top_p",
        "top_k": "top_k",
        "stop_sequences": "stop_sequences",
        "reasoning_level": "output_config.effort",
        "output_type": _output_type,
        "message_count": "messages[#]",
        "tool_count": "tools[#]",
    },
    response={
        "response_id": "id",
        "response_model": "model",
        "finish_reasons": "stop_reason",
        "service_tier": _service_tier,
        "input_tokens": _sum_input,
        "output_tokens": "usage.output_tokens",
        "cache_read_tokens": "usage.cache_read_input_tokens",
        "cache_write_tokens": "usage.cache_creation_input_tokens",
        "cache_write_1h_tokens": "usage.cache_creation.ephemeral_1h_input_tokens",
        "reasoning_tokens": "usage.output_tokens_details.thinking_tokens",
        "web_search_count": "usage.server_tool_use.web_search_requests",
        "tool_call_names": "content[tool_use].name",
        "tool_call_ids": "content[tool_use].id",
    },
    fold=fold_message,
    is_text=is_message_text,
    content=Content(system="system", input="messages", output="content", finish="stop_reason", parts=PARTS),
)
