"""Own the one connection that analysis code uses, to a ClickHouse server over HTTP or to the embedded engine (chDB)."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import parse_qs, unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError
from trilemma.errors import ConfigurationError, MissingExtraError, StoreError
from trilemma_collector.schema import list_missing, load_migrations, run_on_client

from trilemma_analysis.questions import load_question

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

__all__ = ["DEFAULT_STORE", "Address", "Store", "connect"]

DEFAULT_STORE = "http://127.0.0.1:8123"
DEFAULT_DATABASE = "trilemma"

# The client's log repeats what the errors raised here say; without a handler Python would print it beside them.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

# ClickHouse error codes that mean "this store has no trilemma schema" and "its schema is not the one we ask".
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_NO_SCHEMA_CODES = (60, 81)  # UNKNOWN_TABLE, UNKNOWN_DATABASE
_OTHER_SCHEMA_CODES = (16, 47)  # NO_SUCH_COLUMN_IN_TABLE, UNKNOWN_IDENTIFIER


@dataclass(frozen=True)
class Address:
    """Where a store is: ``http(s)://[user:password@]host[:port]`` or ``chdb:///directory``, and ``?database=``."""

    scheme: str
    location: str
    database: str
    username: str | None = None
    password: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read a store address.

        Raises:
            ConfigurationError: it is neither an HTTP nor a chdb address.
        """
        parts = urlsplit(text)
        database = parse_qs(parts.query).get("database", [DEFAULT_DATABASE])[0]
        if parts.scheme in {"http", "https"} and parts.hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            port = parts.port or (8443 if parts.scheme == "https" else 8123)
            user = unquote(parts.username) if parts.username else None
            return cls(parts.scheme, f"{host}:{port}", database, user, unquote(parts.password or ""))
        if parts.scheme == "chdb" and not parts.netloc and parts.path.strip("/"):
            return cls("chdb", unquote(parts.path), database)
        raise ConfigurationError(
            f"the store address {text!r} is not one trilemma can use; "
            f"give --store http://host:8123 or --store chdb:///absolute/directory (or set TRILEMMA_STORE)"
        )

    def __str__(self) -> str:
        """Return the address as a person would type it, without the password."""
        suffix = "" if self.database == DEFAULT_DATABASE else f"?database={self.database}"
        return f"{self.scheme}://{self.location}{suffix}"


class Store:
    """One open connection. Use it as a context manager, or call :meth:`close`."""

    def __init__(self, client: Client, address: Address) -> None:
        self.address = address
        self._client = client

    @property
    def database(self) -> str:
        """Return the database that unqualified table names mean."""
        return self.address.database

    @property
    def client(self) -> Client:
        """Return the clickhouse-connect client beneath, for what this class does not offer (migrations)."""
        return self._client

    def query(self, sql: str, **params: Any) -> pa.Table:
        """Run a SELECT and return an Arrow table; ``{name:Type}`` in the SQL takes ``params[name]`` on the server.

        Raises:
            StoreError: the store refused, or cannot be reached any more.
        """
        try:
            return self._client.query_arrow(sql, parameters=_bind(params), use_strings=True)
        except ClickHouseError as error:
            raise _explain(error, self.address) from error

    def ask(self, name: str, **params: Any) -> pa.Table:
        """Run the question in ``sql/<name>.sql``.

        Raises:
            ConfigurationError: there is no such question.
            StoreError: as :meth:`query`.
        """
        return self.query(load_question(name).sql, **params)

    def command(self, sql: str, **params: Any) -> Any:
        """Run a statement that returns no table, or one value.

        Raises:
            StoreError: as :meth:`query`.
        """
        try:
            return self._client.command(sql, parameters=_bind(params))
        except ClickHouseError as error:
            raise _explain(error, self.address) from error

    def insert_arrow(self, table: str, rows: pa.Table, settings: Mapping[str, Any] | None = None) -> int:
        """Insert an Arrow table in one INSERT and return its number of rows.

        Raises:
            StoreError: as :meth:`query`. Nothing of the table is then visible.
        """
        try:
            self._client.insert_arrow(table, rows, settings=dict(settings or {}))
        except ClickHouseError as error:
            raise _explain(error, self.address) from error
        return cast("int", rows.num_rows)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(store: str | None = None, *, require_schema: bool = True, create: bool = False) -> Store:
    """Open the store at an address, or at ``TRILEMMA_STORE``, or at ``http://127.0.0.1:8123``.

    Args:
        store: ``http://host:8123`` (ClickHouse, or ``trilemma up``) or ``chdb:///directory`` (when no other process
            owns the directory); ``?database=`` names a database other than ``trilemma``.
        require_schema: refuse a store that has no trilemma schema. Pass False to build one.
        create: let ``chdb:///directory`` make a directory that does not exist.

    Raises:
        ConfigurationError: the address makes no sense.
        StoreError: nobody answers there, another process owns it, or it has no trilemma schema.
    """
    address = Address.parse(store or os.environ.get("TRILEMMA_STORE") or DEFAULT_STORE)
    opened = Store(_open(address, create=create), address)
    try:
        if _has_database(opened):
            # chDB and HTTP both apply this to every later statement, so SQL names tables without a database.
            opened._client.database = address.database  # noqa: SLF001  # the class beside this function
        if require_schema:
            _check_schema(opened)
    except BaseException:
        opened.close()
        raise
    return opened


def _open(address: Address, *, create: bool) -> Client:
    """Open a client without a database, so that one that is missing can be told from a store that is away."""
    try:
        if address.scheme == "chdb":
            _check_directory(address, create=create)
            return clickhouse_connect.get_client(interface="chdb", path=address.location)
        host, _, port = address.location.rpartition(":")
        return clickhouse_connect.get_client(
            interface=address.scheme,
            host=host,
            port=int(port),
            username=address.username,
            password=address.password,
            autogenerate_session_id=False,  # no state is kept between statements, so connections can be shared
        )
    except ClickHouseError as error:
        raise _explain_opening(error, address) from error
    except ImportError as error:
        raise MissingExtraError(
            f"the store {address} needs the embedded engine (chdb), which is not installed. "
            "Install it with: pip install 'trilemma[local]'"
        ) from error


def _check_directory(address: Address, *, create: bool) -> None:
    directory = Path(address.location)
    if not create and not directory.is_dir():
        raise StoreError(
            f"there is no store at {address}: the directory does not exist. Start one with `trilemma up` or set --store"
        )


def _has_database(store: Store) -> bool:
    found = store.query(
        "SELECT count() AS n FROM system.databases WHERE name = {database:String}", database=store.database
    )
    return bool(found["n"][0].as_py())


def _check_schema(store: Store) -> None:
    """Refuse a store whose schema is missing, older or newer than the one our questions are written for."""
    try:
        missing = list_missing(run_on_client(store.client), store.database)
    except ClickHouseError as error:
        raise _explain(error, store.address) from error
    if len(missing) == len(load_migrations()):
        raise _no_schema(store.address)
    if missing:
        raise StoreError(
            f"the store {store.address} has an older trilemma schema, without {missing[0].name}: run "
            f"`trilemma migrate --store {store.address}`"
        )


def _bind(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as the server reads them: times in UTC with microseconds, whatever their zone was."""
    return {name: _bind_time(value) if isinstance(value, datetime) else value for name, value in params.items()}


