"""Hold what faults on real sockets leave on the span: each attempt, wait and status, partial work, the right type."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.instrumentation.faults.server import HANG, RESET, Behaviour, FaultServer
from tests.instrumentation.providers.cases import CHAT, MESSAGES, RESPONSES, Case
from tests.instrumentation.providers.conftest import Read, Traced, is_error
from tests.instrumentation.providers.wire import reply_error, reply_stream, reply_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

CASES = (CHAT, RESPONSES, MESSAGES)
OVERLOADED = 529


def answer(case: Case) -> Behaviour:
    """Return a good answer."""
    reply = reply_whole(case.name)
    return Behaviour(200, reply.headers, [reply.body])


def refuse(case: Case, status: int, **headers: str) -> Behaviour:
    """Return a refusal; a time to wait is given in a header of this name, with - for _."""
    reply = reply_error(case.name, status)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Behaviour(status, {**reply.headers, **named}, [reply.body])


def stream(case: Case, events: int | None = None, *more: bytes, **options: Any) -> Behaviour:
    """Return a stream: its first `events`, and `more` after them."""
    reply = reply_stream(case.name)
    assert reply.events is not None
    return Behaviour(200, reply.headers, [*reply.events[:events], *more], **options)


class Calls:
    """Make the calls of one case, sync or async, and give what they leave."""

    def __init__(self, traced: Traced, case: Case, *, is_async: bool) -> None:
        self.traced = traced
        self.case = case
        self.is_async = is_async
        self.sdk = case.import_sdk()

    def make(self, server: FaultServer, *, retries: int = 0, timeout_s: float = 20, **arguments: Any) -> None:
        """Make one call and read its stream, if it is one, to the end."""
        asyncio.run(self.start(server, retries, timeout_s, arguments))

    async def start(self, server: FaultServer, retries: int, timeout_s: float, arguments: dict[str, Any]) -> None:
        """Do the same within an event loop."""
        name = {"openai": ("OpenAI", "AsyncOpenAI"), "anthropic": ("Anthropic", "AsyncAnthropic")}[self.case.sdk]
        base_url = server.url + ("/v1" if self.case.sdk == "openai" else "")
        client = getattr(self.sdk, name[self.is_async])(
            api_key="k", base_url=base_url, max_retries=retries, timeout=timeout_s
        )
        call = self.case.find(client)
        if self.is_async:
            async with client:
                result = await call(**self.case.arguments, **arguments)
                if "stream" in arguments:
                    [chunk async for chunk in result]
            return
        with client:
            result = call(**self.case.arguments, **arguments)
            if "stream" in arguments:
                list(result)

    def record(self) -> Read:
        """Return the one span's attributes."""
        [span] = self.traced.spans()
        return Read(span.attributes or {})

    def attempts(self) -> list[dict[str, Any]]:
        """Return the attempts that the one span tells of."""
        events = self.traced.span().events
        assert {event.name for event in events} <= {"trilemma.attempt"}
        return [dict(event.attributes or {}) for event in events]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Be each kind of API in turn."""
    found: Case = request.param
    if not found.is_here():
        pytest.skip(f"this {found.sdk} has no {found.path}")
    return found


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def calls(request: pytest.FixtureRequest, traced: Traced, case: Case) -> Iterator[Calls]:
    """Give the calls of a case, on the real clock."""
    traced.instrument_live()
    return Calls(traced, case, is_async=request.param)


@pytest.fixture
def async_calls(traced: Traced, case: Case) -> Calls:
    """Give the async calls of a case: only a coroutine can be cancelled."""
    traced.instrument_live()
    return Calls(traced, case, is_async=True)


def test_429_with_retry_after(calls: Calls, case: Case) -> None:
    """The wait the provider asks for is the wait on the span, beside the status it came with."""
    with FaultServer(refuse(case, 429, retry_after_ms="60"), answer(case)) as server:
        calls.make(server, retries=2)
    first, last = calls.attempts()
    assert first == {"trilemma.attempt.number": 1, "http.response.status_code": 429, "trilemma.retry.wait": 0.06}
    assert last == {"trilemma.attempt.number": 2, "http.response.status_code": 200}
    record = calls.record()
    assert (record["retry_count"], record["retry_wait_s"], record["http_status"]) == (1, 0.06, 200)
    assert record["input_tokens"] > 0
    assert record["error_type"] is None


def test_429_without_retry_after(calls: Calls, case: Case) -> None:
    """Without a word of the provider's the SDK chooses the wait, and that is on the span."""
    with FaultServer(refuse(case, 429), answer(case)) as server:
        calls.make(server, retries=2)
    first, _ = calls.attempts()
    assert first["http.response.status_code"] == 429
    assert 0 < first["trilemma.retry.wait"] <= 8
    span = calls.traced.span()
    assert span.end_time is not None
    assert span.start_time is not None
    assert (span.end_time - span.start_time) / 1e9 >= calls.record()["retry_wait_s"] == first["trilemma.retry.wait"]


