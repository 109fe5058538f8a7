"""Hold OTLP over HTTP to the specification, with the real exporters and with bodies by hand."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.collector_config.embedded.otlp import (
    JSON,
    PROTOBUF,
    Reply,
    count_spans,
    make_logs,
    make_traces,
    post,
    send,
    unique_name,
)
from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

    from tests.collector_config.embedded.servers import RunningCollector


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_the_sdks_exporter_delivers(collector: RunningCollector, client: Client, compression: Compression) -> None:
    """What the OpenTelemetry SDK exports over HTTP is there to read, with its values as they were, once each."""
    service = unique_name()
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(f"{collector.otlp_http}/v1/traces", compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("tests", "1.2")
    attributes = {"whole": 5, "real": 0.25, "flag": True, "text": "ä<b>", "list": ["stop", 'a"b']}
    for _ in range(600):
        with tracer.start_as_current_span("parent"), tracer.start_as_current_span("child", attributes=attributes):
            pass
    provider.shutdown()

    assert count_spans(collector.clickhouse, service) == (1200, 1200)
    row = client.query(
        "SELECT DISTINCT attributes, scope_name, name FROM spans WHERE service_name = {s:String} AND name = 'child'",
        parameters={"s": service},
    ).first_row
    expected = {"whole": "5", "real": "0.25", "flag": "true", "text": "ä<b>", "list": '["stop","a\\"b"]'}
    assert row == (expected, "tests", "child")


def test_the_sdks_logs_are_delivered(collector: RunningCollector, client: Client) -> None:
    """An event that the SDK exports as a log record becomes a row: here, an evaluation."""
    service = unique_name()
    provider = LoggerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPLogExporter(f"{collector.otlp_http}/v1/logs", compression=Compression.Gzip)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    provider.get_logger("tests").emit(
        timestamp=1_800_000_000_000_000_000,
        event_name="gen_ai.evaluation.result",
        attributes={
            "gen_ai.evaluation.name": "tone",
            "gen_ai.evaluation.score.value": 0.75,
            "trilemma.task.id": service,
        },
    )
    provider.shutdown()
    rows = client.query(
        "SELECT evaluation_name, score FROM evaluations WHERE task_id = {id:String}", parameters={"id": service}
    ).result_rows
    assert rows == [("tone", 0.75)]


def test_json_gives_the_same_row_as_protobuf(collector: RunningCollector, client: Client) -> None:
    """A request in OTLP/JSON (ids in hexadecimal, 64-bit numbers as text) is stored as its Protobuf twin is."""
    rows = []
    for as_json in (False, True):
        service = unique_name()
        request = make_traces(service, k=AnyValue(int_value=2**60), b=AnyValue(bytes_value=b"\xff\x00"))
        span = request.resource_spans[0].scope_spans[0].spans[0]
        span.trace_id, span.span_id, span.parent_span_id = b"\xab" * 16, service[-8:].encode(), b"\xef" * 8
        span.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
        span.status.code = 2
        body = json.dumps(_to_otlp_json(request)).encode() if as_json else request.SerializeToString()
        reply = post(f"{collector.otlp_http}/v1/traces", body, JSON if as_json else PROTOBUF)
        assert (reply.status, reply.body) == (200, b"{}" if as_json else b"")
        sql = "SELECT * EXCEPT (span_id, service_name, resource_attributes) FROM spans WHERE service_name = {s:String}"
        rows += client.query(sql, parameters={"s": service}).result_rows
    assert len(rows) == 2
    assert rows[0] == rows[1]


def test_json_logs_are_taken(collector: RunningCollector, client: Client) -> None:
    """An outcome that arrives as an OTLP/JSON log record is known to its task."""
    task_id = unique_name()
    request = make_logs(
        "browser",
        **{
            "trilemma.task.id": AnyValue(string_value=task_id),
            "trilemma.task.name": AnyValue(string_value="tests.json"),
            "trilemma.task.outcome": AnyValue(string_value="success"),
        },
    )
    request.resource_logs[0].scope_logs[0].log_records[0].event_name = "trilemma.task.outcome"
    body = json_format.MessageToJson(request).encode()
    assert post(f"{collector.otlp_http}/v1/logs", body, JSON).status == 200
    sql = "SELECT outcome FROM tasks WHERE task_id = {id:String}"
    span = make_traces(
        "browser",
        **{
            "trilemma.task.id": AnyValue(string_value=task_id),
            "trilemma.task.name": AnyValue(string_value="tests.json"),
        },
    )
    span.resource_spans[0].scope_spans[0].spans[0].name = "tests.json"
    span.resource_spans[0].scope_spans[0].scope.name = "trilemma"
    span.resource_spans[0].scope_spans[0].spans[0].kind = 1
    assert post(f"{collector.otlp_http}/v1/traces", span.SerializeToString(), PROTOBUF).status == 200
    assert client.query(sql, parameters={"id": task_id}).result_rows == [("success",)]


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        pytest.param(b"\x0a\xff\xff\xff", PROTOBUF, 400, "no ExportTraceServiceRequest", id="not protobuf"),
        pytest.param(make_traces("x").SerializeToString()[:-1], PROTOBUF, 400, "cut short", id="truncated"),
        pytest.param(make_traces("x", 900).SerializeToString()[:-1], PROTOBUF, 400, "cut short", id="truncated, large"),
        pytest.param(b"{", JSON, 400, "the body is not JSON", id="not json"),
        pytest.param(b"[]", JSON, 400, "JSON list, not an object", id="json list"),
        pytest.param(b'{"resourceSpans": 5}', JSON, 400, "no ExportTraceServiceRequest in JSON", id="wrong json type"),
        pytest.param(
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}]}',
            JSON, 400, "traceId 'zz' is not hexadecimal", id="id not hex",
        ),
        pytest.param(
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"abcd"}]}]}]}',
            JSON, 400, "spanId 'abcd' has 2 bytes instead of 8", id="short id",
        ),
        pytest.param(b"plain", {**PROTOBUF, "Content-Encoding": "gzip"}, 400, "the body is not gzip", id="not gzip"),
        pytest.param(
            gzip.compress(b"x" * 99)[:-9],
            {**PROTOBUF, "Content-Encoding": "gzip"}, 400, "gzip body is cut short", id="gzip cut",
        ),
        pytest.param(b"x", {**PROTOBUF, "Content-Encoding": "br"}, 415, "Content-Encoding 'br'", id="unknown encoding"),
        pytest.param(b"x", {"Content-Type": "text/plain"}, 415, "Content-Type 'text/plain'", id="unknown type"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_otlp_is_refused(
    collector: RunningCollector, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    """Malformed input is refused for good (so it is not sent again), and a Status names what is wrong with it."""
    reply = post(f"{collector.otlp_http}/v1/traces", body, headers)
    assert reply.status == status
    assert reason in _read_status(reply).message
    assert _read_status(reply).code == 3  # INVALID_ARGUMENT


def test_a_refused_request_leaves_the_connection_usable(collector: RunningCollector) -> None:
    """After a refusal the same connection takes the next request."""
    connection = http.client.HTTPConnection(collector.otlp_http.removeprefix("http://"), timeout=30)
    service = unique_name()
    for body, status in ((b"\xff", 400), (make_traces(service).SerializeToString(), 200)):
        connection.request("POST", "/v1/traces", body, PROTOBUF)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()
    assert count_spans(collector.clickhouse, service) == (1, 1)


def test_wrong_path_and_method_say_what_is_right(collector: RunningCollector) -> None:
    """A request to another path or by another method is told where OTLP goes."""
    wrong_path = post(f"{collector.otlp_http}/v1/trace", b"", PROTOBUF)
    assert wrong_path.status == 404
    assert "/v1/traces" in _read_status(wrong_path).message
    assert send("GET", f"{collector.otlp_http}/v1/traces").status == 405


def test_an_empty_request_is_fine(collector: RunningCollector) -> None:
    """A request without spans is valid OTLP and is acknowledged."""
    assert post(f"{collector.otlp_http}/v1/traces", b"", PROTOBUF).status == 200
    assert post(f"{collector.otlp_http}/v1/logs", b"{}", JSON).status == 200


def test_metrics_are_refused_politely(collector: RunningCollector) -> None:
    """Metrics get 200 with a partial success that counts what is not stored and says how to stop sending."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.sum.data_points.add(as_int=1)
    metric.sum.data_points.add(as_int=2)
    reply = post(f"{collector.otlp_http}/v1/metrics", request.SerializeToString(), PROTOBUF)
    response = ExportMetricsServiceResponse.FromString(reply.body)
    assert (reply.status, response.partial_success.rejected_data_points) == (200, 2)
    assert "OTEL_METRICS_EXPORTER=none" in response.partial_success.error_message


