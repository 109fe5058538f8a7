"""Own the cached environments of the benchmark's peers: one per peer, with the project's versions of both SDKs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bench.adapters import Adapter

__all__ = ["CACHE", "ROOT", "python_for"]

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "bench"
# What must be equal on all sides; the rest is the peer's own choice.
SAME = (
    "openai",
    "anthropic",
    "opentelemetry-api",
    "opentelemetry-sdk",
    "pydantic",
    "pydantic-core",
    "httpx2",
    "httpcore2",
)


def python_for(name: str, adapter: Adapter) -> Path:
    """Return the interpreter for `adapter`, installing what it needs; raises CalledProcessError when that fails."""
    if not adapter.packages:
        return Path(sys.executable)
    folder = CACHE / name
    python = folder / "bin" / "python"
    done = folder / ".installed"
    if not done.exists():
        print(f"==> installing {' and '.join(adapter.packages)} into {folder.relative_to(ROOT)}", flush=True)
        uv = (sys.executable, "-m", "uv")
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        prerelease = "allow" if adapter.prerelease else "if-necessary-or-explicit"
        install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--prerelease", prerelease]
        subprocess.run([*install, "--python", python, *_same_versions(), *adapter.packages], check=True)
        done.touch()
    return python


def _same_versions() -> list[str]:
    pins = (ROOT / "tests" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [pin for pin in pins if pin.partition("==")[0] in SAME]
