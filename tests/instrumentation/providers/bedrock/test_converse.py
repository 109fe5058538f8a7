"""Hold what Converse leaves on the span: whole, streamed, left early, broken, refused, repeated."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.trace import SpanKind
from trilemma.dropped import end_late
from trilemma.instrumentation import uninstrument

from tests.instrumentation.faults.server import HANG, RESET, Behaviour, FaultServer
from tests.instrumentation.providers.bedrock.aws import (
    REQUEST_ID,
    WIRE,
    converse_frames,
    encode_frame,
    find_operation,
    reply_error,
    reply_events,
    reply_json,
)
from tests.instrumentation.providers.conftest import is_error

if TYPE_CHECKING:
    from tests.instrumentation.providers.bedrock.aws import Aws
    from tests.instrumentation.providers.conftest import Traced

RESPONSE = json.loads((WIRE / "converse.json").read_text(encoding="utf-8"))
ASKED: dict[str, Any] = {
    "modelId": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "system": [{"text": "Be brief."}],
    "messages": [{"role": "user", "content": [{"text": "Where is order 7?"}]}],
    "inferenceConfig": {"maxTokens": 50, "temperature": 0.5, "topP": 0.5, "stopSequences": ["END"]},
    "toolConfig": {"tools": [{"toolSpec": {"name": "find_order", "inputSchema": {"json": {"type": "object"}}}}]},
    "guardrailConfig": {"guardrailIdentifier": "gr1", "guardrailVersion": "1"},
}
FRAMES = converse_frames()
# us-east-1, by the regional profile: 20 read, 1000 of the cache, 60 written for 5 m and 40 for 1 h, 30 out; USD per M.
COST = (20 * 3.3 + 1000 * 0.33 + 60 * 4.125 + 40 * 6.6 + 30 * 16.5) / 1e6


def check_answer(traced: Traced) -> None:
    """Check what both ways of answering say."""
    record = traced.record()
    assert (record["input_tokens"], record["output_tokens"]) == (1120, 30)
    assert (record["cache_read_tokens"], record["cache_write_tokens"], record["cache_write_1h_tokens"]) == (
        1000,
        100,
        40,
    )
    assert (record["tool_call_names"], record["tool_call_ids"]) == (("find_order",), ("tool_1",))
    assert record["finish_reasons"] == ("tool_use",)
    assert (record["service_tier"], record["processing_s"]) == ("default", 0.25)
    assert (record["request_id"], record["http_status"]) == (REQUEST_ID, 200)
    assert record["cost"] == pytest.approx(COST)


async def test_whole(traced: Traced, aws: Aws) -> None:
    """A call leaves one CLIENT span with what was asked and what came."""
    with FaultServer(reply_json(RESPONSE)) as server:
        result = await aws.call(server, "converse", **ASKED)
        port = int(server.url.rpartition(":")[2])
    assert result["output"]["message"]["content"][1] == {"text": "One moment."}
    check_answer(traced)
    span, record = traced.span(), traced.record()
    assert (span.name, span.kind) == (f"chat {ASKED['modelId']}", SpanKind.CLIENT)
    assert (record["provider"], record["server_address"], record["server_port"]) == ("aws.bedrock", "127.0.0.1", port)
    assert (record["max_tokens"], record["temperature"], record["top_p"]) == (50, 0.5, 0.5)
    assert (record["stop_sequences"], record["message_count"], record["tool_count"]) == (("END",), 1, 1)
    assert record["guardrail_id"] == "gr1"
    assert record["retry_count"] is None
    assert not is_error(span)


async def test_equal_requests_have_equal_hashes(traced: Traced, aws: Aws) -> None:
    """The hash of a request covers the model, which stands in the URL."""
    with FaultServer(reply_json(RESPONSE)) as server:
        for model in ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"):
            await aws.call(server, "converse", **{**ASKED, "modelId": model})
    first, second, other = [(span.attributes or {})["trilemma.request.hash"] for span in traced.spans()]
    assert first == second != other


async def test_stream(traced: Traced, aws: Aws) -> None:
    """A stream says the same as a whole answer, and when its parts came; the user gets every event."""
    traced.clock.advance(1)
    with FaultServer(reply_events(*FRAMES)) as server:
        result = await aws.call(server, "converse_stream", **ASKED)
        assert not traced.spans()
        events = await aws.read_all(result["stream"])
    assert [next(iter(event)) for event in events][-2:] == ["messageStop", "metadata"]
    check_answer(traced)
    record = traced.record()
    assert (record["stream"], record["stream_end"], record["chunk_count"]) == (True, "exhausted", len(FRAMES))
    assert record["time_to_first_content_s"] is not None


async def test_stream_stays_the_users_object(traced: Traced, aws: Aws) -> None:
    """The stream is of botocore's own class, and its iterator of the kind it was."""
    with FaultServer(reply_events(*FRAMES)) as server:
        stream = (await aws.call(server, "converse_stream", **ASKED))["stream"]
        assert type(stream).__name__ == ("AioEventStream" if aws.is_async else "EventStream")
        assert type(stream).__module__.partition(".")[0] == ("aiobotocore" if aws.is_async else "botocore")
        assert len(await aws.read_all(stream)) == len(FRAMES)
    assert len(traced.spans()) == 1


