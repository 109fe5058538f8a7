"""Own the hooks at the choke point of google-genai: one function that sends a request, with the retries inside.

It gets the finished request and returns the body's text, or a response whose chunks are read as JSON. What the HTTP
library says (httpx, httpx2, requests or aiohttp: by version and client) is seen where the SDK looks for errors. Uploads
and downloads go past it, and so do interactions, whose client is another generator's (`Provider.hooks`).
"""

import copy
import io
import json
import re
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from trilemma import deferred, guard
from trilemma.dropped import track
from trilemma.engine import CURRENT, Call, Engine
from trilemma.opening import Opener, Route, Server, find_port
from trilemma.patching import Patches
from trilemma.providers.gemini_batches import list_results
from trilemma.providers.spec import Provider
from trilemma.record import read_json
from trilemma.transports import httpx_client
from trilemma.transports.calling import around, around_async
from trilemma.transports.google_live import patch_live
from trilemma.transports.streams import follow, follow_async

__all__ = ["patch"]

_CALL = "_trilemma_call"
_SEEN = "_trilemma_seen"
_VERTEX_HOST = "aiplatform.googleapis.com"
_MAX_ROUTES = 512  # URLs hold ids: what is remembered of them is forgotten when it is this much
_MAX_WAITING_CHARACTERS = 32 * 1024  # of a response that is read later than at the end of its call
# What stands before the resource: the version, for an upload with a word before it; project and region; publisher.
_PREFIX = re.compile(r"(?:.*?/v\d\w*(?=/))?(?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/[^/]+)?")


def patch(provider: Provider, sdk: ModuleType, engine: Engine, patches: Patches) -> None:
    """Put the hooks into the imported `sdk`."""
    module = import_module(f"{sdk.__name__}._api_client")
    client = getattr(module, "BaseApiClient", None) or module.ApiClient  # the name before 1.3
    opener = _Opener(provider, engine)
    for prefix, wrap in (("", around), ("async_", around_async)):
        patches.wrap(
            client, f"_{prefix}request", partial(wrap, open_call=opener.open_request, note_result=_note_result)
        )
        for name in ("upload_file", "download_file"):
            patches.wrap(client, prefix + name, partial(wrap, open_call=opener.open_file, note_result=_note_file))
    patches.wrap(client, "_request_once", _attempt)
    patches.wrap(client, "_async_request_once", _attempt_async)
    error = import_module(f"{sdk.__name__}.errors").APIError
    patches.wrap(error, "raise_for_response", _note_response)
    patches.wrap(error, "raise_for_async_response", _note_response)
    patches.wrap(module.HttpResponse, "segments", _follow_segments)
    patches.wrap(module.HttpResponse, "async_segments", _follow_async_segments)
    httpx_client.patch(provider, sdk, engine, patches)
    patches.when_imported(f"{sdk.__name__}.live", lambda module: patch_live(module, opener, patches))
    interactions = f"{sdk.__name__}._interactions"  # before version 3; a third generator's
    patches.when_imported(
        f"{interactions}._base_client",
        lambda _: _patch_stainless(provider, import_module(interactions), engine, patches),
    )


def _patch_stainless(*arguments: Any) -> None:
    from trilemma.transports import stainless

    stainless.patch(*arguments)


class _ResourceOpener(Opener):
    def template(self, path: str) -> str:
        """Return a path with its ids replaced: a collection and an id take turns, and a verb stands after a colon."""
        steps = path.split("/")
        for index in range(2, len(steps), 2):
            steps[index] = "".join(("{id}", *steps[index].partition(":")[1:]))
        return "/".join(steps)


