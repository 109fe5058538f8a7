"""Own the reading along with botocore's StreamingBody: what the user reads of a body is read for its call as well.

The body stays the SDK's object. Its source, urllib3's response or aiohttp's stream, gets a transparent proxy around it,
because a body may be read by many methods, its own and its source's, once and in parts.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from wrapt import ObjectProxy

from trilemma import guard
from trilemma.dropped import Held, track
from trilemma.engine import Call
from trilemma.record import read_json

__all__ = ["read_through"]

_MAX_BYTES = 4 * 1024 * 1024  # a larger body, which is images, is not kept: its span lacks what only the body says


@guard.guarded
def read_through(body: Any, call: Call) -> bool:
    """Read along with `body`, and end `call` where the user has read it to its end or given it up."""
    copy = _Copy(call, dict(call.headers or ()).get(b"content-length", b""))
    if hasattr(body, "_raw_stream"):
        body._raw_stream = _Source(body._raw_stream, copy)  # noqa: SLF001  # its source
    else:  # aiobotocore's, itself a proxy of aiohttp's response, which reads all from this
        body.__wrapped__.content = _AsyncSource(body.__wrapped__.content, copy)
    track(call)
    return True


class _Copy:
    """Be what was read of a body so far."""

    def __init__(self, call: Call, content_length: bytes) -> None:
        self._call = call
        self._held = Held(call)
        self._length = int(content_length) if content_length.isdigit() else -1
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: Any, *, is_last: bool = False) -> None:
        """Take the next part of the body."""
        try:
            self._size += len(part)
            if self._size <= _MAX_BYTES:
                self._parts.append(bytes(part))
            if is_last or self._size == self._length:
                content = b"".join(self._parts) if self._size <= _MAX_BYTES else b""
                self._call.body = {**read_json(content), **self._call.body}
                self._call.end("exhausted")
        except Exception:  # noqa: BLE001  # the guard
            guard.caught("add")

    def fail(self, error: BaseException) -> None:
        """Take what reading raised."""
        if isinstance(error, asyncio.CancelledError):
            self._call.end("cancelled")
        else:
            self._call.end("failed", error)

    def close(self) -> None:
        """Take that the user closed the body."""
        self._call.end("closed")


class _Source(ObjectProxy):  # type: ignore[type-arg]  # no generic before wrapt 2
    """Be the source of a sync body."""

    def __init__(self, source: Any, copy: _Copy) -> None:
        super().__init__(source)
        self._self_copy = copy

    def read(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_take(self.__wrapped__.read, args, kwargs, args[0] if args else kwargs.get("amt"))

    def read1(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_take(self.__wrapped__.read1, args, kwargs, 1)

    def readline(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_take(self.__wrapped__.readline, args, kwargs, 1)

    def readlines(self, *args: Any, **kwargs: Any) -> Any:
        lines = self.__wrapped__.readlines(*args, **kwargs)
        self._self_copy.add(b"".join(lines), is_last=not args)
        return lines

    def readinto(self, buffer: Any) -> Any:
        count = self._self_guard(self.__wrapped__.readinto, (buffer,), {})
        self._self_copy.add(memoryview(buffer)[:count], is_last=not count and len(buffer) > 0)
        return count

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return self._self_iterate(self.__wrapped__.stream(*args, **kwargs))

    def read_chunked(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return self._self_iterate(self.__wrapped__.read_chunked(*args, **kwargs))

    def __iter__(self) -> Iterator[Any]:
        return self._self_iterate(iter(self.__wrapped__))

    def close(self) -> Any:
        self._self_copy.close()
        return self.__wrapped__.close()

    def _self_take(self, read: Callable[..., Any], args: Any, kwargs: Any, amount: Any) -> Any:
        part = self._self_guard(read, args, kwargs)
        self._self_copy.add(part, is_last=amount is None or amount < 0 or (not part and amount > 0))
        return part

    def _self_guard(self, read: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        try:
            return read(*args, **kwargs)
        except BaseException as error:
            self._self_copy.fail(error)
            raise

    def _self_iterate(self, parts: Iterator[Any]) -> Iterator[Any]:
        try:
            for part in parts:
                self._self_copy.add(part)
                yield part
        except GeneratorExit:
            raise
        except BaseException as error:
            self._self_copy.fail(error)
            raise
        self._self_copy.add(b"", is_last=True)


class _AsyncSource(ObjectProxy):  # type: ignore[type-arg]  # no generic before wrapt 2
    """Be the source of an async body: aiohttp's StreamReader."""

    def __init__(self, source: Any, copy: _Copy) -> None:
        super().__init__(source)
        self._self_copy = copy

    async def read(self, *args: Any, **kwargs: Any) -> Any:
        return await self._self_take(self.__wrapped__.read(*args, **kwargs))

    async def readany(self) -> Any:
        return await self._self_take(self.__wrapped__.readany())

    async def readline(self, *args: Any, **kwargs: Any) -> Any:
        return await self._self_take(self.__wrapped__.readline(*args, **kwargs))

    async def readuntil(self, *args: Any, **kwargs: Any) -> Any:
        return await self._self_take(self.__wrapped__.readuntil(*args, **kwargs))

    async def readexactly(self, *args: Any, **kwargs: Any) -> Any:
        return await self._self_take(self.__wrapped__.readexactly(*args, **kwargs))

    async def readchunk(self) -> Any:
        return await self._self_take(self.__wrapped__.readchunk())

    def read_nowait(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_add(self.__wrapped__.read_nowait(*args, **kwargs))

    # The iterators ask the reader they are given for each part, which must be this one.
    def iter_chunked(self, *args: Any, **kwargs: Any) -> Any:
        return type(self.__wrapped__).iter_chunked(self, *args, **kwargs)

    def iter_any(self) -> Any:
        return type(self.__wrapped__).iter_any(self)

    def iter_chunks(self) -> Any:
        return type(self.__wrapped__).iter_chunks(self)

    def __aiter__(self) -> Any:
        return type(self.__wrapped__).__aiter__(self)

    async def _self_take(self, reading: Any) -> Any:
        try:
            part = await reading
        except BaseException as error:
            self._self_copy.fail(error)
            raise
        return self._self_add(part)

    def _self_add(self, part: Any) -> Any:
        self._self_copy.add(part[0] if isinstance(part, tuple) else part, is_last=self.__wrapped__.at_eof())
        return part
