"""Hold that raw and streaming responses, whose bodies users read by themselves, lose nothing."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from tests.instrumentation.providers.cases import CHAT, STAINLESS, STAINLESS_STREAMED
from tests.instrumentation.providers.conftest import require
from tests.instrumentation.providers.wire import reply_stream, reply_whole

if TYPE_CHECKING:
    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced


@pytest.fixture(params=STAINLESS, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Be each endpoint in turn of the SDKs that have raw responses."""
    return require(request.param)


@pytest.fixture(params=STAINLESS_STREAMED, ids=lambda case: case.name)
def streamed(request: pytest.FixtureRequest) -> Case:
    """Be each endpoint in turn of theirs that streams."""
    return require(request.param)


def raw(traced: Traced, case: Case, reply: Any, kind: str, **arguments: Any) -> Any:
    """Call the raw variant of a case's method."""
    return case.find(traced.client(case, reply), raw=kind)(**case.arguments, **arguments)


def require_streaming_response(case: Case) -> None:
    """Skip where the SDK is older than with_streaming_response."""
    try:
        case.find(case.make_client(None, api_key="k"), raw="with_streaming_response")
    except AttributeError:
        pytest.skip(f"{case.sdk} {case.import_sdk().__version__} has no with_streaming_response")


def test_raw_response(traced: Traced, case: Case) -> None:
    """A raw response has its whole span when the call returns, and parses as ever."""
    response = raw(traced, case, reply_whole(case.name), "with_raw_response")
    record = traced.record()
    assert record["input_tokens"] in {100, 8}
    assert response.headers["x-request-id"] == "req_1"
    assert response.parse().usage is not None
    assert len(traced.spans()) == 1


def test_raw_stream_parsed(traced: Traced, streamed: Case) -> None:
    """A raw response of a streaming call, parsed to a stream, keeps its usage."""
    response = raw(traced, streamed, reply_stream(streamed.name), "with_raw_response", stream=True)
    assert len(list(response.parse())) > 5
    record = traced.record()
    assert (record["output_tokens"], record["stream_end"]) == (20, "exhausted")
    assert record["time_to_first_content_s"] > record["time_to_first_chunk_s"]


def test_raw_stream_read_as_lines(traced: Traced, streamed: Case) -> None:
    """A raw response of a streaming call, read line by line past the SDK's parser, keeps its usage too."""
    response = raw(traced, streamed, reply_stream(streamed.name), "with_raw_response", stream=True)
    lines = list(response.http_response.iter_lines())
    assert any("data:" in line for line in lines)
    record = traced.record()
    assert (record["output_tokens"], record["stream_end"]) == (20, "exhausted")
    assert record["time_to_first_content_s"] > record["time_to_first_chunk_s"]


def test_streaming_response(traced: Traced, case: Case) -> None:
    """A response read on demand has its whole span once it is read."""
    require_streaming_response(case)
    with raw(traced, case, as_events(reply_whole(case.name)), "with_streaming_response") as response:
        assert not traced.spans()
        assert response.parse().usage is not None
    assert traced.record()["input_tokens"] in {100, 8}
    assert len(traced.spans()) == 1


def test_streaming_response_as_lines(traced: Traced, streamed: Case) -> None:
    """A stream read on demand as lines keeps its usage."""
    require_streaming_response(streamed)
    with raw(traced, streamed, reply_stream(streamed.name), "with_streaming_response", stream=True) as response:
        for _ in response.iter_lines():
            pass
    assert (traced.record()["output_tokens"], traced.record()["stream_end"]) == (20, "exhausted")


def test_streaming_response_unread(traced: Traced, streamed: Case) -> None:
    """A stream that is left unread is closed, and has one span."""
    require_streaming_response(streamed)
    with raw(traced, streamed, reply_stream(streamed.name), "with_streaming_response", stream=True):
        pass
    assert traced.record()["stream_end"] == "closed"


async def test_async_streaming_response(traced: Traced, streamed: Case) -> None:
    """An async stream read on demand as lines keeps its usage."""
    require_streaming_response(streamed)
    client = traced.client(streamed, reply_stream(streamed.name), is_async=True)
    method = streamed.find(client, raw="with_streaming_response")
    async with method(**streamed.arguments, stream=True) as response:
        async for _ in response.iter_lines():
            pass
    assert (traced.record()["output_tokens"], traced.record()["stream_end"]) == (20, "exhausted")


def test_compressed_body(traced: Traced) -> None:
    """A compressed body that the user reads by himself is understood."""
    require_streaming_response(CHAT)
    reply = reply_whole(CHAT.name, headers={"content-encoding": "gzip"})
    reply.events, reply.body = [gzip.compress(reply.body)], b""
    with raw(traced, CHAT, reply, "with_streaming_response") as response:
        assert b"chatcmpl-1" in b"".join(response.iter_bytes())
    assert traced.record()["output_tokens"] == 20


def as_events(reply: Any) -> Any:
    """Send a whole body in two pieces, so that it is yet to be read when the call returns."""
    half = len(reply.body) // 2
    reply.events = [reply.body[:half], reply.body[half:]]
    return reply
