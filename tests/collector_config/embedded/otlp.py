"""Own the OTLP requests that tests send, and the sending of bodies as they are."""

from __future__ import annotations

import http.client
import os
import uuid
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

if TYPE_CHECKING:
    from collections.abc import Mapping

START_NS = 1_800_000_000_000_000_000
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def unique_name() -> str:
    """Return a service name that no other test uses."""
    return f"service-{uuid.uuid4().hex}"


def make_traces(service: str, span_count: int = 1, **attributes: AnyValue) -> ExportTraceServiceRequest:
    """Return a request of spans with random ids."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name", value=AnyValue(string_value=service))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "tests", "1"
    trace_id = os.urandom(16)
    for number in range(span_count):
        span = scope_spans.spans.add(trace_id=trace_id, span_id=os.urandom(8), name="work", kind=3)
        span.start_time_unix_nano = START_NS + number
        span.end_time_unix_nano = START_NS + number + 1_500_000_000
        for key, value in attributes.items():
            span.attributes.add(key=key, value=value)
    return request


def make_logs(service: str, **attributes: AnyValue) -> ExportLogsServiceRequest:
    """Return a request of one log record."""
    request = ExportLogsServiceRequest()
    resource_logs = request.resource_logs.add()
    resource_logs.resource.attributes.add(key="service.name", value=AnyValue(string_value=service))
    record = resource_logs.scope_logs.add().log_records.add(time_unix_nano=START_NS, event_name="tests.event")
    for key, value in attributes.items():
        record.attributes.add(key=key, value=value)
    return request


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
    """POST a body and return the reply, whatever its status."""
    return send("POST", url, body, headers)


def send(method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """Send a request and return the reply, whatever its status."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target or "/", body, dict(headers or {}))
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


def count_spans(clickhouse: str, service: str) -> tuple[int, int]:
    """Return how many spans a service has, and how many different ones."""
    sql = "SELECT count(), uniqExact(span_id) FROM trilemma.spans WHERE service_name = {service:String}"
    reply = post(f"{clickhouse}/?param_service={service}", sql.encode(), {})
    assert reply.status == http.client.OK, reply.body
    count, different = reply.body.split()
    return int(count), int(different)
