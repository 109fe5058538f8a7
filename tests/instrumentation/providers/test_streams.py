"""Hold that a stream has one span however it ends, with what was seen, and stays the user's own object."""

from __future__ import annotations

import asyncio
import gc
import inspect
import subprocess
import sys
import textwrap
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from trilemma.dropped import end_late

from tests.instrumentation.providers.cases import CHAT, MESSAGES
from tests.instrumentation.providers.conftest import is_error
from tests.instrumentation.providers.wire import Reply, reply_stream

if TYPE_CHECKING:
    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced


def open_stream(traced: Traced, case: Case, **options: Any) -> Any:
    """Open a stream."""
    return case.find(traced.client(case, reply_stream(case.name, **options)))(**case.arguments, stream=True)


def close(stream: Any) -> None:
    """Close a stream; those of the oldest SDKs have only their response to close."""
    (stream.close if hasattr(stream, "close") else stream.response.close)()


async def close_async(stream: Any) -> None:
    """Close an async stream."""
    name = next((name for name in ("aclose", "close") if hasattr(stream, name)), None)
    await (getattr(stream, name) if name else stream.response.aclose)()


def ends_of_closing(stream: Any) -> set[str]:
    """Return how a stream may have ended that was closed: a generator cannot tell that from being dropped."""
    is_generator = inspect.isgenerator(stream) or inspect.isasyncgen(stream)
    return {"abandoned", "closed"} if is_generator else {"closed"}


async def open_async_stream(traced: Traced, case: Case, **options: Any) -> Any:
    """Open an async stream."""
    client = traced.client(case, reply_stream(case.name, **options), is_async=True)
    return await case.find(client)(**case.arguments, stream=True)


async def settle() -> None:
    """Give the loop the turns in which it closes generators within a generator that is closed or dropped."""
    for turn in range(60):
        if turn % 20 == 19:
            await asyncio.sleep(0.01)  # a thread that has opened a stream lets go of it in its own time
            gc.collect()  # some SDKs' generators hold each other
        await asyncio.sleep(0)
    end_late()


def test_exhausted(traced: Traced, streamed: Case) -> None:
    """A stream read to its end ends its span then, not when the user drops it."""
    stream = open_stream(traced, streamed)
    assert not traced.spans()
    list(stream)
    assert traced.record()["stream_end"] == "exhausted"


def test_content_is_not_the_first_chunk(traced: Traced, streamed: Case) -> None:
    """Time to first content is the time to the first event with text or reasoning, not to a role or a ping."""
    list(open_stream(traced, streamed))
    record = traced.record()
    ping_s = 0.125 if streamed.sdk == "anthropic" else 0.0
    assert record["time_to_first_chunk_s"] == 0.625
    assert record["time_to_first_content_s"] == 0.625 + 0.125 * streamed.first_content_event + ping_s


def test_broken_out_of_and_dropped(traced: Traced, streamed: Case) -> None:
    """A loop left early ends the span as soon as the stream is dropped, without error, at the last chunk's time."""
    stream = open_stream(traced, streamed)
    for _ in stream:
        break
    traced.clock.advance(100)
    assert not traced.spans(), "the user may go on reading"
    del stream
    span, record = traced.span(), traced.record()
    assert record["stream_end"] == "abandoned"
    assert record["chunk_count"] == 1
    assert not is_error(span)
    assert span.end_time - span.start_time == 625_000_000


def test_read_on_after_break(traced: Traced, streamed: Case) -> None:
    """A loop left early can be taken up again: one span, all chunks."""
    stream = open_stream(traced, streamed)
    for _ in stream:
        break
    rest = list(stream)
    assert traced.record()["chunk_count"] == len(rest) + 1


def test_never_read_and_dropped(traced: Traced, streamed: Case) -> None:
    """A stream that nobody reads has a span, unless the SDK has not asked for it yet."""
    stream = open_stream(traced, streamed)
    del stream
    gc.collect()  # httpx before httpx2 keeps a response and its stream in a cycle
    traced.client(streamed, Reply())
    end_late()
    if streamed.traits.lazy:
        assert not traced.spans()
        return
    assert traced.record()["stream_end"] in {"abandoned", "closed"}
    assert traced.record()["chunk_count"] is None


def test_closed(traced: Traced, streamed: Case) -> None:
    """Closing a stream ends its span at once, without error, with what was seen."""
    stream = open_stream(traced, streamed)
    next(iter(stream))
    close(stream)
    assert traced.record()["stream_end"] in ends_of_closing(stream)
    assert (traced.record()["response_id"] or "") == streamed.response_id
    assert not is_error(traced.span())


def test_left_with_block(traced: Traced, streamed: Case) -> None:
    """Leaving the with block of a stream early closes it."""
    if not hasattr(open_stream(traced, streamed), "__enter__"):
        pytest.skip(f"streams of {streamed.sdk} {version(streamed.sdk)} are no context managers")
    gc.collect()
    end_late()
    traced.exporter.clear()
    with open_stream(traced, streamed) as stream:
        next(iter(stream))
    assert traced.record()["stream_end"] == "closed"


