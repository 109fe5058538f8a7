"""Own the conditions of a mapping: which rows are taken, and which case of a value holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from trilemma.errors import ImportFileError

from trilemma_analysis.importing.casting import cast_column
from trilemma_analysis.importing.frame import as_text, spell_plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trilemma_analysis.importing.expressions import Expression
    from trilemma_analysis.importing.frame import Frame

__all__ = ["Condition", "parse_condition"]

_COMPARISONS = {
    "below": pc.less,
    "at_most": pc.less_equal,
    "above": pc.greater,
    "at_least": pc.greater_equal,
}
_TESTS = ("is", "is_not", "in", "not_in", "is_null", "matches", *_COMPARISONS)


class Condition:
    """Hold or not, per row; a comparison with null does not hold."""

    def evaluate(self, frame: Frame) -> pa.Array:
        """Return a boolean array without nulls."""
        raise NotImplementedError

    def paths(self) -> Iterator[str]:
        """Yield every path the condition reads."""
        raise NotImplementedError


@dataclass(frozen=True)
class Combined(Condition):
    """All of, any of, or not."""

    kind: str
    parts: tuple[Condition, ...]

    def evaluate(self, frame: Frame) -> pa.Array:
        values = [part.evaluate(frame) for part in self.parts]
        if self.kind == "not":
            return pc.invert(values[0])
        return reduce(pc.and_ if self.kind == "all" else pc.or_, values)

    def paths(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.paths()


@dataclass(frozen=True)
class Test(Condition):
    """One value against one or more others."""

    what: str
    value: Expression
    kind: str
    against: tuple[Expression, ...] = ()
    pattern: str = ""
    wanted: bool = True

    def evaluate(self, frame: Frame) -> pa.Array:
        values = self.value.evaluate(frame)
        if self.kind == "is_null":
            return pc.equal(pc.is_null(values), self.wanted)
        if self.kind == "holds":
            return pc.fill_null(cast_column(values, "boolean", self.what, frame), fill_value=False)
        if self.kind == "matches":
            return pc.fill_null(pc.match_substring_regex(as_text(values), pattern=self.pattern), fill_value=False)
        if self.kind in _COMPARISONS:
            numbers = [cast_column(v, "double", self.what, frame) for v in (values, self.against[0].evaluate(frame))]
            return pc.fill_null(_COMPARISONS[self.kind](*numbers), fill_value=False)
        found = reduce(pc.or_, [_are_equal(values, each.evaluate(frame)) for each in self.against])
        return pc.invert(found) if self.kind in {"is_not", "not_in"} else found

    def paths(self) -> Iterator[str]:
        for part in (self.value, *self.against):
            yield from part.paths()


def _are_equal(values: pa.Array, others: pa.Array) -> pa.Array:
    """Compare as text; with a number or a truth value, by what is meant: 1, 1.0 and "1", true and "True" are equal."""
    plain = pa.types.is_boolean(others.type) or pa.types.is_integer(others.type) or pa.types.is_floating(others.type)
    left, right = ((spell_plainly if plain else as_text)(each) for each in (values, others))
    return pc.fill_null(pc.equal(left.cast(pa.string()), right.cast(pa.string())), fill_value=False)


def parse_condition(value: Any, what: str, parse: Callable[[Any, str], Expression]) -> Condition:
    """Read a condition as TOML gives it; `parse` reads the expressions in it.

    Raises:
        ImportFileError: the mapping uses a word or shape that does not exist here.
    """
    if isinstance(value, str):
        return Test(what, parse(value, what), "holds")
    if not isinstance(value, dict):
        raise ImportFileError(f"{what}: {value!r} is no condition; write '{{column}}' or a table")
    for kind in ("all", "any", "not"):
        if kind in value:
            _refuse_others(value, {kind}, what)
            parts = value[kind] if isinstance(value[kind], list) else [value[kind]]
            if not parts or (kind == "not" and len(parts) > 1):
                raise ImportFileError(f"{what}: {kind} takes {'one condition' if kind == 'not' else 'conditions'}")
            return Combined(kind, tuple(parse_condition(part, what, parse) for part in parts))
    return _parse_test(value, what, parse)


def _parse_test(value: dict[str, Any], what: str, parse: Callable[[Any, str], Expression]) -> Condition:
    kinds = [kind for kind in _TESTS if kind in value]
    if "value" not in value or len(kinds) != 1:
        raise ImportFileError(f"{what}: a condition has a value and one of {', '.join(_TESTS)}; found {sorted(value)}")
    kind = kinds[0]
    _refuse_others(value, {"value", kind}, what)
    subject, operand = parse(value["value"], what), value[kind]
    if kind == "is_null":
        return Test(what, subject, kind, wanted=bool(operand))
    if kind == "matches":
        try:
            re.compile(operand)
        except (re.error, TypeError) as error:
            raise ImportFileError(f"{what}: {operand!r} is no regular expression: {error}") from error
        return Test(what, subject, kind, pattern=operand)
    if kind in {"in", "not_in"} and not (isinstance(operand, list) and operand):
        raise ImportFileError(f"{what}: {kind} takes a list of values, not {operand!r}")
    operands = operand if kind in {"in", "not_in"} else [operand]
    return Test(what, subject, kind, tuple(parse(item, what) for item in operands))


def _refuse_others(value: dict[str, Any], allowed: set[str], what: str) -> None:
    others = sorted(set(value) - allowed)
    if others:
        raise ImportFileError(f"{what}: {others[0]!r} does not go with {', '.join(sorted(allowed))} in a condition")
