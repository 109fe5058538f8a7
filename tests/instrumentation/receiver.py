"""Own a real OTLP receiver on loopback for tests: HTTP and gRPC, and the ways in which a collector can fail."""

from __future__ import annotations

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTS: dict[str, Any] = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
}


def read_value(value: Any) -> Any:
    """Turn an OTLP value into a Python one."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [read_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


def read_attributes(attributes: Any) -> dict[str, Any]:
    """Turn OTLP attributes into a dict."""
    return {each.key: read_value(each.value) for each in attributes}


@dataclass
class ReceivedSpan:
    """A span as it arrived, with what it is nested in."""

    name: str
    scope: str
    kind: int
    trace_id: str
    span_id: str
    parent_span_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    status_code: int


@dataclass
class ReceivedEvent:
    """A log record as it arrived."""

    name: str
    time_ns: int
    trace_id: str
    span_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]


@dataclass
class Receiver:
    """Receive on `port` (0: a free one); answer with `status`, after `delay_s`."""

    port: int = 0
    status: int = 200
    delay_s: float = 0.0
    sizes: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    requests: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(receiver.delay_s)
                receiver.take(self.path, body, dict(self.headers))
                try:
                    self.send_response(receiver.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:  # the exporter did not wait
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Say where to send."""
        return f"http://127.0.0.1:{self.port}"

    def take(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Keep a request, unless it is to be refused."""
        self.sizes.append(len(body))
        if self.status == 200:
            self.headers.append({key.lower(): value for key, value in headers.items()})
            raw = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
            self.requests.append((path, REQUESTS[path].FromString(raw)))

    def close(self) -> None:
        """Stop and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self) -> list[ReceivedSpan]:
        """Return the spans so far, in order of arrival."""
        return [
            ReceivedSpan(
                span.name, scope.scope.name, span.kind, span.trace_id.hex(), span.span_id.hex(),
                span.parent_span_id.hex(), read_attributes(span.attributes),
                read_attributes(group.resource.attributes), span.status.code,
            )
            for path, request in list(self.requests) if path == "/v1/traces"
            for group in request.resource_spans for scope in group.scope_spans for span in scope.spans
        ]  # fmt: skip

    def events(self) -> list[ReceivedEvent]:
        """Return the log records so far, in order of arrival."""
        return [
            ReceivedEvent(
                record.event_name, record.time_unix_nano, record.trace_id.hex(), record.span_id.hex(),
                read_attributes(record.attributes), read_attributes(group.resource.attributes),
            )
            for path, request in list(self.requests) if path == "/v1/logs"
            for group in request.resource_logs for scope in group.scope_logs for record in scope.log_records
        ]  # fmt: skip

    def wait_for(self, condition: Callable[[], object], limit_s: float = 10.0) -> None:
        """Wait until `condition` holds; fail after `limit_s`."""
        ends_at_s = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < ends_at_s, f"nothing came: {self.requests}"
            time.sleep(0.02)


class GrpcReceiver:
    """Receive OTLP over gRPC on a free port."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self._server = grpc.server(ThreadPoolExecutor(2))
        receiver = self

        class Traces(trace_service_pb2_grpc.TraceServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name
                receiver.requests.append(request)
                return trace_service_pb2.ExportTraceServiceResponse()

        class Logs(logs_service_pb2_grpc.LogsServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name
                receiver.requests.append(request)
                return logs_service_pb2.ExportLogsServiceResponse()

        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), self._server)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(Logs(), self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    @property
    def url(self) -> str:
        """Say where to send."""
        return f"http://127.0.0.1:{self.port}"

    def span_names(self) -> list[str]:
        """Return the names of the spans so far."""
        groups = [group for request in self.requests for group in getattr(request, "resource_spans", ())]
        return [span.name for group in groups for scope in group.scope_spans for span in scope.spans]

    def event_names(self) -> list[str]:
        """Return the names of the events so far."""
        groups = [group for request in self.requests for group in getattr(request, "resource_logs", ())]
        return [record.event_name for group in groups for scope in group.scope_logs for record in scope.log_records]

    def close(self) -> None:
        """Stop and free the port."""
        self._server.stop(None).wait()
