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
    from collections.abc import Iterable

__all__ = ["REQUESTS", "ArrayValue", "KeyValueList", "MalformedRequestError", "parse_request"]

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


class MalformedRequestError(ValueError):
    """Say what is wrong with a request; the sender is told not to send it again."""


def parse_request(signal: str, body: bytes) -> Any:
    """Decode a request.

    Raises:
        MalformedRequestError: the bytes are no such message.
    """
    try:
        return REQUESTS[signal].FromString(body)
    except DecodeError as error:
        raise MalformedRequestError(
            f"the body of {len(body):,} bytes is no {REQUESTS[signal].DESCRIPTOR.name}: {error}. "
            f"It may be cut short, compressed without Content-Encoding, or of another signal or version"
        ) from error


def _build_pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for module in FILES:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        del file.service[:]
        _turn_text_into_bytes(file.message_type)
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def _turn_text_into_bytes(messages: Iterable[descriptor_pb2.DescriptorProto]) -> None:
    for message in messages:
        for field in message.field:
            if field.type == FieldDescriptorProto.TYPE_STRING:
                field.type = FieldDescriptorProto.TYPE_BYTES
        _turn_text_into_bytes(message.nested_type)


def _find(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"opentelemetry.proto.{name}"))


_POOL = _build_pool()

ArrayValue = _find("common.v1.ArrayValue")
KeyValueList = _find("common.v1.KeyValueList")
REQUESTS: dict[str, Any] = {
    "traces": _find("collector.trace.v1.ExportTraceServiceRequest"),
    "logs": _find("collector.logs.v1.ExportLogsServiceRequest"),
    "metrics": _find("collector.metrics.v1.ExportMetricsServiceRequest"),
}
