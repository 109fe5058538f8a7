"""Own the hooks of SDKs that send by httpx or httpx2, each at the places its provider names (`Provider.hooks`).

Four kinds of place (`providers.spec.Hook`) serve them all: what makes a call, what gives the HTTP client, what decides
how long to wait before the next attempt, and what an SDK traces itself with. Sync and async are told by the function
that is replaced.
"""

import inspect
import json
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace

from trilemma import guard
from trilemma.engine import CURRENT, Call, Engine
from trilemma.opening import Opener, Route, Server, compile_path, find_port
from trilemma.patching import Patches
from trilemma.providers.spec import Hook, Provider
from trilemma.transports.calling import Open, around, around_async
from trilemma.transports.http import note_http_response

__all__ = ["patch"]

_MAX_ROUTES = 512  # URLs hold ids: what is remembered of them is forgotten when it is this much


def patch(provider: Provider, sdk: ModuleType, engine: Engine, patches: Patches) -> None:  # noqa: ARG001  # one signature
    """Put the provider's hooks into its SDK, each when its module is imported: an app may never use that one."""
    opener = _Opener(provider, engine)
    for hook in provider.hooks:
        patches.when_imported(hook.module, partial(_place, hook, opener, patches))


@guard.guarded
def _place(hook: Hook, opener: "_Opener", patches: Patches, module: Any) -> None:
    owner_name, _, name = hook.name.rpartition(".")
    owner = getattr(module, owner_name, None) if owner_name else module
    if owner is None:
        return
    if hook.kind == "call":
        patches.wrap(owner, name, lambda original: _around_any(original, opener.opens(original, hook.again)))
    elif hook.kind == "wait":
        patches.wrap(owner, name, _note_wait)
    elif hook.kind == "tracer":
        patches.wrap(owner, name, lambda original: _quieten(original, opener.engine))
    elif not patches.wrap(owner, name, lambda original: _give_traced(original, opener)):
        patches.add(owner, name, _TracedAttribute(name, opener))


