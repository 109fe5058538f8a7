"""Own the collector that tests run: ``trilemma up`` in its own process, on free ports, stopped at the end.

Use it from any test, or from the demo::

    from tests.collector_config.embedded.servers import running_collector

    with running_collector(tmp_path) as collector:
        # collector.otlp_http, .otlp_grpc, .clickhouse: base URLs; collector.data_dir: its directory
        client = clickhouse_connect.get_client(dsn=f"{collector.clickhouse}/trilemma")

What a client has had acknowledged, a query sees: the ClickHouse port stores the backlog before it reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0


@dataclass
class RunningCollector:
    """A running ``trilemma up``: its addresses, its directory, its process."""

    otlp_http: str
    otlp_grpc: str
    clickhouse: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def log_text(self) -> str:
        """Return what it has written to stderr so far."""
        return self.log.read_text(encoding="utf-8")

    def stop(self) -> int:
        """Stop it as a service manager would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill(self) -> None:
        """Kill it where it stands (kill -9)."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_S)


@contextlib.contextmanager
def running_collector(
    tmp_path: Path, *options: str, data_dir: Path | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[RunningCollector]:
    """Run ``trilemma up`` for as long as the block lasts, on free ports of the loopback address.

    Args:
        tmp_path: where its log and, unless given, its data directory go.
        options: more options of ``trilemma up``.
        data_dir: its data directory (default: ``tmp_path / "store"``).
        environment: variables to add to its environment.
    """
    collector = start_collector(tmp_path, *options, data_dir=data_dir, environment=environment)
    try:
        yield collector
    finally:
        if collector.process.poll() is None:
            collector.stop()


def start_collector(
    tmp_path: Path, *options: str, data_dir: Path | None = None, environment: Mapping[str, str] | None = None
) -> RunningCollector:
    """Start ``trilemma up`` and return once it serves; the caller stops or kills it."""
    data_dir = data_dir or tmp_path / "store"
    ready_file = tmp_path / f"ready-{time.monotonic_ns()}.json"
    log = tmp_path / f"{ready_file.stem}.log"
    arguments = ["--data-dir", str(data_dir), "--ready-file", str(ready_file), *FREE_PORTS, *options]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "trilemma.cli", "up", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, **(environment or {})},
        )
    ready = _wait_until_ready(process, ready_file, log)
    return RunningCollector(ready["otlp_http"], ready["otlp_grpc"], ready["clickhouse"], data_dir, process, log)


def run_up(tmp_path: Path, *options: str, timeout_s: float = START_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run ``trilemma up`` where it is expected to refuse, and return its exit code and output."""
    command: Sequence[str] = [
        sys.executable,
        "-m",
        "trilemma.cli",
        "up",
        "--data-dir",
        str(tmp_path / "store"),
        *options,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


FREE_PORTS = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--clickhouse-port", "0")


def _wait_until_ready(process: subprocess.Popen[bytes], ready_file: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready_file.exists():
        if process.poll() is not None:
            raise RuntimeError(f"trilemma up ended with {process.returncode}: {log.read_text(encoding='utf-8')}")
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise RuntimeError(f"trilemma up is not ready after {START_TIMEOUT_S} s: {log.read_text(encoding='utf-8')}")
        time.sleep(0.02)
    result: dict[str, Any] = json.loads(ready_file.read_text(encoding="utf-8"))
    return result
