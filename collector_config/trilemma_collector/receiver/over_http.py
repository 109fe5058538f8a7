"""Own OTLP over HTTP (port 4318): /v1/traces, /v1/logs, /v1/metrics; /v1/feedback in plain JSON; and /health."""

from __future__ import annotations

import asyncio
import json
import logging
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from trilemma_collector.journal import JournalFullError
from trilemma_collector.otlp.from_feedback import convert_feedback
from trilemma_collector.otlp.from_json import convert_json
from trilemma_collector.otlp.messages import MalformedRequestError, parse_request
from trilemma_collector.otlp.replies import RETRY_AFTER_S, encode_message, make_status, refuse_metrics
from trilemma_collector.web import BodyTooLargeError, read_body, respond

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from trilemma_collector.receiver.intake import Intake
    from trilemma_collector.web import Receive, Scope, Send

__all__ = ["OtlpHttp"]

logger = logging.getLogger(__name__)

PROTOBUF, JSON = "application/x-protobuf", "application/json"
FEEDBACK = "/v1/feedback"
SIGNALS = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics", FEEDBACK: "logs"}
# What takes longer than some milliseconds must not hold up the other requests.
LARGE_BYTES = 1024 * 1024
# zlib's window: 32 more means "gzip or zlib, see for yourself".
ANY_ZLIB = 32 + zlib.MAX_WBITS


class _RefusalError(Exception):
    """Say with which HTTP status and reason a request is refused."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class _Reply(NamedTuple):
    status: int
    message: Any | None


class OtlpHttp:
    """The ASGI application."""

    def __init__(
        self, intake: Intake, *, largest_request_bytes: int, health: Callable[[], Awaitable[dict[str, Any]]]
    ) -> None:
        self._intake = intake
        self._largest_request_bytes = largest_request_bytes
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"] in {"/health", "/"} and scope["method"] in {"GET", "HEAD"}:
            await self._answer_health(send)
            return
        headers = dict(scope["headers"])
        as_json = headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == JSON.encode()
        try:
            reply = await self._take(scope, headers, receive, as_json=as_json)
        except _RefusalError as refusal:
            logger.info("refused %s %s: %s", scope["method"], scope["path"], refusal)
            reply = _Reply(refusal.status, make_status(refusal.status, str(refusal)))
        await _answer(send, reply, as_json=as_json)

    async def _take(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, *, as_json: bool) -> _Reply:
        signal = _find_signal(scope)
        content_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if scope["path"] == FEEDBACK and content_type != JSON:
            raise _RefusalError(415, f"Content-Type {content_type!r}: feedback is JSON; send {JSON}")
        if content_type not in {PROTOBUF, JSON}:
            raise _RefusalError(415, f"Content-Type {content_type!r} is not OTLP; send {PROTOBUF} or {JSON}")
        try:
            raw = await read_body(receive, self._largest_request_bytes)
            encoding = headers.get(b"content-encoding", b"identity")
            unpack = asyncio.to_thread if len(raw) > LARGE_BYTES else _call
            body = await unpack(_decompress, raw, encoding, self._largest_request_bytes)
        except BodyTooLargeError as error:
            raise _RefusalError(
                413, f"{error}; send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE), or start with --max-request-mb"
            ) from error
        try:
            if scope["path"] == FEEDBACK:
                body = await asyncio.to_thread(convert_feedback, body)
            elif as_json:
                body = await asyncio.to_thread(convert_json, signal, body)
            if signal == "metrics":
                return _Reply(200, refuse_metrics(parse_request(signal, body)))
            await asyncio.wrap_future(self._intake.accept(signal, body))
        except MalformedRequestError as error:
            raise _RefusalError(400, str(error)) from error
        except JournalFullError as error:
            raise _RefusalError(503, str(error)) from error
        return _Reply(200, None)

    async def _answer_health(self, send: Send) -> None:
        health = await self._health()
        body = json.dumps(health).encode()
        await respond(send, 200 if health["status"] == "ok" else 503, body, [(b"content-type", JSON.encode())])


def _find_signal(scope: Scope) -> str:
    signal = SIGNALS.get(scope["path"])
    if signal is None:
        raise _RefusalError(404, f"nothing is served at {scope['path']}; OTLP goes to {', '.join(SIGNALS)}")
    if scope["method"] != "POST":
        raise _RefusalError(405, f"{scope['path']} takes POST, not {scope['method']}")
    return signal


def _decompress(body: bytes, encoding: bytes, limit: int) -> bytes:
    name = encoding.decode("latin-1").strip().lower()
    if name in {"", "identity"}:
        return body
    if name not in {"gzip", "deflate"}:
        raise _RefusalError(415, f"Content-Encoding {name!r} is not known here; use gzip, deflate or none")
    decompressor = zlib.decompressobj(ANY_ZLIB)
    try:
        plain = decompressor.decompress(body, limit + 1)
    except zlib.error as error:
        raise _RefusalError(400, f"the body is not {name}: {error}") from error
    if len(plain) > limit:
        raise BodyTooLargeError(limit)
    if not decompressor.eof:
        raise _RefusalError(400, f"the {name} body is cut short")
    return plain


async def _call(function: Callable[..., bytes], *arguments: Any) -> bytes:
    return function(*arguments)


async def _answer(send: Send, reply: _Reply, *, as_json: bool) -> None:
    headers = [(b"content-type", (JSON if as_json else PROTOBUF).encode())]
    if reply.status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    empty = b"{}" if as_json else b""
    body = empty if reply.message is None else encode_message(reply.message, as_json=as_json)
    await respond(send, reply.status, body, headers)
