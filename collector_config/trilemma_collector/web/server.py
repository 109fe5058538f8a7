"""Own an HTTP server on a socket that is bound already (uvicorn), with its start and its stop in our hands."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from trilemma.errors import CollectorError, PortInUseError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HttpServer", "bind", "name_address"]


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to the collector: it stops three servers in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Serve one ASGI application on one socket, on the running event loop."""

    def __init__(self, app: Any, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=True,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
            ws="none",
        )
        self._server = _Server(config)
        self._listener = listener
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve; connections are accepted when this returns."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started:
            if self._task.done():
                await self._task
                raise CollectorError("the HTTP server ended before it began; run with --verbose to see why")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Finish the requests under way (5 s at most) and close."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task


def bind(host: str, port: int, option: str) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        PortInUseError: another process has the address.
        CollectorError: the address cannot be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named: asyncio sets TCP_NODELAY then
    except OSError as error:
        raise CollectorError(f"{host!r} is not an address to listen on: {error.strerror}. Set --host") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise explain_bind_error(error, host, port, option) from error
    listener.setblocking(False)
    return listener


def explain_bind_error(error: OSError, host: str, port: int, option: str) -> CollectorError:
    """Return the error that says which address cannot be had, and how to choose another."""
    if error.errno == errno.EADDRINUSE:
        return PortInUseError(
            f"the address {host}:{port} is taken by another process; choose another port with {option} PORT "
            f"(0 takes a free one), or stop what listens there"
        )
    return CollectorError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --host or {option}")


def name_address(listener: socket.socket, port: int | None = None) -> str:
    """Return the URL of a listening socket, or of another port on the same address."""
    host, own_port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port or own_port}"
