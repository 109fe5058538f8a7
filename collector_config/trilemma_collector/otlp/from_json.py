"""Own OTLP/JSON: turn a request in JSON into the same request in Protobuf.

OTLP/JSON is the JSON form of Protobuf with one exception that a Protobuf library does not know: trace and span ids are
hexadecimal, not base64. https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from trilemma_collector.otlp.messages import MalformedRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["convert_document", "convert_json", "parse_json"]

REQUESTS: dict[str, Any] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
ID_BYTES = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def convert_json(signal: str, body: bytes) -> bytes:
    """Return a request given in OTLP/JSON as Protobuf bytes.

    Raises:
        MalformedRequestError: it is not JSON, not such a message, or an id is not hexadecimal.
    """
    document = parse_json(body)
    if not isinstance(document, dict):
        raise MalformedRequestError(f"the body is a JSON {type(document).__name__}, not an object")
    return convert_document(signal, document)


def parse_json(body: bytes) -> Any:
    """Return what a body says in JSON.

    Raises:
        MalformedRequestError: it is not JSON.
    """
    try:
        return json.loads(body)
    except ValueError as error:
        raise MalformedRequestError(f"the body is not JSON: {error}") from error


def convert_document(signal: str, document: dict[str, Any]) -> bytes:
    """Return a parsed request as Protobuf bytes; its ids are written over.

    Raises:
        MalformedRequestError: it is not such a message, or an id is not hexadecimal.
    """
    message = REQUESTS[signal]()
    try:
        for holder in _walk_id_holders(signal, document):
            _decode_ids(holder)
        json_format.ParseDict(document, message, ignore_unknown_fields=True)
    except (json_format.ParseError, AttributeError, TypeError, RecursionError) as error:
        raise MalformedRequestError(f"the body is no {message.DESCRIPTOR.name} in JSON: {error}") from error
    return bytes(message.SerializeToString())


def _walk_id_holders(signal: str, document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every object of a request that may hold ids: spans, their links, log records."""
    if signal == "traces":
        for span in _walk(document, "resourceSpans", "scopeSpans", "spans"):
            yield span
            yield from _walk(span, "links")
    elif signal == "logs":
        yield from _walk(document, "resourceLogs", "scopeLogs", "logRecords")


def _walk(node: dict[str, Any], *keys: str) -> Iterator[dict[str, Any]]:
    if not keys:
        yield node
        return
    for child in node.get(keys[0]) or ():
        yield from _walk(child, *keys[1:])


def _decode_ids(holder: dict[str, Any]) -> None:
    for key, length in ID_BYTES.items():
        text = holder.get(key)
        if not text:
            continue
        try:
            raw = bytes.fromhex(text)
        except (TypeError, ValueError) as error:
            raise MalformedRequestError(f"{key} {text!r} is not hexadecimal") from error
        if len(raw) != length:
            raise MalformedRequestError(f"{key} {text!r} has {len(raw)} bytes instead of {length}")
        holder[key] = base64.b64encode(raw).decode("ascii")
