"""Migrating brings a store up to date once, completes what was interrupted, and refuses what it does not know."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from trilemma.errors import ConfigurationError, MigrationError
from trilemma_analysis.client import connect
from trilemma_collector.schema import list_missing, load_migrations, migrate, run_on_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trilemma_analysis.client import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    with connect(f"chdb://{tmp_path}/store", require_schema=False, create=True) as opened:
        yield opened


@pytest.fixture
def run(store: Store) -> Callable[[str], str]:
    """Return what runs a statement on it."""
    return run_on_client(store.client)


def test_twice(run: Callable[[str], str]) -> None:
    """The second time there is nothing to do."""
    assert migrate(run) == load_migrations()
    assert migrate(run) == ()
    assert list_missing(run) == ()


def test_numbers_are_distinct_and_names_fit() -> None:
    """Each migration has its own number, in its file's name."""
    versions = [migration.version for migration in load_migrations()]
    assert versions == sorted(set(versions))


@pytest.mark.parametrize("after", [1, 7, 20, 33])
def test_interrupted(run: Callable[[str], str], after: int) -> None:
    """A run that dies at any statement is completed by the next one."""
    left = after

    def run_some(statement: str) -> str:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConnectionResetError
        return run(statement)

    with pytest.raises(ConnectionResetError):
        migrate(run_some)
    migrate(run)
    assert list_missing(run) == ()
    assert run("SELECT count() FROM trilemma.task_runs").strip() == "0"


def test_newer_store(run: Callable[[str], str]) -> None:
    """A store that a newer trilemma made is refused, by the migration's name, and left alone."""
    migrate(run)
    run("INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (9999, '9999_future', 'x')")
    with pytest.raises(MigrationError, match=r"9999_future.*pip install --upgrade trilemma"):
        migrate(run)


def test_changed_migration(run: Callable[[str], str]) -> None:
    """A store made by another text of a migration is refused."""
    migrate(run)
    run("INSERT INTO trilemma.schema_migrations (version, name, checksum) VALUES (2, '0002_spans', 'otherwise')")
    with pytest.raises(MigrationError, match=r"0002_spans.*otherwise"):
        migrate(run)


def test_database_name(run: Callable[[str], str]) -> None:
    """A database name that SQL would read otherwise is refused."""
    with pytest.raises(ConfigurationError, match="a; DROP"):
        migrate(run, "a; DROP")


def test_command(tmp_path: Path) -> None:
    """The command applies, says what it did, and tells the status."""
    base = [sys.executable, "-m", "trilemma.cli", "migrate", "--store", f"chdb://{tmp_path}/store"]
    first = subprocess.run(base, capture_output=True, text=True, check=True).stdout
    assert "applied 0001_landing" in first
    status = subprocess.run([*base, "--status"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in status.splitlines()] == ["applied"] * len(load_migrations())


def test_command_without_store(tmp_path: Path) -> None:
    """Asking for the status of a store that is not there is an error that names it, and makes nothing."""
    command = [sys.executable, "-m", "trilemma.cli", "migrate", "--status", "--store", f"chdb://{tmp_path}/none"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{tmp_path}/none" in done.stderr
    assert not (tmp_path / "none").exists()
