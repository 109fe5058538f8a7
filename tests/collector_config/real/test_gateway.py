"""Hold gateway.yaml to its word: decisions are never sampled nor lost, and only senders with the token are heard."""

from __future__ import annotations

import random
import time
import urllib.error
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from trilemma.registry import fields

from tests.collector_config.real.otlp import make_span, post, write_traces
from tests.collector_config.real.server_process import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.collector_config.real.collector_process import CollectorProcess
    from tests.collector_config.real.conftest import StartCollector
    from tests.collector_config.real.otlp import OtlpSink

pytestmark = pytest.mark.collector

TOKEN = {"Authorization": "Bearer the-token"}
LAYERS = (
    "privacy.yaml",
    "gateway.yaml",
    "to-gateway.yaml",
    "yaml:exporters::otlp_http/gateway::compression: none",
    "yaml:processors::tail_sampling::decision_wait: 1s",
)
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def start_gateway(start_collector: StartCollector, target: str, percent: str) -> CollectorProcess:
    """Start a gateway that sends on to the target and keeps `percent` of other traces."""
    return start_collector(
        *LAYERS, TRILEMMA_TOKEN="the-token", TRILEMMA_GATEWAY=target, TRILEMMA_SAMPLE_PERCENT=percent,
        TRILEMMA_SLOW_MS="5000",
    )  # fmt: skip


def name_ids(spans: list[Span]) -> list[int]:
    """Return span ids as the small numbers they were made from, with repetitions, sorted."""
    return sorted(int.from_bytes(span.span_id, "big") for span in spans)


def test_only_unrelated_traces_are_sampled(start_collector: StartCollector, sink: OtlpSink) -> None:
    """With nothing else kept, all spans of traces with a call, a task, an error or slowness come through, each once."""
    gateway = start_gateway(start_collector, sink.url, "0")
    spans = [
        make_span(1, 11, "GET /", duration_s=2), make_span(1, 12, parent=11, **CALL), make_span(1, 13, parent=11),
        make_span(2, 21, "GET /health"),
        make_span(3, 31, failed=True), make_span(3, 32, parent=31),
        make_span(4, 41, duration_s=6),
        make_span(5, 51, **{"trilemma.task.id": "t"}), make_span(5, 52, parent=51),
    ]  # fmt: skip
    post(f"{gateway.http_url}/v1/traces", write_traces(spans), TOKEN)
    wait_until(lambda: len(sink.spans()) >= 8)
    time.sleep(1.5)  # what would come twice comes now
    assert name_ids(sink.spans()) == [11, 12, 13, 31, 32, 41, 51, 52]


def test_other_traces_are_sampled_by_percentage(start_collector: StartCollector, sink: OtlpSink) -> None:
    """Of traces without an LLM call about the given share is kept: 10 % of 2,000 within five standard deviations."""
    gateway = start_gateway(start_collector, sink.url, "10")
    chance = random.Random(7)  # trace ids as an SDK draws them
    spans = [make_span(chance.getrandbits(128), i) for i in range(1, 2001)]
    post(f"{gateway.http_url}/v1/traces", write_traces(spans), TOKEN)
    wait_until(lambda: len(sink.spans()) > 100)
    time.sleep(1.5)
    assert 200 - 67 <= len(sink.spans()) <= 200 + 67


def test_calls_of_other_sdks_are_kept(start_collector: StartCollector, sink: OtlpSink) -> None:
    """A call is known by any name that the registry has for it, trilemma's or another SDK's, and by nothing else."""
    gateway = start_gateway(start_collector, sink.url, "0")
    named = [fields()[name] for name in ("operation", "provider", "request_model", "input_tokens", "task_id")]
    names = [name for field in named for name in (field.attribute, *field.aliases)]
    spans = [make_span(i, i, **{name: "x"}) for i, name in enumerate(names, start=1)]
    others = [make_span(i, i, **{name: "x"}) for i, name in enumerate(["http.route", "my.llm.x", "llm"], start=1000)]
    post(f"{gateway.http_url}/v1/traces", write_traces(spans + others), TOKEN)
    wait_until(lambda: len(sink.spans()) >= len(names))
    time.sleep(1.5)
    assert name_ids(sink.spans()) == list(range(1, len(names) + 1))


def test_acknowledged_decisions_outlive_a_crash(start_collector: StartCollector, sink: OtlpSink) -> None:
    """A gateway killed right after it acknowledged a call's span still delivers it; the target was away meanwhile."""
    dead = "http://127.0.0.1:1"
    gateway = start_gateway(start_collector, dead, "0")
    post(f"{gateway.http_url}/v1/traces", write_traces([make_span(1, i, **CALL) for i in range(1, 501)]), TOKEN)
    gateway.kill()
    start_gateway(start_collector, sink.url, "0")  # another process, the same queue
    wait_until(lambda: len(sink.spans()) >= 500)
    assert name_ids(sink.spans()) == list(range(1, 501))


def test_senders_without_the_token_are_refused(start_collector: StartCollector, sink: OtlpSink) -> None:
    """HTTP and gRPC both answer 401 / UNAUTHENTICATED without the token and take the span with it."""
    gateway = start_gateway(start_collector, sink.url, "0")
    body = write_traces([make_span(1, 1, **CALL)])
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(f"{gateway.http_url}/v1/traces", body, {"Authorization": "Bearer guessed"})
    refused.value.close()
    assert refused.value.code == 401
    with grpc.insecure_channel(gateway.grpc_target) as channel:
        export = TraceServiceStub(channel).Export
        with pytest.raises(grpc.RpcError) as unheard:
            export(ExportTraceServiceRequest.FromString(body), timeout=10)
        assert unheard.value.code() == grpc.StatusCode.UNAUTHENTICATED
        export(ExportTraceServiceRequest.FromString(body), timeout=10, metadata=[("authorization", "Bearer the-token")])
    wait_until(lambda: len(sink.spans()) == 1)


def test_agent_reaches_the_gateway_by_tls_and_token(
    start_collector: StartCollector, sink: OtlpSink, secrets: dict[str, str], tmp_path: Path
) -> None:
    """An agent that trusts the gateway's authority and knows the token gets its spans through; plain HTTP does not."""
    gateway = start_collector(*LAYERS, "tls.yaml", **{**secrets, "TRILEMMA_GATEWAY": sink.url})
    secured = gateway.http_url.replace("http:", "https:")
    agent = start_collector(
        "privacy.yaml", "agent.yaml", "to-gateway.yaml",
        TRILEMMA_GATEWAY=secured, TRILEMMA_TOKEN=secrets["TRILEMMA_TOKEN"], SSL_CERT_FILE=secrets["TRILEMMA_TLS_CERT"],
        TRILEMMA_QUEUE=str(tmp_path / "agent"),
    )  # fmt: skip
    post(f"{agent.http_url}/v1/traces", write_traces([make_span(1, 1, **CALL)]))
    wait_until(lambda: name_ids(sink.spans()) == [1])
    with pytest.raises(urllib.error.HTTPError) as plain:
        post(f"{gateway.http_url}/v1/traces", write_traces([make_span(2, 2, **CALL)]), TOKEN)
    plain.value.close()
    assert plain.value.code == 400