def test_failed_midway(traced: Traced, streamed: Case) -> None:
    """A connection that breaks gives the user's exception and a span with ERROR, its type, and what was seen."""
    stream = open_stream(traced, streamed, fails_after=4)
    with pytest.raises(Exception, match=r"broken|onnection") as caught:
        list(stream)
    span, record = traced.span(), traced.record()
    assert is_error(span)
    assert record["stream_end"] == "failed"
    assert record["error_type"] == type(caught.value).__name__
    assert (record["response_id"] or "") == streamed.response_id


def test_input_tokens_survive_an_early_end(traced: Traced) -> None:
    """Anthropic's first event counts the input: an early end keeps that, and takes no placeholder for the output."""
    stream = open_stream(traced, MESSAGES)
    for _ in zip(range(4), stream, strict=False):
        pass
    close(stream)
    record = traced.record()
    assert record["input_tokens"] == 100
    assert record["output_tokens"] is None
    assert record["cost"] is None


async def test_async_exhausted(traced: Traced, streamed: Case) -> None:
    """An async stream read to its end has its span."""
    assert len([chunk async for chunk in await open_async_stream(traced, streamed)]) > 5
    assert traced.record()["stream_end"] == "exhausted"


async def test_async_broken_out_of(traced: Traced, streamed: Case) -> None:
    """An async loop left early ends the span when the stream is dropped."""
    stream = await open_async_stream(traced, streamed)
    async for _ in stream:
        break
    del stream, _
    gc.collect()
    await settle()
    end_late()
    assert traced.record()["stream_end"] in {"abandoned", "closed"}
    assert not is_error(traced.span())


async def test_async_closed(traced: Traced, streamed: Case) -> None:
    """Closing an async stream ends its span, as soon as the loop has closed what is within it."""
    stream = await open_async_stream(traced, streamed)
    async for _ in stream:
        await close_async(stream)
        break
    if inspect.isasyncgen(stream):
        await settle()
    assert traced.record()["stream_end"] in ends_of_closing(stream)


async def test_async_cancelled(traced: Traced, streamed: Case) -> None:
    """Cancelling a task that waits for the next chunk ends the span, without error, and cancels the task."""
    if streamed.traits.blocks:
        pytest.skip(f"this {streamed.sdk} reads its async streams in the loop itself: nothing can cancel it")
    stream = await open_async_stream(traced, streamed, hangs_after=3)

    async def read() -> None:
        async for _ in stream:
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert traced.record()["stream_end"] == "cancelled"
    assert not is_error(traced.span())


async def test_async_failed(traced: Traced, streamed: Case) -> None:
    """An async connection that breaks leaves a span with ERROR."""
    stream = await open_async_stream(traced, streamed, fails_after=4)
    with pytest.raises(Exception, match=r"broken|onnection"):
        [chunk async for chunk in stream]
    assert is_error(traced.span())


def test_stays_the_users_object(traced: Traced, streamed: Case) -> None:
    """The stream is the SDK's own, as are its chunks."""
    stream = open_stream(traced, streamed)
    assert type(stream).__name__ in streamed.traits.stream.split("|")
    if hasattr(stream, "response"):
        assert stream.response.status_code == 200
    chunk = next(stream)
    assert type(chunk) in {str, dict} or type(chunk).__module__.startswith(f"{streamed.sdk}.")
    close(stream)


def test_long_stream_folds_all(traced: Traced) -> None:
    """A stream of more chunks than are folded at a time is read whole."""
    reply = reply_stream(CHAT.name)
    assert reply.events is not None
    reply.events[2:2] = [reply.events[1]] * 1000
    list(CHAT.find(traced.client(CHAT, reply))(**CHAT.arguments, stream=True))
    record = traced.record()
    assert (record["chunk_count"], record["output_tokens"]) == (1008, 20)


def test_found_by_the_garbage_collector(traced: Traced, streamed: Case) -> None:
    """A stream in a reference cycle has its span once the collector has run and something else happens."""
    stream = open_stream(traced, streamed)
    next(iter(stream))
    holder: dict[str, Any] = {"stream": stream}
    holder["self"] = holder
    del stream, holder
    gc.collect()
    list(open_stream(traced, streamed))
    first, second = traced.spans()
    assert (first.attributes or {})["trilemma.response.stream_end"] in {"abandoned", "closed"}
    assert (second.attributes or {})["trilemma.response.stream_end"] == "exhausted"


def test_open_at_exit() -> None:
    """A stream still open when the process exits is exported."""
    program = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
        from trilemma.instrumentation import instrument
        from tests.instrumentation.providers.cases import CHAT
        from tests.instrumentation.providers.wire import ManualClock, Script, make_client, reply_stream
        instrument()
        trace.set_tracer_provider(TracerProvider())
        trace.get_tracer_provider().add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
        client = make_client(CHAT, Script(ManualClock(), reply_stream(CHAT.name)))
        stream = CHAT.find(client)(**CHAT.arguments, stream=True)
        next(stream)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout.count('"trilemma.response.stream_end": "abandoned"') == 1, done.stderr
