"""Run the provider emulator as a program: `python -m tests.demo.emulator [--port N] [--speed N]`."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from tests.demo.emulator.server import Provider, build_app

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["serve_here"]


@contextlib.contextmanager
def serve_here(speed: float = 300.0, *, failing: bool = True) -> Iterator[tuple[str, Provider]]:
    """Serve an emulator from a thread of this process; yields its base address and the provider with its ledger.

    `failing` says whether it fails now and then, as real providers do.
    """
    provider = Provider(speed, failing=failing)
    server = uvicorn.Server(_config(provider))
    with _listen(0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", provider
        finally:
            server.should_exit = True
            thread.join(10)


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio switches Nagle's algorithm off only then; with it a response takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def _config(provider: Provider) -> uvicorn.Config:
    return uvicorn.Config(build_app(provider), log_level="error", access_log=False, lifespan="off", ws="none")


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.demo.emulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--speed", type=float, default=300.0, help="how much faster than a real provider")
    parser.add_argument("--ready-file", type=Path, help="write the address to this file as JSON, once it serves")
    args = parser.parse_args()
    with _listen(args.port) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        print(url, flush=True)
        if args.ready_file:
            args.ready_file.write_text(json.dumps({"url": url}), encoding="utf-8")
        uvicorn.Server(_config(Provider(args.speed))).run(sockets=[listener])


if __name__ == "__main__":
    _main()
