"""Own the fixtures of the production collector: its binary, built once, and processes and sinks that always end."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest
import trilemma.errors
from trilemma_collector.build import build_collector, find_go

from tests.collector_config.real.collector_process import CollectorProcess
from tests.collector_config.real.otlp import OtlpSink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StartCollector(Protocol):
    """Start a collector with layers of configuration and variables of its environment."""

    def __call__(self, *layers: str, **env: str) -> CollectorProcess:
        """Return it once it is healthy."""


@pytest.fixture(scope="session")
def collector_binary() -> Path:
    """Build the collector, or take it from the cache; skip without Go, except in CI, where that is a failure."""
    try:
        return build_collector()
    except trilemma.errors.ConfigurationError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def start_collector(collector_binary: Path, tmp_path: Path) -> Iterator[StartCollector]:
    """Start collectors by their layers; all are ended after the test."""
    with ExitStack() as stack:

        def start(*layers: str, **env: str) -> CollectorProcess:
            collector = CollectorProcess(collector_binary, layers, tmp_path, env)
            stack.callback(collector.kill)
            collector.start()
            return collector

        yield start


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    """Receive OTLP in this process."""
    sink = OtlpSink()
    yield sink
    sink.close()


@pytest.fixture
def secrets(tmp_path: Path, collector_binary: Path) -> dict[str, str]:
    """Give what a deployment has to give: a token, a gateway and a certificate."""
    go = find_go()
    source = subprocess.run([go, "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip()
    make = [
        go,
        "run",
        f"{source}/src/crypto/tls/generate_cert.go",
        "--host",
        "127.0.0.1",
        "--ca",
        "--ecdsa-curve",
        "P256",
    ]
    subprocess.run(make, check=True, capture_output=True, cwd=tmp_path)
    return {
        "TRILEMMA_TOKEN": "a-token",
        "TRILEMMA_GATEWAY": "https://gateway:4318",
        "TRILEMMA_TLS_CERT": str(tmp_path / "cert.pem"),
        "TRILEMMA_TLS_KEY": str(tmp_path / "key.pem"),
    }
