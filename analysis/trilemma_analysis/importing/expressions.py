"""Own the expressions of a mapping: how a value is made from a row's columns, without code.

They are evaluated on whole columns. How a mapping writes them is read in expression_parser.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trilemma_analysis.importing.casting import cast_column
from trilemma_analysis.importing.durations import read_durations
from trilemma_analysis.importing.frame import as_text, parse_list, spell_plainly
from trilemma_analysis.importing.hashing import hash_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma_analysis.importing.conditions import Condition
    from trilemma_analysis.importing.frame import Frame

__all__ = [
    "Case",
    "Constant",
    "Count",
    "Expression",
    "Hash",
    "Messages",
    "Path",
    "Source",
    "Stepped",
    "Template",
    "unify_types",
]


class Expression:
    """Make one value per row. ``what`` names the place in the mapping, for messages about bad values."""

    what: str

    def evaluate(self, frame: Frame) -> pa.Array:
        """Return one value per row of `frame`; bad rows are rejected on the frame and get null."""
        raise NotImplementedError

    def paths(self) -> Iterator[str]:
        """Yield every path the expression reads; one that may be absent ends in ``?``."""
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Expression):
    """The same value for each row."""

    what: str
    value: Any

    def evaluate(self, frame: Frame) -> pa.Array:
        return pa.repeat(pa.scalar(self.value), frame.size)

    def paths(self) -> Iterator[str]:
        return iter(())


@dataclass(frozen=True)
class Path(Expression):
    """The value at a path."""

    what: str
    path: str

    def evaluate(self, frame: Frame) -> pa.Array:
        return frame.column(self.path.removesuffix("?"))

    def paths(self) -> Iterator[str]:
        yield self.path


@dataclass(frozen=True)
class Template(Expression):
    """Text with paths in it; null where one of them is null."""

    what: str
    parts: tuple[Expression, ...]

    def evaluate(self, frame: Frame) -> pa.Array:
        texts = [as_text(part.evaluate(frame)).cast(pa.string()) for part in self.parts]
        return pc.binary_join_element_wise(*texts, "", null_handling="emit_null")

    def paths(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.paths()


@dataclass(frozen=True)
class Source(Expression):
    """One of the table sources over several parts: first, join, sum, product, difference, ratio."""

    what: str
    kind: str
    parts: tuple[Expression, ...]
    separator: str = " "

    def evaluate(self, frame: Frame) -> pa.Array:
        if self.kind == "join":
            texts = [pc.replace_with_mask(text, pc.equal(text, ""), pa.scalar(None, pa.string()))
                     for text in (as_text(part.evaluate(frame)).cast(pa.string()) for part in self.parts)]  # fmt: skip
            joined = pc.binary_join_element_wise(*texts, self.separator, null_handling="skip")
            return pc.if_else(pc.equal(joined, ""), None, joined)
        if self.kind == "first":
            return _coalesce([part.evaluate(frame) for part in self.parts])
        numbers = [cast_column(part.evaluate(frame), "double", self.what, frame) for part in self.parts]
        return reduce(_OPERATIONS[self.kind], numbers)

    def paths(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.paths()


@dataclass(frozen=True)
class Case(Expression):
    """The value of the first case whose condition holds, else the last expression's."""

    what: str
    conditions: tuple[Condition, ...]
    values: tuple[Expression, ...]

    def evaluate(self, frame: Frame) -> pa.Array:
        values = unify_types([value.evaluate(frame) for value in self.values])
        result = values[-1]
        for condition, value in zip(reversed(self.conditions), reversed(values[:-1]), strict=True):
            result = pc.if_else(condition.evaluate(frame), value, result)
        return result

    def paths(self) -> Iterator[str]:
        for condition in self.conditions:
            yield from condition.paths()
        for value in self.values:
            yield from value.paths()


