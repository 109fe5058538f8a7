"""Hold that calls are seen where another instrumentation wrapped a client's class first, as OpenInference's does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from trilemma.instrumentation import uninstrument
from wrapt import wrap_function_wrapper

from tests.instrumentation.providers.cases import CHAT
from tests.instrumentation.providers.wire import reply_stream, reply_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.instrumentation.providers.conftest import Traced


@pytest.fixture
def seen(traced: Traced) -> Iterator[list[str]]:
    """Wrap ``request`` of openai's clients while it is unpatched, and then switch the instrumentation on."""
    uninstrument()
    openai = CHAT.import_sdk()
    calls: list[str] = []

    def note(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        calls.append(type(instance).__name__)
        return wrapped(*args, **kwargs)

    for name in ("OpenAI", "AsyncOpenAI"):
        wrap_function_wrapper(openai, f"{name}.request", note)
    theirs = vars(openai.OpenAI)["request"]
    traced.instrument()
    yield calls
    uninstrument()
    assert vars(openai.OpenAI)["request"] is theirs
    for client in (openai.OpenAI, openai.AsyncOpenAI):
        del client.request


@pytest.mark.parametrize("stream", [False, True])
async def test_one_span(traced: Traced, seen: list[str], stream: bool) -> None:
    """A call has one span of ours, sync and async, and the other instrumentation sees it as well."""
    reply = reply_stream(CHAT.name) if stream else reply_whole(CHAT.name)
    result = CHAT.find(traced.client(CHAT, reply))(**CHAT.arguments, stream=stream)
    if stream:
        list(result)
    result = await CHAT.find(traced.client(CHAT, reply, is_async=True))(**CHAT.arguments, stream=stream)
    if stream:
        assert [chunk async for chunk in result]
    assert len(traced.spans()) == 2
    assert seen == ["OpenAI", "AsyncOpenAI"]


def test_wrapped_after(traced: Traced) -> None:
    """Where the other one comes after us there is one span too, and nothing of its is replaced."""
    openai = CHAT.import_sdk()
    wrap_function_wrapper(openai, "OpenAI.request", lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs))
    CHAT.find(traced.client(CHAT, reply_whole(CHAT.name)))(**CHAT.arguments)
    del openai.OpenAI.request
    assert len(traced.spans()) == 1
