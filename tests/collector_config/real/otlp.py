"""Own OTLP on the wire for these tests: requests made by hand, posted, and received by a sink that keeps them."""

from __future__ import annotations

import gzip
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Value: TypeAlias = "str | bool | int | float | Sequence[str]"
START_NS = 1_790_000_000_000_000_000


class Received(NamedTuple):
    """One request as it came."""

    path: str
    body: bytes


class OtlpSink:
    """Take OTLP/HTTP on loopback and keep each request's bytes."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                sink.requests.append(Received(self.path, body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to send."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving and close the socket."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self) -> list[Span]:
        """Return all spans received so far."""
        requests = [ExportTraceServiceRequest.FromString(r.body) for r in self.requests if r.path == "/v1/traces"]
        return [s for q in requests for rs in q.resource_spans for ss in rs.scope_spans for s in ss.spans]

    def log_records(self) -> list[LogRecord]:
        """Return all log records received so far."""
        requests = [ExportLogsServiceRequest.FromString(r.body) for r in self.requests if r.path == "/v1/logs"]
        return [record for q in requests for rl in q.resource_logs for sl in rl.scope_logs for record in sl.log_records]


def make_span(
    trace: int,
    span: int,
    name: str = "work",
    *,
    parent: int = 0,
    failed: bool = False,
    duration_s: float = 0.5,
    events: Iterable[Span.Event] = (),
    **attributes: Value,
) -> Span:
    """Make a span; ``a__b`` in a keyword stands for the attribute ``a.b``."""
    return Span(
        trace_id=trace.to_bytes(16, "big"), span_id=span.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"", name=name, kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=START_NS, end_time_unix_nano=START_NS + int(duration_s * 1e9), events=events,
        attributes=write_attributes({key.replace("__", "."): value for key, value in attributes.items()}),
        status=Status(code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET),
    )  # fmt: skip


def write_traces(spans: Iterable[Span], scope: str = "test") -> bytes:
    """Write spans as one request of the service `shop`."""
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=Resource(attributes=write_attributes({"service.name": "shop"})),
                scope_spans=[ScopeSpans(scope=InstrumentationScope(name=scope), spans=spans)],
            )
        ]
    ).SerializeToString()


def write_logs(records: Iterable[LogRecord]) -> bytes:
    """Write log records as one request of the service `shop`."""
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=Resource(attributes=write_attributes({"service.name": "shop"})),
                scope_logs=[ScopeLogs(scope=InstrumentationScope(name="test"), log_records=records)],
            )
        ]
    ).SerializeToString()


def write_attributes(values: Mapping[str, Value]) -> list[KeyValue]:
    """Write Python values as OTLP attributes."""
    return [KeyValue(key=key, value=_write_value(value)) for key, value in values.items()]


def read_attributes(attributes: Iterable[KeyValue]) -> dict[str, Value]:
    """Read OTLP attributes as Python values."""
    return {attribute.key: _read_value(attribute.value) for attribute in attributes}


def post(url: str, body: bytes, headers: Mapping[str, str] | None = None, timeout_s: float = 60) -> int:
    """Post one OTLP request and return the status; an HTTP error raises."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf", **(headers or {})})
    with urllib.request.urlopen(request, timeout=timeout_s) as reply:
        reply.read()
        return int(reply.status)


def _write_value(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case _:
            return AnyValue(array_value=ArrayValue(values=[_write_value(item) for item in value]))


def _read_value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_read_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else ""
