"""Own the hooks at a realtime API's connection: a span for the session, and one in it for each response that is made.

What goes over a connection is seen where the SDK's connection object sends and receives. Either may happen in any
thread or task; the session's span ends when the connection is closed or dropped.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace

from trilemma import guard
from trilemma.dropped import track
from trilemma.engine import CURRENT, Call, Target
from trilemma.opening import Opener, Server, find_port
from trilemma.patching import Patches
from trilemma.providers.spec import Endpoint, Socket
from trilemma.transports.calling import around, around_async

__all__ = ["patch_when_imported"]

_SESSION = "_trilemma_session"
_DELTA = b".delta"
_HEAD_BYTES = 64  # within which an event says its type; what follows may be seconds of audio
_PIECE = {"type": ".delta", "delta": True}


def patch_when_imported(socket: Socket, opener: Opener, patches: Patches) -> None:
    """Put the hooks into the modules of a realtime API as soon as the app uses it."""
    for module in socket.modules:
        patches.when_imported(module, lambda imported: _patch(imported, socket, opener, patches))


@guard.guarded
def _patch(module: ModuleType, socket: Socket, opener: Opener, patches: Patches) -> None:
    def open_call(manager: Any, _: tuple[Any, ...], __: dict[str, Any]) -> Call | None:
        return _open_session(manager, socket, opener)

    def note_connection(call: Call, connection: Any) -> Any:
        call.is_unread = True
        track(call)
        setattr(connection, _SESSION, _Session(call, socket, opener))
        return connection

    manager, connection = module.RealtimeConnectionManager, module.RealtimeConnection
    for name in ("__enter__", "enter"):
        patches.wrap(manager, name, lambda original: around(_note_status(original), open_call, note_connection))
    patches.wrap(connection, "recv_bytes", _receive)
    manager, connection_async = module.AsyncRealtimeConnectionManager, module.AsyncRealtimeConnection
    for name in ("__aenter__", "enter"):
        patches.wrap(
            manager, name, lambda original: around_async(_note_status_async(original), open_call, note_connection)
        )
    patches.wrap(connection_async, "recv_bytes", _receive_async)
    for each in (connection, connection_async):
        patches.wrap(each, "send", _send)
        patches.wrap(each, "close", _close)


def _open_session(manager: Any, socket: Socket, opener: Opener) -> Call | None:
    owned = {name.rpartition("__")[2]: value for name, value in vars(manager).items()}  # they are private to its class
    model, base_url = owned.get("model"), owned["client"]._base_url  # noqa: SLF001
    server = Server(base_url.host, find_port(base_url), base_url.path)
    route = opener.find(socket.session.method, socket.session.path, server)
    return opener.open(route, {"model": model}, streamed=False)


class _Session:
    """Be one connection: its own call, and the calls for the responses that are under way on it."""

    def __init__(self, call: Call, socket: Socket, opener: Opener) -> None:
        self.call = call
        self._socket = socket
        self._opener = opener
        self._model = call.record.get("request_model")
        self._server = {name: call.record[name] for name in ("server_address", "server_port") if name in call.record}
        self._context = otel_context.get_current()
        self._asked: list[Call] = []  # for which no response has begun yet
        self._responses: dict[str, Call] = {}

    @guard.guarded
    def note_sent(self, event: Any) -> None:
        """Take what the app sends: a response that it asks for begins here."""
        kind = event.get("type") if isinstance(event, dict) else getattr(event, "type", None)
        if kind == "response.create" and (call := self._open(self._socket.response, self._model)) is not None:
            self._asked.append(call)

    @guard.guarded
    def note_received(self, data: bytes | str) -> None:
        """Take what the server sends; an odd event of its costs that event."""
        with suppress(*guard.ODD_SHAPE):
            self._note(data)

    def _note(self, data: bytes | str) -> None:
        content = data.encode() if isinstance(data, str) else data
        if len(self._responses) == 1 and _DELTA in content[:_HEAD_BYTES]:
            self._note_chunk(next(iter(self._responses.values())), _PIECE)
            return
        event = json.loads(content)
        kind = event.get("type") if isinstance(event, dict) else None
        if not isinstance(kind, str):
            return
        if kind.startswith("session."):
            self._note_session(event.get("session"))
        elif kind.startswith("response."):
            self._note_response(kind, event)
        elif kind.startswith("conversation.item.input_audio_transcription."):
            self._note_transcript(kind, event)
        elif kind == "error":
            self._note_error(event.get("error"))

    def end(self, error: BaseException | None = None) -> None:
        """End the session, and what is under way on it."""
        for call in [*self._asked, *self._responses.values()]:
            call.end("closed")
        self._asked, self._responses = [], {}
        self.call.end(error=error)

    def _note_session(self, session: Any) -> None:
        if isinstance(session, dict):
            self.call.body = session
            self._model = session.get("model") or self._model

    def _note_response(self, kind: str, event: dict[str, Any]) -> None:
        response = event.get("response")
        response_id = response.get("id") if isinstance(response, dict) else event.get("response_id")
        if kind == "response.created":
            # Else the server began it by itself, when it heard that the speaker had come to an end.
            call = self._asked.pop(0) if self._asked else self._open(self._socket.response, self._model)
            if call is not None and isinstance(response_id, str):
                self._responses[response_id] = call
        found = self._responses.get(str(response_id))
        if found is not None:
            self._note_chunk(found, event)
            if kind == "response.done":
                self._responses.pop(str(response_id), None)
                found.end("exhausted")

    def _note_transcript(self, kind: str, event: dict[str, Any]) -> None:
        if not kind.endswith((".completed", ".failed")):
            return
        session = self.call.body
        heard = ((session.get("audio") or {}).get("input") or {}).get("transcription") or {}
        model = (session.get("input_audio_transcription") or heard).get("model")
        call = self._open(self._socket.transcript, model)
        if call is not None:
            call.body = event
            call.end()

    def _note_error(self, error: Any) -> None:
        kind = (error.get("code") or error.get("type")) if isinstance(error, dict) else None
        self.call.span.add_event("error", {"error.type": str(kind or "error")})
        if self._asked:  # it is about what was asked last, of which it may not say the event
            call = self._asked.pop()
            call.body = {"error": error}
            call.record["error_type"] = str(kind or "error")
            call.end()

    def _note_chunk(self, call: Call, event: dict[str, Any]) -> None:
        if call.chunks is not None:
            call.chunks.note(event)

    def _open(self, endpoint: Endpoint, model: Any) -> Call | None:
        context = otel_context.get_current() or self._context
        token = otel_context.attach(trace.set_span_in_context(self.call.span, context))
        try:
            streamed = endpoint.fold is not None
            return self._opener.engine.open(self._target(endpoint), {"model": model}, streamed=streamed)
        finally:
            otel_context.detach(token)

    def _target(self, endpoint: Endpoint) -> Target:
        server = Server(str(self._server.get("server_address", "")), int(self._server.get("server_port", 0)))
        return self._opener.find(endpoint.method, endpoint.path, server).target


def _note_status(original: Callable[..., Any]) -> Callable[..., Any]:
    def enter(self: Any) -> Any:
        try:
            return original(self)
        except Exception as error:
            _take_status(error)
            raise

    return enter


def _note_status_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def enter(self: Any) -> Any:
        try:
            return await original(self)
        except Exception as error:
            _take_status(error)
            raise

    return enter


@guard.guarded
def _take_status(error: Exception) -> None:
    call = CURRENT.get()
    if call is not None:
        call.http_status = getattr(getattr(error, "response", None), "status_code", None)


def _receive(original: Callable[..., Any]) -> Callable[..., Any]:
    def recv_bytes(self: Any) -> Any:
        session = getattr(self, _SESSION, None)
        try:
            data = original(self)
        except Exception as error:
            _note_end(self, session, error)
            raise
        if session is not None:
            session.note_received(data)
        return data

    return recv_bytes


def _receive_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def recv_bytes(self: Any) -> Any:
        session = getattr(self, _SESSION, None)
        try:
            data = await original(self)
        except Exception as error:
            _note_end(self, session, error)
            raise
        if session is not None:
            session.note_received(data)
        return data

    return recv_bytes


def _send(original: Callable[..., Any]) -> Callable[..., Any]:
    # One hook for sync and async: it returns what the original returns, be it a value or a coroutine.
    def send(self: Any, event: Any, *args: Any, **kwargs: Any) -> Any:
        session = getattr(self, _SESSION, None)
        if session is not None:
            session.note_sent(event)
        return original(self, event, *args, **kwargs)

    return send


def _close(original: Callable[..., Any]) -> Callable[..., Any]:
    def close(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = getattr(self, _SESSION, None)
        if session is not None:
            session.end()
        return original(self, *args, **kwargs)

    return close


@guard.guarded
def _note_end(connection: Any, session: _Session | None, error: Exception) -> None:
    """End a session whose connection broke, unless the SDK will connect it anew."""
    if session is not None and getattr(connection, "_make_ws", None) is None:
        session.end(None if type(error).__name__ == "ConnectionClosedOK" else error)
