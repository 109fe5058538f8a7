"""Own the build of the production collector: the official builder, our manifest, a cached binary.

``make collector`` calls this; so do the tests. The same manifest is built once: its hash names the folder of the cache.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import trilemma.errors

__all__ = ["build_collector", "find_go", "main"]

BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"
OLDEST_GO = (1, 26)
CONFIG_DIRECTORY = Path(__file__).resolve().parents[1]
MANIFEST = CONFIG_DIRECTORY / "builder.yaml"
CACHE = CONFIG_DIRECTORY.parent / ".cache" / "collector"
WITHOUT_GO = (
    "Install a current Go (your package manager has one) and run `make collector` again, or run the official image "
    "otel/opentelemetry-collector-contrib:0.161.0, which takes the same configuration files."
)


def main(argv: list[str] | None = None) -> int:
    """Build the collector and print the path of the binary; 0 built or cached, 1 a named error."""
    parser = argparse.ArgumentParser(
        prog="python -m trilemma_collector.build",
        description="Build the OpenTelemetry Collector with the official builder, through the Go module proxy.",
    )
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help="builder manifest (default: builder.yaml)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path(os.environ.get("TRILEMMA_COLLECTOR_CACHE", CACHE)),
        help="folder of built binaries (default: $TRILEMMA_COLLECTOR_CACHE, else .cache/collector in the checkout)",
    )
    args = parser.parse_args(argv)
    try:
        print(build_collector(args.manifest, args.cache))
    except trilemma.errors.TrilemmaError as error:
        print(f"trilemma: {error}", file=sys.stderr)
        return 1
    return 0


def build_collector(manifest: Path = MANIFEST, cache: Path = CACHE) -> Path:
    """Return the binary that the manifest describes, building it unless the cache has it.

    Raises:
        ConfigurationError: the manifest is missing or names no distribution, or Go is missing or too old.
        CollectorBuildError: the builder failed; its log stays in the cache and is named.
    """
    text = _read_manifest(manifest)
    name = _read_distribution_name(manifest, text)
    key = hashlib.sha256(f"{BUILDER}\n{text}".encode()).hexdigest()[:16]
    binary = cache / key / name
    if not binary.exists():
        _run_builder(find_go(), manifest, binary)
    return binary


def find_go() -> str:
    """Return the path of a Go that is new enough, or raise ConfigurationError that says what to do."""
    oldest = ".".join(map(str, OLDEST_GO))
    go = shutil.which("go")
    if go is None:
        raise trilemma.errors.ConfigurationError(
            f"building the collector needs Go {oldest} or newer, and there is no `go` on PATH. {WITHOUT_GO}"
        )
    said = subprocess.run([go, "version"], capture_output=True, text=True, check=False, env=_go_environment()).stdout
    version = re.search(r"go version \D*(\d+)\.(\d+)", said)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GO:
        raise trilemma.errors.ConfigurationError(
            f"building the collector needs Go {oldest} or newer, and `{go} version` says {said.strip()!r}. {WITHOUT_GO}"
        )
    return go


def _go_environment() -> dict[str, str]:
    """Keep Go from downloading another toolchain: the one on PATH is new enough or the build says so."""
    return {**os.environ, "GOTOOLCHAIN": "local"}


def _read_manifest(manifest: Path) -> str:
    try:
        return manifest.read_text()
    except OSError as error:
        raise trilemma.errors.ConfigurationError(
            f"the builder manifest {manifest} cannot be read ({error.strerror}). It is part of the repository, not of "
            "the installed package: run `make collector` in a checkout, or give another with --manifest."
        ) from error


def _read_distribution_name(manifest: Path, text: str) -> str:
    """Read ``dist.name`` without a YAML parser, which the installed package does not bring."""
    name = re.search(r"^dist:\n(?:[ \t#].*\n|\n)*?[ \t]+name:[ \t]*([\w.-]+)", text, re.MULTILINE)
    if name is None:
        raise trilemma.errors.ConfigurationError(
            f"the builder manifest {manifest} names no distribution. Give it `dist:` with `name: otelcol-trilemma`."
        )
    return name[1]


def _run_builder(go: str, manifest: Path, binary: Path) -> None:
    """Build beside the cache and rename, so that a broken or concurrent build never leaves half a binary."""
    binary.parent.mkdir(parents=True, exist_ok=True)
    log = binary.parent / "build.log"
    command = [go, "run", BUILDER, "--config", str(manifest), "--output-path"]
    print(f"==> building {binary.name} with {BUILDER} (1 to 4 minutes; log: {log})", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=binary.parent, prefix="build-") as folder:
        with log.open("wb") as output:
            done = subprocess.run([*command, folder], stdout=output, stderr=output, check=False, env=_go_environment())
        if done.returncode:
            tail = "\n  ".join(log.read_text(errors="replace").strip().splitlines()[-8:])
            raise trilemma.errors.CollectorBuildError(
                f"the builder ended with exit code {done.returncode}:\n  {tail}\n"
                f"The whole log is {log}. A module that the Go module proxy does not serve has to leave {manifest}."
            )
        (Path(folder) / binary.name).replace(binary)


if __name__ == "__main__":
    sys.exit(main())
