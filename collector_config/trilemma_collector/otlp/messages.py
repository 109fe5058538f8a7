"""Own the OTLP messages as this collector reads them: the official ones, but with text as bytes.

An SDK that cuts an attribute at a byte limit can cut a character in half. A Protobuf ``string`` would then fail the
whole request of many spans; ``bytes`` is the same on the wire and takes it as it comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["REQUESTS", "ArrayValue", "KeyValueList", "MalformedRequestError", "check_request", "parse_request"]

FILES = (
    common_pb2,
    resource_pb2,
    trace_pb2,
    logs_pb2,
    metrics_pb2,
    trace_service_pb2,
    logs_service_pb2,
    metrics_service_pb2,
)
CHECKED_TO_THE_END_BYTES = 64 * 1024


class MalformedRequestError(ValueError):
    """Say what is wrong with a request; the sender is told not to send it again."""


def parse_request(signal: str, body: bytes) -> Any:
    """Decode a request.

    Raises:
        MalformedRequestError: the bytes are no such message.
    """
    return _decode(REQUESTS[signal], body)


def check_request(signal: str, body: bytes) -> None:
    """Check that a body is a request; one of more than 64 KiB down to the fields of its spans or log records.

    To decode every attribute of a large body would cost a tenth of what storing it does. What is broken so far inside
    is found when ClickHouse decodes it, and then kept aside.

    Raises:
        MalformedRequestError: the bytes are no such message.
    """
    _decode(REQUESTS[signal] if len(body) <= CHECKED_TO_THE_END_BYTES else _OUTLINES[signal], body)


def _decode(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError as error:
        raise MalformedRequestError(
            f"the body of {len(body):,} bytes is no {message.DESCRIPTOR.name}: {error}. "
            f"It may be cut short, compressed without Content-Encoding, or of another signal or version"
        ) from error


def _build_pool(*, opaque: Collection[str] = ()) -> descriptor_pool.DescriptorPool:
    """Return the messages with their text as bytes; those named opaque without their fields."""
    pool = descriptor_pool.DescriptorPool()
    for module in FILES:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        del file.service[:]
        for message in file.message_type:
            if message.name in opaque:
                message.ClearField("field")
        _turn_text_into_bytes(file.message_type)
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _turn_text_into_bytes(messages: Iterable[descriptor_pb2.DescriptorProto]) -> None:
    for message in messages:
        for field in message.field:
            if field.type == FieldDescriptorProto.TYPE_STRING:
                field.type = FieldDescriptorProto.TYPE_BYTES
        _turn_text_into_bytes(message.nested_type)


def _find(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"opentelemetry.proto.{name}"))


_POOL, _OUTLINE_POOL = _build_pool(), _build_pool(opaque={"Span", "LogRecord"})
_NAMES = {
    "traces": "collector.trace.v1.ExportTraceServiceRequest",
    "logs": "collector.logs.v1.ExportLogsServiceRequest",
    "metrics": "collector.metrics.v1.ExportMetricsServiceRequest",
}

ArrayValue = _find(_POOL, "common.v1.ArrayValue")
KeyValueList = _find(_POOL, "common.v1.KeyValueList")
REQUESTS = {signal: _find(_POOL, name) for signal, name in _NAMES.items()}
_OUTLINES = {signal: _find(_OUTLINE_POOL, name) for signal, name in _NAMES.items()}
