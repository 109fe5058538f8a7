"""Hold the demo's provider emulator to what the real SDKs expect, and to giving the same answers each time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from tests.demo.emulator.__main__ import serve_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.demo.emulator.server import Provider

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"name": "lookup", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture(name="emulator", scope="module")
def _emulator() -> Iterator[tuple[str, Provider]]:
    with serve_here(speed=10_000, failing=False) as served:
        yield served


@pytest.fixture(name="provider")
def _provider(emulator: tuple[str, Provider]) -> Provider:
    return emulator[1]


@pytest.fixture(name="gpt")
def _gpt(emulator: tuple[str, Provider]) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{emulator[0]}/v1", api_key="test") as client:
        yield client


@pytest.fixture(name="claude")
def _claude(emulator: tuple[str, Provider]) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=emulator[0], api_key="test") as client:
        yield client


def test_chat_answers_whole_and_streamed_alike(gpt: openai.OpenAI) -> None:
    """A chat completion says the same whole and streamed; the stream begins with a role and ends with the usage."""
    whole = gpt.chat.completions.create(model="gpt-5.4", messages=HELLO)
    chunks = list(
        gpt.chat.completions.create(
            model="gpt-5.4", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert (chunks[0].choices[0].delta.role, chunks[0].choices[0].delta.content) == ("assistant", "")
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert text == whole.choices[0].message.content
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_chat_calls_a_tool(gpt: openai.OpenAI) -> None:
    """With a tool on offer the model calls it, and says so in the finish reason."""
    choice = gpt.chat.completions.create(
        model="gpt-5.4", messages=HELLO, tools=[{"type": "function", "function": TOOL}]
    ).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].function.name == "lookup"


def test_response_stream_ends_with_the_whole_response(gpt: openai.OpenAI) -> None:
    """The responses API streams text that adds up to the response in its last event."""
    with gpt.responses.stream(model="gpt-5.4", input="Hello", reasoning={"effort": "low"}) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        response = stream.get_final_response()
    assert text == response.output_text != ""
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens > 0


def test_embeddings_depend_on_the_text_alone(gpt: openai.OpenAI) -> None:
    """Equal texts have equal vectors, others have others."""
    data = gpt.embeddings.create(model="text-embedding-3-small", input=["a", "b", "a"]).data
    assert data[0].embedding == data[2].embedding != data[1].embedding
    assert len(data[0].embedding) == 1536


def test_messages_write_and_read_the_prompt_cache(claude: anthropic.Anthropic, provider: Provider) -> None:
    """A marked prefix of 1,024 tokens or more is written by the first message and read by the next."""
    system = [{"type": "text", "text": "reply well. " * 400, "cache_control": {"type": "ephemeral"}}]
    usages = []
    for text in ("Hello", "Hello again"):
        with claude.messages.stream(
            model="claude-sonnet-4-6",
            max_tokens=100,
            system=system,
            messages=[{"role": "user", "content": text}],
        ) as stream:
            usages.append(stream.get_final_message().usage)
    assert usages[0].cache_creation_input_tokens == usages[1].cache_read_input_tokens == 1200
    assert usages[0].cache_read_input_tokens == usages[1].cache_creation_input_tokens == 0
    entry = provider.ledger[-1]
    assert entry.input_tokens == usages[1].input_tokens + 1200
    assert entry.output_tokens == usages[1].output_tokens


def test_same_request_same_answer_new_id(claude: anthropic.Anthropic) -> None:
    """A repeated request gets the same words under another id."""
    first, second = (claude.messages.create(model="claude-haiku-4-5", max_tokens=100, messages=HELLO) for _ in range(2))
    assert first.content == second.content
    assert first.id != second.id


def test_failed_attempts_are_retried_by_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some first attempts fail as at a real provider; the SDK sends them again, and the ledger knows each attempt."""
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the SDK's waits, seconds long
    failed_calls = 0
    with serve_here(speed=10_000) as (url, provider), openai.OpenAI(base_url=f"{url}/v1", api_key="test") as client:
        for number in range(300):
            messages = [{"role": "user", "content": f"Number {number}"}]
            try:
                client.chat.completions.create(model="gpt-5.4-mini", messages=messages)
            except openai.APIStatusError:
                failed_calls += 1
    attempts = [entry.attempt for entry in provider.ledger]
    failures = [entry for entry in provider.ledger if entry.status != 200]
    assert {entry.status for entry in failures} <= {429, 500, 503}
    assert attempts.count(0) == 300
    assert attempts.count(1) > 0
    assert attempts.count(2) == failed_calls  # what fails twice fails for good
    assert len(failures) == attempts.count(1) + 2 * failed_calls


def test_refusals_read_like_the_providers(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """An unknown model and a missing parameter raise the SDK's own errors, with the provider's words and request id."""
    with pytest.raises(openai.NotFoundError, match="does not exist") as missing:
        gpt.chat.completions.create(model="gpt-9", messages=HELLO)
    assert (missing.value.code, bool(missing.value.request_id)) == ("model_not_found", True)
    with pytest.raises(anthropic.NotFoundError, match="not_found_error"):
        claude.messages.create(model="claude-9", max_tokens=1, messages=HELLO)
    with pytest.raises(openai.BadRequestError, match="messages"):
        gpt.chat.completions.create(model="gpt-5.4", messages=[])


def test_headers_carry_id_time_and_quota(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """Responses state their request id, the remaining quota, and OpenAI's its processing time."""
    raw = gpt.chat.completions.with_raw_response.create(model="gpt-5.4", messages=HELLO)
    assert raw.headers["x-request-id"].startswith("req_")
    assert int(raw.headers["openai-processing-ms"]) > 0
    assert int(raw.headers["x-ratelimit-remaining-requests"]) > 0
    other = claude.messages.with_raw_response.create(model="claude-haiku-4-5", max_tokens=9, messages=HELLO)
    assert other.headers["request-id"].startswith("req_")
    assert int(other.headers["anthropic-ratelimit-requests-remaining"]) > 0
