"""Hold how tables are read: paths, types, and what is left out."""

from __future__ import annotations

from typing import Any

import pytest
from trilemma.record import compile_reader, read_json

BODY = {
    "id": "a",
    "usage": {"in": 3, "details": {"cached": 0}},
    "choices": [{"reason": "stop", "calls": [{"name": "x"}, {"name": None}]}, {"reason": "length"}],
    "content": [{"type": "text", "name": "no"}, {"type": "tool", "name": "t"}, {"type": "other", "name": "o"}],
}


def read(table: dict[str, Any], body: Any = BODY) -> dict[str, Any]:
    """Read a body by a table."""
    record: dict[str, Any] = {}
    compile_reader(table)(body, record)
    return record


@pytest.mark.parametrize(
    ("name", "source", "value"),
    [
        ("response_id", "id", "a"),
        ("input_tokens", "usage.in", 3),
        ("cache_read_tokens", "usage.details.cached", 0),
        ("finish_reasons", "choices[].reason", ("stop", "length")),
        ("tool_call_names", "choices[].calls[].name", ("x",)),
        ("tool_call_names", "content[tool].name", ("t",)),
        ("tool_call_names", "content[tool|other].name", ("t", "o")),
        ("message_count", "choices[#]", 2),
        ("input_tokens", ("usage.none", "usage.in"), 3),
        ("input_tokens", ("usage.in", "usage.details.cached"), 3),
        ("input_tokens", ("usage.details.cached", "usage.in"), 0),
        ("input_tokens", lambda body: body["usage"]["in"] + 1, 4),
    ],
)
def test_path(name: str, source: Any, value: Any) -> None:
    """Each form of path finds its value."""
    assert read({name: source}) == {name: value}


@pytest.mark.parametrize(
    "source",
    ["none", "usage.none.in", "id.in", "usage[].in", "choices.reason", "usage[#]", ("none", "id.in")],
)
def test_missing(source: Any) -> None:
    """A path that leads nowhere leaves its concept out."""
    assert read({"response_id": source}) == {}
    assert read({"finish_reasons": source}) == {}


def test_function_that_fails() -> None:
    """A function that does not find what it looks for leaves its concept out, and no other."""
    assert read({"input_tokens": lambda body: body["none"], "response_id": "id"}) == {"response_id": "a"}


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("input_tokens", 3, 3),
        ("input_tokens", 3.0, 3),
        ("input_tokens", 3.5, None),
        ("input_tokens", -1, None),
        ("input_tokens", True, None),
        ("input_tokens", "3", None),
        ("input_tokens", None, None),
        ("input_tokens", 0, 0),
        ("temperature", 1, 1.0),
        ("temperature", 0.5, 0.5),
        ("temperature", float("nan"), None),
        ("temperature", float("inf"), None),
        ("temperature", False, None),
        ("temperature", 10**400, None),
        ("input_tokens", 10**30, None),
        ("response_id", "", None),
        ("response_id", "\u00e9", "\u00e9"),
        ("response_id", "a\ud800", "a?"),
        ("stop_sequences", ["\ud800"], ("?",)),
        ("response_id", ["a"], None),
        ("stop_sequences", "END", ("END",)),
        ("stop_sequences", ["a", 1, "b"], ("a", "b")),
        ("stop_sequences", [], None),
        ("stream", False, False),
        ("stream", 1, None),
    ],
)
def test_type(name: str, given: Any, kept: Any) -> None:
    """A value is kept as the registry's type; null and what is of another type are absent, never 0."""
    assert read({name: "value"}, {"value": given}) == ({} if kept is None else {name: kept})


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b'"x"'])
def test_no_json_object(content: bytes) -> None:
    """A body that is no JSON object is empty."""
    assert read_json(content) == {}
