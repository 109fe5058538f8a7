"""Own the proof that what `pip install` brings is whole, small, and works in an empty environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
# What a user's app must not get by `pip install trilemma`.
FOREIGN = {"altair", "chdb", "chdb-core", "clickhouse-connect", "marimo", "numpy", "pandas", "pyarrow", "rich", "scipy",
           "starlette", "uvicorn", "openai", "anthropic", "pytest"}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release would."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(directory), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    [built] = directory.glob("trilemma-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment, at the versions we test, and return its bin folder."""
    venv = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([str(BIN / "uv"), "venv", "--quiet", "--python", sys.executable, str(venv)], check=True)
    pins = str(ROOT / "tests" / "constraints.txt")
    install = ["pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), "--constraint", pins, str(wheel)]
    subprocess.run([str(BIN / "uv"), *install], check=True, timeout=300)
    return venv / "bin"


def run(words: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command outside the checkout, with nothing of it in the environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    return subprocess.run(
        words, cwd=directory, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_wheel_holds_every_file(wheel: Path) -> None:
    """Every file of the three packages that git knows is in the wheel: code, SQL, mappings, registry, py.typed."""
    packages = ["instrumentation/trilemma", "collector_config/trilemma_collector", "analysis/trilemma_analysis"]
    listed = subprocess.run(["git", "ls-files", *packages], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    expected = {path.split("/", 1)[1] for path in listed.splitlines() if (ROOT / path).exists()}
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert expected - packed == set()
    assert {Path(path).suffix for path in expected} >= {".py", ".json", ".sql", ".typed"}
    for package in ("trilemma", "trilemma_collector", "trilemma_analysis"):
        assert f"{package}/py.typed" in packed
    assert "trilemma/bootstrap/sitecustomize.py" in packed
    notebooks = {f"trilemma_analysis/notebooks/{path.name}" for path in (ROOT / "analysis/notebooks").glob("*.py")}
    assert notebooks == {path for path in packed if path.startswith("trilemma_analysis/notebooks/")}
    assert {path.split("/")[0] for path in packed if ".dist-info" not in path} == {
        "trilemma",
        "trilemma_collector",
        "trilemma_analysis",
    }


def test_wheel_metadata(wheel: Path) -> None:
    """The wheel says its licence, its command and OpenTelemetry's entry point."""
    archive = zipfile.ZipFile(wheel)
    [entry_points] = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
    declared = archive.read(entry_points).decode()
    assert "trilemma = trilemma.cli:main" in declared
    assert "[opentelemetry_instrumentor]\ntrilemma = trilemma.instrumentor:TrilemmaInstrumentor" in declared
    assert any("licenses/LICENSE" in name for name in archive.namelist())


def test_small(installed: Path) -> None:
    """The SDK alone brings neither ClickHouse nor pandas nor numpy, nor any provider's SDK."""
    command = [str(BIN / "uv"), "pip", "list", "--format", "json", "--python", str(installed / "python")]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    names = {package["name"].lower() for package in listed}
    assert "trilemma" in names
    assert names & FOREIGN == set()


def test_works_when_installed(installed: Path, tmp_path: Path) -> None:
    """In the empty environment the API works, and nothing heavy is loaded until it is needed."""
    code = """
import sys, trilemma
with trilemma.task("t", variant={"cache": "exact"}) as task:
    task.succeed()
trilemma.instrument(export=False)
heavy = {"opentelemetry.sdk", "pydantic", "requests", "grpc", "genai_prices", "opentelemetry.exporter"}
print(trilemma.__file__.startswith(sys.prefix), sorted(heavy & set(sys.modules)))
"""
    done = run([str(installed / "python"), "-c", code], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True []\n", "")


@pytest.mark.parametrize(
    ("command", "extra"),
    [("up", "local"), ("migrate", "local"), ("import", "analysis"), ("report", "analysis"), ("notebook", "analysis")],
)
def test_missing_extra(installed: Path, tmp_path: Path, command: str, extra: str) -> None:
    """A command whose extra is not installed says what to install, and ends with 1."""
    done = run([str(installed / "trilemma"), command], tmp_path)
    assert done.returncode == 1, done.stderr
    assert f"pip install 'trilemma[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_when_installed(installed: Path, tmp_path: Path) -> None:
    """`trilemma run` works there too."""
    done = run([str(installed / "trilemma"), "run", "--", str(installed / "python"), "-c", "print(6 * 7)"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
