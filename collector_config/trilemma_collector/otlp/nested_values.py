"""Own the text form of attribute values that nest: JSON, byte for byte as the Go collector writes it.

ClickHouse calls these functions while it decodes a segment, for arrays and key-value lists only: a column's type cannot
nest without bound. The form is that of ``pcommon.Value.AsString`` (v1.67.0): keys sorted, numbers as in JavaScript.
https://github.com/open-telemetry/opentelemetry-collector/blob/pdata/v1.67.0/pdata/pcommon/value.go
"""

from __future__ import annotations

import base64
import json
import math
from decimal import Decimal
from functools import lru_cache
from typing import Any

from trilemma_collector.otlp.messages import ArrayValue, KeyValueList

__all__ = ["FUNCTIONS", "array_to_json", "kvlist_to_json"]

# Go's encoding/json escapes these two in any case: JavaScript takes them for line ends.
LINE_SEPARATORS = str.maketrans({"\u2028": "\\u2028", "\u2029": "\\u2029"})


class _NotJsonError(ValueError):
    """Say that a value has no JSON form (NaN, infinity); Go's encoder then writes nothing at all."""


@lru_cache(maxsize=4096)
def array_to_json(hex_bytes: str) -> str:
    """Return the JSON of an ArrayValue message given in hexadecimal."""
    return _write_document(_read_array(ArrayValue.FromString(bytes.fromhex(hex_bytes))))


@lru_cache(maxsize=1024)
def kvlist_to_json(hex_bytes: str) -> str:
    """Return the JSON of a KeyValueList message given in hexadecimal."""
    return _write_document(_read_map(KeyValueList.FromString(bytes.fromhex(hex_bytes))))


# Under these names insert_traces.sql and insert_logs.sql call them.
FUNCTIONS = {"otlp_array_to_json": array_to_json, "otlp_kvlist_to_json": kvlist_to_json}


def _read_value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return _read_array(value.array_value)
    if kind == "kvlist_value":
        return _read_map(value.kvlist_value)
    if kind == "string_value":
        return value.string_value.decode("utf-8", "replace")
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode("ascii")
    return None if kind is None else getattr(value, kind)


def _read_array(array: Any) -> list[Any]:
    return [_read_value(value) for value in array.values]


def _read_map(pairs: Any) -> dict[str, Any]:
    return {pair.key.decode("utf-8", "replace"): _read_value(pair.value) for pair in pairs.values}


def _write_document(value: Any) -> str:
    try:
        return _write(value)
    except _NotJsonError:
        return ""


def _write(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_write, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_write(key)}:{_write(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).translate(LINE_SEPARATORS)
    return _write_float(value) if isinstance(value, float) else json.dumps(value)


def _write_float(value: float) -> str:
    """Write a double as Go does: no ``.0``, and an exponent only below 1e-6 and from 1e21 on."""
    if not math.isfinite(value):
        raise _NotJsonError
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return text.removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa.removesuffix('.0')}e{exponent[0]}{exponent[1:].lstrip('0')}"
