"""Hold every configuration that is shipped to what the real collector accepts."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.collector_config.real.collector_process import CONFIG_DIRECTORY, give_layers

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.collector

SHIPPED = {
    "agent": ("privacy.yaml", "agent.yaml", "store.yaml"),
    "agent to a gateway": ("privacy.yaml", "agent.yaml", "to-gateway.yaml"),
    "agent with TLS": ("privacy.yaml", "agent.yaml", "store.yaml", "tls.yaml"),
    "gateway": ("privacy.yaml", "gateway.yaml", "store.yaml"),
    "gateway with TLS": ("privacy.yaml", "gateway.yaml", "store.yaml", "tls.yaml"),
}
NOT_LAYERS = {"builder.yaml", "builder-loadbalancer.yaml", "compose.yaml"}


def validate(binary: Path, *layers: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the collector's own check."""
    return subprocess.run(
        [binary, "validate", *give_layers(layers)],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def read_yaml(name: str) -> dict[str, Any]:
    """Read a file of collector_config/."""
    return yaml.safe_load((CONFIG_DIRECTORY / name).read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize("layers", SHIPPED.values(), ids=SHIPPED.keys())
def test_collector_accepts_shipped_configuration(
    collector_binary: Path, secrets: dict[str, str], layers: tuple[str, ...]
) -> None:
    """Each shipped configuration passes the collector's own ``validate``."""
    done = validate(collector_binary, *layers, **secrets)
    assert done.returncode == 0, done.stderr


def test_validate_can_fail(collector_binary: Path) -> None:
    """A misspelt setting is refused, so the test above is able to fail."""
    done = validate(collector_binary, *SHIPPED["agent"], "yaml:exporters::clickhouse::crate_schema: false")
    assert done.returncode != 0
    assert "crate_schema" in done.stderr


def test_each_layer_is_in_a_configuration() -> None:
    """No layer is shipped that no test validates."""
    tested = {layer for layers in SHIPPED.values() for layer in layers} | {"loadbalancer.yaml"}
    assert {path.name for path in CONFIG_DIRECTORY.glob("*.yaml")} - NOT_LAYERS == tested


@pytest.mark.parametrize("layers", [SHIPPED["gateway"], SHIPPED["agent to a gateway"]])
def test_missing_token_is_refused(collector_binary: Path, layers: tuple[str, ...]) -> None:
    """A gateway that would take everybody's spans, or an agent it would turn away, does not start."""
    done = validate(collector_binary, *layers, TRILEMMA_GATEWAY="https://gateway:4318")
    assert done.returncode != 0
    assert "token" in done.stderr


def test_load_balancer_is_valid_but_for_its_exporter(
    collector_binary: Path, secrets: dict[str, str], tmp_path: Path
) -> None:
    """The load balancer's own exporter cannot be built here: with plain OTLP in its place, all else validates."""
    config = read_yaml("loadbalancer.yaml")
    exporter = config["exporters"].pop("loadbalancing")
    assert exporter["resolver"]["dns"]["port"] == "4317"
    config["exporters"]["otlp_grpc"] = {**exporter["protocol"]["otlp"], "endpoint": "gateway:4317"}
    for pipeline in config["service"]["pipelines"].values():
        pipeline["exporters"] = ["otlp_grpc"]
    stand_in = tmp_path / "loadbalancer.yaml"
    stand_in.write_text(yaml.safe_dump(config))
    done = validate(collector_binary, str(stand_in), TRILEMMA_GATEWAY_NAME="gateway", **secrets)
    assert done.returncode == 0, done.stderr


def test_manifests_pin_one_release() -> None:
    """Core and contrib are of one release in both manifests: others do not compile together."""
    for manifest in ("builder.yaml", "builder-loadbalancer.yaml"):
        parts = read_yaml(manifest)
        assert parts["dist"]["version"] == "0.161.0"
        versions = {m["gomod"].split()[1] for key, modules in parts.items() if key != "dist" for m in modules}
        assert versions <= {"v0.161.0", "v1.67.0"}


def test_gateway_knows_decision_spans_by_one_condition() -> None:
    """What is kept at once and what is marked as kept are the same spans: none is stored twice, none is lost."""
    processors = read_yaml("gateway.yaml")["processors"]
    [others] = processors["filter/keep_decisions"]["trace_conditions"]
    [marking] = processors["transform/mark_decisions"]["trace_statements"]
    assert [others.removeprefix("not ")] == marking["conditions"]
