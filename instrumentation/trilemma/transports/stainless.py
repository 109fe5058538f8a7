"""Own the hooks at the choke point of Stainless-generated SDKs (openai, anthropic, groq, together, ...).

All calls of such an SDK go through ``_base_client.SyncAPIClient.request`` or its async twin: create, parse, stream
helpers, beta and raw variants, with the JSON body ready and the retries inside. The hooks further in are private to
the SDK as well; where one is missing, the span lacks a detail and the call is untouched.
"""

import copy
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry import trace

from trilemma import guard
from trilemma.engine import CURRENT, MAX_WAITING_BYTES, Call, Engine
from trilemma.opening import Opener, Route, Server, find_port
from trilemma.patching import Patches
from trilemma.providers.spec import Provider
from trilemma.transports.calling import around, around_async
from trilemma.transports.raw_body import RawBody
from trilemma.transports.realtime import patch_when_imported
from trilemma.transports.streams import follow, follow_async, tap

__all__ = ["patch"]

_CALL = "_trilemma_call"
_RAW_HEADER = "X-Stainless-Raw-Response"
_MAX_ROUTES = 64  # remembered per client; further paths, which hold ids, are looked up each time


def patch(provider: Provider, sdk: ModuleType, engine: Engine, patches: Patches) -> None:
    """Put the hooks into the imported `sdk`."""
    base = import_module(f"{sdk.__name__}._base_client")
    if f"{sdk.__name__}._httpx2" in sys.modules:
        # openai 2 looks httpx2 up in sys.modules with each response, and raises where another thread is just importing
        # it, as the one that loads our price table does.
        import_module("httpx2")
    opener = _Opener(provider, engine)
    for name, wrap in (("SyncAPIClient", around), ("AsyncAPIClient", around_async)):
        if owner := getattr(base, name, None):
            hook = partial(wrap, open_call=opener.open_call)
            patches.wrap(owner, "request", hook)
            for other in _find_bypassing(owner):
                patches.wrap(other, "request", hook)
            patches.wrap(owner, "_process_response", _process_response)
    client = base.BaseClient
    patches.wrap(client, "_process_response_data", _process_response_data)
    patches.wrap(client, "_should_retry", _should_retry)
    patches.wrap(client, "_calculate_retry_timeout", _calculate_retry_timeout)
    streaming = import_module(f"{sdk.__name__}._streaming")
    patches.wrap(streaming.Stream, "__stream__", lambda original: _stream(original, follow))
    patches.wrap(streaming.AsyncStream, "__stream__", lambda original: _stream(original, follow_async))
    if provider.socket is not None:
        patch_when_imported(provider.socket, opener, patches)
    if (native := provider.native_tracer) and native.module in sys.modules:
        patches.wrap(sys.modules[native.module], native.function, _start_native_span)


def _find_bypassing(owner: type) -> Iterator[type]:
    """Yield the client classes on which an instrumentation that came first wrapped the function as it was then."""
    unpatched = owner.request.__wrapped__  # type: ignore[attr-defined]
    client: type
    for client in owner.__subclasses__():
        found = vars(client).get("request")
        while found is not None and found is not unpatched and found is not owner.request:  # type: ignore[attr-defined]
            found = getattr(found, "__wrapped__", None)
        if found is unpatched:
            yield client
        yield from _find_bypassing(client) if "request" not in vars(client) else ()