def _bind_time(value: datetime) -> str:
    if value.tzinfo is None:
        raise ConfigurationError(f"the time {value.isoformat()} has no time zone; pass an aware datetime")
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _explain_opening(error: ClickHouseError, address: Address) -> StoreError:
    if address.scheme == "chdb":
        return StoreError(
            f"cannot open the store {address}: another process may own it (then use its --store http://... address, "
            f"as `trilemma up` prints), or it is unreadable. The engine said: {_first_line(error)}"
        )
    hint = "start one with `trilemma up` or set --store (or TRILEMMA_STORE)"
    return StoreError(f"no ClickHouse store answers at {address}: {hint}. The client said: {_first_line(error)}")


def _explain(error: ClickHouseError, address: Address) -> StoreError:
    text = str(error)
    if any(f"Code: {code}." in text for code in _NO_SCHEMA_CODES):
        return _no_schema(address, error)
    if any(f"Code: {code}." in text for code in _OTHER_SCHEMA_CODES):
        return StoreError(
            f"the store {address} has another version of the trilemma schema than this trilemma expects: run "
            f"`trilemma migrate --store {address}`, or upgrade trilemma. The store said: {_first_line(error)}"
        )
    if "HTTPConnectionPool" in text or "Connection aborted" in text:
        return StoreError(
            f"the store {address} stopped answering: is it still running? The client said: {_first_line(error)}"
        )
    return StoreError(f"the store {address} refused: {_first_line(error)}")


def _no_schema(address: Address, error: ClickHouseError | None = None) -> StoreError:
    said = f" The store said: {_first_line(error)}" if error else ""
    return StoreError(
        f"the store {address} has no trilemma schema in database {address.database!r}: run "
        f"`trilemma migrate --store {address}`, or name another with ?database=.{said}"
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    # ClickHouse repeats the whole query with its values ("... In query SELECT ..."), which helps nobody here.
    return re.split(r"\.? In query |: While processing ", lines[0])[0][:500] if lines else type(error).__name__
