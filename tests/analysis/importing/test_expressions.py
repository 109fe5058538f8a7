"""Hold the mapping's expressions: templates, sources, steps and conditions, on values as logs hold them."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from trilemma.errors import ImportFileError
from trilemma_analysis.importing.casting import cast_column
from trilemma_analysis.importing.conditions import parse_condition
from trilemma_analysis.importing.expression_parser import parse_expression

from tests.analysis.importing.conftest import frame_of

ROWS: dict[str, list[Any]] = {
    "model": ["gpt-4o", "haiku", None],
    "n": [3, 0, None],
    "price": [2.5, 0.25, 1.0],
    "ok": [True, False, None],
    "text": ["7", "", "x9"],
    "usage": [{"in": 10, "deep": [1, {"k": "v"}]}, {"in": None}, None],
    "json": ['{"a": 1, "b": [2]}', "not json", None],
    "a.b": ["dotted", None, "name"],
}

EXPRESSIONS = [
    ('"chat"', ["chat"] * 3),
    ('"{{literal}}"', ["{literal}"] * 3),
    ("0.5", [0.5] * 3),
    ('"{n}"', [3, 0, None]),
    ('"{model}/{n}"', ["gpt-4o/3", "haiku/0", None]),
    ('"{usage.in}"', [10, None, None]),
    ('"{usage.deep.1.k}"', ["v", None, None]),
    ('"{usage.deep.-1.k}"', ["v", None, None]),
    ('"{json.b.0}"', [2, None, None]),
    ('"{a.b}"', ["dotted", None, "name"]),
    ('"{nowhere?}"', [None, None, None]),
    ('{ first = ["{nowhere?}", "{model}", "unknown"] }', ["gpt-4o", "haiku", "unknown"]),
    ('{ first = ["{n}", "{price}"] }', [3.0, 0.0, 1.0]),
    ('{ join = ["{model}", "{text}"], with = "+" }', ["gpt-4o+7", "haiku", "x9"]),
    ('{ sum = ["{n}", "{price}", 1] }', [6.5, 1.25, None]),
    ('{ product = ["{n}", "{price}"], unit = "per_million" }', [7.5e-6, 0.0, None]),
    ('{ difference = ["{n}", 1] }', [2.0, -1.0, None]),
    ('{ ratio = ["{price}", "{n}"] }', [2.5 / 3, None, None]),
    ('{ from = "{n}", scale = 1000, unit = "ms" }', [3.0, 0.0, None]),
    ('{ from = "{price}", round = true }', [2.0, 0.0, 1.0]),
    ('{ from = "{n}", null_if = 0 }', [3, None, None]),
    ('{ from = "{n}", null_if = [0, 3], if_null = -1 }', [-1, -1, -1]),
    ('{ from = "{ok}", map = { true = "success", false = "failure" } }', ["success", "failure", None]),
    ('{ from = "{n}", map = { 3 = "three" }, default = "other" }', ["three", "other", None]),
    ('{ from = "{text}", match = "x(?P<digits>[0-9]+)" }', [None, None, "9"]),
    ('{ from = "{model}", match = "(?P<name>[A-Z]+)" }', [None, None, None]),
    ('{ from = "{model}", case_fold = true }', ["gpt-4o", "haiku", None]),
    ('{ from = "{model}", case_fold = true, map = { gpt-4o = 1 }, default = 2 }', [1, 2, None]),
    ('{ from = { from = "{n}", if_null = 7 }, map = { 7 = "seven" }, default = "{n}" }', ["3", "0", "seven"]),
    ('{ count = "{usage.deep}" }', [2, None, None]),
    ('{ count = "{json.b}" }', [1, None, None]),
    ('{ case = [{ when = "{ok}", then = 1 }], else = 0 }', [1, 0, 0]),
    ('{ case = [{ when = { value = "{n}", is_null = true }, then = "none" }] }', [None, None, "none"]),
    ('{ case = [{ when = "{ok}", then = "{n}" }], else = "{model}" }', ["3", "haiku", None]),
]


@pytest.mark.parametrize(("toml", "expected"), EXPRESSIONS, ids=[toml for toml, _ in EXPRESSIONS])
def test_expression(toml: str, expected: list[Any]) -> None:
    """An expression gives the value that the reference says, and null where its source is null."""
    frame = frame_of(**ROWS)
    expression = parse_expression(tomllib.loads(f"x = {toml}")["x"], "x")
    assert expression.evaluate(frame).to_pylist() == pytest.approx(expected, nan_ok=False)
    assert frame.reasons == {}


CONDITIONS = [
    ('"{ok}"', [True, False, False]),
    ('{ value = "{model}", is = "haiku" }', [False, True, False]),
    ('{ value = "{model}", is_not = "haiku" }', [True, False, True]),
    ('{ value = "{n}", in = [0, 1] }', [False, True, False]),
    ('{ value = "{n}", not_in = [0, 1] }', [True, False, True]),
    ('{ value = "{n}", is_null = true }', [False, False, True]),
    ('{ value = "{n}", is_null = false }', [True, True, False]),
    ('{ value = "{n}", below = "{price}" }', [False, True, False]),
    ('{ value = "{n}", at_most = 3 }', [True, True, False]),
    ('{ value = "{n}", above = 0 }', [True, False, False]),
    ('{ value = "{n}", at_least = 0 }', [True, True, False]),
    ('{ value = "{text}", matches = "^[0-9]+$" }', [True, False, False]),
    ('{ all = ["{ok}", { value = "{n}", above = 1 }] }', [True, False, False]),
    ('{ any = [{ value = "{n}", is = 0 }, { value = "{n}", is_null = true }] }', [False, True, True]),
    ('{ not = { value = "{model}", is = "haiku" } }', [True, False, True]),
]


@pytest.mark.parametrize(("toml", "expected"), CONDITIONS, ids=[toml for toml, _ in CONDITIONS])
def test_condition(toml: str, expected: list[bool]) -> None:
    """A condition holds where the reference says so; a comparison with null does not hold."""
    condition = parse_condition(tomllib.loads(f"x = {toml}")["x"], "x", parse_expression)
    assert condition.evaluate(frame_of(**ROWS)).to_pylist() == expected


def test_hash_tells_values_apart() -> None:
    """A hash is equal for equal values only, null where all are null, and holds none of the text."""
    frame = frame_of(a=["x", "x", "xy", None, None], b=["yz", "yz", "z", "w", None])
    first, same, moved, partly, nothing = parse_expression({"hash": ["{a}", "{b}"]}, "x").evaluate(frame).to_pylist()
    assert first == same
    assert len({first, moved, partly}) == 3
    assert nothing is None
    assert len(first) == 32


def test_unmapped_value_is_a_bad_row() -> None:
    """A value that a map without default does not list is reported with the values it lists."""
    frame = frame_of(status=["ok", "odd"])
    parse_expression({"from": "{status}", "map": {"ok": "success"}}, "[task] outcome").evaluate(frame)
    assert frame.reasons == {1: "[task] outcome: 'odd' is none of the mapped values ['ok']"}


@pytest.mark.parametrize(
    ("kind", "values", "expected", "bad"),
    [
        ("int", ["12", "12.0", "-3", "1.5", "x", None], [12, 12, -3, None, None, None], [3, 4]),
        ("int", [1.0, 2.5], [1, None], [1]),
        ("int", ["9" * 30], [None], [0]),
        ("double", ["0.5", "1e-7", "nan", "inf", "?"], [0.5, 1e-7, None, None, None], [3, 4]),
        ("double", [float("nan"), 2.0], [None, 2.0], []),
        ("double", [float("inf")], [None], [0]),
        ("boolean", ["true", "No", 1, 0, "maybe"], [True, False, True, False, None], [4]),
        ("string", [True, None, "x"], ["true", None, "x"], []),
        ("string", [1, 2], ["1", "2"], []),
        ("string[]", ['["a", "b"]', "c", None], [["a", "b"], ["c"], None], []),
        ("string[]", [["a"], []], [["a"], []], []),
        ("json", [{"a": [1]}, None], ['{"a": [1]}', None], []),
    ],
)
def test_cast(kind: str, values: list[Any], expected: list[Any], bad: list[int]) -> None:
    """A column is cast to the registry's type; the rows whose value does not fit are rejected, and only those."""
    frame = frame_of(value=values)
    assert cast_column(frame.column("value"), kind, "value", frame).to_pylist() == expected
    assert sorted(frame.reasons) == bad


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('"{}"', "empty braces"),
        ("{ }", "exactly one of"),
        ('{ from = "{a}", first = ["{b}"] }', "exactly one of"),
        ('{ from = "{a}", times = 3 }', "'times' is no step"),
        ('{ from = "{a}", unit = "parsec" }', "unit 'parsec' is unknown"),
        ('{ from = "{a}", match = "(" }', "no regular expression"),
        ('{ from = "{a}", match = "[0-9]+" }', "one .* group"),
        ('{ from = "{a}", map = { a = 1, b = "x" } }', "values of one type"),
        ('{ sum = "{a}" }', "takes a list"),
        ('{ case = [{ if = "{a}", then = 1 }] }', "each case is"),
        ('{ case = [{ when = { value = "{a}" }, then = 1 }] }', "a condition has a value and one of"),
        ('{ case = [{ when = { value = "{a}", is = 1, extra = 2 }, then = 1 }] }', "'extra' does not go with"),
        ('{ case = [{ when = { value = "{a}", in = [] }, then = 1 }] }', "takes a list of values"),
        ("2024-01-01", "is no expression"),
    ],
)
def test_wrong_expression_is_explained(toml: str, message: str) -> None:
    """A word or shape that the language does not have is an error that names the place and what there is."""
    with pytest.raises(ImportFileError, match=message) as error:
        parse_expression(tomllib.loads(f"x = {toml}")["x"], "[call] cost")
    assert str(error.value).startswith("[call] cost: ")
