"""Hold that the SDKs' helpers (structured parsing, stream managers, beta) are one call with one whole span."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from tests.instrumentation.providers.cases import CHAT, MESSAGES, RESPONSES
from tests.instrumentation.providers.conftest import find
from tests.instrumentation.providers.wire import reply_stream, reply_whole

if TYPE_CHECKING:
    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced


class Order(BaseModel):
    """Be what a structured answer parses to."""

    number: int


def without(case: Case, *names: str) -> dict[str, Any]:
    """Return a case's arguments but these."""
    return {name: value for name, value in case.arguments.items() if name not in names}


def reply_order(case: Case, path: tuple[Any, ...]) -> Any:
    """Return a reply whose text, found at `path`, is an order as JSON, and which calls no tool."""
    reply = reply_whole(case.name)
    body = json.loads(reply.body)
    at = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = '{"number": 7}'
    if case is CHAT:
        del body["choices"][0]["message"]["tool_calls"]
    reply.body = json.dumps(body).encode()
    return reply


def require_thinking() -> None:
    """Skip where anthropic's own stream manager fails on a thinking block."""
    if not hasattr(MESSAGES.import_sdk().types, "ThinkingBlock"):
        pytest.skip("the stream manager of this anthropic knows no thinking blocks")


@pytest.mark.parametrize("path", ["chat.completions.parse", "beta.chat.completions.parse"])
def test_chat_parse(traced: Traced, path: str) -> None:
    """A parsed chat completion has one span, whose output type is json."""
    client = traced.client(CHAT, reply_order(CHAT, ("choices", 0, "message", "content")))
    result = find(client, path)(**without(CHAT, "tools", "stop"), response_format=Order)
    assert result.choices[0].message.parsed == Order(number=7)
    assert (traced.record()["output_type"], traced.record()["output_tokens"]) == ("json", 20)


def test_responses_parse(traced: Traced) -> None:
    """A parsed response has one span, whose output type is json."""
    reply = reply_order(RESPONSES, ("output", 1, "content", 0, "text"))
    client = traced.client(RESPONSES, reply)
    result = find(client, "responses.parse")(**without(RESPONSES, "tools"), text_format=Order)
    assert result.output_parsed == Order(number=7)
    assert (traced.record()["output_type"], traced.record()["output_tokens"]) == ("json", 20)


def test_messages_parse(traced: Traced) -> None:
    """A parsed message has one span, whose output type is json."""
    client = traced.client(MESSAGES, reply_order(MESSAGES, ("content", 1, "text")))
    result = find(client, "messages.parse")(**MESSAGES.arguments, output_format=Order)
    assert result.parsed_output == Order(number=7)
    assert (traced.record()["output_type"], traced.record()["output_tokens"]) == ("json", 20)


@pytest.mark.parametrize("path", ["chat.completions.stream", "beta.chat.completions.stream"])
def test_chat_stream_manager(traced: Traced, path: str) -> None:
    """The chat stream manager has one span, with what the whole stream said."""
    with find(traced.client(CHAT, reply_stream(CHAT.name)), path)(**CHAT.arguments) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == "It ships today."
    assert (traced.record()["stream_end"], traced.record()["output_tokens"]) == ("exhausted", 20)


def test_responses_stream_manager(traced: Traced) -> None:
    """The responses stream manager has one span, with what the whole stream said."""
    with find(traced.client(RESPONSES, reply_stream(RESPONSES.name)), "responses.stream")(
        **RESPONSES.arguments
    ) as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == "It ships today."
    assert (traced.record()["stream_end"], traced.record()["output_tokens"]) == ("exhausted", 20)


def test_messages_stream_manager(traced: Traced) -> None:
    """The messages stream manager has one span, with what the whole stream said."""
    require_thinking()
    client = traced.client(MESSAGES, reply_stream(MESSAGES.name))
    with client.messages.stream(**MESSAGES.arguments) as stream:
        text = "".join(stream.text_stream)
    assert text == "It ships today."
    assert (traced.record()["stream_end"], traced.record()["output_tokens"]) == ("exhausted", 20)


@pytest.mark.parametrize("case", [CHAT, RESPONSES, MESSAGES], ids=lambda case: case.name)
def test_manager_left_early(traced: Traced, case: Case) -> None:
    """Leaving a stream manager early closes the call's one span, without waiting for the garbage collector."""
    path = case.path.replace("create", "stream")
    with find(traced.client(case, reply_stream(case.name)), path)(**case.arguments) as stream:
        next(iter(stream))
    assert traced.record()["stream_end"] == "closed"


@pytest.mark.parametrize("case", [CHAT, RESPONSES, MESSAGES], ids=lambda case: case.name)
async def test_async_manager(traced: Traced, case: Case) -> None:
    """The async stream managers have one span."""
    if case is MESSAGES:
        require_thinking()
    client = traced.client(case, reply_stream(case.name), is_async=True)
    async with find(client, case.path.replace("create", "stream"))(**case.arguments) as stream:
        async for _ in stream:
            pass
    assert (traced.record()["stream_end"], traced.record()["output_tokens"]) == ("exhausted", 20)


def test_beta_messages(traced: Traced) -> None:
    """Beta messages, whose path has a query, are messages."""
    client = traced.client(MESSAGES, reply_whole(MESSAGES.name))
    find(client, "beta.messages.create")(**MESSAGES.arguments, betas=["output-128k-2025-02-19"])
    assert (traced.span().name, traced.record()["input_tokens"]) == ("chat claude-sonnet-4-6", 100)


def test_middleware(traced: Traced) -> None:
    """Middleware that looks at the parsed result leads to no second span and no second sum."""
    try:
        client = traced.client(MESSAGES, reply_whole(MESSAGES.name), middleware=[lambda request, call: call(request)])
    except TypeError:
        pytest.skip("this anthropic has no middleware")
    client.messages.create(**MESSAGES.arguments)
    assert traced.record()["output_tokens"] == 20
