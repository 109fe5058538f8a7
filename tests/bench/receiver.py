"""Own the receiver benchmark: spans per CPU-second that `trilemma up` takes in, beside decoding in Python.

Method. `trilemma up` runs in its own process, with all defaults (each request is on disk before it is acknowledged).
This process makes the spans beforehand, then sends them over OTLP/HTTP, Protobuf, uncompressed, 512 spans a request, as
fast as they are acknowledged. What is measured is CPU time, user and system, of the whole collector process and all its
threads, from the first request until the last span is stored: receiving, checking, the write-ahead file,
ClickHouse's decoding, every table, view and rollup, and the background merges that fall into that time. The naive way
takes the same requests in a process of its own, without HTTP and write-ahead file: Protobuf, Python rows, Arrow,
the same tables. Both take turns in one run, for machines are noisy.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from tests.bench.otlp_requests import make_requests
from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

SENDERS = 2


class Run(NamedTuple):
    """One measured run."""

    spans: int
    cpu_s: float
    wall_s: float

    @property
    def spans_per_cpu_s(self) -> float:
        """Return the figure of merit."""
        return self.spans / self.cpu_s


def main(argv: Sequence[str]) -> int:
    """Measure and print; exits with an error when a span is missing at the end."""
    args = _parse(argv)
    figures = {"calls": _compare(args, with_calls=True), "plain": _compare(args, with_calls=False)}
    if args.json:
        args.json.write_text(json.dumps(figures))
    return 0


def _compare(args: Any, *, with_calls: bool) -> dict[str, float]:
    requests = make_requests(args.requests, args.spans_per_request, with_calls=with_calls)
    size = sum(map(len, requests)) / (args.requests * args.spans_per_request)
    kind = "tasks and their LLM calls, 30 attributes a span" if with_calls else "spans of 8 attributes"
    print(f"\n{args.requests} requests of {args.spans_per_request} spans: {kind}, {size:,.0f} bytes a span", flush=True)
    ours, naive = [], []
    for number in range(args.rounds):
        ours.append(measure_collector(requests, args.spans_per_request))
        naive.append(measure_naive(args.naive_requests, args.spans_per_request, with_calls=with_calls))
        print(f"round {number + 1}: {_describe('trilemma up', ours[-1])}; {_describe('naive', naive[-1])}", flush=True)
    figures = [median(run.spans_per_cpu_s for run in runs) for runs in (ours, naive)]
    ratio = figures[0] / figures[1]
    print(f"median: trilemma up {figures[0]:,.0f} spans per CPU-second, naive {figures[1]:,.0f}: ratio {ratio:.2f}")
    return {"trilemma_up": figures[0], "naive": figures[1], "ratio": ratio}


def measure_collector(requests: list[bytes], spans_per_request: int) -> Run:
    """Send requests to a fresh `trilemma up` and return what it cost."""
    with tempfile.TemporaryDirectory(prefix="trilemma-bench-") as folder, running_collector(Path(folder)) as collector:
        _send(collector.otlp_http, make_requests(4, spans_per_request, seed=1), senders=1)
        before = _count_spans(collector.clickhouse)
        cpu_s, started = _read_cpu(collector.otlp_http), time.perf_counter()
        _send(collector.otlp_http, requests, SENDERS)
        _wait_until_stored(collector.otlp_http)
        cpu_s, wall_s = _read_cpu(collector.otlp_http) - cpu_s, time.perf_counter() - started
        stored = _count_spans(collector.clickhouse) - before
    if stored != len(requests) * spans_per_request:
        raise SystemExit(f"{len(requests) * spans_per_request:,} spans sent, {stored:,} stored")
    return Run(stored, cpu_s, wall_s)


def measure_naive(request_count: int, spans_per_request: int, *, with_calls: bool) -> Run:
    """Decode and store requests in Python, in a process of its own, and return what it cost."""
    command = [sys.executable, "-m", "tests.bench.naive_receiver", str(request_count), str(spans_per_request)]
    command += ["calls"] if with_calls else []
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Run(**json.loads(output.splitlines()[-1]))


def _send(url: str, requests: list[bytes], senders: int) -> None:
    address = urlsplit(url).netloc
    failures: list[str] = []

    def send(share: list[bytes]) -> None:
        connection = http.client.HTTPConnection(address)
        for body in share:
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            reply = connection.getresponse()
            text = reply.read()
            if reply.status != http.client.OK:
                failures.append(f"{reply.status} {text!r}")
        connection.close()

    threads = [threading.Thread(target=send, args=(requests[index::senders],)) for index in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{len(failures)} requests refused, the first: {failures[0]}")


def _read_cpu(url: str) -> float:
    return float(_read_health(url)["cpu_s"])


def _wait_until_stored(url: str) -> None:
    while _read_health(url)["backlog_bytes"]:
        time.sleep(0.2)


def _read_health(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/health") as reply:
        health: dict[str, Any] = json.load(reply)
    return health


def _count_spans(url: str) -> int:
    with urllib.request.urlopen(f"{url}/?query=SELECT+count()+FROM+spans") as reply:
        return int(reply.read())


def _describe(name: str, run: Run) -> str:
    size = f"{run.spans:,} spans, {run.cpu_s:.2f} CPU-s, {run.wall_s:.2f} s"
    return f"{name} {run.spans_per_cpu_s:,.0f} spans/CPU-s ({size})"


def _parse(argv: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.bench receiver")
    parser.add_argument("--requests", type=int, default=400, help="requests to `trilemma up` per round")
    parser.add_argument("--naive-requests", type=int, default=100, help="requests to the naive receiver per round")
    parser.add_argument("--spans-per-request", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(argv)
