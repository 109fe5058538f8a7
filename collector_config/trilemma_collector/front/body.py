"""Own the body of a request to the ClickHouse port: decompressed piece by piece, at first as text, then as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_collector.front.compression import make_decompressor
from trilemma_collector.web import ClientGoneError

if TYPE_CHECKING:
    from trilemma_collector.front.query import Query
    from trilemma_collector.web import Receive

__all__ = ["Body"]


class Body:
    """A request's body as a stream of plain bytes."""

    def __init__(self, receive: Receive, query: Query) -> None:
        self._receive = receive
        self._decompressor = make_decompressor(query.body_encoding, framed=query.framed_body)
        self._ended = False

    async def read(self, enough_bytes: int) -> bytes:
        """Return the next piece, of at least so many bytes unless the body ends; ``b""`` at its end.

        Raises:
            ClientGoneError: the client closed the connection before the end.
        """
        parts: list[bytes] = []
        size = 0
        while size < enough_bytes and not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError("the client closed the connection before the end of its request")
            part = self._decompressor.decompress(message.get("body", b""))
            self._ended = not message.get("more_body")
            parts.append(part)
            size += len(part)
        return b"".join(parts)
