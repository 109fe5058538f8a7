"""Hold the production collector and the store to "each span exactly once" while both are killed at work."""

from __future__ import annotations

import urllib.error
from typing import TYPE_CHECKING

import pytest

from tests.collector_config.real.otlp import make_span, post, write_traces
from tests.collector_config.real.server_process import wait_until
from tests.collector_config.real.store_process import StoreProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.collector_config.real.collector_process import CollectorProcess
    from tests.collector_config.real.conftest import StartCollector

pytestmark = [pytest.mark.collector, pytest.mark.slow]

SPANS, PER_REQUEST = 20_000, 500
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
LAYERS = ("privacy.yaml", "agent.yaml", "store.yaml", "yaml:exporters::clickhouse::retry_on_failure::max_interval: 1s")
# What a count that is right by luck would miss: each span's own token count adds up to the same sum.
TRUTH = {"rows": SPANS, "spans": SPANS, "tokens": SPANS * (SPANS + 1) // 2}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreProcess]:
    """Start a store; the test kills and restarts it."""
    found = StoreProcess(tmp_path)
    found.start()
    yield found
    found.kill()


def send(collector: CollectorProcess, first: int, last: int) -> None:
    """Send the calls numbered first to last as an SDK does: what is not acknowledged is sent again."""
    for start in range(first, last + 1, PER_REQUEST):
        numbers = range(start, min(start + PER_REQUEST, last + 1))
        body = write_traces(make_span(n, n, **{**CALL, "gen_ai.usage.input_tokens": n}) for n in numbers)
        wait_until(lambda body=body: is_taken(collector, body))


def is_taken(collector: CollectorProcess, body: bytes) -> bool:
    """Post one request; False where it was not acknowledged."""
    try:
        post(f"{collector.http_url}/v1/traces", body)
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


def is_held_up(collector: CollectorProcess, body: bytes) -> bool:
    """Post one request; True where there is no answer within a second. A refusal raises."""
    try:
        post(f"{collector.http_url}/v1/traces", body, timeout_s=1)
    except TimeoutError:
        return True
    return False


def count(store: StoreProcess) -> dict[str, int]:
    """Count rows, different spans and tokens over all calls."""
    columns = "count() AS rows, uniqExact(span_id) AS spans, sum(ifNull(input_tokens, 0)) AS tokens"
    return {name: int(value) for name, value in store.query(f"SELECT {columns} FROM llm_calls")[0].items()}


def test_store_and_collector_killed_while_spans_wait(store: StoreProcess, start_collector: StartCollector) -> None:
    """Store killed at work, spans sent on to nobody, collector killed with its queue full: nothing is missing."""
    collector = start_collector(*LAYERS, TRILEMMA_STORE=store.url)
    send(collector, 1, SPANS // 4)
    wait_until(lambda: count(store)["rows"] > 0)
    send(collector, SPANS // 4 + 1, SPANS // 2)
    store.kill()
    send(collector, SPANS // 2 + 1, SPANS)
    collector.kill()
    collector.start()
    store.start()
    wait_until(lambda: count(store)["rows"] >= SPANS)
    assert count(store) == TRUTH


def test_collector_killed_while_it_inserts(store: StoreProcess, start_collector: StartCollector) -> None:
    """Killed between an INSERT and its note that it is done, the collector inserts again: each span counts once."""
    collector = start_collector(
        *LAYERS, "yaml:exporters::clickhouse::sending_queue::batch::flush_timeout: 50ms", TRILEMMA_STORE=store.url
    )
    kills = 5
    for part in range(kills):
        send(collector, part * SPANS // kills + 1, (part + 1) * SPANS // kills)
        collector.kill()
        collector.start()
    wait_until(lambda: count(store)["rows"] >= SPANS)
    wait_until(lambda: collector.read_metric("otelcol_exporter_queue_size") == 0)
    assert count(store) == TRUTH


def test_acknowledged_spans_reach_a_store_that_starts_last(
    store: StoreProcess, start_collector: StartCollector
) -> None:
    """A collector starts, takes spans and stops cleanly without a store; a later start delivers them."""
    store.kill()
    collector = start_collector(*LAYERS, TRILEMMA_STORE=store.url)
    send(collector, 1, PER_REQUEST)
    collector.stop()
    store.start()
    collector.start()
    wait_until(lambda: count(store)["rows"] >= PER_REQUEST)
    assert count(store)["spans"] == PER_REQUEST


def test_full_queue_makes_senders_wait(store: StoreProcess, start_collector: StartCollector) -> None:
    """With no store and no room left the sender gets no answer, so it keeps its spans; none is lost or doubled."""
    store.kill()
    collector = start_collector(*LAYERS, TRILEMMA_STORE=store.url, TRILEMMA_QUEUE_BYTES="200000")
    bodies = [write_traces(make_span(n, n, **CALL) for n in range(i, i + 500)) for i in range(1, 4001, 500)]
    taken = next(i for i, body in enumerate(bodies) if is_held_up(collector, body))
    assert 0 < taken < len(bodies) - 1
    store.start()
    for body in bodies[taken:]:
        wait_until(lambda body=body: is_taken(collector, body))
    wait_until(lambda: count(store)["rows"] >= 4000)
    assert count(store)["spans"] == count(store)["rows"] == 4000
