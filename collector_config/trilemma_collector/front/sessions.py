"""Own the connections behind HTTP requests: a new one for each, or the session's, which keeps its state."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trilemma_collector.storage.engine import ClickHouseError, quote_name, run

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
    users: int = 0
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
        # A connection that was made read-only stays so; a session must not.
        source = self._open if query.read_only or not query.session_id else self._join
        async with source(query) as connection:
            await self._run_all(connection, [f"USE {quote_name(query.database)}", query.settings_sql])
            yield connection

    def close(self) -> None:
        """Close all sessions."""
        for session in self._sessions.values():
            session.connection.close()
        self._sessions.clear()

    @contextlib.asynccontextmanager
    async def _open(self, _query: Query) -> AsyncIterator[Connection]:
        """Yield a connection for one request."""
        with self._engine.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def _join(self, query: Query) -> AsyncIterator[Connection]:
        """Yield a session's connection; the request's own settings end with it, those that were SET stay."""
        session = self._sessions.get(query.session_id)
        if session is None:
            session = self._sessions[query.session_id] = _Session(self._engine.connect())
        session.users += 1
        try:
            async with session.turn:
                try:
                    yield session.connection
                finally:
                    names = ", ".join(f"{name} = DEFAULT" for name in query.settings_names)
                    with contextlib.suppress(ClickHouseError):  # a name that is no setting has not been set either
                        await self._run_all(session.connection, [f"SET {names}"])
        finally:
            session.users -= 1
            session.expires_at = time.monotonic() + min(query.session_timeout_s, LONGEST_TIMEOUT_S)

    async def _run_all(self, connection: Connection, statements: list[str]) -> None:
        def run_all() -> None:
            for statement in statements:
                run(connection, statement)

        await asyncio.get_running_loop().run_in_executor(self._threads, run_all)

    def _drop_expired(self) -> None:
        now = time.monotonic()
        expired = [name for name, session in self._sessions.items() if not session.users and session.expires_at < now]
        for name in expired:
            self._sessions.pop(name).connection.close()
