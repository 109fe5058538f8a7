"""Own clients of AWS, sync and async, whose service is a server on loopback, and the frames that it sends."""

from __future__ import annotations

import asyncio
import inspect
import json
import struct
import zlib
from base64 import b64encode
from contextlib import AsyncExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.instrumentation.faults.server import Behaviour

if TYPE_CHECKING:
    from tests.instrumentation.faults.server import FaultServer

# aiobotocore needs a botocore of its own: where it is installed (tests/constraints-frameworks.txt), both are tested.
SDKS = [name for name in ("botocore", "aiobotocore") if find_spec(name)]
WIRE = Path(__file__).with_name("wire")
REQUEST_ID = "0e3c0ac2-1d2e-4d1f-8d8e-8a3a8a1c9f10"
_JSON = {"content-type": "application/json", "x-amzn-requestid": REQUEST_ID}
_STREAM = {"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": REQUEST_ID}


class Aws:
    """Make calls of one SDK; all is async, so that a test is written once for both."""

    def __init__(self, sdk: str) -> None:
        self.is_async = sdk == "aiobotocore"
        self._clients = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._clients.aclose()

    async def call(self, server: FaultServer, operation: str, **params: Any) -> Any:
        """Make one call, with a client of its own: its options are among `params`."""
        options = {name: params.pop(name) for name in ("service", "retries", "timeout_s") if name in params}
        client = await self.make_client(server.url, **options)
        return await self.wait(find_operation(client, operation)(**params))

    async def make_client(
        self, url: str, service: str = "bedrock-runtime", *, retries: int = 0, timeout_s: float = 5
    ) -> Any:
        """Return a client that lives as long as the test."""
        config: dict[str, Any] = {
            "retries": {"total_max_attempts": retries + 1, "mode": "standard"},
            "read_timeout": timeout_s,
        }
        options: dict[str, Any] = {
            "region_name": "us-east-1",
            "endpoint_url": url,
            "aws_access_key_id": "k",
            "aws_secret_access_key": "k",
        }
        if self.is_async:
            from aiobotocore.config import AioConfig

            _require(service, await self.wait(_session().get_available_services()))
            made = _session().create_client(service, config=AioConfig(**config), **options)
            return await self._clients.enter_async_context(made)
        import boto3
        from botocore.config import Config

        _require(service, boto3.Session().get_available_services())
        client = boto3.client(service, config=Config(**config), **options)
        self._clients.callback(client._endpoint.http_session.close)
        return client

    async def wait(self, value: Any) -> Any:
        """Return a value, awaited where it can be."""
        return await value if inspect.isawaitable(value) else value

    async def settle(self) -> None:
        """Let the event loop do what it has to do."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def read_all(self, parts: Any) -> list[Any]:
        """Return what an iterator of either kind gives."""
        return [part async for part in parts] if hasattr(parts, "__aiter__") else list(parts)


def _require(service: str, known: list[str]) -> None:
    if service not in known:
        pytest.skip(f"the installed botocore has no {service}")


def find_operation(client: Any, operation: str) -> Any:
    """Return a client's method, where the installed SDK has it yet."""
    if not hasattr(client, operation):
        pytest.skip(f"the installed botocore has no {operation}")
    return getattr(client, operation)


@cache
def _session() -> Any:
    """Return the one session, which has read the services' models."""
    from aiobotocore.session import get_session

    return get_session()


def reply_json(body: Any, status: int = 200, **headers: str) -> Behaviour:
    """Return a whole response; header names with _ for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Behaviour(status, {**_JSON, **named}, [json.dumps(body).encode()])


def reply_error(status: int, code: str) -> Behaviour:
    """Return a refusal as AWS words it."""
    return reply_json({"message": "no"}, status, x_amzn_errortype=f"{code}:http://internal.amazon.com/coral/")


def reply_events(*frames: bytes, **options: Any) -> Behaviour:
    """Return a stream of frames, cut once more in the middle of each."""
    parts = [part for frame in frames for part in (frame[:20], frame[20:])]
    return Behaviour(200, _STREAM, parts, **options)


def converse_frames() -> list[bytes]:
    """Return the frames of a Converse stream that thinks, says something and calls a tool."""
    lines = (WIRE / "converse.events").read_text(encoding="utf-8").splitlines()
    return [encode_frame(*next(iter(json.loads(line).items()))) for line in lines]


def encode_chunk(chunk: Any) -> bytes:
    """Return a maker's chunk in Bedrock's envelope."""
    return encode_frame("chunk", {"bytes": b64encode(json.dumps(chunk).encode()).decode()})


def encode_frame(kind: str, payload: Any, *, is_exception: bool = False) -> bytes:
    """Encode a message of the event stream protocol (application/vnd.amazon.eventstream)."""
    names = {
        ":exception-type" if is_exception else ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "exception" if is_exception else "event",
    }
    headers = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
        for name, value in names.items()
    )
    content = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(content), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + content
    return message + struct.pack(">I", zlib.crc32(message))
