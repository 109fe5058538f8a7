"""Own a running production collector: free ports, its configuration layers, and ways to stop it, gently or not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIG_DIRECTORY = Path(__file__).resolve().parents[3] / "collector_config"
START_TIMEOUT_S = 30


class CollectorProcess:
    """Run the collector on loopback; a second ``start`` after ``kill`` finds the same queue."""

    def __init__(self, binary: Path, layers: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.ports = {name: find_free_port() for name in ("grpc", "http", "health", "metrics")}
        self.log = folder / "collector.log"
        self._command = [str(binary), *give_layers(layers)]
        self._env = {
            **os.environ,
            "TRILEMMA_OTLP_GRPC": f"127.0.0.1:{self.ports['grpc']}",
            "TRILEMMA_OTLP_HTTP": f"127.0.0.1:{self.ports['http']}",
            "TRILEMMA_HEALTH": f"127.0.0.1:{self.ports['health']}",
            "TRILEMMA_METRICS_PORT": str(self.ports["metrics"]),
            "TRILEMMA_QUEUE": str(folder / "queue"),
            **env,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def http_url(self) -> str:
        """Where OTLP/HTTP goes."""
        return f"http://127.0.0.1:{self.ports['http']}"

    @property
    def grpc_target(self) -> str:
        """Where OTLP/gRPC goes."""
        return f"127.0.0.1:{self.ports['grpc']}"

    def start(self) -> CollectorProcess:
        """Start and wait until it is healthy; what it logged is in the error if it is not."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._env, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the collector did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Stop as an operator would; the collector drains what it can."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop as a crash would: nothing is drained, flushed or closed."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=60)
            self._process = None

    def read_metric(self, name: str) -> float:
        """Sum one of the collector's own metrics over its labels; 0 where it does not exist yet."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['health']}/", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def give_layers(layers: Sequence[str]) -> list[str]:
    """Turn layer names into ``--config`` options; ``yaml:...`` is a setting given in place."""
    return [
        word
        for layer in layers
        for word in ("--config", layer if layer.startswith("yaml:") else str(CONFIG_DIRECTORY / layer))
    ]


def find_free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