class _Opener(Opener):
    """Open a call for a request of a Stainless client, whose base URL says who serves it."""

    def __init__(self, provider: Provider, engine: Engine) -> None:
        super().__init__(provider, engine)
        self._routes: WeakKeyDictionary[Any, tuple[Any, dict[tuple[str, str], Route]]] = WeakKeyDictionary()

    def open_call(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Return the open call."""
        options = kwargs["options"] if "options" in kwargs else args[1]
        body = options.json_data
        if isinstance(body, dict) and (extra := options.extra_json) and isinstance(extra, dict):
            body = {**body, **extra}
        streamed = kwargs.get("stream") is True or (isinstance(body, dict) and body.get("stream") is True)
        call = self.open(self._find_route(client, options.method, options.url), body, streamed=streamed)
        if call is not None:
            call.is_raw = isinstance(options.headers, dict) and _RAW_HEADER in options.headers
        return call

    def _find_route(self, client: Any, method: str, path: str) -> Route:
        known = self._routes.get(client)
        base_url = client._base_url  # noqa: SLF001
        if known is None or known[0] is not base_url:
            known = self._routes[client] = base_url, {}
        route = known[1].get((method, path))
        if route is None:
            server = Server(base_url.host, find_port(base_url), base_url.path)
            route = self.find(method, path, server, keeps_native_span=self._keeps_native_span(client))
            if len(known[1]) < _MAX_ROUTES:
                known[1][method, path] = route
        return route

    def _keeps_native_span(self, client: Any) -> bool:
        """Tell whether the user gave the client a tracer provider that is not ours: then its span goes elsewhere."""
        native = self.provider.native_tracer
        own = (getattr(client, native.option, None) or {}).get("tracer_provider") if native else None
        return own is not None and own is not (self.engine.tracer_provider or trace.get_tracer_provider())


def _process_response(original: Callable[..., Any]) -> Callable[..., Any]:
    # One hook for sync and async: it returns what the original returns, be it a value or a coroutine.
    def _process_response(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = CURRENT.get()
        if call is not None:
            _note_response(call, kwargs.get("response"))
        return original(self, *args, **kwargs)

    return _process_response


@guard.guarded
def _note_response(call: Call, response: Any) -> None:
    if response is None:
        return
    call.note_response(response)
    setattr(response, _CALL, call)
    reads_bytes = call.is_raw or call.target.endpoint.spec.reads_bytes
    if not response.is_closed:
        call.is_unread = True
        tap(response, call, read_bytes=reads_bytes)
    elif reads_bytes:
        RawBody(response, call).read_all(response.content)
    else:
        call.is_unread = call.chunks is not None  # a transport that read the body by itself, such as a mock


def _process_response_data(original: Callable[..., Any]) -> Callable[..., Any]:
    def _process_response_data(self: Any, *, data: Any, cast_to: Any, response: Any) -> Any:
        call = getattr(response, _CALL, None)
        if call is not None and call.chunks is None:
            call.body = data
            # A model is built of it, and what is read of it is not shared. As another type the user may get it itself.
            content = getattr(response, "_content", b"")
            call.can_wait = type(cast_to).__name__ == "ModelMetaclass" and len(content) <= MAX_WAITING_BYTES
        return original(self, data=data, cast_to=cast_to, response=response)

    return _process_response_data


def _should_retry(original: Callable[..., Any]) -> Callable[..., Any]:
    def _should_retry(self: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        call = CURRENT.get()
        if call is not None:
            call.retry_status = getattr(response, "status_code", None)
        return original(self, response, *args, **kwargs)

    return _should_retry


def _calculate_retry_timeout(original: Callable[..., Any]) -> Callable[..., Any]:
    def _calculate_retry_timeout(self: Any, *args: Any, **kwargs: Any) -> Any:
        wait_s = original(self, *args, **kwargs)
        call = CURRENT.get()
        if call is not None:
            call.note_retry(wait_s)
        return wait_s

    return _calculate_retry_timeout


def _stream(original: Callable[..., Any], follow_stream: Callable[..., Any]) -> Callable[..., Any]:
    def __stream__(self: Any) -> Any:  # noqa: N807  # the SDK's name
        call = getattr(getattr(self, "response", None), _CALL, None)
        if call is None or call.chunks is None:
            return original(self)
        followed = _follow(self, original, follow_stream, call)
        if followed is None:
            call.end()  # a bug of ours lost sight of the stream: better a short span than one that stays open
            return original(self)
        return followed

    return __stream__


def _start_native_span(original: Callable[..., Any]) -> Callable[..., Any]:
    def start_native_span(*args: Any, **kwargs: Any) -> Any:
        call = CURRENT.get()
        if call is not None and not call.target.keeps_native_span:
            return None
        return original(*args, **kwargs)

    return start_native_span


@guard.guarded
def _follow(stream: Any, original: Callable[..., Any], follow_stream: Callable[..., Any], call: Call) -> Any:
    # On a copy: a generator that holds the stream which holds it leaves a dropped stream to the garbage collector, and
    # its span open until then. anthropic does the same since 2.0.
    twin = copy.copy(stream)
    twin._client = _Recorder(stream._client, call)  # noqa: SLF001
    inner = original(twin)
    call.note_reader(inner)
    return follow_stream(inner, call)


class _Recorder:
    """Stand for the client in the generator of one stream, and note each chunk that it gets parsed."""

    def __init__(self, client: Any, call: Call) -> None:
        self._client = client
        process = client._process_response_data  # noqa: SLF001
        # Past our own hook on the class, which is for whole responses.
        original = getattr(getattr(process, "__func__", None), "__wrapped__", None)
        if call.chunks is not None:
            self._process_response_data = call.chunks.note_results_of(
                process if original is None else original.__get__(client)
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)
