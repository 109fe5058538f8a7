"""Own the model calls that frameworks make themselves: a call of ours each, unless an SDK's call beneath it is one.

LiteLLM and LangChain call some providers by SDKs that are instrumented and some by HTTP clients of their own. Which it
is shows when it happens: a provider call that opens beneath covers the framework's. Only one that stayed uncovered
becomes a call, at its end and with the time of its start.
"""

import asyncio
import inspect
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator, Mapping
from contextvars import ContextVar, Token
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from opentelemetry import context as otel_context

from trilemma import guard
from trilemma.chunks import Chunks
from trilemma.dropped import end_dropped, track
from trilemma.engine import Call, CompiledEndpoint, Engine, Target
from trilemma.providers.spec import Endpoint, Provider

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["CURRENT_MODEL_CALL", "ModelCall", "Read", "Step", "Targets", "follow", "follow_async", "make_call", "watch"]

Read: TypeAlias = Callable[[Any], dict[str, Any]]
"""From a chunk as the framework gives it to one as the endpoint's fold takes it."""

CURRENT_MODEL_CALL: ContextVar["ModelCall | None"] = ContextVar("trilemma_model_call", default=None)
"""The framework's model call that is being made in this context."""


def watch(engine: Engine) -> None:
    """Have `engine` tell of each provider call that it opens."""
    engine.note_open = _cover


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
        call.request_hash = sha256(content, usedforsecurity=False).hexdigest()[:32]
        if self.engine.capture is not None:
            call.request_content = content


def make_call(
    original: Callable[..., Any],
    start: Callable[..., ModelCall | None],
    note_result: Callable[[ModelCall, Any], None],
) -> Callable[..., Any]:
    """Return `original`, plain or async, with a model call around it that `start` makes of its arguments."""

    def run(*args: Any, **kwargs: Any) -> Any:
        with _Made(start, args, kwargs, note_result) as made:
            result = original(*args, **kwargs)
            return made.await_later(result) if inspect.iscoroutine(result) else made.note(result)

    async def run_async(*args: Any, **kwargs: Any) -> Any:
        with _Made(start, args, kwargs, note_result) as made:
            return made.note(await original(*args, **kwargs))

    return run_async if inspect.iscoroutinefunction(original) else run


class _Made:
    """Run one call of a function as a model call."""

    def __init__(self, start: Any, args: Any, kwargs: Any, note_result: Callable[[ModelCall, Any], None]) -> None:
        self._call = _start(start, args, kwargs)
        self._note_result = note_result

    def note(self, result: Any) -> Any:
        """Read the result, and return it."""
        if self._call is not None and not self._call.is_covered:
            try:
                self._note_result(self._call, result)
            except guard.ODD_SHAPE:
                return result
            except Exception:  # noqa: BLE001  # the guard
                guard.caught(getattr(self._note_result, "__name__", "note_result"))
        return result

    def await_later(self, result: Coroutine[Any, Any, Any]) -> Coroutine[Any, Any, Any]:
        """Return a coroutine that runs `result` as the call; where nobody awaits it, there was no call."""
        if self._call is None:
            return result
        self._call.ended = True
        return self._await(result, self._call)

    async def _await(self, result: Coroutine[Any, Any, Any], call: ModelCall) -> Any:
        call.ended = False
        with self:
            try:
                return self.note(await result)
            except Exception:
                call.ended = True  # the coroutine function around knows better what failed
                raise

    def __enter__(self) -> Self:
        self._token = None if self._call is None else self._call.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        if self._call is not None and self._token is not None:
            self._call.leave(self._token)
            if not self._call.is_unread:
                self._call.end(error=error)


class Step:
    """Make one step of a stream: the call is current while it is made, and ends where the stream does."""

    __slots__ = ("_call", "_finish", "_token")

    def __init__(self, call: ModelCall, finish: Callable[[], None] | None = None) -> None:
        self._call = call
        self._finish = finish

    def __enter__(self) -> None:
        self._token = self._call.enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        self._call.leave(self._token)
        if isinstance(error, StopIteration | StopAsyncIteration):
            if self._finish is not None:
                self._finish()
            self._call.end("exhausted")
        elif isinstance(error, asyncio.CancelledError):
            self._call.end("cancelled")
        elif error is not None and not isinstance(error, GeneratorExit):
            self._call.end("failed", error)


def follow(inner: Iterator[Any], start: Callable[[], ModelCall | None], read: Read) -> Generator[Any, None, None]:
    """Yield what `inner` yields; the call that `start` makes at the first step ends with it."""
    call = _start(start, (), {})
    if call is None:
        yield from inner
        return
    try:
        while True:
            try:
                with Step(call):
                    item = next(inner)
            except StopIteration:
                return
            call.note(item, read)
            yield item
    except GeneratorExit:
        end_dropped(call)
        _close(inner)
        raise


async def follow_async(
    inner: AsyncIterator[Any], start: Callable[[], ModelCall | None], read: Read
) -> AsyncGenerator[Any, None]:
    """Do the same for an async iterator."""
    call = _start(start, (), {})
    if call is None:
        async for item in inner:
            yield item
        return
    try:
        while True:
            try:
                with Step(call):
                    item = await anext(inner)
            except StopAsyncIteration:
                return
            call.note(item, read)
            yield item
    except GeneratorExit:
        end_dropped(call)
        if isinstance(inner, AsyncGenerator):
            await inner.aclose()
        raise


def _to_plain(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") and not isinstance(value, type) else str(value)


def _close(inner: Iterator[Any]) -> None:
    if isinstance(inner, Generator):
        inner.close()


def _start(start: Callable[..., ModelCall | None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ModelCall | None:
    try:
        return start(*args, **kwargs)
    except Exception:  # noqa: BLE001  # the guard
        guard.caught("start of a framework's call")
        return None


def _cover(call: Call) -> None:
    outer = CURRENT_MODEL_CALL.get()
    if outer is not None and " " not in call.record["operation"]:  # a plain span (POST /files) is no model call
        outer.cover()