async def test_left_and_taken_up_again(traced: Traced, aws: Aws) -> None:
    """A loop left early can be taken up again: one span, all chunks."""
    with FaultServer(reply_events(*FRAMES)) as server:
        stream = (await aws.call(server, "converse_stream", **ASKED))["stream"]
        await take(stream, 3)
        assert not traced.spans()
        await aws.read_all(stream)
    assert (traced.record()["chunk_count"], traced.record()["stream_end"]) == (len(FRAMES), "exhausted")


async def take(stream: Any, count: int) -> None:
    """Read some events of a stream, and leave it open."""
    if hasattr(stream, "__aiter__"):
        async for _ in stream:
            count -= 1
            if not count:
                return
    else:
        for _ in zip(range(count), stream, strict=False):
            pass


async def test_closed(traced: Traced, aws: Aws) -> None:
    """Closing a stream ends its span at once, without error, with what was seen."""
    with FaultServer(reply_events(*FRAMES)) as server:
        stream = (await aws.call(server, "converse_stream", **ASKED))["stream"]
        await take(stream, 3)
        stream.close()
        assert traced.record()["stream_end"] == "closed"
    assert not is_error(traced.span())
    assert traced.record()["input_tokens"] is None


async def test_dropped(traced: Traced, aws: Aws) -> None:
    """A stream that nobody holds any more ends its span, without waiting for the garbage collector."""
    gc.disable()
    try:
        with FaultServer(reply_events(*FRAMES)) as server:
            result = await aws.call(server, "converse_stream", **ASKED)
            await take(result["stream"], 3)
            del result
            if aws.is_async:
                await aws.settle()
            end_late()
            assert traced.record()["stream_end"] == "abandoned"
    finally:
        gc.enable()
    assert traced.record()["chunk_count"] == 3
    assert not is_error(traced.span())


async def test_never_read(traced: Traced, aws: Aws) -> None:
    """A stream that nobody reads has a span."""
    with FaultServer(reply_events(*FRAMES)) as server:
        result = await aws.call(server, "converse_stream", **ASKED)
        del result
        gc.collect()
        end_late()
        assert traced.record()["stream_end"] == "abandoned"


async def test_error_in_the_stream(traced: Traced, aws: Aws) -> None:
    """An exception that comes as an event of a stream is the user's, and the span's by its own name."""
    from botocore.exceptions import EventStreamError

    failure = encode_frame("throttlingException", {"message": "slow down"}, is_exception=True)
    with FaultServer(reply_events(*FRAMES[:4], failure)) as server:
        stream = (await aws.call(server, "converse_stream", **ASKED))["stream"]
        with pytest.raises(EventStreamError):
            await aws.read_all(stream)
    record = traced.record()
    assert (record["error_type"], record["stream_end"]) == ("throttlingException", "failed")
    assert is_error(traced.span())


async def test_connection_that_breaks(traced: Traced, aws: Aws) -> None:
    """A connection that breaks off within a stream gives the user's exception, and a span that failed."""
    with FaultServer(reply_events(*FRAMES[:4], breaks=True)) as server:
        stream = (await aws.call(server, "converse_stream", **ASKED))["stream"]
        with pytest.raises(Exception) as caught:  # noqa: PT011  # whichever the HTTP library has
            await aws.read_all(stream)
    assert traced.record()["error_type"] == type(caught.value).__name__
    assert traced.record()["stream_end"] == "failed"


async def test_refused(traced: Traced, aws: Aws) -> None:
    """A refusal has AWS's code, its status and its request id, and costs nothing."""
    from botocore.exceptions import ClientError

    with FaultServer(reply_error(400, "ValidationException")) as server, pytest.raises(ClientError) as caught:
        await aws.call(server, "converse", **ASKED)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    record = traced.record()
    assert (record["error_type"], record["http_status"], record["request_id"]) == (
        "ValidationException",
        400,
        REQUEST_ID,
    )
    assert (record["cost"], record["cost_source"]) == (0.0, "not_billed")
    assert is_error(traced.span())


