"""Hold production.md and the heads of the layers to the collector: commands, settings, metrics are real."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.collector_config.real.collector_process import CONFIG_DIRECTORY
from tests.collector_config.real.otlp import make_span, post, write_traces
from tests.collector_config.real.server_process import wait_until
from tests.collector_config.real.test_configurations import validate

if TYPE_CHECKING:
    from pathlib import Path

    from tests.collector_config.real.conftest import StartCollector
    from tests.collector_config.real.otlp import OtlpSink

pytestmark = pytest.mark.collector

DOCS = (CONFIG_DIRECTORY / "production.md").read_text()
LAYERS = {path.name: path.read_text() for path in CONFIG_DIRECTORY.glob("*.yaml")}
COMMANDS = sorted(
    set(re.findall(r"otelcol-trilemma((?: --config [\w-]+\.yaml)+)", "\n".join([DOCS, *LAYERS.values()])))
)


@pytest.mark.parametrize("command", COMMANDS)
def test_written_command_is_valid(collector_binary: Path, secrets: dict[str, str], command: str) -> None:
    """Each command line in the docs and in the layers' heads is one that the collector accepts."""
    done = validate(collector_binary, *command.replace(" --config ", " ").split(), **secrets)
    assert done.returncode == 0, done.stderr


def test_there_are_commands_to_test() -> None:
    """The pattern above finds the three ways that production.md shows."""
    assert len(COMMANDS) >= 3


def test_written_settings_are_read() -> None:
    """Each setting that the docs or a head name is read by a layer, and each that a layer reads is in its head."""
    read = {name: set(re.findall(r"\$\{env:(\w+)", text)) for name, text in LAYERS.items()}
    everywhere = set().union(*read.values())
    assert set(re.findall(r"TRILEMMA_[A-Z_]+", DOCS)) <= everywhere
    for name, text in LAYERS.items():
        head = "\n".join(line for line in text.splitlines() if line.startswith("#"))
        named = set(re.findall(r"(?:TRILEMMA|CLICKHOUSE)_[A-Z_]+", head))
        shared = named if "the rest as in" not in head else named | read["agent.yaml"]
        assert read[name] <= shared, name


def test_written_metrics_exist(start_collector: StartCollector, sink: OtlpSink) -> None:
    """Each metric that the docs say to watch is one that the collector has once it has sent something."""
    layers = ("privacy.yaml", "agent.yaml", "to-gateway.yaml", "yaml:exporters::otlp_http/gateway::compression: none")
    agent = start_collector(*layers, TRILEMMA_GATEWAY=sink.url, TRILEMMA_TOKEN="t")
    post(f"{agent.http_url}/v1/traces", write_traces([make_span(1, 1)]))
    wait_until(lambda: agent.read_metric("otelcol_exporter_sent_spans") == 1)
    named = set(re.findall(r"otelcol_\w+", DOCS))
    assert named
    assert named <= {name for name, _ in agent.read_metrics()}
