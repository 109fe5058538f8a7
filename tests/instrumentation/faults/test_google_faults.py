"""Hold the same of google-genai, whose retries say nothing of themselves."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.instrumentation.faults.server import HANG, RESET, Behaviour, FaultServer
from tests.instrumentation.providers.cases import GOOGLE
from tests.instrumentation.providers.conftest import is_error
from tests.instrumentation.providers.wire import reply_error, reply_stream, reply_whole

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced

genai = pytest.importorskip("google.genai")
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # the SDK's own
OVERLOADED = 529


def answer() -> Behaviour:
    """Return a good answer."""
    reply = reply_whole(GOOGLE.name)
    return Behaviour(200, reply.headers, [reply.body])


def refuse(status: int) -> Behaviour:
    """Return a refusal."""
    reply = reply_error(GOOGLE.name, status)
    return Behaviour(status, reply.headers, [reply.body])


def stream(events: int, *more: bytes, **options: Any) -> Behaviour:
    """Return a stream: its first `events`, and `more` after them."""
    reply = reply_stream(GOOGLE.name)
    assert reply.events is not None
    return Behaviour(200, reply.headers, [*reply.events[:events], *more], **options)


class Calls:
    """Make calls, sync or async, and give what they leave."""

    def __init__(self, traced: Traced, *, http: str) -> None:
        self.traced = traced
        self.http = http
        self.is_async = http.startswith("async ")

    def make(self, server: FaultServer, **options: Any) -> None:
        """Make one call and read its stream, if it is one, to the end."""
        asyncio.run(self.start(server, **options))

    async def start(
        self, server: FaultServer, *, attempts: int = 1, timeout_s: float = 20, streamed: bool = False
    ) -> None:
        """Do the same within an event loop."""
        statuses = [408, 429, 500, 502, 503, 504, OVERLOADED]  # the last is not one it repeats by itself
        retries = {"attempts": attempts, "initial_delay": 0.05, "jitter": 0.01, "http_status_codes": statuses}
        options: dict[str, Any] = {"base_url": server.url, "timeout": int(timeout_s * 1000), "retry_options": retries}
        own = httpx2.AsyncClient(trust_env=False) if self.http == "async httpx2" else None
        if own is not None:  # by itself it takes aiohttp where that is installed
            options["httpx_async_client"] = own
        client = genai.Client(api_key="k", http_options=options)
        asked = {"stream": True} if streamed else {}
        if self.is_async:
            async with client.aio as aio, own or nullcontext():
                result = await GOOGLE.find(aio)(**GOOGLE.arguments, **asked)
                _ = [chunk async for chunk in result] if streamed else None
        else:
            with client:
                result = GOOGLE.find(client)(**GOOGLE.arguments, **asked)
                _ = list(result) if streamed else None

    def record(self) -> Any:
        """Return the one span's attributes."""
        return self.traced.record()

    def attempts(self) -> list[dict[str, Any]]:
        """Return the attempts that the one span tells of."""
        return [dict(event.attributes or {}) for event in self.traced.span().events]


@pytest.fixture(params=["sync httpx2", "async httpx2", "async aiohttp"])
def calls(request: pytest.FixtureRequest, traced: Traced) -> Calls:
    """Give the calls, on the real clock, over each of its HTTP libraries."""
    traced.instrument_live()
    return Calls(traced, http=request.param)


@pytest.fixture(params=["async httpx2", "async aiohttp"])
def async_calls(request: pytest.FixtureRequest, traced: Traced) -> Calls:
    """Give the async calls: only a coroutine can be cancelled."""
    traced.instrument_live()
    return Calls(traced, http=request.param)


@pytest.mark.parametrize("status", [429, 500, OVERLOADED])
def test_refused_once(calls: Calls, status: int) -> None:
    """An attempt that is refused has its status and the time until the next one, which the call took as well."""
    with FaultServer(refuse(status), answer()) as server:
        calls.make(server, attempts=3)
    first, last = calls.attempts()
    assert first["http.response.status_code"] == status
    assert 0.05 <= first["trilemma.retry.wait"] < 2
    assert last == {"trilemma.attempt.number": 2, "http.response.status_code": 200}
    record, span = calls.record(), calls.traced.span()
    assert (record["retry_count"], record["http_status"], record["error_type"]) == (1, 200, None)
    assert (span.end_time - span.start_time) / 1e9 >= record["retry_wait_s"] == first["trilemma.retry.wait"]