@pytest.mark.parametrize(
    ("failure", "event"),
    [
        (reply_error(429, "ThrottlingException"), {"http.response.status_code": 429}),
        (reply_error(500, "InternalServerException"), {"http.response.status_code": 500}),
        (RESET, {"error.type": "ConnectionClosedError"}),
    ],
    ids=["429", "500", "reset"],
)
async def test_repeated(traced: Traced, aws: Aws, failure: Behaviour, event: dict[str, Any]) -> None:
    """Each attempt of the SDK is on the one span of the call, with the time slept between them."""
    with FaultServer(failure, failure, reply_json(RESPONSE)) as server:
        await aws.call(server, "converse", retries=2, **ASKED)
        assert server.requests == 3
    check_answer(traced)
    assert traced.record()["retry_count"] == 2
    attempts = [dict(found.attributes or {}) for found in traced.span().events]
    assert [attempt["trilemma.attempt.number"] for attempt in attempts] == [1, 2, 3]
    assert event.items() <= attempts[0].items() or attempts[0]["error.type"] == "EndpointConnectionError"
    assert attempts[2]["http.response.status_code"] == 200


async def test_waits_are_told(traced: Traced, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time slept before an attempt is the SDK's own, as it was."""
    slept = []

    def sleep(seconds: float) -> None:
        if seconds > 0.01:  # else it is the server
            slept.append(seconds)
            traced.clock.advance(0.5)

    async def sleep_async(seconds: float, *_: Any) -> None:
        sleep(seconds)

    failure = reply_error(429, "ThrottlingException")
    with FaultServer(failure, reply_json(RESPONSE)) as server:
        client = await aws.make_client(server.url, retries=1)
        monkeypatch.setattr("aiobotocore.endpoint.asyncio.sleep", sleep_async) if aws.is_async else None
        monkeypatch.setattr("botocore.endpoint.time.sleep", sleep)
        await aws.wait(find_operation(client, "converse")(**ASKED))
    assert len(slept) == 1
    assert traced.record()["retry_wait_s"] == 0.5


async def test_time_out(traced: Traced, aws: Aws) -> None:
    """A time-out is the user's exception by name, and has no price."""
    with FaultServer(HANG) as server, pytest.raises(Exception, match=r"timeout|Timeout") as caught:
        await aws.call(server, "converse", timeout_s=0.2, **ASKED)
    assert traced.record()["error_type"] == type(caught.value).__name__ == "ReadTimeoutError"
    assert traced.record()["cost"] is None


async def test_stream_within_a_proxy(traced: Traced, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that another instrumentation has put into a proxy of its own is followed all the same."""
    import wrapt

    uninstrument()
    client_class = find_client_class(is_async=aws.is_async)
    theirs = client_class._make_api_call

    def wrap(result: Any) -> Any:
        result["stream"] = wrapt.ObjectProxy(result["stream"])
        return result

    async def call_async(self: Any, *args: Any) -> Any:
        return wrap(await theirs(self, *args))

    monkeypatch.setattr(
        client_class, "_make_api_call", call_async if aws.is_async else lambda self, *args: wrap(theirs(self, *args))
    )
    traced.instrument()
    with FaultServer(reply_events(*FRAMES)) as server:
        result = await aws.call(server, "converse_stream", **ASKED)
        assert len(await aws.read_all(result["stream"].__wrapped__)) == len(FRAMES)
    check_answer(traced)
    assert traced.record()["stream_end"] == "exhausted"
    uninstrument()


def find_client_class(*, is_async: bool) -> Any:
    """Return the class of an SDK's clients."""
    if is_async:
        from aiobotocore.client import AioBaseClient

        return AioBaseClient
    from botocore.client import BaseClient

    return BaseClient


@pytest.mark.parametrize("when", ["before", "within"])
async def test_cancelled(traced: Traced, aws: Aws, when: str) -> None:
    """Cancelling a task that waits for the answer, or for more of it, cancels it, and its span has ended."""
    if not aws.is_async:
        pytest.skip("a thread cannot be cancelled")
    behaviour = HANG if when == "before" else reply_events(*FRAMES[:4], hangs=True)
    with FaultServer(behaviour) as server:

        async def ask() -> None:
            await aws.read_all((await aws.call(server, "converse_stream", **ASKED))["stream"])

        task = asyncio.create_task(ask())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    record = traced.record()
    if when == "within":
        assert (record["stream_end"], record["error_type"], record["chunk_count"]) == ("cancelled", None, 4)
    else:
        assert record["error_type"] == "CancelledError"
