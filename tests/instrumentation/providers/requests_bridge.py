"""Own an adapter of requests, for an SDK that was built on it, to a transport of httpx that answers in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["bridge_sessions"]

_Session = requests.Session


def bridge_sessions(http: Any, transport: Any) -> Callable[[], requests.Session]:
    """Return what makes sessions whose requests go to `transport`, of the library `http` (httpx or httpx2)."""

    def make_session() -> requests.Session:
        session = _Session()
        session.mount("https://", _Adapter(http, transport))
        return session

    return make_session


class _Adapter(HTTPAdapter):
    def __init__(self, http: Any, transport: Any) -> None:
        super().__init__()
        self._http = http
        self._transport = transport

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer a request."""
        asked = self._http.Request(request.method, request.url, headers=request.headers, content=request.body)
        try:
            found = self._transport.handle_request(asked)
        except self._http.ConnectError as error:
            raise requests.exceptions.ConnectionError(error, request=request) from error
        return self.build_response(request, _Raw(self._http, found))  # type: ignore[arg-type]  # all it asks of one


class _Raw:
    """Be what requests asks of an HTTP response: its chunks, as they arrive."""

    reason = ""

    def __init__(self, http: Any, response: Any) -> None:
        self.status = response.status_code
        self.headers = dict(response.headers)
        self._http = http
        self._stream = response.stream

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Yield the body."""
        try:
            yield from self._stream
        except self._http.ReadError as error:
            raise ProtocolError(str(error)) from error

    def close(self) -> None:
        """Close nothing."""

    def release_conn(self) -> None:
        """Give nothing back."""
