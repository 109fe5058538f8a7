"""Hold `make collector` to its messages: what is missing, and what to do about it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import trilemma.errors
from trilemma_collector.build import build_collector, find_go

if TYPE_CHECKING:
    from pathlib import Path


def put_go_on_path(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Make a `go` that does what the shell script says the only program on PATH."""
    go = folder / "go"
    go.write_text(f"#!/bin/sh\n{script}\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def write_manifest(folder: Path) -> Path:
    """Write the least manifest that names a distribution."""
    manifest = folder / "builder.yaml"
    manifest.write_text("# comment\ndist:\n  # comment\n  version: 1.2.3\n  name: otelcol-test\n\nreceivers: []\n")
    return manifest


def test_missing_go_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Go the message names the version to install and the image that needs none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        trilemma.errors.ConfigurationError, match=r"needs Go 1\.26 or newer, and there is no `go`"
    ) as raised:
        find_go()
    assert "opentelemetry-collector-contrib:0.161.0" in str(raised.value)


@pytest.mark.parametrize("version", ["go version go1.25.9 linux/amd64", "go version go1.4 plan9/386", "gibberish", ""])
def test_old_go_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    """A Go before 1.26, or one that says nothing sensible, is refused with what it said."""
    put_go_on_path(monkeypatch, tmp_path, f"echo '{version}'")
    with pytest.raises(trilemma.errors.ConfigurationError) as raised:
        find_go()
    assert repr(version) in str(raised.value)


@pytest.mark.parametrize("version", ["go1.26.0", "go1.27rc1", "go2.0", "devel go1.28-abcdef"])
def test_new_go_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str) -> None:
    """Go 1.26 and anything after is taken, release candidates and development versions too."""
    put_go_on_path(monkeypatch, tmp_path, f"echo 'go version {version} linux/amd64'")
    assert find_go() == str(tmp_path / "go")


def test_go_downloads_no_other_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The version is that of the Go on PATH: it may not fetch a newer toolchain of itself."""
    put_go_on_path(monkeypatch, tmp_path, 'test "$GOTOOLCHAIN" = local && echo "go version go1.26 x"')
    assert find_go()


def test_second_build_comes_from_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A manifest is built once; another text of it is built again, beside the first."""
    script = 'echo $* >> "$0.calls"; test "$1" = version && echo go version go1.26 || echo built > "$6/otelcol-test"'
    put_go_on_path(monkeypatch, tmp_path, script)
    manifest = write_manifest(tmp_path)
    first = build_collector(manifest, tmp_path / "cache")
    assert build_collector(manifest, tmp_path / "cache") == first
    assert first.read_text() == "built\n"
    manifest.write_text(manifest.read_text() + "exporters: []\n")
    assert build_collector(manifest, tmp_path / "cache") != first
    assert (tmp_path / "go.calls").read_text().count("cmd/builder@v0.161.0") == 2


def test_failed_build_names_its_log_and_leaves_no_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A builder that fails gives its last lines and its log's path, and the next call builds anew."""
    script = (
        'test "$1" = version && echo go version go1.26 && exit\necho half > "$6/otelcol-test"; echo no module; exit 3'
    )
    put_go_on_path(monkeypatch, tmp_path, script)
    with pytest.raises(trilemma.errors.CollectorBuildError, match="exit code 3:\n  no module") as raised:
        build_collector(write_manifest(tmp_path), tmp_path / "cache")
    assert "build.log" in str(raised.value)
    assert not list(tmp_path.glob("cache/*/otelcol-test"))


def test_unusable_manifest_is_named(tmp_path: Path) -> None:
    """A manifest that is missing, or that names no distribution, is an error that names it."""
    with pytest.raises(trilemma.errors.ConfigurationError, match=r"absent\.yaml cannot be read"):
        build_collector(tmp_path / "absent.yaml", tmp_path)
    nameless = tmp_path / "nameless.yaml"
    nameless.write_text("dist:\n  version: 1\nreceivers:\n  - name: x\n")
    with pytest.raises(trilemma.errors.ConfigurationError, match=r"nameless\.yaml names no distribution"):
        build_collector(nameless, tmp_path)


def test_command_ends_with_an_error_code(tmp_path: Path) -> None:
    """`python -m trilemma_collector.build` without Go: one sentence on standard error, exit code 1, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "trilemma_collector.build", "--cache", tmp_path],
        env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("trilemma: building the collector needs Go 1.26")
    assert len(done.stderr.splitlines()) == 1
