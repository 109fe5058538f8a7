"""Own INSERTs of data over HTTP: the body goes to ClickHouse piece by piece, in the client's format."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from trilemma_collector.storage.engine import ClickHouseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from chdb.state.sqlitelike import Connection, InsertResult, StreamingInserter

    from trilemma_collector.front.body import Body

__all__ = ["insert_body"]

PIECE_BYTES = 1 << 20


async def insert_body(
    connection: Connection, head: str, form: str, *, first: bytes, body: Body, threads: Executor
) -> InsertResult:
    """Insert what a body holds; all of it is stored when this returns, and nothing of the last block otherwise.

    Raises:
        ClickHouseError: ClickHouse refused.
        ClientGoneError: the client closed the connection before the end.
    """

    async def call(function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(threads, _explain, function, *arguments)

    stream: StreamingInserter = await call(connection.send_insert, head, form)
    finished = False
    try:
        if first:
            await call(stream.append, first)
        while piece := await body.read(PIECE_BYTES):
            await call(stream.append, piece)
        result: InsertResult = await call(stream.finish)
        finished = True
    finally:
        if not finished:
            await call(_cancel, stream)
    return result


def _explain(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # chDB raises RuntimeError and others
        text = str(error)
        raise ClickHouseError(text[text.find("Code: ") :] if "Code: " in text else text) from error


def _cancel(stream: StreamingInserter) -> None:
    try:
        stream.cancel()  # type: ignore[no-untyped-call]
    except RuntimeError:
        return  # it has failed already; its error is the one to tell
