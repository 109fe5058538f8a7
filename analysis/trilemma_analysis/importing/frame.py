"""Own a batch of rows while it is mapped: columns by path, and the rows that turned out to be bad."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trilemma_analysis.importing.paths import split_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Column", "Frame", "as_array", "as_text", "list_items", "parse_list", "spell_plainly"]

# A column is an Arrow array, or a list of Python objects where a log holds JSON of any shape.
Column = Any

_MISSING: Any = None
_NUMBER = re.compile(r"\s*[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})(?:[eE][+-]?\d{1,2})?\s*")


class Frame:
    """Hold `size` rows of a log, of which ``rows[i]`` is the source row that row `i` stems from.

    After an explode several rows stem from one source row; a bad one among them condemns its source row, so that a
    source row is loaded whole or not at all.
    """

    def __init__(self, columns: Mapping[str, Column], rows: np.ndarray, reasons: dict[int, str]) -> None:
        self.columns = dict(columns)
        self.rows = rows
        self.reasons = reasons
        self._cache: dict[str, pa.Array] = {}

    @property
    def size(self) -> int:
        """Return how many rows there are."""
        return len(self.rows)

    def column(self, path: str) -> pa.Array:
        """Return the values at `path` as an Arrow array; null where the path leads nowhere."""
        if path not in self._cache:
            self._cache[path] = as_array(self.raw_column(path), self.size)
        return self._cache[path]

    def raw_column(self, path: str) -> Column:
        """Return the values at `path` as they are held: an Arrow array or a list of objects."""
        root, steps = split_path(path, self.columns)
        if root is None:
            return pa.nulls(self.size)
        column = self.columns[root]
        for position, step in enumerate(steps):
            column = _descend(column, step)
            if isinstance(column, list):
                return [_walk(value, steps[position + 1 :]) for value in column]
        return column

    def add(self, name: str, column: Column) -> None:
        """Give the rows one more column, or another value of one."""
        self.columns[name] = column
        self._cache.clear()

    def take(self, indices: np.ndarray) -> Frame:
        """Return the rows at `indices`, in that order; bad rows are reported to the same place."""
        columns = {name: _take(column, indices) for name, column in self.columns.items()}
        return Frame(columns, self.rows[indices], self.reasons)

    def reject(self, bad: np.ndarray, reason: Callable[[int], str]) -> None:
        """Note why the rows marked in the boolean array `bad` cannot be loaded; a row's first reason stays."""
        for index in np.flatnonzero(bad):
            self.reasons.setdefault(int(self.rows[index]), reason(int(index)))

    def good(self) -> np.ndarray:
        """Return a boolean array: True where the row's source row has not been rejected."""
        if not self.reasons:
            return np.ones(self.size, dtype=bool)
        return ~np.isin(self.rows, np.fromiter(self.reasons, dtype=np.int64))

    def explode(self, path: str, index_name: str) -> Frame:
        """Return one row per element of the list at `path`; the path then leads to the element.

        An object counts as the list of its values, each of which has its key as ``@key``. A row whose list is empty or
        null yields no row. `index_name` is the column that counts the elements from 0.
        """
        counts, items = _flatten(self.raw_column(path), path, self)
        parents = np.repeat(np.arange(self.size), counts)
        exploded = self.take(parents)
        exploded.add(path, items)
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        exploded.add(index_name, pa.array(np.arange(len(parents)) - starts))
        return exploded

    def repeat(self, counts: np.ndarray, index_name: str) -> Frame:
        """Return row `i` ``counts[i]`` times; `index_name` is the column that counts the copies from 0."""
        repeated = self.take(np.repeat(np.arange(self.size), counts))
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        repeated.add(index_name, pa.array(np.arange(repeated.size) - starts))
        return repeated


