"""Own the proof that the list of names is sound: each concept once, each name once, every type known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trilemma.registry
from trilemma.registry import attribute, fields

FIELDS = list(fields().values())
TYPES = {"string", "string[]", "int", "int[]", "double", "double[]", "boolean", "boolean[]", "json"}
PLACES = {
    "call",
    "task",
    "task and beneath",
    "task or outcome event",
    "task terms",
    "evaluation event",
    "decision",
    "mark event",
}


def test_every_name_is_one_concept() -> None:
    """No name, attribute or alias stands for two concepts."""
    names = [field.name for field in FIELDS]
    attributes = [name for field in FIELDS for name in (field.attribute, *field.aliases)]
    assert len(names) == len(set(names))
    assert len(attributes) == len(set(attributes))


def test_every_entry_is_complete() -> None:
    """Every concept has a known type and place, a doc that is a sentence, and a unit where its name says one."""
    for field in FIELDS:
        assert field.type in TYPES, field
        assert field.on in PLACES, field
        assert field.doc.endswith("."), field
        if field.name.endswith("_s"):
            assert field.unit == "s", field
        if field.name.endswith("_tokens") and field.name.startswith(("input", "output", "cache", "reasoning", "audio")):
            assert field.unit == "{token}", field


def test_columns_fit_their_types() -> None:
    """A column's ClickHouse type can hold the attribute's type; numbers that may be unknown are Nullable."""
    kinds = {
        "string": "String",
        "string[]": "Array(",
        "int[]": "Array(Int",
        "double[]": "Array(Float",
        "boolean[]": "Array(Bool",
        "int": "Nullable(UInt",
        "double": "Nullable(Float",
        "boolean": "Bool",
    }
    for field in FIELDS:
        if field.column not in {None, "content"}:
            assert kinds[field.type] in str(field.column), field


def test_own_names_have_our_prefix() -> None:
    """An attribute is of the semantic conventions or starts with trilemma, never of our making in their space."""
    spaces = ("gen_ai.", "openai.", "aws.bedrock.", "server.", "error.", "http.", "trilemma.")
    assert [field.attribute for field in FIELDS if not field.attribute.startswith(spaces)] == []


def test_one_line_per_entry() -> None:
    """The file has one line per concept, so that a new one is a line in a diff and changes merge."""
    path = Path(trilemma.registry.__file__).with_name("registry.json")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith('{"name"')]
    assert [json.loads(line.rstrip(","))["name"] for line in lines] == [field.name for field in FIELDS]


def test_look_up() -> None:
    """A concept's attribute is found by its name; an unknown concept is a KeyError."""
    assert attribute("input_tokens") == "gen_ai.usage.input_tokens"
    with pytest.raises(KeyError):
        attribute("imput_tokens")
