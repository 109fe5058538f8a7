"""Own the shape in which rows land: Arrow tables with the columns of the OTLP landing tables otel_traces, otel_logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trilemma_analysis.importing.frame import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EventColumns", "SpanColumns", "build_logs", "build_traces", "spell_ids", "write_attribute"]

SCOPE_NAME, SCOPE_VERSION = "trilemma", "import"
_SEVERITY_INFO = 9  # https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber


@dataclass(frozen=True)
class SpanColumns:
    """Spans of one kind, a column each; ``rows[i]`` is the source row of span `i`, ``duration_ns`` 0 is unknown."""

    rows: np.ndarray
    trace: np.ndarray
    span: np.ndarray
    parent: np.ndarray | None
    started_ns: np.ndarray
    duration_ns: np.ndarray
    name: pa.Array
    kind: str
    service: pa.Array
    error: pa.Array
    message: pa.Array
    attributes: Mapping[str, pa.Array]


@dataclass(frozen=True)
class EventColumns:
    """Evaluation events, a column each; ``span`` is what was judged."""

    rows: np.ndarray
    trace: np.ndarray
    span: np.ndarray
    time_ns: np.ndarray
    service: pa.Array
    attributes: Mapping[str, pa.Array]


def build_traces(parts: list[SpanColumns], chosen: np.ndarray, mapping_id: str) -> pa.Table:
    """Return the rows for otel_traces of all spans whose source row is in the boolean array `chosen`."""
    return pa.concat_tables([_build_trace(part, chosen[part.rows], mapping_id) for part in parts]).combine_chunks()


def build_logs(parts: list[EventColumns], chosen: np.ndarray, mapping_id: str) -> pa.Table:
    """Return the rows for otel_logs of all events whose source row is in the boolean array `chosen`."""
    tables = [_build_log(part, chosen[part.rows], mapping_id) for part in parts]
    return pa.concat_tables(tables).combine_chunks() if tables else pa.table({})


def write_attribute(values: pa.Array) -> pa.Array:
    """Return values as the exporter writes attributes: text, and lists as JSON; empty text is an absent attribute."""
    if pa.types.is_list(values.type):
        lists = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values.to_pylist()]
        return pa.array(lists, pa.string())
    texts = as_text(values).cast(pa.string())
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def spell_ids(words: np.ndarray) -> pa.Array:
    """Return 64-bit words, one or more a row, as lower-case hex."""
    width = 16 * (words.shape[1] if words.ndim > 1 else 1)
    text = np.ascontiguousarray(words.astype(">u8")).tobytes().hex().encode()
    fixed: Any = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(words), [None, pa.py_buffer(text)])
    return fixed.cast(pa.binary()).cast(pa.string())


def _build_trace(part: SpanColumns, mask: np.ndarray, mapping_id: str) -> pa.Table:
    size = int(mask.sum())
    keep = pa.array(mask)
    parent = spell_ids(part.parent[mask]) if part.parent is not None else _repeat("", size)
    service = part.service.filter(keep)
    return pa.table(
        {
            "Timestamp": _timestamps(part.started_ns[mask]),
            "TraceId": spell_ids(part.trace[mask]),
            "SpanId": spell_ids(part.span[mask]),
            "ParentSpanId": parent,
            "SpanName": part.name.filter(keep),
            "SpanKind": _repeat(part.kind, size),
            "ServiceName": service,
            "ResourceAttributes": _build_resource(service, mapping_id),
            "ScopeName": _repeat(SCOPE_NAME, size),
            "ScopeVersion": _repeat(SCOPE_VERSION, size),
            "SpanAttributes": _build_map(part.attributes, keep, size),
            "Duration": pa.array(part.duration_ns[mask].astype(np.uint64)),
            "StatusCode": pc.if_else(part.error.filter(keep), "Error", "Unset"),
            "StatusMessage": pc.fill_null(part.message.filter(keep), ""),
        }
    )


def _build_log(part: EventColumns, mask: np.ndarray, mapping_id: str) -> pa.Table:
    size = int(mask.sum())
    keep = pa.array(mask)
    service = part.service.filter(keep)
    return pa.table(
        {
            "Timestamp": _timestamps(part.time_ns[mask]),
            "TraceId": spell_ids(part.trace[mask]),
            "SpanId": spell_ids(part.span[mask]),
            "SeverityText": _repeat("INFO", size),
            "SeverityNumber": pa.repeat(pa.scalar(_SEVERITY_INFO, pa.uint8()), size),
            "ServiceName": service,
            "ResourceAttributes": _build_resource(service, mapping_id),
            "ScopeName": _repeat(SCOPE_NAME, size),
            "ScopeVersion": _repeat(SCOPE_VERSION, size),
            "LogAttributes": _build_map(part.attributes, keep, size),
            "EventName": _repeat("gen_ai.evaluation.result", size),
        }
    )


def _build_map(attributes: Mapping[str, pa.Array], keep: pa.Array, size: int) -> pa.Array:
    """Return one map of text to text per row, with the attributes that the row has."""
    names = sorted(attributes)
    if not names or size == 0:
        return _map_from(np.zeros(size + 1, dtype=np.int32), pa.array([], pa.string()), pa.array([], pa.string()))
    columns = [attributes[name].filter(keep) for name in names]
    present = np.stack([pc.is_valid(column).to_numpy(zero_copy_only=False) for column in columns], axis=1)
    rows, places = np.nonzero(present)  # row by row, and in each row name by name
    offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
    values = pa.concat_arrays(columns).take(pa.array(places * size + rows))
    return _map_from(offsets, pa.array(names, pa.string()).take(pa.array(places)), values)


def _build_resource(service: pa.Array, mapping_id: str) -> pa.Array:
    size = len(service)
    constant = {"service.name": service, "trilemma.import.mapping": _repeat(mapping_id, size)}
    return _build_map(constant, pa.repeat(pa.scalar(value=True), size), size)


def _map_from(offsets: np.ndarray, keys: pa.Array, values: pa.Array) -> pa.Array:
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, values)


def _repeat(text: str, size: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), size)


def _timestamps(moments_ns: np.ndarray) -> pa.Array:
    return pa.array(moments_ns.astype(np.int64)).cast(pa.timestamp("ns", "UTC"))