def test_refused_to_the_end(calls: Calls) -> None:
    """When every attempt fails, each has its status, and the last one's is the call's, which costs nothing."""
    with FaultServer(refuse(500), refuse(OVERLOADED)) as server, pytest.raises(genai.errors.ServerError):
        calls.make(server, attempts=3)
    assert [each["http.response.status_code"] for each in calls.attempts()] == [500, OVERLOADED, OVERLOADED]
    record = calls.record()
    assert (record["http_status"], record["error_type"]) == (OVERLOADED, "invalid_request_error")
    assert (record["retry_count"], record["cost_source"]) == (2, "not_billed")
    assert is_error(calls.traced.span())


def test_connection_reset(calls: Calls) -> None:
    """A reset connection has its error and no status, and its cost is unknown."""
    with FaultServer(RESET) as server, pytest.raises(Exception) as failure:  # noqa: PT011  # the HTTP library's own
        calls.make(server)
    record = calls.record()
    assert (record["error_type"], record["http_status"]) == (type(failure.value).__name__, None)
    assert record["cost_source"] == "unpriced"
    assert len(record["request_hash"]) == 32


def test_time_out(calls: Calls) -> None:
    """A provider that does not answer in time is a time-out, retried as such."""
    with FaultServer(HANG, answer()) as server:
        if calls.http == "async aiohttp":  # there the SDK repeats none
            with pytest.raises(TimeoutError):
                calls.make(server, attempts=2, timeout_s=0.4)
            assert calls.record()["error_type"] == "TimeoutError"
            return
        calls.make(server, attempts=2, timeout_s=0.4)
    first, last = calls.attempts()
    assert "Timeout" in first["error.type"]
    assert last["http.response.status_code"] == 200


def test_error_in_a_stream(calls: Calls) -> None:
    """An error that comes in a stream under status 200 has the provider's type; tokens seen are kept."""
    error = {"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}}
    told = f"data: {json.dumps(error)}\n\n".encode()
    with FaultServer(stream(4, told)) as server, pytest.raises(genai.errors.APIError):
        calls.make(server, attempts=3, streamed=True)
    check_partial(calls, "UNAVAILABLE", chunks=5)  # the error is one
    assert server.requests == 1


def test_disconnect_in_a_stream(calls: Calls) -> None:
    """A connection that ends within a stream is a failure with what was seen before it."""
    with (
        FaultServer(stream(4, breaks=True)) as server,
        pytest.raises(Exception, match=r"peer|onnection|payload") as failure,
    ):
        calls.make(server, streamed=True)
    check_partial(calls, type(failure.value).__name__, chunks=4)


def check_partial(calls: Calls, error_type: str, *, chunks: int) -> None:
    """Check what a stream that failed leaves: its end, its chunks, and what the provider had counted, priced so far."""
    record = calls.record()
    assert (record["stream_end"], record["error_type"], record["chunk_count"]) == ("failed", error_type, chunks)
    assert (record["input_tokens"], record["output_tokens"], record["http_status"]) == (100, None, 200)
    assert (record["cost"], record["cost_source"]) == (None, "unpriced")
    assert record["cost_input"] == pytest.approx(36 * 0.3e-6)
    assert is_error(calls.traced.span())


@pytest.mark.parametrize("streamed", [False, True])
def test_cancelled(async_calls: Calls, streamed: bool) -> None:
    """A task that is cancelled while it waits fails with that; within a stream, to give up is no error."""

    async def cancel(server: FaultServer) -> None:
        task = asyncio.ensure_future(async_calls.start(server, streamed=streamed))
        await asyncio.sleep(0.6)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with FaultServer(stream(4, hangs=True) if streamed else HANG) as server:
        asyncio.run(cancel(server))
    record = async_calls.record()
    assert (record["stream_end"], record["chunk_count"]) == (("cancelled", 4) if streamed else (None, None))
    assert record["error_type"] == (None if streamed else "CancelledError")
    assert record["cost_source"] == "unpriced"
