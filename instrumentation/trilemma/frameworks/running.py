"""Own how a framework's function, plain or async or a stream, is run as a model call, and how that ends."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, Self

from trilemma import guard
from trilemma.dropped import end_dropped
from trilemma.frameworks.calls import ModelCall, Read

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Step", "follow", "follow_async", "make_call"]


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


def _close(inner: Iterator[Any]) -> None:
    if isinstance(inner, Generator):
        inner.close()


def _start(start: Callable[..., ModelCall | None], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ModelCall | None:
    try:
        return start(*args, **kwargs)
    except Exception:  # noqa: BLE001  # the guard
        guard.caught("start of a framework's call")
        return None