@dataclass(frozen=True)
class Hash(Expression):
    """A digest of one or more values: the same for the same values, and none of their text is kept."""

    what: str
    parts: tuple[Expression, ...]

    def evaluate(self, frame: Frame) -> pa.Array:
        texts = [as_text(part.evaluate(frame)) for part in self.parts]
        digests = hash_rows(texts, frame.size, b"hash", 16)
        known = pc.is_valid(_coalesce(texts))
        return pc.if_else(known, pa.array([digest.tobytes().hex() for digest in digests], pa.string()), None)

    def paths(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.paths()


@dataclass(frozen=True)
class Count(Expression):
    """How many elements a list has, JSON text of one included; null where there is no list."""

    what: str
    source: Expression

    def evaluate(self, frame: Frame) -> pa.Array:
        lists = (parse_list(value) for value in self.source.evaluate(frame).to_pylist())
        return pa.array([None if found is None else len(found) for found in lists], pa.int64())

    def paths(self) -> Iterator[str]:
        return self.source.paths()


@dataclass(frozen=True)
class Messages(Expression):
    """Content as the semantic conventions write it: JSON of messages with roles and parts."""

    what: str
    source: Expression
    role: str

    def evaluate(self, frame: Frame) -> pa.Array:
        values = self.source.evaluate(frame).to_pylist()
        return pa.array([None if v is None else _write_messages(v, self.role) for v in values], pa.string())

    def paths(self) -> Iterator[str]:
        return self.source.paths()


@dataclass(frozen=True)
class Stepped(Expression):
    """A source followed by the steps, in the documented order."""

    what: str
    source: Expression
    null_if: tuple[str, ...] = ()
    case_fold: bool = False
    replaced: dict[str, str] = field(default_factory=dict)
    match: str | None = None
    mapped: dict[str, Any] = field(default_factory=dict)
    default: Expression | None = None
    spelled_out: bool = False
    factor: float | None = None
    rounded: bool = False
    if_null: Expression | None = None

    def evaluate(self, frame: Frame) -> pa.Array:
        values = self.source.evaluate(frame)
        if self.null_if:
            unknown = pa.array(self.null_if, pa.string())
            empty = pc.or_(
                pc.is_in(as_text(values), value_set=unknown), pc.is_in(spell_plainly(values), value_set=unknown)
            )
            values = pc.if_else(empty, None, values)
        if self.case_fold:
            values = pc.utf8_lower(as_text(values))
        for old, new in self.replaced.items():
            values = pc.replace_substring(as_text(values), pattern=old, replacement=new)
        if self.match is not None:
            found = pc.extract_regex(as_text(values), pattern=self.match)
            values = pc.struct_field(found, 0)
        if self.mapped:
            values = self._map(values, frame)
        if self.spelled_out:
            values = read_durations(values, self.what, frame)
        if self.factor is not None:
            values = pc.multiply(cast_column(values, "double", self.what, frame), self.factor)
        if self.rounded:
            values = pc.round(cast_column(values, "double", self.what, frame))
        return values if self.if_null is None else _coalesce([values, self.if_null.evaluate(frame)])

    def paths(self) -> Iterator[str]:
        for part in (self.source, self.default, self.if_null):
            if part is not None:
                yield from part.paths()

    def _map(self, values: pa.Array, frame: Frame) -> pa.Array:
        texts = as_text(values)
        keys = pa.array(list(self.mapped), pa.string())
        indices = pc.index_in(texts, value_set=keys)
        if pc.any(pc.and_(pc.is_valid(texts), pc.is_null(indices))).as_py():
            indices = pc.coalesce(indices, pc.index_in(spell_plainly(texts), value_set=spell_plainly(keys)))
        result = pa.array(list(self.mapped.values())).take(indices)
        unmapped = pc.and_(pc.is_valid(texts), pc.is_null(indices))
        if self.default is not None:
            return _choose(unmapped, self.default.evaluate(frame), result)
        frame.reject(
            unmapped.to_numpy(zero_copy_only=False),
            lambda index: f"{self.what}: {texts[index].as_py()!r} is none of the mapped values {sorted(self.mapped)}",
        )
        return result


def unify_types(arrays: list[pa.Array]) -> list[pa.Array]:
    """Bring arrays to one type: nulls to the others', integers to floats, all else to text."""
    kinds = {array.type for array in arrays if not pa.types.is_null(array.type)}
    if len(kinds) > 1:
        numeric = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
        return [array.cast(pa.float64()) if numeric else as_text(array) for array in arrays]
    target = kinds.pop() if kinds else pa.null()
    return [array.cast(target) for array in arrays]


def _coalesce(arrays: list[pa.Array]) -> pa.Array:
    return pc.coalesce(*unify_types(arrays))


def _choose(mask: pa.Array, yes: pa.Array, no: pa.Array) -> pa.Array:
    yes, no = unify_types([yes, no])
    return pc.if_else(mask, yes, no)


def _divide(left: pa.Array, right: pa.Array) -> pa.Array:
    """Divide; null where the divisor is 0."""
    return pc.divide(left, pc.if_else(pc.equal(right, 0.0), None, right))


_OPERATIONS = {"sum": pc.add, "product": pc.multiply, "difference": pc.subtract, "ratio": _divide}


def _write_messages(value: Any, role: str) -> str:
    """Write text, or a list of ``{role, content}``, as the conventions' messages."""
    parsed = value
    if isinstance(value, str) and value[:1] in "[{":
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
    listed = parsed if isinstance(parsed, list) and all(_is_message(item) for item in parsed) else None
    messages = listed or [{"role": role, "content": value if listed is None else ""}]
    return json.dumps([_write_message(message, role) for message in messages], ensure_ascii=False)


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and ("content" in item or "parts" in item)


def _write_message(message: dict[str, Any], role: str) -> dict[str, Any]:
    if "parts" in message:
        return message
    content = message["content"]
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return {"role": message.get("role", role), "parts": [{"type": "text", "content": text}]}
