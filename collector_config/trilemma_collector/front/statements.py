"""Own the running of one statement that came over HTTP: found in URL or body, run, and answered."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from trilemma_collector.front.body import Body
from trilemma_collector.front.form import is_form, read_form
from trilemma_collector.front.hello import is_hello, write_hello
from trilemma_collector.front.inserting import PIECE_BYTES, insert_body
from trilemma_collector.front.query import Query, read_query
from trilemma_collector.front.reading import ReplyStream, make_headers, summarize
from trilemma_collector.front.statement import Kind, Statement, is_insert, parse_statement
from trilemma_collector.storage.engine import ClickHouseError, quote_text, run
from trilemma_collector.web import respond

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import Executor

    from chdb.state.sqlitelike import Connection

    from trilemma_collector.front.sessions import Sessions
    from trilemma_collector.storage.engine import Engine
    from trilemma_collector.storage.inserter import Inserter
    from trilemma_collector.web import Receive, Scope, Send

__all__ = ["StatementRunner"]

LONGEST_STATEMENT_BYTES = 16 * 1024 * 1024
# A reader waits so long at most for what is acknowledged to become readable; then it gets what there is.
LONGEST_FLUSH_WAIT_S = 5.0


class StatementRunner:
    """Run statements on the engine's connections."""

    def __init__(
        self,
        engine: Engine,
        inserter: Inserter,
        sessions: Sessions,
        threads: Executor,
        *,
        database: str,
        read_only: bool,
    ) -> None:
        """Prepare to run.

        Args:
            engine: kills a statement whose client went away.
            inserter: makes readable what a reader may expect.
            sessions: gives connections.
            threads: run the statements.
            database: what unqualified names mean unless the client says otherwise.
            read_only: refuse writes, whoever asks.
        """
        self._engine = engine
        self._inserter = inserter
        self._sessions = sessions
        self._threads = threads
        self._database = database
        self._read_only = read_only

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the statement of a request and send the reply.

        Raises:
            ClickHouseError: ClickHouse refused.
            ClientGoneError: the client closed the connection before the end of its request.
        """
        query = read_query(scope, database=self._database, read_only=self._read_only)
        body = Body(receive, query)
        if is_form(query.content_type):
            fields = read_form(query.content_type, await body.read(LONGEST_STATEMENT_BYTES))
            query = read_query(scope, database=self._database, read_only=self._read_only, form_fields=fields)
        raw = await _read_statement(query, body)
        if is_hello(raw, query.form):
            reply = query.pack(write_hello(self._engine.version))
            await respond(send, 200, reply, make_headers(query, query.form, {}))
            return
        statement = parse_statement(raw)
        async with self._sessions.connect(query) as connection:
            if statement.kind is Kind.INSERT_DATA:
                result = await self._insert(query, statement, connection, raw[statement.data_start :], body)
                await respond(send, 200, b"", make_headers(query, statement.form or query.form, result))
                return
            await self._wait_for_backlog()
            async with self._killed_with_the_client(query, receive):
                if statement.kind is Kind.READ:
                    await ReplyStream(query, statement, connection, self._threads).send(send, self._engine.version)
                else:
                    await self._run_other(query, statement, connection, send)

    async def _insert(
        self, query: Query, statement: Statement, connection: Connection, first: bytes, body: Body
    ) -> dict[str, str]:
        """Insert, and return the figures of X-ClickHouse-Summary."""
        form = statement.form or query.form
        try:
            result = await insert_body(connection, statement.head, form, first=first, body=body, threads=self._threads)
        except ClickHouseError:
            while await body.read(PIECE_BYTES):  # a client that is still sending reads no reply
                pass
            raise
        return {
            "written_rows": str(result.rows_written),
            "written_bytes": str(result.bytes_written),
            "elapsed_ns": str(int(result.elapsed * 1e9)),
        }

    async def _run_other(self, query: Query, statement: Statement, connection: Connection, send: Send) -> None:
        loop = asyncio.get_running_loop()
        call = (connection, statement.head, query.form, query.parameters)
        result = await loop.run_in_executor(self._threads, run, *call)
        await respond(send, 200, query.pack(result.bytes()), make_headers(query, query.form, summarize(result)))

    async def _wait_for_backlog(self) -> None:
        """Let a reader see what was acknowledged before it asked."""
        stored = asyncio.wrap_future(self._inserter.flush())
        await asyncio.wait([stored], timeout=LONGEST_FLUSH_WAIT_S)

    @contextlib.asynccontextmanager
    async def _killed_with_the_client(self, query: Query, receive: Receive) -> AsyncIterator[None]:
        """Kill the statement when its client goes away: nobody waits for it any more."""

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            kill = f"KILL QUERY WHERE Settings['log_comment'] = {quote_text(query.query_id)} ASYNC"
            with contextlib.suppress(ClickHouseError):  # it may have ended by itself
                await asyncio.get_running_loop().run_in_executor(None, self._engine.read, kill)

        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.wait([watcher])


async def _read_statement(query: Query, body: Body) -> bytes:
    """Return the statement; for an INSERT, with the data that came along, while the body holds the rest.

    Raises:
        ClickHouseError: there is none, or it is too long.
    """
    raw = query.url_text.encode("utf-8", "surrogateescape")
    if is_insert(raw):
        return raw
    raw = raw + b"\n" if raw else b""
    while piece := await body.read(PIECE_BYTES):
        raw += piece
        if is_insert(raw) and parse_statement(raw).form:
            return raw
        if len(raw) > LONGEST_STATEMENT_BYTES:
            raise ClickHouseError(
                f"Code: 158. DB::Exception: the statement is longer than {LONGEST_STATEMENT_BYTES:,} bytes; send data "
                f"as the body of an INSERT whose text is in the URL. (QUERY_IS_TOO_LARGE)"
            )
    if not raw.strip():
        raise ClickHouseError("Code: 62. DB::Exception: Empty query. (SYNTAX_ERROR)")
    return raw
