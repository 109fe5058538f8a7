"""Own the hooks at google-genai's live API: a span for the session, and one in it for each turn of the model's.

A turn begins with what was sent last and ends when the model has ended it, is interrupted, or waits for a tool. What
came is read of the SDK's own messages, which hold no copy of the audio for us.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace

from trilemma import guard
from trilemma.dropped import track
from trilemma.engine import Call, Target
from trilemma.opening import Opener, Server, find_port
from trilemma.patching import Patches
from trilemma.transports.calling import around_async

__all__ = ["patch_live"]

_SESSION = "_trilemma_session"
_SENDS = ("send", "send_client_content", "send_realtime_input", "send_tool_response")
# Of a live message's usage, as the API for content has them.
_COUNTS = {
    "prompt_token_count": "promptTokenCount",
    "tool_use_prompt_token_count": "toolUsePromptTokenCount",
    "cached_content_token_count": "cachedContentTokenCount",
    "response_token_count": "candidatesTokenCount",
    "thoughts_token_count": "thoughtsTokenCount",
}
_DETAILS = {
    "prompt_tokens_details": "promptTokensDetails",
    "tool_use_prompt_tokens_details": "toolUsePromptTokensDetails",
    "cache_tokens_details": "cacheTokensDetails",
    "response_tokens_details": "candidatesTokensDetails",
}


def patch_live(module: Any, opener: Opener, patches: Patches) -> None:
    """Put the hooks into the imported `module`."""

    def connect(original: Callable[..., Any]) -> Callable[..., Any]:
        def connect(self: Any, *args: Any, **kwargs: Any) -> Any:
            return _Manager(original(self, *args, **kwargs), self, kwargs.get("model"), opener)

        return connect

    patches.wrap(module.AsyncLive, "connect", connect)
    patches.wrap(module.AsyncSession, "_receive", _receive)
    for name in _SENDS:
        patches.wrap(module.AsyncSession, name, _send)


class _Manager:
    """Be the SDK's context manager of a session, with a call that is open as long as it is."""

    def __init__(self, manager: Any, live: Any, model: Any, opener: Opener) -> None:
        self._manager = manager
        self._live = live
        self._model = model
        self._opener = opener
        self._session: _Session | None = None

    def _open(self, _: tuple[Any, ...], __: dict[str, Any]) -> Call | None:
        client = self._live._api_client  # noqa: SLF001
        options = client._http_options  # noqa: SLF001
        url = options["base_url"] if isinstance(options, dict) else options.base_url
        parts = urlsplit(url)
        server = Server(parts.hostname or "", find_port(parts))
        model = str(self._model or "").rpartition("models/")[2]
        route = self._opener.find("GET", "/live", server)
        call = self._opener.open(route, {"model": model}, streamed=False)
        if call is not None:
            self._session = _Session(call, self._opener.find("POST", "/live", server).target, model)
        return call

    def _keep(self, call: Call, session: Any) -> Any:
        call.is_unread = True
        track(call)
        setattr(session, _SESSION, self._session)
        return session

    async def __aenter__(self) -> Any:
        enter = around_async(_enter, lambda _, args, kwargs: self._open(args, kwargs), self._keep)
        return await enter(self._manager)

    async def __aexit__(self, *error: object) -> Any:
        try:
            return await self._manager.__aexit__(*error)
        finally:
            if self._session is not None:
                self._session.end()


async def _enter(manager: Any) -> Any:
    return await manager.__aenter__()


class _Session:
    """Be an open session, with the turn that is being made."""

    def __init__(self, call: Call, target: Target, model: str) -> None:
        self._call = call
        self._target = target
        self._model = model
        self._turn: Call | None = None
        self._sent: tuple[int, float] | None = None

    @guard.guarded
    def note_sent(self) -> None:
        """Take the time at which something is sent: what the model then says began with it."""
        clock = self._call.engine.clock
        self._sent = clock.wall_ns(), clock.monotonic_s()

    def _begin(self) -> None:
        if self._turn is None:
            with trace.use_span(self._call.span):
                body = {"model": self._model}
                self._turn = self._call.engine.open(self._target, body, streamed=True, started=self._sent)
            self._sent = None

    @guard.guarded
    def note(self, message: Any) -> None:
        """Take a message of the model's."""
        content = message.server_content
        ends = bool(message.tool_call or (content and content.turn_complete))
        chunk = _to_chunk(message)
        if chunk:
            self._begin()
        if self._turn is None or self._turn.chunks is None:
            return
        if content and getattr(content, "interrupted", None):
            chunk["candidates"] = [*chunk.get("candidates", ()), {"finishReason": "INTERRUPTED"}]
        elif ends and not self._turn.chunks.body.get("candidates", [{}])[0].get("finishReason"):
            reason = getattr(getattr(content, "turn_complete_reason", None), "value", None)
            chunk["candidates"] = [*chunk.get("candidates", ()), {"finishReason": reason or "STOP"}]
        self._turn.chunks.note(chunk)
        if ends:
            self.end_turn("exhausted")

    def end_turn(self, stream_end: str, error: BaseException | None = None) -> None:
        """End the turn that is open."""
        if self._turn is not None:
            turn, self._turn = self._turn, None
            turn.end(stream_end, error)

    @guard.guarded
    def end(self) -> None:
        """End the session, and the turn that it cuts."""
        self.end_turn("closed")
        self._call.end()


def _to_chunk(message: Any) -> dict[str, Any]:
    """Return what a message says in the form of a chunk of generated content, without the content of blobs."""
    parts: list[dict[str, Any]] = []
    turn = message.server_content.model_turn if message.server_content else None
    for part in (turn.parts if turn else None) or ():
        blob = {"inlineData": {"mimeType": part.inline_data.mime_type}} if part.inline_data else {}
        parts.append({"text": part.text, "thought": getattr(part, "thought", None)} if part.text else blob)
    calls = (message.tool_call.function_calls if message.tool_call else None) or ()
    parts += [{"functionCall": {"id": each.id, "name": each.name, "args": each.args}} for each in calls]
    chunk: dict[str, Any] = {"candidates": [{"content": {"parts": parts}}]} if parts else {}
    if usage := getattr(message, "usage_metadata", None):  # not in the oldest SDK, as others below
        counts = {name: getattr(usage, theirs, None) for theirs, name in _COUNTS.items()}
        details = {name: _to_details(getattr(usage, theirs, None)) for theirs, name in _DETAILS.items()}
        chunk["usageMetadata"] = {name: value for name, value in {**counts, **details}.items() if value is not None}
    return chunk


def _to_details(found: Any) -> list[dict[str, Any]] | None:
    return found and [{"modality": each.modality.value, "tokenCount": each.token_count or 0} for each in found]


def _receive(original: Callable[..., Any]) -> Callable[..., Any]:
    async def _receive(self: Any, *args: Any, **kwargs: Any) -> Any:
        session = getattr(self, _SESSION, None)
        try:
            message = await original(self, *args, **kwargs)
        except Exception as error:
            if session is not None:
                session.end_turn("failed", error)
            raise
        if session is not None:
            session.note(message)
        return message

    return _receive


def _send(original: Callable[..., Any]) -> Callable[..., Any]:
    async def send(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (session := getattr(self, _SESSION, None)) is not None:
            session.note_sent()
        return await original(self, *args, **kwargs)

    return send
