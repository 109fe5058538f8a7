"""Own how values are read out of a request or response body: tables compiled once, types checked, unknown left out.

A source says where in a body a value is::

    "usage.input_tokens"             a key in a key
    "choices[].finish_reason"        the value in each item of a list
    "content[tool_use].name"         ... of each item whose ``type`` is ``tool_use`` ("a|b": one of them)
    "messages[#]"                    the length of a list
    ("max_completion_tokens", "max_tokens")   the first of these that is there
    a function of the body           for what no path can say

A value of another type than the registry's, a null, and what a function fails to find are left out: absent means
unknown.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from trilemma.guard import ODD_SHAPE
from trilemma.registry import fields

__all__ = ["Body", "Reader", "Source", "compile_reader", "converter", "find_value", "read_json", "to_valid"]

Body: TypeAlias = dict[str, Any]
Reader: TypeAlias = Callable[[Body, dict[str, Any]], None]
Source: TypeAlias = "str | tuple[str, ...] | Callable[[Body], Any]"

_MAX_INT = 2**62  # attributes are 64 bits wide
_MAX_DOUBLE = 1e308

# What a plain value of the type looks like; only others are given to the converter.
_PLAIN = {
    "string": "type(v) is str and v and v.isascii()",
    "int": f"type(v) is int and 0 <= v < {_MAX_INT}",
    "double": f"type(v) is float and -{_MAX_DOUBLE} < v < {_MAX_DOUBLE}",
    "boolean": "type(v) is bool",
}


def compile_reader(table: Mapping[str, Source]) -> Reader:
    """Compile {concept: source} to a function that reads a body's values into a record.

    It is compiled from source text, as namedtuples are: a call reads some thirty values, and a body's nesting laid out
    in one function reads them in a third of the time that nested functions take.
    """
    names: dict[str, Any] = {}
    lines: list[str] = []
    ranks: list[_Level] = []  # first choices, second choices, ...
    for name, source in table.items():
        names[f"convert_{name}"] = converter(name)
        if callable(source):
            names[f"get_{name}"] = _skip_odd(source)
            lines += [f"    v = get_{name}(body)", *_write_keep(name, "    ")]
            continue
        for rank, path in enumerate((source,) if isinstance(source, str) else source):
            if len(ranks) == rank:
                ranks.append(_Level())
            ranks[rank].add(path.split("."), name)
    for rank, level in enumerate(ranks):
        lines += level.write("body", "    ", only_missing=rank > 0)
    text = "\n".join(["def read(body, record):", *lines, "    return None"])
    exec(compile(text, "<trilemma reader>", "exec"), names)  # noqa: S102  # made of our own tables
    reader: Reader = names["read"]
    return reader


def find_value(body: Any, path: str) -> Any:
    """Return what stands at a path of keys, "a.b"; None where it leads nowhere, or is empty."""
    for key in path.split(".") if path else ():
        body = body.get(key) if isinstance(body, dict) else None
    return body if path else None


def read_json(content: bytes) -> dict[str, Any]:
    """Parse a response body; what is no JSON object, or a list of one as Google sends it, is empty."""
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    return body if isinstance(body, dict) else {}


def to_valid(text: str) -> str:
    """Replace halves of surrogate pairs, which JSON can escape and no exporter can encode: it would lose the batch."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def converter(name: str) -> Callable[[Any], Any]:
    """Return the function that gives a value as the registry's type of the concept `name`, or None."""
    return _CONVERTERS[fields()[name].type]


def _skip_odd(source: Callable[[Body], Any]) -> Callable[[Body], Any]:
    def get(body: Body) -> Any:
        try:
            return source(body)
        except ODD_SHAPE:
            return None

    return get


class _Level:
    """Be one level of a body as the tables know it: the values here, and the objects and lists below."""

    def __init__(self) -> None:
        self.here: list[tuple[str, str]] = []
        self.below: dict[str, _Level] = {}

    def add(self, steps: list[str], name: str) -> None:
        if len(steps) == 1:
            self.here.append((steps[0], name))
        else:
            self.below.setdefault(steps[0], _Level()).add(steps[1:], name)

    def write(self, body: str, indent: str, *, only_missing: bool, collect: bool = False) -> list[str]:
        """Return the lines that read this level of `body`; within a list they `collect` the values of its items."""
        lines = []
        for step, name in self.here:
            key, _, count = step.partition("[")
            lines.append(f"{indent}v = {body}.get({key!r})")
            if count:
                lines.append(f"{indent}v = len(v) if type(v) is list else None")
            if collect:
                lines.append(f"{indent}if v is not None: c_{name}.append(v)")
            else:
                lines += _write_keep(name, indent, only_missing=only_missing)
        for number, (step, level) in enumerate(self.below.items()):
            key, bracket, kind = step.rstrip("]").partition("[")
            inner = f"{body}_{number}"
            lines.append(f"{indent}{inner} = {body}.get({key!r})")
            if not bracket:
                lines.append(f"{indent}if type({inner}) is dict:")
                lines += level.write(inner, indent + "    ", only_missing=only_missing, collect=collect)
                continue
            found = () if collect else level.names()
            lines += [f"{indent}c_{name} = []" for name in found]
            test = f" and item_{inner}.get('type') in {tuple(kind.split('|'))!r}" if kind else ""
            lines += [
                f"{indent}if type({inner}) is list:",
                f"{indent}    for item_{inner} in {inner}:",
                f"{indent}        if type(item_{inner}) is dict{test}:",
                *level.write(f"item_{inner}", indent + " " * 12, only_missing=only_missing, collect=True),
            ]
            for name in found:
                lines.append(f"{indent}v = c_{name} or None")
                lines += _write_keep(name, indent, only_missing=only_missing)
        return lines

    def names(self) -> list[str]:
        below = [name for level in self.below.values() for name in level.names()]
        return [name for _, name in self.here] + below


def _write_keep(name: str, indent: str, *, only_missing: bool = False) -> list[str]:
    missing = f" and {name!r} not in record" if only_missing else ""
    lines = [f"{indent}if v is not None{missing}:"]
    plain = _PLAIN.get(fields()[name].type)
    if plain:
        lines += [f"{indent}    if {plain}: record[{name!r}] = v", f"{indent}    else:"]
        indent += "    "
    return [*lines, f"{indent}    v = convert_{name}(v)", f"{indent}    if v is not None: record[{name!r}] = v"]


def _to_string(value: Any) -> str | None:
    return to_valid(value) if type(value) is str and value else None


def _to_int(value: Any) -> int | None:
    if type(value) is int or (type(value) is float and value.is_integer()):
        return int(value) if 0 <= value < _MAX_INT else None
    return None


def _to_double(value: Any) -> float | None:
    if type(value) is not int and type(value) is not float:
        return None
    return float(value) if -_MAX_DOUBLE < value < _MAX_DOUBLE else None


def _to_boolean(value: Any) -> bool | None:
    return value if type(value) is bool else None


def _to_strings(value: Any) -> tuple[str, ...] | None:
    if type(value) is str and (text := _to_string(value)):
        return (text,)
    if type(value) is list:
        return tuple([text for item in value if (text := _to_string(item))]) or None
    return None


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "string": _to_string,
    "int": _to_int,
    "double": _to_double,
    "boolean": _to_boolean,
    "string[]": _to_strings,
    "json": lambda value: value,
}
