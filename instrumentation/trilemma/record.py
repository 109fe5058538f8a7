"""Own how values are read out of a request or response body: paths compiled once, types checked, unknown left out.

A source says where in a body a value is::

    "usage.input_tokens"             a key in a key
    "choices[].finish_reason"        the value in each item of a list
    "content[tool_use].name"         ... of each item whose ``type`` is ``tool_use``
    "messages[#]"                    the length of a list
    ("max_completion_tokens", "max_tokens")   the first of these that is there
    a function of the body           for what no path can say

A value of another type than the registry's, and a null, are left out: absent means unknown.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from trilemma.registry import fields

__all__ = ["Reader", "Source", "compile_reader", "convert"]

Body: TypeAlias = dict[str, Any]
Reader: TypeAlias = Callable[[Body, dict[str, Any]], None]
Source: TypeAlias = "str | tuple[str, ...] | Callable[[Body], Any]"


def compile_reader(table: Mapping[str, Source]) -> Reader:
    """Compile {concept: source} to a function that reads a body's values into a record."""
    tree = _Node()
    complex_sources: list[tuple[str, Callable[[Any], Any], Callable[[Body], Any]]] = []
    for name, source in table.items():
        to_type = _CONVERTERS[fields()[name].type]
        if isinstance(source, str) and "[" not in source:
            tree.add(source.split("."), to_type, name)
        else:
            complex_sources.append((name, to_type, _compile_source(source)))

    def read(body: Body, record: dict[str, Any]) -> None:
        tree.read(body, record)
        for name, to_type, get in complex_sources:
            value = get(body)
            if value is not None and (value := to_type(value)) is not None:
                record[name] = value

    return read


def convert(name: str, value: Any) -> Any:
    """Return `value` as the registry's type of the concept `name`, or None where it is not of that type."""
    return None if value is None else _CONVERTERS[fields()[name].type](value)


class _Node:
    """Be one level of a body: the values to read here, and the levels below."""

    __slots__ = ("below", "here")

    def __init__(self) -> None:
        self.here: list[tuple[str, Callable[[Any], Any], str]] = []
        self.below: dict[str, _Node] = {}

    def add(self, keys: list[str], to_type: Callable[[Any], Any], name: str) -> None:
        if len(keys) == 1:
            self.here.append((keys[0], to_type, name))
        else:
            self.below.setdefault(keys[0], _Node()).add(keys[1:], to_type, name)

    def read(self, body: Body, record: dict[str, Any]) -> None:
        get = body.get
        for key, to_type, name in self.here:
            value = get(key)
            if value is not None and (value := to_type(value)) is not None:
                record[name] = value
        for key, node in self.below.items():
            value = get(key)
            if type(value) is dict:
                node.read(value, record)


def _compile_source(source: Source) -> Callable[[Body], Any]:
    if callable(source):
        return source
    if isinstance(source, tuple):
        return _first_of([_compile_source(path) for path in source])
    return _compile_path(source.split("."))


def _first_of(getters: list[Callable[[Body], Any]]) -> Callable[[Body], Any]:
    def get(body: Body) -> Any:
        for getter in getters:
            value = getter(body)
            if value is not None:
                return value
        return None

    return get


def _compile_path(steps: list[str]) -> Callable[[Any], Any]:
    step, rest = steps[0], steps[1:]
    key, bracket, kind = step.rstrip("]").partition("[")
    if kind == "#":
        return lambda body: len(items) if isinstance(items := _get(body, key), list) else None
    if not rest:
        return lambda body: _get(body, key)
    get_rest = _compile_path(rest)
    if not bracket:
        return lambda body: get_rest(_get(body, key))

    def get_each(body: Any) -> list[Any] | None:
        items = _get(body, key)
        if type(items) is not list:
            return None
        found: list[Any] = []
        for item in items:
            if kind and _get(item, "type") != kind:
                continue
            value = get_rest(item)
            if type(value) is list:
                found += value
            elif value is not None:
                found.append(value)
        return found or None

    return get_each


def _get(body: Any, key: str) -> Any:
    return body.get(key) if type(body) is dict else None


def _to_string(value: Any) -> str | None:
    return value if type(value) is str and value else None


def _to_int(value: Any) -> int | None:
    if type(value) is int:
        return value if value >= 0 else None
    if type(value) is float and value.is_integer() and value >= 0:
        return int(value)
    return None


def _to_double(value: Any) -> float | None:
    if type(value) is float:
        return value if math.isfinite(value) else None
    return float(value) if type(value) is int else None


def _to_boolean(value: Any) -> bool | None:
    return value if type(value) is bool else None


def _to_strings(value: Any) -> tuple[str, ...] | None:
    if type(value) is str:
        return (value,)
    if type(value) is list:
        return tuple([item for item in value if type(item) is str]) or None
    return None


def _to_json(value: Any) -> Any:
    return value


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "string": _to_string,
    "int": _to_int,
    "double": _to_double,
    "boolean": _to_boolean,
    "string[]": _to_strings,
    "json": _to_json,
}
