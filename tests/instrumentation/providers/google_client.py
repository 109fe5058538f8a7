"""Own how a client of google-genai is made on a transport in memory; the oldest one is built on requests."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import httpx2
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["make_google", "takes_httpx", "use_requests"]


def takes_httpx() -> bool:
    """Tell whether the installed SDK takes an HTTP client of ours; the oldest, built on requests, takes none."""
    try:
        return int(version("google-genai").partition(".")[0]) > 1
    except PackageNotFoundError:
        return True


def make_google(http_client: Any, *, is_async: bool, max_retries: int = 0, **options: Any) -> Any:
    """Make a client whose requests `http_client` answers."""
    from google import genai

    if takes_httpx():
        settings: dict[str, Any] = {"httpx_async_client" if is_async else "httpx_client": http_client}
        if max_retries:
            settings["retry_options"] = {"attempts": max_retries + 1, "initial_delay": 2.0, "jitter": 0.0}
        client = genai.Client(api_key="k", http_options=settings, **options)
        return client.aio if is_async else client

    use_requests(http_client)
    client = genai.Client(api_key="k", **options)
    return _Aio(client.aio) if is_async else client


def use_requests(http_client: Any) -> None:
    """Let what answers `http_client` answer the sessions of requests that the oldest SDK makes."""
    from google.genai import _api_client

    def make_session() -> requests.Session:
        session = requests.Session()
        session.mount("https://", _Adapter(http_client._transport))
        return session

    # The name in its module only: the rest of the process keeps its requests.
    stand_in: Any = SimpleNamespace(**{**vars(requests), "Session": make_session})
    _api_client.requests = stand_in


class _Aio:
    """Be the async client, which the oldest SDK does not let one enter."""

    def __init__(self, aio: Any) -> None:
        self.models = aio.models

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class _Adapter(HTTPAdapter):
    def __init__(self, transport: Any) -> None:
        super().__init__()
        self._transport = transport

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer a request."""
        asked = httpx2.Request(request.method, request.url, headers=request.headers, content=request.body)
        try:
            found = self._transport.handle_request(asked)
        except httpx2.ConnectError as error:
            raise requests.exceptions.ConnectionError(error, request=request) from error
        return self.build_response(request, _Raw(found))  # type: ignore[arg-type]  # all it asks of one


class _Raw:
    """Be what requests asks of an HTTP response: its chunks, as they arrive."""

    reason = ""

    def __init__(self, response: Any) -> None:
        self.status = response.status_code
        self.headers = dict(response.headers)
        self._stream = response.stream

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Yield the body."""
        try:
            yield from self._stream
        except httpx2.ReadError as error:
            raise ProtocolError(str(error)) from error

    def close(self) -> None:
        """Close nothing."""

    def release_conn(self) -> None:
        """Give nothing back."""
