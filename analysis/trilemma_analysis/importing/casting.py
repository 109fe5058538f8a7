"""Own the cast of a column to the type that the registry gives a concept; a value that does not fit is a bad row."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trilemma_analysis.importing.frame import as_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from trilemma_analysis.importing.frame import Frame

__all__ = ["ARROW_TYPES", "cast_column"]

ARROW_TYPES = {
    "string": pa.string(),
    "json": pa.string(),
    "int": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "string[]": pa.list_(pa.string()),
}
_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")


def cast_column(values: pa.Array, kind: str, what: str, frame: Frame) -> pa.Array:
    """Return `values` as the registry's type `kind`; a row whose value does not fit is rejected and becomes null."""
    if kind in {"string", "json"}:
        return as_text(values).cast(pa.string())
    if pa.types.is_null(values.type):
        return values.cast(ARROW_TYPES[kind])
    quick = _cast_quickly(values, kind)
    if quick is not None and (kind != "double" or pc.all(pc.is_finite(quick)).as_py() is not False):
        return quick
    return _cast_each(values, kind, what, frame)


def _cast_quickly(values: pa.Array, kind: str) -> pa.Array | None:
    """Cast the whole column at once, or return None where that is not possible without a loss."""
    source = values.type
    if kind == "boolean" and not pa.types.is_boolean(source):
        return None
    if kind == "string[]" and not pa.types.is_list(source):
        return None
    if kind in {"int", "double"} and pa.types.is_boolean(source):
        return values.cast(pa.int8()).cast(ARROW_TYPES[kind])
    try:
        return values.cast(ARROW_TYPES[kind])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _cast_each(values: pa.Array, kind: str, what: str, frame: Frame) -> pa.Array:
    """Cast value by value, which tells the good from the bad."""
    results: list[Any] = []
    bad = np.zeros(len(values), dtype=bool)
    plain = values.to_pylist()
    for index, value in enumerate(plain):
        try:
            results.append(None if value is None else _CASTS[kind](value))
        except (ValueError, OverflowError, TypeError):
            results.append(None)
            bad[index] = True
    frame.reject(bad, lambda index: f"{what}: {str(plain[index])[:80]!r} is no {_NAMES[kind]}")
    return pa.array(results, ARROW_TYPES[kind])


def _read_truth(value: Any) -> Any:
    """Return 1 or 0 for a truth value written as text, as one that is no text is read; else the value."""
    return {"true": 1, "false": 0}.get(value.strip().lower(), value) if isinstance(value, str) else value


def _to_int(value: Any) -> int:
    value = _read_truth(value)
    number = float(value) if not isinstance(value, str) or not value.strip().lstrip("-").isdigit() else int(value)
    if number != int(number) or abs(number) >= 2**63:
        raise ValueError(value)
    return int(number)


def _to_double(value: Any) -> float | None:
    number = float(_read_truth(value))
    if math.isinf(number):
        raise ValueError(value)
    return None if math.isnan(number) else number


def _to_boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in _TRUE + _FALSE:
        raise ValueError(value)
    return text in _TRUE


def _to_strings(value: Any) -> list[str]:
    if isinstance(value, str) and value.startswith("["):
        value = json.loads(value)
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


_CASTS: dict[str, Callable[[Any], Any]] = {
    "int": _to_int,
    "double": _to_double,
    "boolean": _to_boolean,
    "string[]": _to_strings,
}
_NAMES = {"int": "whole number", "double": "number", "boolean": "true or false", "string[]": "list of strings"}