def test_text_cut_within_a_character_is_stored(collector: RunningCollector, client: Client) -> None:
    """An attribute that an SDK cut in the middle of a character does not cost the request."""
    service = unique_name()
    body = make_traces(service, k=AnyValue(string_value="nax?ve!")).SerializeToString()
    broken = body.replace(b"nax?ve!", b"nax\xc3ve!")  # the first of two bytes of a letter
    assert post(f"{collector.otlp_http}/v1/traces", broken, PROTOBUF).status == 200
    rows = client.query(
        "SELECT hex(attributes['k']) FROM spans WHERE service_name = {s:String}", parameters={"s": service}
    )
    assert rows.result_rows == [(b"nax\xc3ve!".hex().upper(),)]


def test_too_large_requests_are_refused(tmp_path: Path) -> None:
    """Beyond --max-request-mb a body gets 413, also when it is large only once decompressed (a bomb)."""
    with running_collector(tmp_path, "--max-request-mb", "1") as collector:
        url = f"{collector.otlp_http}/v1/traces"
        bomb = zlib.compress(b"\0" * 200_000_000)
        replies = [post(url, b"\0" * 1_100_000, PROTOBUF), post(url, bomb, {**PROTOBUF, "Content-Encoding": "deflate"})]
        for reply in replies:
            assert reply.status == 413
            assert "larger than 1,048,576 bytes" in _read_status(reply).message
            assert "OTEL_BSP_MAX_EXPORT_BATCH_SIZE" in _read_status(reply).message


