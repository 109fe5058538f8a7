"""Own a provider in memory: HTTP transports that answer any request with the recording at hand."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tests.wire_score.corpus import cut_body, reply_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.wire_score.corpus import Record

__all__ = ["make_transport"]


def make_transport(http: Any) -> Any:
    """Return a transport on `http` (httpx or httpx2), sync and async, with a `record` to set and a count `asked`."""
    return _transport_class(http)()


@cache
def _transport_class(http: Any) -> Any:
    body_class = _body_class(http)

    class Transport(http.BaseTransport, http.AsyncBaseTransport):
        def __init__(self) -> None:
            self.record: Record = {}
            self.asked = 0

        def handle_request(self, request: Any) -> Any:
            request.read()
            return self._reply(request)

        async def handle_async_request(self, request: Any) -> Any:
            await request.aread()
            return self._reply(request)

        def _reply(self, request: Any) -> Any:
            self.asked += 1
            body = body_class(cut_body(self.record))
            headers = reply_headers(self.record)
            return http.Response(self.record["status"], headers=headers, stream=body, request=request)

    return Transport


def _body_class(http: Any) -> Any:
    class Body(http.SyncByteStream, http.AsyncByteStream):
        def __init__(self, pieces: list[bytes]) -> None:
            self._pieces = pieces

        def __iter__(self) -> Iterator[bytes]:
            yield from self._pieces

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self._pieces:
                yield piece

        def close(self) -> None:
            pass

        async def aclose(self) -> None:
            pass

    return Body
