"""Own how a mapping writes an expression, and read it.

A string is a template: ``"chat"`` is itself, ``"{model}"`` the column's value with its type, ``"{category}/{id}"``
text. A table has one source (``from``, ``first``, ``join``, ``sum``, ``product``, ``difference``, ``ratio``, ``case``,
``count``, ``hash``, ``messages``) and any of the steps ``null_if``, ``case_fold``, ``replace``, ``match``, ``map``,
``unit``, ``scale``, ``round``, ``if_null``, which apply in that order. The reference for users is
analysis/importing.md.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
from trilemma.errors import ImportFileError

from trilemma_analysis.importing.conditions import parse_condition
from trilemma_analysis.importing.expressions import (
    Case,
    Constant,
    Count,
    Expression,
    Hash,
    Messages,
    Path,
    Source,
    Stepped,
    Template,
)
from trilemma_analysis.importing.frame import as_text

__all__ = ["UNITS", "parse_expression"]

# What one of the unit is in the registry's unit: seconds, tokens, currency, fractions.
UNITS = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0,
    "duration": 1.0,  # text that says its unit itself
    "percent": 1e-2, "cents": 1e-2, "thousand": 1e3, "million": 1e6, "per_thousand": 1e-3, "per_million": 1e-6,
}  # fmt: skip

_SOURCES = ("from", "first", "join", "sum", "product", "difference", "ratio", "case", "count", "hash", "messages")
_STEPS = ("null_if", "case_fold", "replace", "match", "map", "default", "unit", "scale", "round", "if_null")
_COMPANIONS = {"join": ("with",), "case": ("else",), "messages": ("role",)}
_TEMPLATE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def parse_expression(value: Any, what: str) -> Expression:
    """Read an expression as TOML gives it.

    Raises:
        ImportFileError: the mapping uses a word or shape that does not exist here.
    """
    if isinstance(value, str):
        return _parse_template(value, what)
    if isinstance(value, dict):
        return _parse_table(value, what)
    if isinstance(value, bool | int | float):
        return Constant(what, value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return Constant(what, value)
    raise ImportFileError(f"{what}: {value!r} is no expression; write a string, a number or a table")


def _parse_template(text: str, what: str) -> Expression:
    parts: list[Expression] = []
    literal, position = "", 0
    for match in _TEMPLATE.finditer(text):
        literal += text[position : match.start()]
        position = match.end()
        if match[1] is None:
            literal += match[0][0]
            continue
        path = match[1].strip()
        if not path:
            raise ImportFileError(f"{what}: {text!r} has empty braces; write {{column}}, or {{{{ for a brace")
        parts += [Constant(what, literal)] if literal else []
        parts.append(Path(what, path))
        literal = ""
    literal += text[position:]
    parts += [Constant(what, literal)] if literal or not parts else []
    return parts[0] if len(parts) == 1 else Template(what, tuple(parts))


def _parse_table(table: dict[str, Any], what: str) -> Expression:
    sources = [key for key in _SOURCES if key in table]
    if len(sources) != 1:
        raise ImportFileError(f"{what}: an expression has exactly one of {', '.join(_SOURCES)}; found {sorted(table)}")
    kind = sources[0]
    unknown = sorted(set(table) - {kind, *_STEPS, *_COMPANIONS.get(kind, ())})
    if unknown:
        raise ImportFileError(f"{what}: {unknown[0]!r} is no step of an expression; steps are {', '.join(_STEPS)}")
    source = _parse_source(kind, table, what)
    return _parse_steps(source, table, what) if set(table) & set(_STEPS) else source


def _parse_source(kind: str, table: dict[str, Any], what: str) -> Expression:
    value = table[kind]
    if kind == "from":
        return parse_expression(value, what)
    if kind == "count":
        return Count(what, parse_expression(value, what))
    if kind == "messages":
        return Messages(what, parse_expression(value, what), table.get("role", "user"))
    if not isinstance(value, list) or not value:
        raise ImportFileError(f"{what}: {kind} takes a list of expressions, not {value!r}")
    if kind == "hash":
        return Hash(what, tuple(parse_expression(item, what) for item in value))
    if kind == "case":
        for item in value:
            if not isinstance(item, dict) or set(item) != {"when", "then"}:
                raise ImportFileError(f"{what}: each case is {{ when = condition, then = value }}, not {item!r}")
        conditions = tuple(parse_condition(item["when"], what, parse_expression) for item in value)
        values = tuple(parse_expression(item["then"], what) for item in value)
        last = parse_expression(table["else"], what) if "else" in table else Constant(what, None)
        return Case(what, conditions, (*values, last))
    return Source(what, kind, tuple(parse_expression(item, what) for item in value), table.get("with", " "))


def _parse_steps(source: Expression, table: dict[str, Any], what: str) -> Expression:
    unit = table.get("unit", "s")
    if unit not in UNITS:
        raise ImportFileError(f"{what}: unit {unit!r} is unknown; units are {', '.join(UNITS)}")
    mapped = table.get("map", {})
    if not isinstance(mapped, dict) or len({type(value) for value in mapped.values()}) > 1:
        raise ImportFileError(f"{what}: map takes a table of values of one type, such as {{ true = 'success' }}")
    match = table.get("match")
    if match is not None and _count_groups(match, what) != 1:
        raise ImportFileError(f"{what}: match {match!r} takes a regular expression with one (?P<name>...) group")
    replaced = table.get("replace", {})
    if not isinstance(replaced, dict) or not all(isinstance(new, str) and old for old, new in replaced.items()):
        raise ImportFileError(f"{what}: replace takes a table of texts, such as {{ '$' = '', ',' = '' }}")
    null_if = table.get("null_if", [])
    scaled = "unit" in table or "scale" in table
    return Stepped(
        what,
        source,
        null_if=tuple(as_text(pa.array([v]))[0].as_py() for v in (null_if if isinstance(null_if, list) else [null_if])),
        replaced=replaced,
        spelled_out=unit == "duration",
        match=match,
        mapped=mapped,
        default=parse_expression(table["default"], what) if "default" in table else None,
        factor=UNITS[unit] * float(table.get("scale", 1)) if scaled else None,
        rounded=table.get("round", False),
        case_fold=table.get("case_fold", False),
        if_null=parse_expression(table["if_null"], what) if "if_null" in table else None,
    )


def _count_groups(pattern: Any, what: str) -> int:
    try:
        return len(re.compile(pattern).groupindex)
    except (re.error, TypeError) as error:
        raise ImportFileError(f"{what}: {pattern!r} is no regular expression: {error}") from error
