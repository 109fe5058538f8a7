"""Hold that content is recorded only when the standard switch says so, where it says, in the conventions' form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from trilemma.content import CONTENT_SWITCH, DETAILS_EVENT

from tests.instrumentation.providers.cases import (
    CHAT,
    COHERE,
    COHERE_V1,
    GROQ,
    HUB,
    HUB_TEXT,
    MESSAGES,
    MISTRAL,
    OLLAMA,
    OLLAMA_GENERATE,
    RESPONSES,
    TOGETHER,
)
from tests.instrumentation.providers.wire import reply_stream, reply_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced

CONTENT = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions")
QUESTION = {"role": "user", "parts": [{"type": "text", "content": "Where is order 7?"}]}
TEXT = {"type": "text", "content": "It ships today."}
REASONING = {"type": "reasoning", "content": "An order."}
PLAN = {"type": "reasoning", "content": "I look it up."}
BRIEF = {"type": "text", "content": "Be brief."}


def tool_call(identity: str) -> dict[str, Any]:
    """Return the tool call that every case's answer makes."""
    return {"type": "tool_call", "id": identity, "name": "find_order", "arguments": {"id": 7}}


CHATS = (GROQ, TOGETHER, MISTRAL, COHERE, OLLAMA, HUB)
INPUT = {
    CHAT.name: [{"role": "system", "parts": [BRIEF]}, QUESTION],
    RESPONSES.name: [QUESTION],
    MESSAGES.name: [QUESTION],
    "google_genai.content": [QUESTION],
    **{case.name: [{"role": "system", "parts": [BRIEF]}, QUESTION] for case in CHATS},
    **{case.name: [QUESTION] for case in (COHERE_V1, OLLAMA_GENERATE, HUB_TEXT)},
}
OUTPUT = {
    CHAT.name: {"role": "assistant", "parts": [TEXT, tool_call("call_1")], "finish_reason": "tool_calls"},
    RESPONSES.name: {
        "role": "assistant",
        "parts": [REASONING, TEXT, tool_call("call_1")],
        "finish_reason": "completed",
    },
    MESSAGES.name: {"role": "assistant", "parts": [REASONING, TEXT, tool_call("toolu_1")], "finish_reason": "tool_use"},
    "google_genai.content": {
        "role": "assistant",
        "parts": [REASONING, TEXT, tool_call("call_1")],
        "finish_reason": "STOP",
    },
    **{
        case.name: {"role": "assistant", "parts": [TEXT, tool_call("call_1")], "finish_reason": "tool_calls"}
        for case in (GROQ, TOGETHER, MISTRAL, HUB)
    },
    COHERE.name: {
        "role": "assistant",
        "parts": [PLAN, TEXT, tool_call("call_1")],
        "finish_reason": "TOOL_CALL",
    },
    COHERE_V1.name: {"role": "assistant", "parts": [TEXT], "finish_reason": "COMPLETE"},
    OLLAMA.name: {
        "role": "assistant",
        "parts": [PLAN, TEXT, {key: value for key, value in tool_call("").items() if key != "id"}],
        "finish_reason": "stop",
    },
    OLLAMA_GENERATE.name: {"role": "assistant", "parts": [TEXT], "finish_reason": "stop"},
    HUB_TEXT.name: {"role": "assistant", "parts": [TEXT], "finish_reason": "eos_token"},
}


@pytest.fixture
def capture(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], InMemoryLogRecordExporter]:
    """Return what switches capture to a word and gives the events."""

    def switch(word: str) -> InMemoryLogRecordExporter:
        monkeypatch.setenv(CONTENT_SWITCH, word)
        exporter = InMemoryLogRecordExporter()
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        traced.instrument(logger_provider=provider)
        return exporter

    return switch


def run(traced: Traced, case: Case, *, stream: bool = False) -> None:
    """Make one call."""
    reply = reply_stream(case.name) if stream else reply_whole(case.name)
    result = case.find(traced.client(case, reply))(**case.arguments, **({"stream": True} if stream else {}))
    if stream:
        list(result)


@pytest.mark.parametrize("word", ["", "NO_CONTENT", "false", "no such word"])
def test_off(traced: Traced, case: Case, capture: Any, word: str) -> None:
    """Off, by default and by any word that does not switch it on, nothing anyone wrote is on the span."""
    events = capture(word)
    run(traced, case)
    assert not set(CONTENT) & set(traced.span().attributes or {})
    text = json.dumps(dict(traced.span().attributes or {}))
    assert "order 7" not in text
    assert "It ships" not in text
    assert not events.get_finished_logs()


@pytest.mark.parametrize("word", ["SPAN_ONLY", "span_only", "true"])
@pytest.mark.parametrize("stream", [False, True])
def test_on_span(traced: Traced, streamed: Case, capture: Any, word: str, stream: bool) -> None:
    """On the span, messages are JSON in the conventions' form, the same streamed and whole."""
    events = capture(word)
    run(traced, streamed, stream=stream)
    attributes = traced.span().attributes or {}
    assert json.loads(str(attributes["gen_ai.input.messages"])) == INPUT[streamed.name]
    assert json.loads(str(attributes["gen_ai.output.messages"])) == [OUTPUT[streamed.name]]
    if INPUT[streamed.name][0]["role"] != "system" and streamed is not HUB_TEXT:  # which takes no instructions
        assert json.loads(str(attributes["gen_ai.system_instructions"])) == [BRIEF]
    assert not events.get_finished_logs()


def test_as_event(traced: Traced, streamed: Case, capture: Any) -> None:
    """As an event, content is structured, beside the attributes of the call, and tied to its span."""
    events = capture("EVENT_ONLY")
    run(traced, streamed)
    [event] = [data.log_record for data in events.get_finished_logs()]
    assert event.event_name == DETAILS_EVENT
    assert event.span_id == traced.span().context.span_id
    [message] = event.attributes["gen_ai.output.messages"]
    assert [dict(part) for part in message["parts"]] == OUTPUT[streamed.name]["parts"]
    assert event.attributes["gen_ai.usage.output_tokens"] == 20
    assert event.attributes["gen_ai.provider.name"] == streamed.traits.provider
    assert not set(CONTENT) & set(traced.span().attributes or {})


def test_both(traced: Traced, capture: Any) -> None:
    """SPAN_AND_EVENT does both."""
    events = capture("SPAN_AND_EVENT")
    run(traced, CHAT)
    assert len(events.get_finished_logs()) == 1
    assert "gen_ai.tool.definitions" in (traced.span().attributes or {})