class _Opener(_ResourceOpener):
    """Open a call for a request of the client, whose URL says where it goes."""

    def __init__(self, provider: Provider, engine: Engine) -> None:
        super().__init__(provider, engine)
        # Vertex AI behind an address of the user's own: the client says which of the two it is.
        self._vertex = _ResourceOpener(replace(provider, name=provider.hosts[_VERTEX_HOST], hosts={}), engine)
        self._routes: dict[tuple[str, str, bool], Route] = {}

    def open_request(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Open a call for what sends a finished request."""
        request = args[0] if args else kwargs["http_request"]
        if hasattr(request, _SEEN):  # the async function of old versions calls the sync one, in a thread
            return None
        setattr(request, _SEEN, True)
        streamed = kwargs.get("stream", args[-1] if len(args) > 1 and isinstance(args[-1], bool) else False)
        route = self._find_route(client, request.method, request.url, request.data)
        return self.open(route, request.data, streamed=streamed)

    def open_file(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Open a call for an upload, or for a download."""
        upload_url = kwargs.get("upload_url") or (args[1] if len(args) > 1 else None)
        if upload_url is None:
            options = client._http_options  # noqa: SLF001
            base = options["base_url"] if isinstance(options, dict) else options.base_url
            path = kwargs.get("path") or args[0]
            return self.open(self._find_route(client, "GET", f"{base.rstrip('/')}/{path}"), None, streamed=False)
        return self.open(self._find_route(client, "POST", upload_url), None, streamed=False)

    def _find_route(self, client: Any, method: str, url: str, body: Any = None) -> Route:
        key = (method, url, bool(client.vertexai))
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            route = self._routes[key] = self._make_route(*key, body)
        return route

    def _make_route(self, method: str, url: str, vertexai: bool, body: Any) -> Route:
        parts = urlsplit(url)
        server = Server(parts.hostname or "", find_port(parts))
        path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
        path = path[_PREFIX.match(path).end() :]  # type: ignore[union-attr]  # every part of it may be missing
        return (self._vertex if vertexai else self).find(method, path or "/", server, body)


def _note_result(call: Call, response: Any) -> Any:
    """Read what the SDK's function returns: the text of the body, or a response that is still to be read."""
    body = getattr(response, "response_stream", None)
    spec = call.target.endpoint.spec
    if isinstance(body, list):
        if body and spec.batch is not None:
            _note_job(call, read_json(body[0]))
        elif body and spec.response:
            call.body = read_json(body[0])
            call.can_wait = len(body[0]) <= _MAX_WAITING_CHARACTERS
    elif body is not None:
        setattr(response, _CALL, call)
        call.is_unread = True
        track(call)
    return response


def _note_job(call: Call, job: dict[str, Any]) -> None:
    call.body = {**job, "id": job.get("name")}
    deferred.note_response(call, call.body)
    for result in list_results(job):
        deferred.note_line(call, result)


def _note_file(call: Call, content: Any) -> Any:
    """Read a file that was asked for, if it is one of a batch's results."""
    if call.target.endpoint.spec.deferred is not None and isinstance(content, bytes) and content[:1] == b"{":
        for line in io.BytesIO(content):  # of what may be hundreds of MB, one at a time
            deferred.note_line(call, read_json(line))
    return content


def _attempt(original: Callable[..., Any]) -> Callable[..., Any]:
    def _request_once(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = CURRENT.get()
        if call is None:
            return original(self, *args, **kwargs)
        call.begin_attempt()
        try:
            return original(self, *args, **kwargs)
        except BaseException as error:
            call.fail_attempt(error)
            raise

    return _request_once


def _attempt_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def _async_request_once(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = CURRENT.get()
        if call is None:
            return await original(self, *args, **kwargs)
        call.begin_attempt()
        try:
            return await original(self, *args, **kwargs)
        except BaseException as error:
            call.fail_attempt(error)
            raise
        finally:
            _note_sent(call, args)

    return _async_request_once


def _note_response(original: Callable[..., Any]) -> Callable[..., Any]:
    # One hook for sync and async: it returns what the original returns, be it nothing or a coroutine.
    def raise_for_response(response: Any) -> Any:
        call = CURRENT.get()
        if call is not None:
            _note_http(call, response)
        return original(response)

    return raise_for_response


@guard.guarded
def _note_http(call: Call, response: Any) -> None:
    response = getattr(response, "_response", response)  # aiohttp's, where google-auth has wrapped it
    status = getattr(response, "status_code", None) or getattr(response, "status", None)
    call.http_status = status if isinstance(status, int) else None
    headers = getattr(response, "headers", None) or {}
    call.headers = getattr(headers, "raw", None) or [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
    ]
    call.note_request(getattr(response, "request", None))


@guard.guarded
def _note_sent(call: Call, args: tuple[Any, ...]) -> None:
    """Hash the body as the SDK has sent it, where the HTTP library's response does not hold it: aiohttp's."""
    data = getattr(args[0], "data", None) if args else None
    if data and call.request_hash is None:
        call.note_content(data if isinstance(data, bytes) else json.dumps(data).encode())


def _follow_segments(original: Callable[..., Any]) -> Callable[..., Any]:
    # A generator, for the oldest SDK makes it before the response is known to be a call's.
    def segments(self: Any) -> Generator[Any, None, None]:
        call = getattr(self, _CALL, None)
        yield from original(self) if call is None else follow(_note_each(original(self), call), call)

    return segments


def _follow_async_segments(original: Callable[..., Any]) -> Callable[..., Any]:
    def async_segments(self: Any) -> Any:
        call = getattr(self, _CALL, None)
        if call is None:
            return original(self)
        # Of a copy: the response holds this generator, so that one which holds the response too would leave a dropped
        # stream to the garbage collector, and its span open until then.
        return follow_async(_note_each_async(original(copy.copy(self)), call), call)

    return async_segments


def _note_each(chunks: Generator[Any, None, None], call: Call) -> Generator[Any, None, None]:
    for chunk in chunks:
        _note_chunk(call, chunk)
        yield chunk


async def _note_each_async(chunks: AsyncGenerator[Any, None], call: Call) -> AsyncGenerator[Any, None]:
    async for chunk in chunks:
        _note_chunk(call, chunk)
        yield chunk


def _note_chunk(call: Call, chunk: Any) -> None:
    if call.chunks is None:
        return
    call.chunks.note(chunk)
    if type(chunk) is dict and chunk.get("error"):
        call.end("failed")  # the SDK raises it outside of this generator, which it only drops
