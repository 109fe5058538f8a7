"""Hold OTLP over gRPC to the specification, with the real exporter and with bodies by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.collector_config.embedded.otlp import count_spans, make_logs, make_traces, unique_name
from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from pathlib import Path

    from clickhouse_connect.driver.client import Client

    from tests.collector_config.embedded.servers import RunningCollector

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_sdks_exporter_delivers(collector: RunningCollector, compression: grpc.Compression) -> None:
    """What the OpenTelemetry SDK exports over gRPC is there to read, once each."""
    service = unique_name()
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(collector.otlp_grpc, insecure=True, compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    for _ in range(600):
        tracer.start_span("work").end()
    provider.shutdown()
    assert count_spans(collector.clickhouse, service) == (600, 600)


def test_logs_are_delivered(collector: RunningCollector, client: Client) -> None:
    """A log record sent over gRPC reaches its table."""
    task_id = unique_name()
    request = make_logs(
        "s",
        **{
            "gen_ai.evaluation.name": AnyValue(string_value="grpc"),
            "gen_ai.evaluation.score.value": AnyValue(double_value=1.5),
            "trilemma.task.id": AnyValue(string_value=task_id),
        },
    )
    request.resource_logs[0].scope_logs[0].log_records[0].event_name = "gen_ai.evaluation.result"
    assert _call(collector, LOGS, request.SerializeToString()) == b""
    sql = "SELECT score FROM evaluations WHERE task_id = {id:String}"
    assert client.query(sql, parameters={"id": task_id}).result_rows == [(1.5,)]


def test_malformed_requests_are_refused_for_good(collector: RunningCollector) -> None:
    """A body that is no such message gets INVALID_ARGUMENT and a reason."""
    for method in (TRACES, LOGS, METRICS):
        with pytest.raises(grpc.RpcError) as caught:
            _call(collector, method, b"\x0a\xff\xff\xff")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "is no Export" in caught.value.details()


def test_metrics_are_refused_politely(collector: RunningCollector) -> None:
    """Metrics are answered with a partial success that counts what is not stored."""
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="m").gauge.data_points.add(as_double=1)
    response = ExportMetricsServiceResponse.FromString(_call(collector, METRICS, request.SerializeToString()))
    assert response.partial_success.rejected_data_points == 1


def test_too_large_and_too_much_have_their_codes(tmp_path: Path) -> None:
    """A request over the limit gets RESOURCE_EXHAUSTED; one that must wait gets UNAVAILABLE with RetryInfo."""
    with running_collector(tmp_path, "--max-request-mb", "2", "--max-backlog-mb", "1") as collector:
        with pytest.raises(grpc.RpcError) as caught:
            _call(collector, TRACES, b"\0" * 2_200_000)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        body = make_traces("x", k=AnyValue(string_value="y" * 1_100_000)).SerializeToString()
        with pytest.raises(grpc.RpcError) as caught:
            _call(collector, TRACES, body)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        status = Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
        assert [detail.TypeName() for detail in status.details] == ["google.rpc.RetryInfo"]


def _call(collector: RunningCollector, method: str, body: bytes) -> bytes:
    with grpc.insecure_channel(collector.otlp_grpc.removeprefix("http://")) as channel:
        reply: bytes = channel.unary_unary(method)(body, timeout=60)
    return reply
