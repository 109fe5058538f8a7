"""Own the embedded ClickHouse engine (chDB): one per process, any number of connections, each used by one thread."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from chdb import _chdb
from chdb.state.sqlitelike import Connection
from trilemma.errors import DataDirectoryError, StoreError

from trilemma_collector.otlp.nested_values import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ClickHouseError", "Engine"]

ERROR_CODE = re.compile(r"Code: (\d+)\. ")


class ClickHouseError(StoreError):
    """Say what ClickHouse said, with its error code (0 when it gave none)."""

    def __init__(self, message: str) -> None:
        found = ERROR_CODE.search(message)
        self.code = int(found[1]) if found else 0
        super().__init__(message)


class Engine:
    """The engine over one directory, kept open until :meth:`close`."""

    def __init__(self, directory: Path) -> None:
        """Open the directory.

        Raises:
            DataDirectoryError: ClickHouse cannot open it.
        """
        self._path = str(directory)
        try:
            # The engine lives as long as one connection does.
            self._keeper = Connection(self._path)
        except Exception as error:
            raise DataDirectoryError(
                f"ClickHouse cannot open the data directory {directory}: {_first_line(error)}. If a notebook or report "
                f"has it open as chdb://{directory}, close that; if it is damaged, move it away and start "
                f"with an empty one"
            ) from error
        for name, function in FUNCTIONS.items():
            _chdb.create_function(name, function, ["String"], "String")
        self.version: str = self.read("SELECT version()").strip()

    def connect(self, database: str | None = None) -> Connection:
        """Return a new connection (about 0.1 ms); settings, USE and temporary tables are its own."""
        connection = Connection(self._path)
        if database:
            run(connection, f"USE {quote_name(database)}")
        return connection

    def read(self, sql: str, parameters: Mapping[str, str] | None = None) -> str:
        """Run one statement on a connection of its own and return its result as TabSeparated text.

        Raises:
            ClickHouseError: ClickHouse refused.
        """
        with self.connect() as connection:
            return str(run(connection, sql, "TabSeparated", parameters).bytes().decode())

    def close(self) -> None:
        """Shut the engine down once the last connection is closed."""
        for name in FUNCTIONS:
            _chdb.drop_function(name)
        self._keeper.close()


def run(
    connection: Connection, sql: str, form: str = "TabSeparated", parameters: Mapping[str, str] | None = None
) -> Any:
    """Run one statement and return chDB's result.

    Raises:
        ClickHouseError: ClickHouse refused.
    """
    try:
        return connection.query(sql, form, params=dict(parameters or {}))
    except Exception as error:  # chDB raises RuntimeError, ChdbError and others
        raise ClickHouseError(str(error)) from error


def quote_name(name: str) -> str:
    """Return a database or table name as SQL."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def quote_text(text: str) -> str:
    """Return a text as an SQL literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
