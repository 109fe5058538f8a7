"""Hold that a body read along with stays the user's: every way to read it gives what it gives without us."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest
from trilemma.dropped import end_late
from trilemma.instrumentation import uninstrument

from tests.instrumentation.faults.server import Behaviour, FaultServer
from tests.instrumentation.providers.bedrock.aws import REQUEST_ID, reply_json
from tests.instrumentation.providers.conftest import is_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.instrumentation.providers.bedrock.aws import Aws
    from tests.instrumentation.providers.conftest import Traced

RESPONSE = {"generation": "On\nits\nway.", "prompt_token_count": 7, "generation_token_count": 3, "stop_reason": "stop"}
ASKED = {"modelId": "meta.llama3-8b-instruct-v1:0", "body": json.dumps({"prompt": "Where is order 7?"})}
CONTENT = json.dumps(RESPONSE, indent=1).encode()


def reply(**options: Any) -> Behaviour:
    """Return the response in pieces."""
    headers = {"content-type": "application/json", "x-amzn-requestid": REQUEST_ID}
    return Behaviour(200, headers, [CONTENT[:30], CONTENT[30:]], **options)


async def read(aws: Aws, body: Any) -> Any:
    """Read it whole."""
    return await aws.wait(body.read())


async def read_in_parts(aws: Aws, body: Any) -> Any:
    """Read it seven bytes at a time."""
    parts = []
    while part := await aws.wait(body.read(7)):
        parts.append(part)
    return b"".join(parts)


async def read_twice(aws: Aws, body: Any) -> Any:
    """Read it, and once more past its end."""
    return await aws.wait(body.read()), await aws.wait(body.read())


async def iterate(aws: Aws, body: Any) -> Any:
    """Loop over it."""
    return await aws.read_all(body)


async def iterate_chunks(aws: Aws, body: Any) -> Any:
    """Loop over its chunks."""
    return await aws.read_all(body.iter_chunks(10))


async def iterate_lines(aws: Aws, body: Any) -> Any:
    """Loop over its lines."""
    return await aws.read_all(body.iter_lines())


async def take_next(aws: Aws, body: Any) -> Any:
    """Take its first part, then the rest."""
    return [await body.__anext__() if aws.is_async else next(body), await aws.wait(body.read())]


async def read_lines(aws: Aws, body: Any) -> Any:
    """Read its lines."""
    return await aws.wait(body.readlines())


async def read_into(aws: Aws, body: Any) -> Any:
    """Read it into a buffer."""
    if not hasattr(body, "readinto"):
        return None  # before botocore 1.38
    buffer, parts = bytearray(11), []
    while count := await aws.wait(body.readinto(buffer)):
        parts.append(bytes(buffer[:count]))
    return parts


async def read_within(aws: Aws, body: Any) -> Any:
    """Read what its with block gives."""
    if aws.is_async:
        async with body as source:
            return await source.read()
    with body as source:
        return source.read()


async def read_the_source(aws: Aws, body: Any) -> Any:
    """Read past it."""
    if aws.is_async:
        return await body.json(), body.status
    return list(body._raw_stream.stream(16)), body._raw_stream.status


WAYS = [
    read, read_in_parts, read_twice, iterate, iterate_chunks, iterate_lines, take_next, read_lines, read_into,
    read_within, read_the_source,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_ways_to_read(traced: Traced, aws: Aws, way: Callable[[Aws, Any], Awaitable[Any]]) -> None:
    """The user reads what he reads without us; the span has what the body says."""
    results = []
    with FaultServer(reply()) as server:
        for on in (False, True):
            uninstrument()
            if on:
                traced.instrument()
            body = (await aws.call(server, "invoke_model", **ASKED))["body"]
            results.append(await way(aws, body))
            assert type(body).__name__ == "StreamingBody"
    without_us, with_us = results
    assert with_us == without_us
    if without_us is not None:
        record = traced.record()
        assert (record["input_tokens"], record["output_tokens"], record["finish_reasons"]) == (7, 3, ("stop",))
        assert not is_error(traced.span())


async def test_read_in_part_and_dropped(traced: Traced, aws: Aws) -> None:
    """A body left early ends its span when it is dropped; what was seen of it says nothing."""
    with FaultServer(reply()) as server:
        body = (await aws.call(server, "invoke_model", **ASKED))["body"]
        await aws.wait(body.read(5))
        assert not traced.spans()
        del body
        await asyncio.sleep(0.05)  # aiohttp keeps a response until its end has come
        gc.collect()
        end_late()
        assert traced.record()["input_tokens"] is None
    assert not is_error(traced.span())


async def test_closed(traced: Traced, aws: Aws) -> None:
    """Closing a body ends its span."""
    with FaultServer(reply()) as server:
        body = (await aws.call(server, "invoke_model", **ASKED))["body"]
        await aws.wait(body.close())
        del body
        gc.collect()
        end_late()
        assert traced.record()["request_id"] == REQUEST_ID
    assert not is_error(traced.span())


async def test_connection_that_breaks(traced: Traced, aws: Aws) -> None:
    """A body that breaks off gives the user's exception, and a span that failed."""
    with FaultServer(reply(breaks=True)) as server:
        body = (await aws.call(server, "invoke_model", **ASKED))["body"]
        with pytest.raises(Exception, match=r"(?i)incomplete|not enough data|payload") as caught:
            await aws.wait(body.read())
    assert is_error(traced.span())
    assert traced.record()["error_type"] in {type(caught.value).__name__, "ProtocolError", "IncompleteRead"}


async def test_large_body_is_not_kept(traced: Traced, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of many bytes is the user's alone; its span has what the headers say."""
    monkeypatch.setattr("trilemma.transports.streaming_body._MAX_BYTES", 1000)
    large = {"images": ["x" * 2000], "usage": {"input_tokens": 1}}
    with FaultServer(reply_json(large, x_amzn_bedrock_input_token_count="9")) as server:
        body = (await aws.call(server, "invoke_model", modelId="amazon.nova-canvas-v1:0", body="{}"))["body"]
        assert json.loads(await aws.wait(body.read())) == large
    assert traced.record()["input_tokens"] == 9
