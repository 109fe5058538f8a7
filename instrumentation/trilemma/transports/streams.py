"""Own how a stream's end is seen: read to its end, closed, cancelled, failed, or dropped.

A stream of the user's stays the object the SDK made. Its generator is followed from outside (`follow`), and the body of
its response is replaced by a tap, which sees a close that comes from elsewhere, and the bytes where a user reads past
the SDK's parser.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Any

from trilemma import guard
from trilemma.dropped import end_dropped, is_collecting, track
from trilemma.engine import Call
from trilemma.transports.raw_body import RawBody

__all__ = ["follow", "follow_async", "tap"]


def follow(inner: Generator[Any, None, None], call: Call) -> Generator[Any, None, None]:
    """Yield what `inner` yields, and end `call` when it ends, however it ends."""
    try:
        yield from inner
    except GeneratorExit:
        end_dropped(call)
        raise
    except BaseException as error:
        call.end("failed", error)
        raise
    call.end("exhausted")


async def follow_async(inner: AsyncGenerator[Any, None], call: Call) -> AsyncGenerator[Any, None]:
    """Do the same for an async generator. No context is attached: a yield may resume in another one."""
    try:
        async for item in inner:
            yield item
    except GeneratorExit:
        end_dropped(call)
        await inner.aclose()  # at once and in this task; the event loop would do it later, in another
        raise
    except asyncio.CancelledError:
        call.end("cancelled")
        raise
    except BaseException as error:
        call.end("failed", error)
        raise
    call.end("exhausted")


@guard.guarded
def tap(response: Any, call: Call, *, read_bytes: bool) -> None:
    """Replace the unread body of `response` by a tap; `read_bytes` where the user may read past the SDK's parser."""
    inner = response.stream
    tap_class = _tap_class(type(inner))
    if tap_class is not None:
        response.stream = tap_class(inner, call, RawBody(response, call) if read_bytes else None)
        track(call)


class _Tap:
    """Be the body of a response, and tell its call how reading it ends."""

    # anthropic asks the body for this with every chunk, which would go through `__getattr__` each time. Where it has
    # set one, it has done so on a body of its own around this one.
    stream_observer = None

    def __init__(self, inner: Any, call: Call, raw_body: RawBody | None) -> None:
        self._inner = inner
        self._call = call
        self._raw_body = raw_body
        self._reading = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __iter__(self) -> Iterator[bytes]:
        raw_body = self._start()
        return iter(self._inner) if raw_body is None else self._read(raw_body)

    def __aiter__(self) -> AsyncIterator[bytes]:
        raw_body = self._start()
        return self._inner.__aiter__() if raw_body is None else self._read_async(raw_body)

    def close(self) -> None:
        self._note_close()
        self._inner.close()

    async def aclose(self) -> None:
        self._note_close()
        await self._inner.aclose()

    def _start(self) -> RawBody | None:
        # A stream of the SDK's that is being followed reads these bytes itself.
        return None if self._call.reader else self._raw_body

    def _note_close(self) -> None:
        call = self._call
        if is_collecting() or (call.reader is not None and call.reader() is None):
            end_dropped(call)  # the garbage collector clears the reference before it closes the generator
        elif not self._reading and not call.is_being_read():
            # While bytes are being read, whoever reads them learns how that ends, and says so.
            call.end("closed")

    def _read(self, raw_body: RawBody) -> Iterator[bytes]:
        self._reading = True
        try:
            for chunk in self._inner:
                raw_body.add(chunk)
                self._reading = False
                yield chunk
                self._reading = True
        except GeneratorExit:
            end_dropped(self._call)  # a body can be read once: nobody will go on
            raise
        except BaseException as error:
            self._call.end("failed", error)
            raise
        raw_body.finish()

    async def _read_async(self, raw_body: RawBody) -> AsyncIterator[bytes]:
        self._reading = True
        try:
            async for chunk in self._inner:
                raw_body.add(chunk)
                self._reading = False
                yield chunk
                self._reading = True
        except GeneratorExit:
            end_dropped(self._call)  # a body can be read once: nobody will go on
            raise
        except asyncio.CancelledError:
            self._call.end("cancelled")
            raise
        except BaseException as error:
            self._call.end("failed", error)
            raise
        raw_body.finish()


_tap_classes: dict[type, type[_Tap] | None] = {}


def _tap_class(stream_class: type) -> type[_Tap] | None:
    """Return a tap that passes for the HTTP library's kind of stream (httpx and httpx2 check by isinstance)."""
    if stream_class not in _tap_classes:
        kinds = [kind for kind in stream_class.__mro__ if kind.__name__ in {"SyncByteStream", "AsyncByteStream"}]
        _tap_classes[stream_class] = type("Tap", (_Tap, *kinds), {}) if kinds else None
    return _tap_classes[stream_class]
