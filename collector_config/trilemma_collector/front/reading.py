"""Own the replies of statements that give rows: streamed through a pipe in the client's format, in bounded memory.

ClickHouse writes into the pipe as into a file (``INTO OUTFILE``): so every format comes out whole and as a server would
send it, back-pressure is the pipe's, and nothing is converted on the way.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

from trilemma_collector.storage.engine import ClickHouseError, run

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from chdb.state.sqlitelike import Connection

    from trilemma_collector.front.query import Query
    from trilemma_collector.front.statement import Statement
    from trilemma_collector.web import Send

__all__ = ["ReplyStream", "make_headers", "summarize"]

# So much of a reply is held back, so that an error in a small query still gets its status, and its summary is complete.
HELD_BACK_BYTES = 1 << 20
PIECE_BYTES = 1 << 18
SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)  # Linux only


class ReplyStream:
    """Run one reading statement on a thread and send what it writes."""

    def __init__(self, query: Query, statement: Statement, connection: Connection, threads: Executor) -> None:
        self._query = query
        self._statement = statement
        self._connection = connection
        self._threads = threads
        self._form = statement.form or query.form

    async def send(self, send: Send, version: str) -> None:
        """Send the whole reply.

        Raises:
            ClickHouseError: ClickHouse refused before anything was sent.
        """
        loop = asyncio.get_running_loop()
        read_end, write_end = _open_pipe()
        running = loop.run_in_executor(self._threads, self._run, write_end)
        stream = asyncio.StreamReader(limit=HELD_BACK_BYTES)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read_end, "rb", buffering=0)
        )
        try:
            held_back = await _read_at_least(stream, HELD_BACK_BYTES)
            if stream.at_eof():
                result = await running
                await self._send_whole(send, held_back or result.bytes(), result)
            else:
                await self._send_pieces(send, held_back, stream, running, version)
        finally:
            transport.close()  # a query that still writes fails with a broken pipe
            await asyncio.wait([running])

    def _run(self, write_end: int) -> Any:
        statement = self._statement
        try:
            sql = f"{statement.head}\nINTO OUTFILE '/dev/fd/{write_end}' APPEND FORMAT {self._form} {statement.tail}"
            return run(self._connection, sql, self._form, self._query.parameters)
        finally:
            os.close(write_end)

    async def _send_whole(self, send: Send, body: bytes, result: Any) -> None:
        packed = self._query.pack(body)
        headers = [*make_headers(self._query, self._form, summarize(result)), (b"content-length", b"%d" % len(packed))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": packed})

    async def _send_pieces(
        self, send: Send, piece: bytes, stream: asyncio.StreamReader, running: asyncio.Future[Any], version: str
    ) -> None:
        tag = uuid.uuid4().hex[:16]
        headers = [*make_headers(self._query, self._form, {}), (b"x-clickhouse-exception-tag", tag.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        compressor = self._query.make_compressor()
        while piece:
            await send({"type": "http.response.body", "body": compressor.compress(piece), "more_body": True})
            piece = await stream.read(PIECE_BYTES)
        try:
            await running
        except ClickHouseError as error:
            from trilemma_collector.front.errors import format_error

            block = format_exception_block(format_error(error, version), tag)
            body = compressor.compress(block) + compressor.flush()
            # No end of body: a client that does not know the block must not take half a result for a whole one.
            await send({"type": "http.response.body", "body": body, "more_body": True})
            raise
        await send({"type": "http.response.body", "body": compressor.flush()})


def summarize(result: Any) -> dict[str, str]:
    """Return the figures of X-ClickHouse-Summary."""
    return {
        "read_rows": str(result.storage_rows_read()),
        "read_bytes": str(result.storage_bytes_read()),
        "written_rows": str(result.rows_written()),
        "written_bytes": str(result.bytes_written()),
        "total_rows_to_read": str(result.storage_rows_read()),
        "result_rows": str(result.rows_read()),
        "result_bytes": str(result.bytes_read()),
        "elapsed_ns": str(int(result.elapsed() * 1e9)),
    }


def make_headers(query: Query, form: str, summary: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the headers that ClickHouse's server sends with a reply."""
    headers = {
        "content-type": CONTENT_TYPES.get(form, "text/plain; charset=UTF-8"),
        "x-clickhouse-query-id": query.query_id,
        "x-clickhouse-format": form,
        "x-clickhouse-timezone": "UTC",
        "x-clickhouse-server-display-name": "trilemma",
        "x-clickhouse-summary": json.dumps(summary) if summary else "{}",
    }
    if query.reply_encoding:
        headers["content-encoding"] = query.reply_encoding
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


def format_exception_block(text: str, tag: str) -> bytes:
    """Return the block that tells of an error after the reply has begun.

    https://github.com/ClickHouse/ClickHouse/blob/master/src/Server/HTTP/WriteBufferFromHTTPServerResponse.cpp
    """
    message = text.encode()
    return b"\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (
        tag.encode(),
        message,
        len(message) + 1,
        tag.encode(),
    )


CONTENT_TYPES = {
    "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
    "CSV": "text/csv; charset=UTF-8",
    "CSVWithNames": "text/csv; charset=UTF-8",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "RowBinaryWithNamesAndTypes": "application/octet-stream",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNames": "text/tab-separated-values; charset=UTF-8",
    "TabSeparatedWithNamesAndTypes": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
}


def _open_pipe() -> tuple[int, int]:
    read_end, write_end = os.pipe()
    if SET_PIPE_SIZE is not None:
        fcntl.fcntl(write_end, SET_PIPE_SIZE, 1 << 20)
    return read_end, write_end


async def _read_at_least(stream: asyncio.StreamReader, enough_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size < enough_bytes and (part := await stream.read(PIECE_BYTES)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)
