"""Own the hooks at botocore's one way out (boto3, and aiobotocore beneath aioboto3): its call, request and retries.

Every operation of every service goes through ``BaseClient._make_api_call``; those of the services below become spans.
The user gets the very objects that the SDK made: an event stream whose generator is followed from outside, a body whose
source is read through (trilemma.transports.streaming_body).
"""

import copy
import json
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from inspect import iscoroutinefunction
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from trilemma import guard
from trilemma.dropped import Held, track
from trilemma.engine import CURRENT, Call, Engine
from trilemma.opening import Opener, Server, find_port
from trilemma.patching import Patches
from trilemma.providers.spec import Provider
from trilemma.record import read_json
from trilemma.transports.calling import around, around_async
from trilemma.transports.streaming_body import read_through
from trilemma.transports.streams import follow, follow_async

__all__ = ["patch"]

_SERVICES = frozenset({"bedrock", "bedrock-runtime", "bedrock-agent-runtime", "sagemaker-runtime"})
_CALL = "_trilemma_call"
_MAX_BODY = 4 * 1024 * 1024  # a larger one is not parsed a second time


def patch(provider: Provider, sdk: ModuleType, engine: Engine, patches: Patches) -> None:
    """Put the hooks into the imported `sdk`: botocore or aiobotocore, whose classes bear other names."""
    prefix, wrapper = ("Aio", around_async) if sdk.__name__ == "aiobotocore" else ("", around)
    client, endpoint, eventstream = (
        import_module(f"{sdk.__name__}.{name}") for name in ("client", "endpoint", "eventstream")
    )
    client_class = getattr(client, f"{prefix or 'Base'}{'BaseClient' if prefix else 'Client'}")
    stream_class = getattr(eventstream, f"{prefix}EventStream")
    opener = _Opener(provider, engine)
    patches.wrap(client_class, "_make_api_call", lambda original: wrapper(original, opener.open_call, _note_result))
    patches.wrap(client_class, "_make_request", _make_request)
    patches.wrap(getattr(endpoint, f"{prefix}Endpoint"), "_needs_retry", _needs_retry)
    patches.wrap(stream_class, "_parse_event", _parse_event)
    patches.wrap(stream_class, "close", _close)


