"""Own a provider in memory: an HTTP transport that answers real SDKs with bodies from files, on a clock of its own."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.instrumentation.providers.sdks import SDKS, find_sdk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.instrumentation.providers.cases import Case

WIRE = Path(__file__).with_name("wire")


class ManualClock:
    """Be both clocks of the engine, in steps of an eighth of a second, which floats hold exactly."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def wall_ns(self) -> int:
        """Return wall time in ns."""
        return 1_760_000_000_000_000_000 + round(self.now_s * 1e9)

    def monotonic_s(self) -> float:
        """Return monotonic time in s."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


@dataclass
class Reply:
    """Be one HTTP response: a whole body or events, and what goes wrong in it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    events: list[bytes] | None = None
    fails_after: int | None = None  # events until the connection breaks
    hangs_after: int | None = None  # events until nothing comes any more
    refuses: bool = False  # no connection at all


def reply_whole(name: str, **options: Any) -> Reply:
    """Return the whole response of the endpoint `name`."""
    headers = {"content-type": "application/json", **_HEADERS, **options.pop("headers", {})}
    return Reply(body=(WIRE / f"{name}.json").read_bytes(), headers=headers, **options)


def reply_stream(name: str, **options: Any) -> Reply:
    """Return the streamed response of the endpoint `name`."""
    sdk = find_sdk(name)
    content_type = "application/stream+json" if name == "cohere.chat_v1" else sdk.content_type
    headers = {"content-type": content_type, **_HEADERS, **options.pop("headers", {})}
    events = []
    for line in (WIRE / f"{name}.events").read_text().splitlines():
        kind = json.loads(line).get("type") if sdk.event_name or name == "openai.responses" else None
        event = f"event: {kind}\ndata: {line}\n\n" if kind else f"data: {line}\n\n"
        events.append(event if content_type == "text/event-stream" else f"{line}\n")
    if sdk.done and content_type == "text/event-stream" and name not in {"openai.responses", "huggingface_hub.text"}:
        events.append("data: [DONE]\n\n")
    return Reply(events=[event.encode() for event in events], headers=headers, **options)


def reply_error(name: str, status: int, **options: Any) -> Reply:
    """Return a refusal in the words of the endpoint's provider."""
    body = json.dumps(find_sdk(name).refusal)
    if status == 429:
        body = body.replace("invalid_request_error", "rate_limit_error")
    headers = {"content-type": "application/json", **_HEADERS, **options.pop("headers", {})}
    return Reply(status=status, body=body.encode(), headers=headers, **options)


_HEADERS = {
    "x-request-id": "req_1",
    "request-id": "req_1",
    "mistral-correlation-id": "req_1",
    "x-debug-trace-id": "req_1",
    "x-ratelimit-remaining-req-minute": "99",
    "openai-processing-ms": "250",
    "x-ratelimit-remaining-requests": "99",
    "X-RateLimit-Remaining-Tokens": "9000",
    "anthropic-ratelimit-requests-remaining": "99",
    "anthropic-ratelimit-tokens-remaining": "9000",
}


class Script:
    """Answer requests with replies in turn; the last one again and again."""

    def __init__(self, clock: ManualClock, *replies: Reply) -> None:
        self.clock = clock
        self.replies = list(replies)
        self.requests: list[Any] = []
        self.during_request: Any = None

    def next_reply(self, http: Any, request: Any) -> Any:
        """Return the next response as the HTTP library's own."""
        self.requests.append(request)
        if self.during_request:
            self.during_request()
        self.clock.advance(0.5)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.refuses:
            raise http.ConnectError("refused", request=request)
        if reply.events is None:
            return http.Response(reply.status, headers=reply.headers, content=reply.body, request=request)
        body = body_class(http)(http, reply, self.clock)
        return http.Response(reply.status, headers=reply.headers, stream=body, request=request)


def find_http(sdk: Any) -> Any:
    """Return the HTTP library the SDK is built on: httpx or httpx2."""
    return SDKS[sdk.__name__].find_http()


def make_client(case: Case, script: Script, *, is_async: bool = False, **options: Any) -> Any:
    """Make a real client of the case's SDK whose requests the script answers."""
    http = case.traits.find_http()
    kind = http.AsyncClient if is_async else http.Client
    http_client = kind(transport=transport_class(http)(http, script), trust_env=False)
    return case.make_client(http_client, is_async=is_async, **options)


def transport_class(http: Any) -> Any:
    """Return a transport on `http`, sync and async."""

    class Transport(http.BaseTransport, http.AsyncBaseTransport):
        def __init__(self, http: Any, script: Script) -> None:
            self._http = http
            self._script = script

        def handle_request(self, request: Any) -> Any:
            request.read()
            return self._script.next_reply(self._http, request)

        async def handle_async_request(self, request: Any) -> Any:
            await request.aread()
            return self._script.next_reply(self._http, request)

    return Transport


def body_class(http: Any) -> Any:  # noqa: C901  # the class it makes has five small methods
    """Return a streamed body on `http`, sync and async, that lets an eighth of a second pass before each event."""

    class Body(http.SyncByteStream, http.AsyncByteStream):
        def __init__(self, http: Any, reply: Reply, clock: ManualClock) -> None:
            self._http = http
            self._reply = reply
            self._clock = clock

        def _send(self) -> Iterator[bytes | None]:
            for number, event in enumerate(self._reply.events or ()):
                if number == self._reply.fails_after:
                    raise self._http.ReadError("broken")
                if number == self._reply.hangs_after:
                    yield None
                self._clock.advance(0.125)
                yield event

        def __iter__(self) -> Iterator[bytes]:
            for event in self._send():
                assert event is not None, "a sync stream cannot hang in a test"
                yield event

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for event in self._send():
                if event is None:
                    await asyncio.Event().wait()
                else:
                    yield event

        def close(self) -> None:
            pass

        async def aclose(self) -> None:
            pass

    return Body
