"""Hold the compose file to Docker's own loader and to what its containers need; no engine is needed."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import trilemma.errors
import yaml
from trilemma_collector.build import find_go

from tests.collector_config.real.collector_process import CONFIG_DIRECTORY

pytestmark = pytest.mark.collector

LOADER = Path(__file__).with_name("compose_loader")
PASSWORDS = dict.fromkeys(("CLICKHOUSE_PASSWORD", "GRAFANA_CLICKHOUSE_PASSWORD", "GRAFANA_ADMIN_PASSWORD"), "letters1")


def load_compose(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Load compose.yaml as `docker compose config` does."""
    try:
        go = find_go()
    except trilemma.errors.ConfigurationError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    return subprocess.run(
        [go, "run", ".", CONFIG_DIRECTORY / "compose.yaml"], cwd=LOADER, capture_output=True, text=True, check=False,
        env={**{k: v for k, v in os.environ.items() if k not in PASSWORDS}, "GOTOOLCHAIN": "local", **env},
    )  # fmt: skip


@cache
def services() -> dict[str, dict[str, Any]]:
    """Return the services as Docker reads them."""
    done = load_compose(PASSWORDS)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]  # type: ignore[no-any-return]


def read_provisioning(name: str) -> dict[str, Any]:
    """Read one of Grafana's provisioning files."""
    return yaml.safe_load((CONFIG_DIRECTORY / "grafana" / "provisioning" / name).read_text())  # type: ignore[no-any-return]


def test_docker_reads_the_file() -> None:
    """Docker's loader takes the file, its schema, its variables and its references."""
    assert set(services()) == {"clickhouse", "migrate", "queue-owner", "collector", "grafana"}


@pytest.mark.parametrize("missing", PASSWORDS)
def test_no_password_has_a_default(missing: str) -> None:
    """Without a password nothing starts, and the message names the variable."""
    done = load_compose({name: value for name, value in PASSWORDS.items() if name != missing})
    assert done.returncode == 1
    assert f"set {missing}" in done.stderr


def test_images_are_pinned() -> None:
    """Every image, also the one that migrate is built from, has a full version as its tag."""
    bases = re.findall(r"^FROM (\S+)", services()["migrate"]["build"]["dockerfile_inline"], re.MULTILINE)
    images = [service["image"] for service in services().values() if "image" in service] + bases
    assert len(images) == 5
    assert all(re.search(r":\d+\.\d+", image) for image in images)


def test_ports_are_published_on_loopback_only() -> None:
    """Nothing is reachable from another machine unless someone decides so."""
    hosts = {port["host_ip"] for service in services().values() for port in service.get("ports", [])}
    assert hosts == {"127.0.0.1"}


def test_mounted_files_exist() -> None:
    """A missing file would be made a directory by Docker, and its reader would fail."""
    mounts = [mount for service in services().values() for mount in service.get("volumes", [])]
    mounts = [mount for mount in mounts if mount["type"] == "bind"]
    assert len(mounts) == 6
    assert all(Path(mount["source"]).exists() and mount["read_only"] for mount in mounts)


def test_schema_is_applied_before_anything_writes() -> None:
    """ClickHouse is healthy, then migrate ends well, then the collector and Grafana start."""
    assert services()["migrate"]["depends_on"]["clickhouse"]["condition"] == "service_healthy"
    for name in ("collector", "grafana"):
        assert services()[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_migrate_image_copies_what_the_package_is_made_of() -> None:
    """Each path that the image copies is there, and all of the wheel's packages are among them."""
    copied = re.findall(r"^COPY (.+) \S+$", services()["migrate"]["build"]["dockerfile_inline"], re.MULTILINE)
    paths = [path for group in copied for path in group.split()]
    root = Path(services()["migrate"]["build"]["context"])
    assert all((root / path).exists() for path in paths)
    packages = re.search(r"wheel\]\npackages = \[(.*?)\]", (root / "pyproject.toml").read_text(), re.DOTALL)
    assert packages is not None
    for package in re.findall(r'"(.+?)"', packages[1]):
        assert any(package == path or package.startswith(f"{path}/") for path in paths), package


def test_collector_is_given_only_settings_it_reads() -> None:
    """A variable that no layer reads is a typing error."""
    collector = services()["collector"]
    layers = [argument.rpartition("/")[2] for argument in collector["command"]]
    text = "".join((CONFIG_DIRECTORY / layer).read_text() for layer in layers)
    settings = set(collector["environment"]) - {"GOMEMLIMIT"}  # read by Go itself
    assert {name for name in settings if f"${{env:{name}" not in text} == set()


def test_grafana_and_clickhouse_agree_on_the_reader() -> None:
    """The data source, the user of the server and the passwords' names are the same in three files."""
    [source] = read_provisioning("datasources/clickhouse.yaml")["datasources"]
    user = ET.parse(CONFIG_DIRECTORY / "clickhouse/users.d/grafana.xml").find(f"users/{source['jsonData']['username']}")
    assert user is not None
    variable = user.find("password").attrib["from_env"]  # type: ignore[union-attr]
    assert source["secureJsonData"]["password"] == f"${variable}"
    assert all(variable in services()[name]["environment"] for name in ("clickhouse", "grafana"))
    assert source["jsonData"]["host"] in services()
    [provider] = read_provisioning("dashboards/trilemma.yaml")["providers"]
    assert provider["options"]["path"] in {mount["target"] for mount in services()["grafana"]["volumes"]}
