"""Describe the Responses format, which OpenAI and some servers compatible with it speak."""

from typing import Any

from trilemma.folding import add_text, find_item
from trilemma.providers.chat_completions import name_output_type, read_cost
from trilemma.providers.spec import Content, Deferred, Endpoint, Parts

__all__ = ["COMPACT", "FETCH", "RESPONSES", "count_input"]

_TOOL_CALL = {"type": "=tool_call", "id": "call_id", "name": "name", "role": "=assistant"}
_TOOL_RESULT = {"type": "=tool_call_response", "id": "call_id", "response": "output", "role": "=tool"}

PARTS: Parts = {
    "input_text": {"type": "=text", "content": "text"},
    "output_text": {"type": "=text", "content": "text"},
    "refusal": {"type": "=refusal", "content": "refusal"},
    "input_image": {"type": "=uri", "modality": "=image", "uri": "image_url"},
    "input_file": {"type": "=file", "file_id": "file_id"},
    "reasoning": {"type": "=reasoning", "content": ("content[].text", "summary[].text"), "role": "=assistant"},
    "function_call": {**_TOOL_CALL, "arguments": "arguments"},
    "custom_tool_call": {**_TOOL_CALL, "arguments": "input"},
    "function_call_output": _TOOL_RESULT,
    "custom_tool_call_output": _TOOL_RESULT,
}

# Where in an output item a delta belongs: the list in it, the event's index into that list, the field.
_DELTAS = {
    "response.output_text.delta": ("content", "content_index", "text"),
    "response.refusal.delta": ("content", "content_index", "refusal"),
    "response.reasoning_text.delta": ("content", "content_index", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "text"),
    "response.function_call_arguments.delta": ("", "", "arguments"),
    "response.custom_tool_call_input.delta": ("", "", "input"),
}


def fold_response(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge a Responses event: whole responses at start and end, items and pieces of them between."""
    response, kind = event.get("response"), event.get("type") or ""
    if kind.endswith(".delta"):
        place = _DELTAS.get(kind)
        if place is None:
            return bool(event.get("delta"))
        item = find_item(body.setdefault("output", []), event.get("output_index"))
        part = find_item(item.setdefault(place[0], []), event.get(place[1])) if place[0] else item
        return add_text(part, place[2], event.get("delta"))
    if response:
        seen = body.get("output")
        body.update(response)
        body["output"] = response.get("output") or seen or []
    elif kind == "response.output_item.added":
        item = find_item(body.setdefault("output", []), event.get("output_index"))
        item.update({key: value for key, value in event["item"].items() if key not in {"content", "summary"}})
    elif kind == "response.output_item.done":
        find_item(body.setdefault("output", []), event.get("output_index")).update(event["item"])
    elif kind == "error":
        body["error"] = event
    return False


def is_response_text(event: dict[str, Any]) -> bool:
    """Tell whether an event adds a piece of text, reasoning or arguments to an item."""
    return event["type"].endswith(".delta") and bool(event["delta"])


def count_input(body: dict[str, Any]) -> int | None:
    """Count the input items of a request."""
    value = body.get("input")
    return len(value) if isinstance(value, list) else 1 if isinstance(value, str) else None


def _finish_reason(body: dict[str, Any]) -> Any:
    details = body.get("incomplete_details")
    return (details.get("reason") if type(details) is dict else None) or body.get("status")


def _is_refusal(body: dict[str, Any]) -> bool | None:
    parts = (part for item in body["output"] if item["type"] == "message" for part in item.get("content") or ())
    return any(part.get("type") == "refusal" for part in parts) or None


def _count_searches(body: dict[str, Any]) -> int | None:
    # OpenAI bills searches, not the opening of pages they found: "Search actions incur a tool call cost" (its docs).
    calls = [item.get("action") or {} for item in body["output"] if item["type"] == "web_search_call"]
    return sum(action.get("type", "search") == "search" for action in calls) or None


def choose_background(response: dict[str, Any], _: dict[str, Any], __: str) -> Endpoint | None:
    """Return how to read a background response that has ended; None before."""
    return RESPONSES if response.get("background") is True and response.get("usage") else None


def name_start(response: dict[str, Any]) -> str | None:
    """Return what the request was that only started a background response; None where it waited for its response."""
    return "POST /responses" if response.get("background") is True else None


RESPONSES = Endpoint(
    path="/responses",
    operation="chat",
    constants={"api_type": "responses"},
    request={
        "request_model": "model",
        "max_tokens": "max_output_tokens",
        "temperature": "temperature",
        "top_p": "top_p",
        "reasoning_level": "reasoning.effort",
        "output_type": lambda body: name_output_type(((body.get("text") or {}).get("format") or {}).get("type")),
        "request_service_tier": "service_tier",
        "previous_response_id": "previous_response_id",
        "conversation_id": ("conversation.id", "conversation"),
        "message_count": count_input,
        "tool_count": "tools[#]",
    },
    response={
        "response_id": "id",
        "response_model": "model",
        "response_status": "status",
        "finish_reasons": _finish_reason,
        "service_tier": "service_tier",
        "conversation_id": "conversation.id",
        "input_tokens": "usage.input_tokens",
        "output_tokens": "usage.output_tokens",
        "cache_read_tokens": "usage.input_tokens_details.cached_tokens",
        "cache_write_tokens": "usage.input_tokens_details.cache_write_tokens",
        "reasoning_tokens": "usage.output_tokens_details.reasoning_tokens",
        "tool_call_names": "output[function_call|custom_tool_call].name",
        "tool_call_ids": "output[function_call|custom_tool_call].call_id",
        "error_type": "error.code",
        "web_search_count": _count_searches,
        "refused": _is_refusal,
        "cost": read_cost,
    },
    fold=fold_response,
    is_text=is_response_text,
    content=Content(system="instructions", input="input", output="output", finish="status", parts=PARTS),
    deferred=Deferred(choose_background, id="id", started="created_at", ended=("completed_at",), start=name_start),
)

# Compacting is a model's work on a conversation, with a response like any other.
COMPACT = Endpoint(
    path="/responses/compact",
    operation="chat",
    constants={"api_type": "responses"},
    request={name: RESPONSES.request[name] for name in ("request_model", "previous_response_id", "message_count")},
    response=RESPONSES.response,
)


# By the conventions without usage, which is the work's own; a background response's is told here at last.
FETCH = Endpoint(
    path="/responses/{response}",
    operation="fetch_response",
    constants={"api_type": "responses"},
    request={"response_id": "{response}"},
    response={"response_id": "id", "response_status": "status"},
    method="GET",
    deferred=Deferred(choose_background, id="id", started="created_at", ended=("completed_at",)),
)
