"""Hold the two ways into the store together: through the production collector or straight, the rows are the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.collector_config.real.odd_requests import make_odd_requests
from tests.collector_config.real.otlp import OtlpSink, Received, post
from tests.collector_config.real.server_process import wait_until
from tests.collector_config.real.store_process import StoreProcess
from tests.demo.emulator.__main__ import serve_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.collector_config.real.collector_process import CollectorProcess
    from tests.collector_config.real.conftest import StartCollector

pytestmark = [pytest.mark.collector, pytest.mark.slow]

TABLES = ("spans", "llm_calls", "tasks", "evaluations", "task_runs")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def recorded() -> list[Received]:
    """Record, byte by byte, what trilemma sends from an application with the real provider SDKs."""
    sink = OtlpSink()
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
        "PYTHONPATH": str(ROOT),
    }
    with serve_here() as (emulator, _):
        application = [sys.executable, "-m", "tests.collector_config.real.traffic", emulator]
        subprocess.run(application, env={**os.environ, **settings}, cwd=ROOT, check=True)
    sink.close()
    return sink.requests


@pytest.fixture
def odd() -> list[Received]:
    """Make what no SDK of ours sends."""
    return make_odd_requests()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[list[StoreProcess]]:
    """Start two stores: one for each way."""
    found = []
    for name in ("straight", "through"):
        (tmp_path / name).mkdir()
        found.append(StoreProcess(tmp_path / name))
    try:
        for store in found:
            store.start()
        yield found
    finally:
        for store in found:
            store.kill()


CASES = {"recorded": ("recorded", "lz4", TABLES), "odd": ("odd", "none", ("spans", "llm_calls", "evaluations"))}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_rows_are_the_same_both_ways(
    case: tuple[str, str, tuple[str, ...]],
    request: pytest.FixtureRequest,
    stores: list[StoreProcess],
    start_collector: StartCollector,
) -> None:
    """The same requests, once straight and once through the collector, give equal rows, column by column."""
    requests, compress, tables = case
    straight, through = stores
    env = {"TRILEMMA_STORE": through.url, "TRILEMMA_COMPRESS": compress}
    collector = start_collector("privacy.yaml", "agent.yaml", "store.yaml", **env)
    for sent in request.getfixturevalue(requests):
        post(f"{straight.otlp_url}{sent.path}", sent.body)
        send_both_protocols(collector, sent)
    expected = {table: read_rows(straight, table) for table in tables}
    wait_until(lambda: all(len(read_rows(through, table)) >= len(expected[table]) for table in tables))
    for table in tables:
        assert expected[table], table
        compare_rows(read_rows(through, table), expected[table], table)


def send_both_protocols(collector: CollectorProcess, request: Received) -> None:
    """Send one request over HTTP and the same again over gRPC: both are taken, and the second adds nothing."""
    post(f"{collector.http_url}{request.path}", request.body)
    with grpc.insecure_channel(collector.grpc_target) as channel:
        if request.path == "/v1/traces":
            TraceServiceStub(channel).Export(ExportTraceServiceRequest.FromString(request.body), timeout=30)
        else:
            LogsServiceStub(channel).Export(ExportLogsServiceRequest.FromString(request.body), timeout=30)


def read_rows(store: StoreProcess, table: str) -> list[dict[str, object]]:
    """Return all rows of a table in an order that does not depend on how they came."""
    return store.query(f"SELECT * FROM {table} ORDER BY toString(tuple(*))")


def compare_rows(found: list[dict[str, object]], expected: list[dict[str, object]], table: str) -> None:
    """Compare row by row and column by column; a failure shows what differs, and nothing else."""
    assert len(found) == len(expected), table
    for row, other in zip(found, expected, strict=True):
        differing = {name: tell_apart(row[name], other[name]) for name in other if row[name] != other[name]}
        assert differing == {}, f"{table}: through the collector, straight"


def tell_apart(value: object, other: object) -> object:
    """Return two unequal values; of two maps only what differs."""
    if isinstance(value, dict) and isinstance(other, dict):
        keys = sorted({*value, *other})
        return {key: (value.get(key), other.get(key)) for key in keys if value.get(key) != other.get(key)}
    return value, other
