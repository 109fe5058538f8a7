"""Own the ASGI application of the ClickHouse port: which request goes where, and how a refusal is told."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from trilemma_collector.front.access import Credentials, check_credentials, check_origin
from trilemma_collector.front.errors import find_http_status, format_error
from trilemma_collector.front.sessions import Sessions
from trilemma_collector.front.statements import StatementRunner
from trilemma_collector.storage.engine import ClickHouseError
from trilemma_collector.web import ClientGoneError, respond

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trilemma_collector.storage.engine import Engine
    from trilemma_collector.storage.inserter import Inserter
    from trilemma_collector.web import Receive, Scope, Send

__all__ = ["ClickHouseHttp"]

logger = logging.getLogger(__name__)

# Statements that run at the same time; more wait their turn.
THREADS = 16


class ClickHouseHttp:
    """Serve ClickHouse's HTTP protocol from the embedded engine."""

    def __init__(
        self,
        engine: Engine,
        inserter: Inserter,
        *,
        database: str,
        health: Callable[[], Awaitable[dict[str, Any]]],
        credentials: Credentials | None = None,
        read_only: bool = False,
        loopback_only: bool = True,
    ) -> None:
        self._engine = engine
        self._health = health
        self._credentials = credentials
        self._loopback_only = loopback_only
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="clickhouse-http")
        self._sessions = Sessions(engine, self._threads)
        self._runner = StatementRunner(
            engine, inserter, self._sessions, self._threads, database=database, read_only=read_only
        )

    def stop_statements(self) -> None:
        """Kill what still runs: a collector that was told to stop does not wait for a long query."""
        self._engine.read("KILL QUERY WHERE 1 ASYNC")

    def close(self) -> None:
        """Wait for running statements and close the sessions."""
        self._threads.shutdown()
        self._sessions.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path in {"/ping", "/replicas_status"} or (
            path == "/" and scope["method"] == "GET" and not scope["query_string"]
        ):
            await respond(send, 200, b"Ok.\n", [(b"content-type", b"text/html; charset=UTF-8")])
        elif path == "/health":
            health = await self._health()
            headers = [(b"content-type", b"application/json")]
            await respond(send, 200 if health["status"] == "ok" else 503, json.dumps(health).encode(), headers)
        elif path in {"/", "/query"}:
            await self._answer_query(scope, receive, send)
        else:
            await respond(send, 404, f"There is no handle {path}; queries go to /\n".encode(), [])

    async def _answer_query(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def note_and_send(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            check_origin(scope, loopback_only=self._loopback_only)
            check_credentials(scope, self._credentials)
            await self._runner.answer(scope, receive, note_and_send)
        except ClientGoneError:
            logger.info("a client closed its connection before the end of its request")
        except ClickHouseError as error:
            if not begun:
                await self._tell_error(send, error)
        except Exception as error:
            logger.exception("a request to the ClickHouse port failed")
            if not begun:
                text = f"Code: 1002. DB::Exception: {type(error).__name__}: {error}. (UNKNOWN_EXCEPTION)"
                await self._tell_error(send, ClickHouseError(text))

    async def _tell_error(self, send: Send, error: ClickHouseError) -> None:
        text = format_error(error, self._engine.version)
        headers = [
            (b"content-type", b"text/plain; charset=UTF-8"),
            (b"x-clickhouse-exception-code", str(error.code).encode()),
            (b"x-clickhouse-server-display-name", b"trilemma"),
        ]
        await respond(send, find_http_status(error.code), text.encode() + b"\n", headers)