def as_array(column: Column, size: int) -> pa.Array:
    """Return a column as one Arrow array of `size`; objects that are no scalars become JSON text."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.Array):
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_large_string(column.type):
            column = column.cast(pa.string())
        return pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column
    values = [json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value for value in column]
    assert len(values) == size, f"a column of {len(values)} values in a frame of {size} rows"
    return _infer(values)


def as_text(array: pa.Array) -> pa.Array:
    """Return the values as text, one spelling per value: true, 12, 0.5, 2024-07-25T00:00:00."""
    kind = array.type
    if pa.types.is_string(kind):
        return array
    if pa.types.is_timestamp(kind):
        return pc.strftime(array, format="%Y-%m-%dT%H:%M:%S%z" if kind.tz else "%Y-%m-%dT%H:%M:%S")
    if pa.types.is_nested(kind):
        return pa.array([None if v is None else json.dumps(v, default=str) for v in array.to_pylist()], pa.string())
    return array.cast(pa.string())


def spell_plainly(array: pa.Array) -> pa.Array:
    """Return the values as text; numbers and truth values are spelled alike however a log has them: 1, 1.0 and "1"."""
    encoded = as_text(array).cast(pa.string()).dictionary_encode()
    return pa.array([_spell_one(text) for text in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def list_items(value: Any) -> list[Any] | None:
    """Return the elements of a list, or of an object, whose keys become their ``@key``; None for anything else."""
    if isinstance(value, dict):
        known = {key: item for key, item in value.items() if item is not None}
        return [{**item, "@key": key} if isinstance(item, dict) else {"@key": key, "@value": item}
                for key, item in known.items()]  # fmt: skip
    return value if isinstance(value, list) else None


def parse_list(value: Any) -> list[Any] | None:
    """Return a list, or the list that JSON text holds; None for anything else."""
    parsed = _parse_json(value) if isinstance(value, str) else value
    return parsed if isinstance(parsed, list) else None


def _infer(values: list[Any]) -> pa.Array:
    """Build an array of the values' own type, or of text where types are mixed in one column."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and float in kinds:
        return as_array(pa.array([None if value is None else float(value) for value in values]), len(values))
    try:
        if len(kinds) <= 1:
            return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        pass
    return pa.array([_spell(value) for value in values], pa.string())


def _spell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)


def _descend(column: Column, step: str) -> Column:
    """Go one step down: into a struct, a list, a list of objects, or JSON text."""
    if isinstance(column, list):
        return [_walk(value, [step]) for value in column]
    kind = column.type
    if pa.types.is_struct(kind):
        return pc.struct_field(column, step) if kind.get_field_index(step) >= 0 else pa.nulls(len(column))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [_walk(_parse_json(text), [step]) for text in column.to_pylist()]
    return [_walk(value, [step]) for value in column.to_pylist()]


def _walk(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, str):
            value = _parse_json(value)
        if isinstance(value, dict):
            value = value.get(step, _MISSING)
        elif isinstance(value, list) and step.lstrip("-").isdigit():
            value = value[int(step)] if -len(value) <= int(step) < len(value) else None
        else:
            return None
    return value


def _parse_json(text: str | None) -> Any:
    if not text or text[0] not in "{[":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _take(column: Column, indices: np.ndarray) -> Column:
    if isinstance(column, list):
        return [column[index] for index in indices]
    return column.take(pa.array(indices))


def _flatten(column: Column, path: str, frame: Frame) -> tuple[np.ndarray, Column]:
    """Return how many elements each row's list has, and all elements in one column."""
    if isinstance(column, pa.Array) and (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        return counts.astype(np.int64), pc.list_flatten(column)
    lists = list(_read_lists(column))
    frame.reject(
        np.array([not isinstance(value, list | None) for value in lists], dtype=bool),
        lambda index: f"{path}: expected a list, found {str(lists[index])[:60]!r}",
    )
    lists = [value if isinstance(value, list) else [] for value in lists]
    return np.array([len(value) for value in lists], dtype=np.int64), [item for value in lists for item in value]


def _read_lists(column: Column) -> Iterator[Any]:
    for value in column if isinstance(column, list) else column.to_pylist():
        parsed = _parse_json(value) if isinstance(value, str) else value
        found = list_items(parsed)
        yield value if found is None else found


def _spell_one(text: str) -> str:
    folded = text.strip().lower()
    if folded in {"true", "false"}:
        return folded
    return str(as_text(pa.array([float(text) + 0.0]))[0]) if _NUMBER.fullmatch(text) else text  # -0.0 + 0.0 is 0.0
