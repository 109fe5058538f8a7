"""Hold the collector to going on when a request that looked right turns out not to be."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.collector_config.embedded.otlp import PROTOBUF, count_spans, make_traces, post, send, unique_name
from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from pathlib import Path


def make_poison() -> bytes:
    """Return a request that passes the check of large bodies and that ClickHouse cannot decode: a key is too long."""
    body = make_traces("poison", 30, padding=AnyValue(string_value="x" * 4000)).SerializeToString()
    key = b"\x0a\x07padding"
    assert key in body
    return body.replace(key, b"\x0a\xff\x7fadding")  # 16,383 bytes, in an attribute of some 4,000


def test_a_poisoned_request_is_kept_aside_and_the_others_are_stored(tmp_path: Path) -> None:
    """Of requests stored together, only the one that ClickHouse refuses is set aside, whole, with its reason."""
    service, poison = unique_name(), make_poison()
    with running_collector(tmp_path) as collector:
        bodies = [make_traces(service, 10).SerializeToString() for _ in range(20)]
        bodies.insert(7, poison)
        for body in bodies:
            assert post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status == http.client.OK
        assert count_spans(collector.clickhouse, service) == (200, 200)

        quarantine = collector.data_dir / "quarantine"
        (kept,) = quarantine.glob("*.pb")
        assert kept.read_bytes() == poison
        (entry,) = map(json.loads, (quarantine / "reasons.jsonl").read_text().splitlines())
        assert (entry["file"], entry["kind"], entry["bytes"]) == (kept.name, "traces", len(poison))
        assert entry["reason"].startswith("Code: ")
        assert str(kept) in collector.log_text
        health = json.loads(send("GET", f"{collector.otlp_http}/health").body)
        assert (health["status"], health["quarantined_requests"], health["backlog_bytes"]) == ("ok", 1, 0)


def test_a_store_that_refuses_keeps_the_data_and_catches_up(tmp_path: Path) -> None:
    """While the landing table is gone nothing is lost or set aside: health says what is wrong; it is stored later."""
    service = unique_name()
    with running_collector(tmp_path) as collector:
        assert post(collector.clickhouse, b"RENAME TABLE otel_traces TO otel_traces_away", {}).status == http.client.OK
        body = make_traces(service, 10).SerializeToString()
        assert post(f"{collector.otlp_http}/v1/traces", body, PROTOBUF).status == http.client.OK
        assert count_spans(collector.clickhouse, service) == (
            0,
            0,
        )  # waits for a while, then answers with what there is
        reply = send("GET", f"{collector.otlp_http}/health")
        health = json.loads(reply.body)
        assert (reply.status, health["status"]) == (503, "degraded")
        assert "cannot be stored" in health["problem"]
        assert health["backlog_bytes"] > 0

        assert post(collector.clickhouse, b"RENAME TABLE otel_traces_away TO otel_traces", {}).status == http.client.OK
        for _ in range(10):
            if count_spans(collector.clickhouse, service) == (10, 10):
                break
        assert count_spans(collector.clickhouse, service) == (10, 10)
        assert send("GET", f"{collector.otlp_http}/health").status == http.client.OK
        assert not list((collector.data_dir / "quarantine").glob("*.pb"))