@pytest.mark.parametrize("status", [500, OVERLOADED])
def test_5xx_to_the_end(calls: Calls, case: Case, status: int) -> None:
    """When every attempt fails, each has its status, and the last one's is the call's."""
    with FaultServer(refuse(case, 500, retry_after_ms="20"), refuse(case, status)) as server:
        with pytest.raises(calls.sdk.APIStatusError):
            calls.make(server, retries=1)
        assert server.requests == 2
    assert [attempt["http.response.status_code"] for attempt in calls.attempts()] == [500, status]
    record = calls.record()
    assert (record["http_status"], record["error_type"], record["retry_count"]) == (status, "invalid_request_error", 1)
    assert (record["cost"], record["cost_source"]) == (0, "not_billed")
    assert is_error(calls.traced.span())


def test_connection_reset(calls: Calls, case: Case) -> None:
    """A reset connection is an attempt with its error and no status; at the end its type is the SDK's."""
    with FaultServer(RESET) as server, pytest.raises(calls.sdk.APIConnectionError):
        calls.make(server, retries=1)
    first, last = calls.attempts()
    for attempt in (first, last):
        assert "http.response.status_code" not in attempt
        assert attempt["error.type"]
    record = calls.record()
    assert (record["error_type"], record["http_status"]) == ("APIConnectionError", None)
    assert record["cost_source"] == "unpriced"  # the provider may have done the work


def test_time_out(calls: Calls, case: Case) -> None:
    """A provider that does not answer in time is a time-out, retried as such."""
    with FaultServer(HANG, answer(case)) as server:
        calls.make(server, retries=1, timeout_s=0.3)
    first, last = calls.attempts()
    assert "Timeout" in first["error.type"]
    assert last["http.response.status_code"] == 200


def test_time_out_to_the_end(calls: Calls, case: Case) -> None:
    """Without a further attempt the time-out is the call's error, and its cost unknown."""
    with FaultServer(HANG) as server, pytest.raises(calls.sdk.APITimeoutError):
        calls.make(server, timeout_s=0.2)
    record = calls.record()
    assert (record["error_type"], record["cost_source"]) == ("APITimeoutError", "unpriced")
    assert record["cost"] is None


def test_error_in_a_stream(calls: Calls, case: Case) -> None:
    """An error that comes as an event of a stream under status 200 has the provider's type; tokens seen are kept."""
    error = {"type": "overloaded_error", "code": "overloaded_error", "message": "Overloaded"}
    event = {"type": "error", **(error if case is RESPONSES else {}), "error": error}
    told = f"event: error\ndata: {json.dumps(event)}\n\n".encode()
    with FaultServer(stream(case, 4, told)) as server, pytest.raises(calls.sdk.APIError):
        calls.make(server, retries=2, stream=True)
    check_partial(calls, "overloaded_error", chunks=4)
    assert server.requests == 1
    assert calls.record()["http_status"] == 200


def test_disconnect_in_a_stream(calls: Calls, case: Case) -> None:
    """A connection that ends within a stream is a failure with what was seen before it."""
    with (
        FaultServer(stream(case, 5, breaks=True)) as server,
        pytest.raises(Exception, match=r"peer|onnection") as failure,
    ):
        calls.make(server, stream=True)
    check_partial(calls, type(failure.value).__name__, chunks=5)


def test_cancelled_in_a_stream(async_calls: Calls, case: Case) -> None:
    """A task that is cancelled within a stream leaves what was seen; to give up is not an error."""

    async def cancel(server: FaultServer) -> None:
        task = asyncio.ensure_future(async_calls.start(server, 0, 20, {"stream": True}))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with FaultServer(stream(case, 5, hangs=True)) as server:
        asyncio.run(cancel(server))
    record = async_calls.record()
    assert (record["stream_end"], record["chunk_count"]) == ("cancelled", count_chunks(case, 5))
    assert not is_error(async_calls.traced.span())
    check_counted(async_calls)


def test_cancelled_before_the_answer(async_calls: Calls, case: Case) -> None:
    """A task that is cancelled while it waits for the answer is a call that failed with CancelledError."""

    async def cancel(server: FaultServer) -> None:
        task = asyncio.ensure_future(async_calls.start(server, 0, 20, {}))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with FaultServer(HANG) as server:
        asyncio.run(cancel(server))
    record = async_calls.record()
    assert (record["error_type"], record["cost_source"]) == ("CancelledError", "unpriced")


def check_partial(calls: Calls, error_type: str, *, chunks: int) -> None:
    """Check what a stream that failed leaves: its end, its chunks, its times, what the provider had counted."""
    record = calls.record()
    assert record["stream_end"] == "failed"
    assert error_type in record["error_type"]
    assert record["chunk_count"] == count_chunks(calls.case, chunks)
    assert record["time_to_first_chunk_s"] > 0
    assert is_error(calls.traced.span())
    check_counted(calls)


def check_counted(calls: Calls) -> None:
    """Check that what was counted before the end is kept and priced, and that no total is made up."""
    record = calls.record()
    if calls.case is MESSAGES:  # the one API that counts the input at the start of a stream
        assert record["input_tokens"] == 100
        assert record["cost_input"] > 0
        assert record["price_version"]
    else:
        assert record["input_tokens"] is None
    assert (record["cost"], record["cost_source"], record["unpriced_reason"]) == (None, "unpriced", "usage")


def count_chunks(case: Case, events: int) -> int:
    """Return how many of the first events of a case's stream are chunks: a ping is none."""
    reply = reply_stream(case.name)
    assert reply.events is not None
    return sum(b'"ping"' not in event for event in reply.events[:events])
