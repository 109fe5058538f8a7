"""Own the model calls that frameworks make themselves: a call of ours each, unless an SDK's call beneath it is one.

LiteLLM and LangChain call some providers by SDKs that are instrumented and some by HTTP clients of their own. Which it
is shows when it happens: a provider call that opens beneath covers the framework's. Only one that stayed uncovered
becomes a call, at its end and with the time of its start.
"""

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any, TypeAlias

from opentelemetry import context as otel_context

from trilemma import guard
from trilemma.chunks import Chunks
from trilemma.dropped import end_dropped, track
from trilemma.engine import Call, CompiledEndpoint, Engine, Target
from trilemma.frameworks.spans import AGENT_KEY
from trilemma.providers.spec import Endpoint, Provider

__all__ = ["CURRENT_MODEL_CALL", "ModelCall", "Read", "Targets", "watch"]

Read: TypeAlias = Callable[[Any], dict[str, Any]]
"""From a chunk as the framework gives it to one as the endpoint's fold takes it."""

CURRENT_MODEL_CALL: ContextVar["ModelCall | None"] = ContextVar("trilemma_model_call", default=None)
"""The framework's model call that is being made in this context."""


def watch(engine: Engine) -> None:
    """Have `engine` tell of each provider call that it opens."""
    engine.note_open = _note_open


class Targets:
    """Make the targets of one framework's calls, by endpoint and by the provider that the framework names."""

    def __init__(self, framework: str) -> None:
        self._provider = Provider(name=framework, module=framework, transport="", endpoints=(), headers=_HEADERS)
        self._endpoints: dict[str, CompiledEndpoint] = {}

    def make(self, endpoint: Endpoint, provider: str, server: Mapping[str, Any] | None = None) -> Target:
        """Return a target; `provider` is the semantic conventions' name."""
        compiled = self._endpoints.get(endpoint.path)
        if compiled is None:
            compiled = self._endpoints[endpoint.path] = CompiledEndpoint(endpoint, self._provider)
        return Target(compiled, provider, server or {})


_HEADERS = {"x-request-id": ("request_id", 0.0), "request-id": ("request_id", 0.0)}


class ModelCall:
    """Be one model call of a framework.

    `find_target` is asked at the end, when the framework knows whom it called, and may then read the request anew.
    `request` is the request's body as the endpoint's table reads it.
    """

    __slots__ = (
        "__weakref__",
        "_context",
        "_outer",
        "_started",
        "body",
        "chunks",
        "ended",
        "engine",
        "find_target",
        "headers",
        "is_covered",
        "is_unread",
        "request",
    )

    def __init__(
        self,
        engine: Engine,
        find_target: Callable[["ModelCall"], Target],
        request: dict[str, Any],
        fold: Callable[[dict[str, Any], dict[str, Any]], bool] | None = None,
    ) -> None:
        self.engine = engine
        self.find_target = find_target
        self.request = request
        self.body: dict[str, Any] = {}
        self.headers: list[tuple[bytes, bytes]] | None = None
        self.is_covered = self.is_unread = self.ended = False
        self._outer = CURRENT_MODEL_CALL.get()
        self._context = otel_context.get_current()
        self._started = engine.clock.wall_ns(), engine.clock.monotonic_s()
        self.chunks: Chunks | None = None
        if fold is not None:
            self.chunks = Chunks(fold, None, engine.clock.monotonic_s, keep_gaps=engine.metrics.is_on())

    def __del__(self) -> None:
        if not self.ended:
            end_dropped(self)

    def enter(self) -> "Token[ModelCall | None]":
        """Make this the current one; give the result to `leave`."""
        return CURRENT_MODEL_CALL.set(self)

    def leave(self, token: "Token[ModelCall | None]") -> None:
        """Undo `enter`."""
        try:
            CURRENT_MODEL_CALL.reset(token)
        except ValueError:  # closed from another context
            return

    def cover(self) -> None:
        """Note that another call is this one, or that a cache answered it: it becomes none, nor do those around it."""
        self.is_covered = True
        if self._outer is not None:
            self._outer.cover()

    def leave_unread(self) -> None:
        """Stay open until a stream is read; the calls around it end before that, and become none."""
        self.is_unread = True
        track(self)
        if self._outer is not None:
            self._outer.cover()

    def note(self, item: Any, read: Read) -> None:
        """Take the next chunk of a stream, if this is to become a call."""
        if self.chunks is None or self.is_covered:
            return
        try:
            self.chunks.note(read(item))
        except guard.ODD_SHAPE:
            return
        except Exception:  # noqa: BLE001  # the guard
            guard.caught("read of a framework's chunk")

    def end(self, stream_end: str | None = None, error: BaseException | None = None) -> None:
        """Become a call, unless it is covered; a second end does nothing."""
        if self.ended:
            return
        self.ended = True
        if not self.is_covered:
            self._become_call(stream_end, error)
        # The framework's objects are not held on to: its stream, which holds this, may be kept for long.
        self.request, self.body, self.headers, self.chunks = {}, {}, None, None
        self.find_target = _find_none

    @guard.guarded
    def _become_call(self, stream_end: str | None, error: BaseException | None) -> None:
        token = otel_context.attach(self._context)
        outer = CURRENT_MODEL_CALL.set(self._outer)
        try:
            call = self._open()
        finally:
            CURRENT_MODEL_CALL.reset(outer)
            otel_context.detach(token)
        if call is not None:
            call.body, call.chunks, call.headers = self.body, self.chunks, self.headers
            self._note_request(call)
            call.end(stream_end, error)

    def _open(self) -> Call | None:
        return self.engine.open(
            self.find_target(self), self.request, streamed=self.chunks is not None, started=self._started
        )

    def _note_request(self, call: Call) -> None:
        content = json.dumps(self.request, default=_to_plain, sort_keys=True, separators=(",", ":")).encode()
        call.hash_request(content)
        if self.engine.capture is not None:
            call.request_content = content


def _find_none(_: ModelCall) -> Target:
    raise LookupError("the call has ended")


def _to_plain(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") and not isinstance(value, type) else str(value)


def _note_open(call: Call) -> None:
    agent = otel_context.get_value(AGENT_KEY)
    if agent is not None:
        call.record["agent_name"] = agent
    outer = CURRENT_MODEL_CALL.get()
    if outer is not None and " " not in call.record["operation"]:  # a plain span (POST /files) is no model call
        outer.cover()
