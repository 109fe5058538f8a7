"""Own how messages of any provider become messages of the semantic conventions; used only where content is captured.

A provider says by a table which of its content blocks is what: {its type: {field of the part: path in the block}},
where "=word" is the word itself and a tuple means the first that is there. A block of a type that is not in the table
passes as it is, which the conventions call a generic part. Text may be a list of pieces, as folding leaves it.
"""

import json
from typing import Any, TypeAlias

from trilemma.providers.spec import Content, Parts

__all__ = ["read_input", "read_output", "read_system", "read_tools"]

Message: TypeAlias = dict[str, Any]
Part: TypeAlias = dict[str, Any]

_REASONING_KEYS = ("reasoning_content", "reasoning", "thinking", "tool_plan")
_MAX_CHARACTERS = 128 * 1024  # of one part; a longer text is cut, a longer blob left out


def read_system(content: Content, request: dict[str, Any]) -> list[Part] | None:
    """Return the system instructions that the request gives apart from its messages."""
    value = _find(request, content.system) if content.system else None
    return _to_parts(value, content.parts) or None


def read_input(content: Content, request: dict[str, Any]) -> list[Message] | None:
    """Return the messages of a request."""
    return _to_messages(_find(request, content.input), content.parts, "user") or None


def read_output(content: Content, response: dict[str, Any]) -> list[Message] | None:
    """Return the messages of a response, whole or folded."""
    value = _find(response, content.output)
    if content.choices:
        return [_to_choice(choice, content.parts) for choice in value or () if isinstance(choice, dict)] or None
    text = _join(value)  # a list of strings is one text in pieces
    messages = _to_messages(value if text is None else text, content.parts, "assistant")
    parts = [part for message in messages for part in message["parts"]]
    finish = _find(response, content.finish)
    return [{"role": "assistant", "parts": parts, **({"finish_reason": finish} if finish else {})}] if parts else None


def read_tools(content: Content, request: dict[str, Any]) -> Any:
    """Return the tool definitions of a request."""
    return _find(request, content.tools) or None


def _to_choice(choice: dict[str, Any], parts: Parts) -> Message:
    held = choice.get("message") or choice.get("content") or {"content": choice.get("text")}
    message = _to_message({"role": "assistant", **held}, parts)
    finish = choice.get("finish_reason") or choice.get("finishReason")
    return {**message, **({"finish_reason": finish} if finish else {})}


def _to_messages(value: Any, parts: Parts, role: str) -> list[Message]:
    if isinstance(value, str):
        return [{"role": role, "parts": _to_parts(value, parts)}]
    messages = []
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, str):
            messages.append({"role": role, "parts": _to_parts(item, parts)})
        elif isinstance(item, dict) and ("role" in item or "parts" in item):
            messages.append(_to_message({"role": role, **item}, parts))
        elif isinstance(item, dict):
            by = parts.get(item.get("type", ""), {}).get("role", f"={role}")
            messages.append({"role": by[1:], "parts": [_to_part(item, parts)]})
    return messages


def _to_message(item: dict[str, Any], parts: Parts) -> Message:
    content = _to_parts(item.get("content", item.get("parts")), parts)
    if item["role"] == "tool":
        response = content[0].get("content") if len(content) == 1 else content
        content = [{"type": "tool_call_response", "id": item.get("tool_call_id"), "response": response}]
    reasoning = next((text for key in _REASONING_KEYS if (text := _join(item.get(key)))), None)
    if reasoning:
        content.insert(0, {"type": "reasoning", "content": _cut(reasoning)})
    if refusal := _join(item.get("refusal")):
        content.append({"type": "refusal", "content": _cut(refusal)})
    calls = item.get("tool_calls") or ([{"function": item["function_call"]}] if item.get("function_call") else [])
    content += [_to_part({"type": "function", **call}, parts) for call in calls if isinstance(call, dict)]
    return {"role": "assistant" if item["role"] == "model" else item["role"], "parts": content}


def _to_parts(value: Any, parts: Parts) -> list[Part]:
    text = _join(value)
    if text is not None:
        return [{"type": "text", "content": _cut(text)}]
    return [_to_part(block, parts) for block in value if isinstance(block, dict)] if isinstance(value, list) else []


def _to_part(block: dict[str, Any], parts: Parts) -> Part:
    # What a block is says its type, or, in Google's format, the key it has.
    kind = block.get("type") or next((kind for kind in parts if block.get(kind)), "")
    table = parts.get(kind)
    if table is None:
        return block
    part = {}
    for field, paths in table.items():
        found = (_find(block, path) for path in ((paths,) if isinstance(paths, str) else paths))
        value = next((value for value in found if value is not None), None)
        if value is not None and field != "role":
            part[field] = _to_value(field, value)
    return part


def _to_value(field: str, value: Any) -> Any:
    text = _join(value)
    if text is None:
        return value
    if field == "arguments":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return _cut(text)


def _join(value: Any) -> str | None:
    """Return text, also where it is kept as a list of pieces; None for what is no text."""
    if isinstance(value, str):
        return value
    is_pieces = isinstance(value, list) and value and all(isinstance(piece, str) for piece in value)
    return "".join(value) if is_pieces else None


def _cut(text: str) -> str:
    if len(text) <= _MAX_CHARACTERS:
        return text
    return f"{text[:_MAX_CHARACTERS]}... [{len(text) - _MAX_CHARACTERS} characters cut by trilemma]"


def _find(body: Any, path: str) -> Any:
    if path.startswith("="):
        return path[1:]
    for step in path.split("."):
        key, each, _ = step.partition("[]")
        body = (
            body.get(key)
            if isinstance(body, dict)
            else [i.get(key) for i in body if isinstance(i, dict)]
            if (isinstance(body, list))
            else None
        )
        if each and not isinstance(body, list):
            return None
    return body
