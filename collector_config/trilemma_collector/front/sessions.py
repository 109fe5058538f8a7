"""Own the connections behind HTTP requests: a new one for each, or the session's, which keeps its state."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trilemma_collector.storage.engine import quote_name, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import Executor

    from chdb.state.sqlitelike import Connection

    from trilemma_collector.front.query import Query
    from trilemma_collector.storage.engine import Engine

__all__ = ["Sessions"]

LONGEST_TIMEOUT_S = 3600.0


@dataclass
class _Session:
    connection: Connection
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    expires_at: float = 0.0


class Sessions:
    """Give out connections. Requests of one session take turns, as its state demands."""

    def __init__(self, engine: Engine, threads: Executor) -> None:
        self._engine = engine
        self._threads = threads
        self._sessions: dict[str, _Session] = {}

    @contextlib.asynccontextmanager
    async def connect(self, query: Query) -> AsyncIterator[Connection]:
        """Yield a connection on which the request's database and settings hold.

        Raises:
            ClickHouseError: the database or a setting is not known.
        """
        self._drop_expired()
        if not query.session_id:
            connection = self._engine.connect()
            try:
                await self._prepare(connection, query)
                yield connection
            finally:
                connection.close()
            return
        session = self._sessions.setdefault(query.session_id, _Session(self._engine.connect()))
        session.expires_at = float("inf")
        async with session.turn:
            try:
                await self._prepare(session.connection, query)
                yield session.connection
                await self._reset(session.connection, query)
            finally:
                session.expires_at = time.monotonic() + min(query.session_timeout_s, LONGEST_TIMEOUT_S)

    def close(self) -> None:
        """Close all sessions."""
        for session in self._sessions.values():
            session.connection.close()
        self._sessions.clear()

    async def _prepare(self, connection: Connection, query: Query) -> None:
        await self._run_all(connection, [f"USE {quote_name(query.database)}", query.settings_sql])

    async def _reset(self, connection: Connection, query: Query) -> None:
        """Let a request's own settings end with it, as on a server; those that were SET stay."""
        names = ", ".join(f"{name} = DEFAULT" for name in query.settings_names)
        await self._run_all(connection, [f"SET {names}"])

    async def _run_all(self, connection: Connection, statements: list[str]) -> None:
        def run_all() -> None:
            for statement in statements:
                run(connection, statement)

        await asyncio.get_running_loop().run_in_executor(self._threads, run_all)

    def _drop_expired(self) -> None:
        now = time.monotonic()
        for name in [name for name, session in self._sessions.items() if session.expires_at < now]:
            self._sessions.pop(name).connection.close()
