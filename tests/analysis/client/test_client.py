"""Hold the store client: addresses, bound parameters, round trips, and errors that say what to do next."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from trilemma.errors import ConfigurationError, StoreError
from trilemma_analysis.client import Address, Store, connect

from tests.analysis.planted import make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open an embedded store with an empty database."""
    with connect(f"chdb://{tmp_path}", require_schema=False) as opened:
        opened.command("CREATE DATABASE trilemma")
    with connect(f"chdb://{tmp_path}", require_schema=False) as opened:
        yield opened


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://db:9000", Address("http", "db:9000", "trilemma")),
        ("http://db", Address("http", "db:8123", "trilemma")),
        ("https://ann:p%40ss@db?database=t2", Address("https", "db:8443", "t2", "ann", "p@ss")),
        ("http://[::1]:81", Address("http", "[::1]:81", "trilemma")),
        ("chdb:///var/lib/x%20y?database=d", Address("chdb", "/var/lib/x y", "d")),
    ],
)
def test_address_is_read(text: str, expected: Address) -> None:
    """An address names scheme, place, database and user."""
    assert Address.parse(text) == expected


@pytest.mark.parametrize("text", ["db:8123", "ftp://db", "chdb://", "chdb:///", "chdb://relative/dir", "/var/lib/x"])
def test_address_without_sense_is_refused(text: str) -> None:
    """An address that is neither HTTP nor chdb is refused with what to write instead."""
    with pytest.raises(ConfigurationError, match=r"--store http://host:8123"):
        Address.parse(text)


def test_address_hides_the_password() -> None:
    """An address shown to people holds no password."""
    assert "secret" not in str(Address.parse("http://ann:secret@db:8123"))


def test_arrow_round_trip(store: Store) -> None:
    """Rows inserted as Arrow come back as they were, into the database of the address."""
    store.command("CREATE TABLE t (a UInt64, b String, c Nullable(Float64)) ENGINE = MergeTree ORDER BY a")
    rows = pa.table({"a": pa.array([1, 2], pa.uint64()), "b": ["it's", "ü"], "c": [0.5, None]})
    assert store.insert_arrow("t", rows) == 2
    assert store.query("SELECT * FROM trilemma.t ORDER BY a").to_pylist() == rows.to_pylist()


def test_parameters_are_bound_on_the_server(store: Store) -> None:
    """A parameter is a value, whatever it looks like."""
    got = store.query("SELECT {a:String} AS a, {b:Array(String)} AS b", a="'; DROP TABLE t --", b=["x'y", "{z:String}"])
    assert got.to_pylist() == [{"a": "'; DROP TABLE t --", "b": ["x'y", "{z:String}"]}]


def test_times_are_bound_in_utc_with_microseconds(store: Store) -> None:
    """A time with any zone arrives as the same instant."""
    at = datetime(2026, 3, 1, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=2)))
    got = store.query("SELECT {at:DateTime64(6, 'UTC')} AS at", at=at)
    assert got["at"][0].as_py() == at.astimezone(UTC)


def test_naive_time_is_refused(store: Store) -> None:
    """A time without a zone is refused, since nobody can know what it means."""
    with pytest.raises(ConfigurationError, match="no time zone"):
        store.query("SELECT {at:DateTime64(6)}", at=datetime(2026, 1, 1))  # noqa: DTZ001


def test_missing_table_says_migrate(store: Store) -> None:
    """A store that lacks our tables says how to get them."""
    with pytest.raises(StoreError, match="trilemma migrate --store chdb://"):
        store.query("SELECT * FROM task_runs")


def test_missing_column_says_other_version(store: Store) -> None:
    """A column that is not there means another schema version."""
    store.command("CREATE TABLE t (a UInt64) ENGINE = Memory")
    with pytest.raises(StoreError, match="another version of the trilemma schema"):
        store.query("SELECT nope FROM t")


def test_refused_statement_names_the_store(store: Store) -> None:
    """Any other refusal names the store and what it said, in one line."""
    with pytest.raises(StoreError, match=r"the store chdb://.* refused: .*SYNTAX_ERROR|the store chdb://.* refused"):
        store.query("SELEC 1")


def test_store_without_schema_is_refused(tmp_path: Path) -> None:
    """An empty store is refused with the command that builds the schema."""
    with pytest.raises(StoreError, match=r"no trilemma schema in database 'trilemma': run `trilemma migrate"):
        connect(f"chdb://{tmp_path}")


def test_missing_directory_is_not_created(tmp_path: Path) -> None:
    """A mistyped directory is an error, not a new empty store."""
    with pytest.raises(StoreError, match="the directory does not exist"):
        connect(f"chdb://{tmp_path}/nope")
    assert not (tmp_path / "nope").exists()


def test_nobody_answers() -> None:
    """An address where nobody listens is named, with the two ways out."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(StoreError, match=rf"127\.0\.0\.1:{port}: start one with `trilemma up` or set --store"):
        connect(f"http://127.0.0.1:{port}")


def test_environment_names_the_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TRILEMMA_STORE is used when no address is given."""
    monkeypatch.setenv("TRILEMMA_STORE", f"chdb://{tmp_path}")
    with connect(require_schema=False) as opened:
        assert opened.address.location == str(tmp_path)


def test_directory_of_another_process(tmp_path: Path) -> None:
    """A directory that another process owns is refused with the way to reach that process."""
    code = f"import chdb.session as c, sys; s = c.Session({str(tmp_path)!r}); print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        with pytest.raises(StoreError, match="another process may own it"):
            connect(f"chdb://{tmp_path}")
        owner.communicate()


def test_older_and_newer_schemas_are_refused(tmp_path: Path) -> None:
    """A store that lacks a migration says to migrate; one that has a migration we do not know says to upgrade."""
    with make_store(tmp_path) as store:
        store.command("INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, '9999_later', 'x')")
    with pytest.raises(StoreError, match=r"9999_later.*a newer trilemma made it.*pip install --upgrade trilemma"):
        connect(f"chdb://{tmp_path}")
    with connect(f"chdb://{tmp_path}", require_schema=False) as store:
        store.command("DELETE FROM schema_migrations WHERE version IN (9999, 10)")
    with pytest.raises(
        StoreError, match=r"older trilemma schema, without 0010_imports: run `trilemma migrate --store chdb:"
    ):
        connect(f"chdb://{tmp_path}")
