"""Own a provider on a real socket that misbehaves as told: refuses, resets, hangs, breaks off."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

_REASONS = {200: "OK", 400: "Bad Request", 429: "Too Many Requests", 500: "Internal Server Error", 529: "Overloaded"}
_LINGER_0 = struct.pack("ii", 1, 0)  # closing then resets the connection


@dataclass(frozen=True)
class Behaviour:
    """Be what the server does with one request; without a status it resets the connection, or hangs.

    `parts` are sent one by one as chunks of a body. With `breaks`, the connection ends before the body does; with
    `hangs`, nothing comes after the last part.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parts: Sequence[bytes] = ()
    breaks: bool = False
    hangs: bool = False


RESET = Behaviour()
HANG = Behaviour(hangs=True)


class FaultServer:
    """Serve on a free port of loopback, in a thread; each request gets the next behaviour, the last one again."""

    def __init__(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)
        self.requests = 0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fault-server")

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._answer(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _read_request(reader):
                self.requests += 1
                behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
                if not await _behave(behaviour, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client hung up, as some of these tests have it
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> bool:
    """Read one request; return False where the client is done."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
    except asyncio.IncompleteReadError:
        return False
    if b"transfer-encoding: chunked" in head:
        while (size := int(await reader.readline(), 16)) >= 0:
            await reader.readexactly(size + 2)
            if not size:
                break
    elif (at := head.find(b"content-length:")) >= 0:
        await reader.readexactly(int(head[at + 15 : head.index(b"\r\n", at)]))
    return True


async def _behave(behaviour: Behaviour, writer: asyncio.StreamWriter) -> bool:
    """Answer; return whether the connection can be used again."""
    if behaviour.status:
        headers = {"transfer-encoding": "chunked", **behaviour.headers}
        lines = [
            f"HTTP/1.1 {behaviour.status} {_REASONS[behaviour.status]}",
            *(f"{k}: {v}" for k, v in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "\r\n"]).encode())
        for part in behaviour.parts:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.005)  # so that parts come one by one
    if behaviour.hangs:
        await asyncio.Event().wait()
    if behaviour.status and not behaviour.breaks:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True
    if not behaviour.status:
        peer: socket.socket = writer.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        writer.transport.abort()
    return False
