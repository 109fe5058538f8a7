"""Measure what a span costs the production collector: `python -m tests.collector_config.real.measure agent`.

`agent` and `gateway` send into a store (`trilemma up`), `queue` to a store that is away. CPU time, not wall time: it is
what is left of a figure on a noisy machine. Run it on a quiet one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from trilemma_collector.build import build_collector

from tests.collector_config.real.collector_process import CollectorProcess
from tests.collector_config.real.otlp import make_span, post, write_traces
from tests.collector_config.real.server_process import wait_until
from tests.collector_config.real.store_process import StoreProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.collector_config.real.otlp import Value

SPANS, PER_REQUEST = 200_000, 1000
NOBODY = "http://127.0.0.1:9"
TOKEN = {"Authorization": "Bearer t"}
# A call as trilemma records it: 35 attributes, 1.5 kB.
CALL: Mapping[str, Value] = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "openai.api.type": "chat_completions",
    "gen_ai.request.model": "gpt-5.4-mini", "gen_ai.response.model": "gpt-5.4-mini-2026-03-17",
    "gen_ai.request.temperature": 0.2, "gen_ai.request.max_tokens": 500, "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.output_tokens": 120,
    "gen_ai.usage.reasoning.output_tokens": 0, "server.address": "api.openai.com", "server.port": 443,
    "http.response.status_code": 200, "trilemma.cost.total": 0.00123, "trilemma.cost.input": 0.0003,
    "trilemma.cost.output": 0.0009, "trilemma.cost.currency": "USD", "trilemma.cost.source": "price_table",
    "trilemma.cost.price_table.version": "genai-prices 0.2.3", "trilemma.task.name": "support.refund",
    "trilemma.task.input_id": "ticket-1234", "gen_ai.prompt.name": "refund", "gen_ai.prompt.version": "v2",
    "trilemma.variant.cache": "exact", "trilemma.request.hash": "a" * 64, "trilemma.request.message_count": 3,
    "trilemma.request.tool_count": 2, "trilemma.response.time_to_first_content": 0.31,
    "trilemma.response.longest_stall": 0.1, "trilemma.response.chunk_count": 80,
    "trilemma.provider.processing_time": 0.4,
}  # fmt: skip


def main(role: str) -> None:
    """Send all spans and print what they cost."""
    bodies = [make_request(first) for first in range(1, SPANS + 1, PER_REQUEST)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = StoreProcess(folder)
        layers = ("privacy.yaml", "gateway.yaml" if role == "gateway" else "agent.yaml", "store.yaml")
        env = {"TRILEMMA_STORE": NOBODY if role == "queue" else store.url, "TRILEMMA_TOKEN": "t"}
        collector = CollectorProcess(build_collector(), layers, folder, env)
        try:
            if role != "queue":
                store.start()
            collector.start()
            send(bodies, collector, store if role != "queue" else None)
        finally:
            collector.kill()
            store.kill()


def send(bodies: list[bytes], collector: CollectorProcess, store: StoreProcess | None) -> None:
    """Send, wait until all is stored, and print."""
    began = time.monotonic()
    for body in bodies:
        post(f"{collector.http_url}/v1/traces", body, TOKEN)
    if store is not None:
        wait_until(lambda: int(store.query("SELECT count() AS n FROM llm_calls")[0]["n"]) >= SPANS, timeout_s=300)
        print(f"store: {store.read_cpu_s() / SPANS * 1e6:.0f} µs of CPU per span")
    else:
        print(f"queue: {collector.read_metric('otelcol_exporter_queue_size') / SPANS:.0f} bytes per span")
    cpu_s, wall_s = collector.read_cpu_s(), time.monotonic() - began
    print(f"collector: {cpu_s / SPANS * 1e6:.0f} µs of CPU per span, {SPANS / cpu_s:,.0f} spans per CPU-second")
    print(f"           {SPANS / wall_s:,.0f} spans/s here, {collector.read_peak_memory_mib():.0f} MiB at most")


def make_request(first: int) -> bytes:
    """Make one request of calls that differ as real ones do."""
    numbers = range(first, first + PER_REQUEST)
    return write_traces(make_span(n, n, "chat gpt-5.4-mini", **CALL, **name_call(n)) for n in numbers)


def name_call(number: int) -> Mapping[str, Value]:
    """Return what is different from call to call."""
    return {
        "gen_ai.usage.input_tokens": number,
        "gen_ai.response.id": f"chatcmpl-{number:024x}",
        "trilemma.task.id": f"{number:032x}",
    }


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "agent")