class _Opener(Opener):
    """Open a call for a request, given ready or in parts."""

    def __init__(self, provider: Provider, engine: Engine) -> None:
        super().__init__(provider, engine)
        self._routes: dict[tuple[str, str, str], Route] = {}
        # Paths whose endpoint hangs on the body: their routes are found anew each time.
        self._varied = [(each.method, compile_path(each.path)) for each in provider.endpoints if each.when is not None]
        self._traced_classes: dict[type, type | None] = {}

    def opens(self, original: Callable[..., Any], again: str) -> Open:
        """Return what opens a call from the arguments of `original`."""
        names = tuple(inspect.signature(original).parameters)

        def open_call(owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
            given = {**dict(zip(names, (owner, *args), strict=False)), **kwargs}
            if again and given.get(again):
                return None
            if (request := given.get("request")) is not None:
                return self.open_request(owner, (request,), {})
            url = given.get("url") or given.get("base_url") or owner.base_url()
            body = given.get("json") or given.get("data")
            if isinstance(body, dict):  # not yet what is sent: cohere marks what the user left out by an ellipsis
                body = {name: value for name, value in body.items() if value is not ...}
            return self._open(given["method"], str(url), str(given.get("path") or ""), body)

        return open_call

    def open_request(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Open a call for a request of the HTTP library's, the first argument of its client's ``send``."""
        request = args[0] if args else kwargs["request"]
        return self._open(request.method, str(request.url), "", _read_body(request))

    def _open(self, method: str, url: str, path: str, body: Any) -> Call | None:
        route = self._routes.get((method, url, path))
        if route is None:
            parts = urlsplit(f"{url.rstrip('/')}/{path.lstrip('/')}" if path else url)
            own_path = self._strip_base(method, parts.path or "/")
            server = Server(parts.hostname or "", find_port(parts), parts.path)
            route = self.find(method, own_path, server, body)
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            if not any(verb == method and pattern.fullmatch(own_path) for verb, pattern in self._varied):
                self._routes[method, url, path] = route
        streamed = isinstance(body, dict) and body.get("stream") in (True, "true")
        return self.open(route, body, streamed=streamed)

    def _strip_base(self, method: str, path: str) -> str:
        """Return the path from where the provider's own begins: a client's base URL may have a path as well."""
        steps = path.split("/")
        tails = ("/" + "/".join(steps[start:]) for start in range(1, len(steps)))
        return next((tail for tail in tails if self.knows(method, tail)), path)

    def trace_client(self, client: Any) -> Any:
        """Return a client that shares all of `client`'s state, and each of whose requests is a call."""
        kind = type(client)
        if kind not in self._traced_classes:
            self._traced_classes[kind] = self._make_traced_class(kind)
        traced_class = self._traced_classes[kind]
        if traced_class is None:
            return client
        twin: Any = object.__new__(traced_class)
        twin.__dict__ = client.__dict__
        return twin

    def _make_traced_class(self, kind: type) -> type | None:
        if not inspect.isfunction(send := getattr(kind, "send", None)) or kind in self._traced_classes.values():
            return None  # a stand-in of somebody's tests, or one of ours

        def send_now(self: Any, *args: Any, **kwargs: Any) -> Any:
            return kind.send(self, *args, **kwargs)  # type: ignore[attr-defined]  # whatever it is by then

        wrap = around_async if inspect.iscoroutinefunction(send) else around
        traced = wrap(send_now, self.open_request, _note)
        return type(kind.__name__, (kind,), {"send": traced, "__module__": kind.__module__})


def _read_body(request: Any) -> Any:
    """Return the request's JSON body, or the plain fields of its form."""
    if content := getattr(request, "_content", None):
        if content[:1] != b"{":
            return None
        try:
            return json.loads(content)
        except ValueError:
            return None
    fields = getattr(getattr(request, "stream", None), "fields", None) or ()
    return {field.name: field.value for field in fields if isinstance(getattr(field, "value", None), str)}


def _around_any(original: Callable[..., Any], open_call: Open) -> Callable[..., Any]:
    """Return what makes a call, with a call open: a function, a coroutine function, or one of a context manager."""
    inner = inspect.unwrap(original)
    if inspect.iscoroutinefunction(inner):
        return around_async(original, open_call, _note)
    if not (inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner)):
        return around(original, open_call, _note)

    def call_provider(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _Manager(original(self, *args, **kwargs), lambda: open_call(self, args, kwargs))

    return call_provider


def _note(call: Call, response: Any) -> Any:
    note_http_response(call, response)
    return response


class _Manager:
    """Be the SDK's context manager of a response, with a call that is opened when it is entered."""

    def __init__(self, manager: Any, open_call: Callable[[], Call | None]) -> None:
        self._manager = manager
        self._open_call = open_call

    def _open(self, _: tuple[Any, ...], __: dict[str, Any]) -> Call | None:
        return self._open_call()

    def _enter(self) -> Any:
        return self._manager.__enter__()

    async def _aenter(self) -> Any:
        return await self._manager.__aenter__()

    __enter__ = around(_enter, _open, _note)
    __aenter__ = around_async(_aenter, _open, _note)

    def __exit__(self, *error: object) -> Any:
        return self._manager.__exit__(*error)

    async def __aexit__(self, *error: object) -> Any:
        return await self._manager.__aexit__(*error)


def _give_traced(original: Callable[..., Any], opener: _Opener) -> Callable[..., Any]:
    def trace_client(client: Any) -> Any:
        return _trace_client(opener, client)

    if isinstance(original, property):
        return _TracedProperty(lambda owner: trace_client(original.__get__(owner)))

    if inspect.iscoroutinefunction(original):

        async def get_async_client(*args: Any, **kwargs: Any) -> Any:
            return trace_client(await original(*args, **kwargs))

        return get_async_client

    def get_client(*args: Any, **kwargs: Any) -> Any:
        return trace_client(original(*args, **kwargs))

    return get_client


def _trace_client(opener: _Opener, client: Any) -> Any:
    try:
        return opener.trace_client(client)
    except Exception:  # noqa: BLE001  # the guard
        guard.caught("trace_client")
        return client


class _TracedProperty(property):
    """Be a property that gives a traced HTTP client; of a class of its own, to bear the attributes of what it wraps."""


class _TracedAttribute:
    """Be an attribute that holds an HTTP client: the object keeps its own, and whoever asks gets the traced one."""

    def __init__(self, name: str, opener: _Opener) -> None:
        self._name = name
        self._opener = opener

    def __get__(self, owner: Any, _: Any = None) -> Any:
        if owner is None:
            return self
        try:
            client = owner.__dict__[self._name]
        except KeyError:
            raise AttributeError(self._name) from None
        return _trace_client(self._opener, client)

    def __set__(self, owner: Any, client: Any) -> None:
        owner.__dict__[self._name] = client

    def __delete__(self, owner: Any) -> None:
        owner.__dict__.pop(self._name, None)


def _note_wait(original: Callable[..., Any]) -> Callable[..., Any]:
    def decide_wait(*args: Any, **kwargs: Any) -> Any:
        wait_s = original(*args, **kwargs)
        call = CURRENT.get()
        if call is not None:
            _note_retry(call, (*args, *kwargs.values()), wait_s)
        return wait_s

    return decide_wait


@guard.guarded
def _note_retry(call: Call, arguments: tuple[Any, ...], wait_s: float) -> None:
    statuses = (getattr(getattr(each, "response", each), "status_code", None) for each in arguments)
    call.retry_status = next((status for status in statuses if status), None)
    call.note_retry(wait_s)


def _quieten(original: Callable[..., Any], engine: Engine) -> Callable[..., Any]:
    """Return what gives an SDK (whether it traces, its tracer): not while we do, unless to a provider of its own."""

    def get_tracer(*args: Any, **kwargs: Any) -> Any:
        is_on, tracer = original(*args, **kwargs)
        own = args[0] if args else kwargs.get("provider")
        is_own = own is not None and own is not (engine.tracer_provider or trace.get_tracer_provider())
        return is_on and (is_own or CURRENT.get() is None), tracer

    return get_tracer