class _Opener(Opener):
    """Open a call for an operation of a client, whose endpoint URL says who serves it."""

    def open_call(self, client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Return the open call."""
        service = client.meta.service_model
        if service.service_name not in _SERVICES:
            return None
        name, params = _bind(*args, **kwargs)
        operation = service.operation_model(name)
        body = _read_params(params)
        http = operation.http
        route = self.find(http["method"], http["requestUri"], _find_server(client.meta.endpoint_url), body)
        streamed = operation.has_event_stream_output
        return self.open(route._replace(values={}), body, streamed=streamed)


def _bind(operation_name: str, api_params: Any) -> tuple[str, Any]:
    return operation_name, api_params


def _read_params(params: Any) -> dict[str, Any]:
    """Return a call's parameters with those inside its body, where that is a maker's own JSON."""
    if type(params) is not dict:
        return {}
    body = params.get("body", params.get("Body"))
    if not isinstance(body, (str, bytes, bytearray)) or len(body) > _MAX_BODY:
        return params
    try:
        inner = json.loads(body)
    except ValueError:
        return params
    return {**inner, **params} if type(inner) is dict else params


@lru_cache
def _find_server(endpoint_url: str) -> Server:
    url = urlsplit(endpoint_url)
    return Server(url.hostname or "", find_port(url))


def _current(operation_model: Any) -> Call | None:
    """Return the call whose request this is: none for those made on its behalf, such as for credentials."""
    call = CURRENT.get()
    if call is None or operation_model.service_model.service_name not in _SERVICES:
        return None
    return call


def _make_request(original: Callable[..., Any]) -> Callable[..., Any]:
    def make_request(self: Any, operation_model: Any, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        call = _current(operation_model)
        if call is None:
            return original(self, operation_model, request_dict, *args, **kwargs)
        _note_request(call, request_dict)
        result = original(self, operation_model, request_dict, *args, **kwargs)
        _note_response(call, result)
        return result

    async def make_request_async(self: Any, operation_model: Any, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        call = _current(operation_model)
        if call is None:
            return await original(self, operation_model, request_dict, *args, **kwargs)
        _note_request(call, request_dict)
        result = await original(self, operation_model, request_dict, *args, **kwargs)
        _note_response(call, result)
        return result

    return make_request_async if iscoroutinefunction(original) else make_request


@guard.guarded
def _note_request(call: Call, request: dict[str, Any]) -> None:
    content = request.get("body")
    if type(content) in {bytes, bytearray} and content:
        path = request.get("url_path") or ""  # has the model
        call.hash_request(path.encode() + b"\n" + content)
        if call.engine.capture is not None:
            call.request_content = bytes(content)


@guard.guarded
def _note_response(call: Call, result: Any) -> None:
    http, parsed = result
    call.http_status = http.status_code
    call.headers = [(str(name).encode(), str(value).encode()) for name, value in http.headers.items()]
    # Without what the user reads from: that leads to the call, and the call must not lead to it. And as it came over
    # the wire: an SDK leaves out what its model of the service does not know yet, such as how long a cache is kept.
    body = {name: value for name, value in parsed.items() if not hasattr(value, "close")}
    content = getattr(http, "_content", None)
    call.body = {**body, **read_json(content)} if content and len(content) <= _MAX_BODY else body


def _note_result(call: Call, result: Any) -> Any:
    """Follow what the user is still to read."""
    for value in result.values() if type(result) is dict else ():
        if hasattr(value, "_event_generator"):
            call.is_unread = _follow(value, call) is True
        elif hasattr(value, "iter_chunks"):
            call.is_unread = read_through(value, call) is True
    return result


@guard.guarded
def _follow(stream: Any, call: Call) -> bool:
    while hasattr(stream, "__wrapped__"):  # another instrumentation's proxy: it reads from the SDK's own
        stream = stream.__wrapped__
    # On a copy: a generator that holds the stream which holds it leaves a dropped stream to the garbage collector, and
    # its span open until then.
    twin = copy.copy(stream)
    del twin._event_generator  # noqa: SLF001
    inner = twin._create_raw_event_generator()  # noqa: SLF001
    followed = follow_async(inner, call) if hasattr(inner, "__aiter__") else follow(inner, call)
    call.note_reader(inner)
    setattr(stream, _CALL, Held(call))
    stream._event_generator = followed  # noqa: SLF001
    track(call)
    return True


def _parse_event(original: Callable[..., Any]) -> Callable[..., Any]:
    def parse_event(self: Any, event: Any) -> Any:
        held = getattr(self, _CALL, None)
        if held is None:
            return original(self, event)
        try:
            parsed = original(self, event)
        except BaseException as error:
            held.call.end("failed", error)
            raise
        _note_event(held.call, event, parsed)
        return parsed

    async def parse_event_async(self: Any, event: Any) -> Any:
        held = getattr(self, _CALL, None)
        if held is None:
            return await original(self, event)
        try:
            parsed = await original(self, event)
        except BaseException as error:
            held.call.end("failed", error)
            raise
        _note_event(held.call, event, parsed)
        return parsed

    return parse_event_async if iscoroutinefunction(original) else parse_event


@guard.guarded
def _note_event(call: Call, event: Any, parsed: Any) -> None:
    if not parsed or call.chunks is None:
        return
    is_text = call.target.endpoint.spec.is_text
    try:
        if is_text is None or not is_text(parsed):
            [(kind, members), *_] = parsed.items()
            if bytes not in map(type, members.values()):  # as it came over the wire: see _note_response
                parsed = {kind: read_json(event.payload) or members}
    except guard.ODD_SHAPE:
        pass  # it is noted as it is
    call.chunks.note(parsed)


def _close(original: Callable[..., Any]) -> Callable[..., Any]:
    def close(self: Any) -> Any:
        held = getattr(self, _CALL, None)
        if held is not None and not held.call.is_being_read():
            # While it is being read, whoever reads it learns how that ends, and says so.
            held.call.end("closed")
        return original(self)

    return close


def _needs_retry(original: Callable[..., Any]) -> Callable[..., Any]:
    def needs_retry(self: Any, attempts: Any, operation_model: Any, *args: Any, **kwargs: Any) -> Any:
        call = _current(operation_model)
        if call is None:
            return original(self, attempts, operation_model, *args, **kwargs)
        asked_s = call.clock_s()
        again = original(self, attempts, operation_model, *args, **kwargs)
        if again:
            _note_retry(call, asked_s, *args, **kwargs)
        return again

    async def needs_retry_async(self: Any, attempts: Any, operation_model: Any, *args: Any, **kwargs: Any) -> Any:
        call = _current(operation_model)
        if call is None:
            return await original(self, attempts, operation_model, *args, **kwargs)
        asked_s = call.clock_s()
        again = await original(self, attempts, operation_model, *args, **kwargs)
        if again:
            _note_retry(call, asked_s, *args, **kwargs)
        return again

    return needs_retry_async if iscoroutinefunction(original) else needs_retry


@guard.guarded
def _note_retry(call: Call, asked_s: float, _: Any, response: Any = None, caught_exception: Any = None) -> None:
    """Note a retry: the SDK has slept within its own question whether there is to be one."""
    call.retry_status = response[0].status_code if response else None
    call.note_retry(call.clock_s() - asked_s, caught_exception)