def test_overload_says_try_again(tmp_path: Path) -> None:
    """When too much waits to be stored, a request gets 503 with Retry-After and RetryInfo, so its sender keeps it."""
    with running_collector(tmp_path, "--max-backlog-mb", "1") as collector:
        body = make_traces("x", k=AnyValue(string_value="y" * 1_100_000)).SerializeToString()
        reply = post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF)
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
        status = _read_status(reply)
        assert status.code == 14  # UNAVAILABLE
        assert "--max-backlog-mb" in status.message
        assert [detail.TypeName() for detail in status.details] == ["google.rpc.RetryInfo"]
        service = unique_name()
        small = make_traces(service).SerializeToString()
        assert post(f"{collector.otlp_http}/v1/traces", small, PROTOBUF).status == 200
        assert count_spans(collector.clickhouse, service) == (1, 1)


def _read_status(reply: Reply) -> Status:
    if reply.headers["content-type"].startswith("application/json"):
        status = Status()
        json_format.Parse(reply.body, status)
        return status
    return Status.FromString(reply.body)


def _to_otlp_json(request: Any) -> dict[str, Any]:
    """Write a traces request as OTLP/JSON: the JSON of Protobuf, with ids in hexadecimal and enums as numbers."""
    document: dict[str, Any] = json_format.MessageToDict(request, use_integers_for_enums=True)
    for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for holder in (span, *span.get("links", ())):
            for key in ("traceId", "spanId", "parentSpanId"):
                if key in holder:
                    holder[key] = base64.b64decode(holder[key]).hex()
    return document
