"""Own the naive receiver that the real one is measured against: Protobuf classes, Python rows, Arrow, INSERT."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from trilemma_collector.schema import migrate, run_on_chdb
from trilemma_collector.storage import Engine

from tests.bench.otlp_requests import make_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

ATTRIBUTES = pa.map_(pa.string(), pa.string())
SCHEMA = pa.schema(
    {
        "Timestamp": pa.timestamp("ns"),
        "TraceId": pa.string(),
        "SpanId": pa.string(),
        "ParentSpanId": pa.string(),
        "SpanName": pa.string(),
        "SpanKind": pa.string(),
        "ServiceName": pa.string(),
        "ResourceAttributes": ATTRIBUTES,
        "ScopeName": pa.string(),
        "ScopeVersion": pa.string(),
        "SpanAttributes": ATTRIBUTES,
        "Duration": pa.uint64(),
        "StatusCode": pa.string(),
        "StatusMessage": pa.string(),
    }
)
KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUSES = ("Unset", "Ok", "Error")
REQUESTS_PER_INSERT = 40


def main(request_count: int, spans_per_request: int, *, with_calls: bool) -> None:
    """Store requests and print what it cost, as JSON."""
    requests = make_requests(request_count, spans_per_request, with_calls=with_calls)
    with tempfile.TemporaryDirectory(prefix="trilemma-bench-") as folder:
        engine = Engine(Path(folder))
        with engine.connect() as connection:
            migrate(run_on_chdb(connection))
            connection.query("USE trilemma")
            _store(connection, make_requests(4, spans_per_request, seed=1))
            cpu_s, started = time.process_time(), time.perf_counter()
            for start in range(0, len(requests), REQUESTS_PER_INSERT):
                _store(connection, requests[start : start + REQUESTS_PER_INSERT])
            cost = {"cpu_s": time.process_time() - cpu_s, "wall_s": time.perf_counter() - started}
        engine.close()
    print(json.dumps({"spans": request_count * spans_per_request, **cost}))


def _store(connection: Any, requests: list[bytes]) -> None:
    rows = [row for body in requests for row in _read_rows(body)]
    columns = zip(*rows, strict=True)
    table = pa.table(dict(zip(SCHEMA.names, columns, strict=True)), schema=SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_table(table)
    insert = connection.send_insert(f"INSERT INTO otel_traces ({', '.join(SCHEMA.names)})", "ArrowStream")
    insert.append(sink.getvalue().to_pybytes())
    insert.finish()


def _read_rows(body: bytes) -> Iterator[tuple[Any, ...]]:
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _read_attributes(resource_spans.resource.attributes)
        service_name = dict(resource).get("service.name", "")
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield (
                    span.start_time_unix_nano,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    KINDS[span.kind],
                    service_name,
                    resource,
                    scope_spans.scope.name,
                    scope_spans.scope.version,
                    _read_attributes(span.attributes),
                    span.end_time_unix_nano - span.start_time_unix_nano,
                    STATUSES[span.status.code],
                    span.status.message,
                )


def _read_attributes(attributes: Any) -> list[tuple[str, str]]:
    return [(pair.key, _read_value(pair)) for pair in attributes]


def _read_value(pair: KeyValue) -> str:
    kind = pair.value.WhichOneof("value")
    if kind == "bool_value":
        return "true" if pair.value.bool_value else "false"
    if kind == "array_value":
        return json.dumps([item.string_value for item in pair.value.array_value.values])
    return str(getattr(pair.value, kind)) if kind else ""


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), with_calls=sys.argv[3:] == ["calls"])
