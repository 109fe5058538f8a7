"""Own a running production collector: free ports and its configuration layers."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from tests.collector_config.real.server_process import ServerProcess, find_free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIG_DIRECTORY = Path(__file__).resolve().parents[3] / "collector_config"


class CollectorProcess(ServerProcess):
    """Run the collector on loopback, with its queue in `folder`."""

    def __init__(self, binary: Path, layers: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        grpc, http, health, self.metrics_port = (find_free_port() for _ in range(4))
        self.grpc_target, self.http_url = f"127.0.0.1:{grpc}", f"http://127.0.0.1:{http}"
        own = {
            "TRILEMMA_OTLP_GRPC": f"127.0.0.1:{grpc}",
            "TRILEMMA_OTLP_HTTP": f"127.0.0.1:{http}",
            "TRILEMMA_HEALTH": f"127.0.0.1:{health}",
            "TRILEMMA_METRICS_PORT": str(self.metrics_port),
            "TRILEMMA_QUEUE": str(folder / "queue"),
        }
        command = [str(binary), *give_layers(layers)]
        super().__init__(command, {**own, **env}, folder / "collector.log", f"http://127.0.0.1:{health}/")

    def read_metric(self, name: str) -> float:
        """Sum one of the collector's own metrics over its labels; 0 where it does not exist yet."""
        return sum(value for metric, value in self.read_metrics() if metric == name)

    def read_metrics(self) -> list[tuple[str, float]]:
        """Return the collector's own metrics without their labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as reply:
            lines = reply.read().decode().splitlines()
        samples = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
        return [(metric.partition("{")[0], float(value)) for metric, value in samples]


def give_layers(layers: Sequence[str]) -> list[str]:
    """Turn layer names into ``--config`` options; ``yaml:...`` is a setting given in place."""
    return [
        word
        for layer in layers
        for word in ("--config", layer if layer.startswith("yaml:") else str(CONFIG_DIRECTORY / layer))
    ]
