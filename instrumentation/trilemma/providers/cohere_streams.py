"""Merge the events of Cohere's streams, of both versions of its API."""

from typing import Any

from trilemma.folding import add_text, find_item

__all__ = ["fold_v1", "fold_v2", "is_text"]


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
