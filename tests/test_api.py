"""Own the proof of the public names: complete, sorted, typed for users, and cheap to import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trilemma

ROOT = Path(__file__).parents[1]


def test_all_is_sorted_and_complete() -> None:
    """`__all__` is sorted, every name in it is there, and nothing public is missing from it."""
    assert trilemma.__all__ == sorted(trilemma.__all__)
    for name in trilemma.__all__:
        assert getattr(trilemma, name) is not None
    homes = {f"trilemma.{home}" for home in trilemma._HOMES.values()} | {"trilemma.task"}
    offered = {name for name in vars(trilemma) if getattr(getattr(trilemma, name), "__module__", None) in homes}
    assert {name for name in offered if not name.startswith("_")} == set(trilemma.__all__) - {"Any"}


def test_unknown_name() -> None:
    """A name that is not there is an AttributeError, as with any module."""
    with pytest.raises(AttributeError, match="has no attribute 'taks'"):
        trilemma.taks  # noqa: B018  # type: ignore[attr-defined]


def test_every_public_name_is_documented() -> None:
    """Every public name has a docstring that is a sentence."""
    for name in trilemma.__all__:
        doc = getattr(trilemma, name).__doc__
        assert doc
        assert doc.strip()[0].isupper()
        assert "." in doc


def test_users_code_type_checks() -> None:
    """Mypy --strict accepts a user's code as it should, and refuses what it should."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-incremental",
        "--warn-unused-ignores",
        "tests/typing/api.py",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout


def test_import_is_cheap() -> None:
    """`import trilemma` loads OpenTelemetry's API and nothing else that an app may not have loaded itself."""
    code = """if True:
        import json, sys
        import opentelemetry.baggage, opentelemetry.trace
        before = set(sys.modules)
        import trilemma
        print(json.dumps(sorted(set(sys.modules) - before)))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert loaded - sys.stdlib_module_names == {"trilemma"}
