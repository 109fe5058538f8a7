"""Hold the collector to surviving whatever bytes arrive: refused, stored, or kept aside, and never in anyone's way."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

from tests.collector_config.embedded.otlp import JSON, PROTOBUF, count_spans, make_traces, post, send, unique_name
from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from pathlib import Path

MUTATIONS = 400


def damage(rng: random.Random, body: bytes) -> bytes:
    """Return a body with some of its bytes changed, cut off, doubled or shuffled."""
    changed = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        position = rng.randrange(len(changed))
        kind = rng.randrange(4)
        if kind == 0:
            changed[position] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[position] = rng.randrange(256)
        elif kind == 2:
            del changed[position : position + rng.randint(1, 20)]
        else:
            changed[position:position] = changed[position : position + rng.randint(1, 20)]
    return bytes(changed)


def test_damaged_requests_are_refused_stored_or_kept_aside(tmp_path: Path) -> None:
    """Each damaged request is answered 200 or 400; what is accepted is stored or kept aside; good ones are stored."""
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    values = {"list": AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="x")])), "n": AnyValue(int_value=7)}
    service, body = unique_name(), make_traces("damaged", 3, **values).SerializeToString()
    document = (
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","name":"x"}]}]}]}'
    )
    with running_collector(tmp_path) as collector:
        url = f"{collector.otlp_http}/v1/traces"
        for number in range(MUTATIONS):
            as_json = number % 4 == 3
            reply = post(url, damage(rng, document if as_json else body), JSON if as_json else PROTOBUF)
            assert reply.status in {200, 400}, (seed, number, reply)
            if number % 40 == 0:
                assert post(url, make_traces(service, 5).SerializeToString(), PROTOBUF).status == 200
        good = MUTATIONS // 40 * 5
        deadline = time.monotonic() + 60
        while (health := json.loads(send("GET", f"{collector.otlp_http}/health").body))["backlog_bytes"]:
            assert time.monotonic() < deadline, (seed, health)
            time.sleep(0.1)
        assert health["status"] == "ok", (seed, health)
        assert 0 < health["requests"]["accepted"]["traces"] < MUTATIONS, (seed, health)
        assert health["quarantined_requests"] == len(list((collector.data_dir / "quarantine").glob("*.pb"))), seed
        assert count_spans(collector.clickhouse, service) == (good, good), seed
