"""Hold that content of Bedrock's formats takes the conventions' form, where its capture is switched on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from trilemma.registry import attribute

from tests.instrumentation.faults.server import FaultServer
from tests.instrumentation.providers.bedrock.aws import converse_frames, encode_chunk, reply_events, reply_json
from tests.instrumentation.providers.bedrock.test_converse import ASKED, RESPONSE
from tests.instrumentation.providers.bedrock.test_models import MODELS

if TYPE_CHECKING:
    from tests.instrumentation.providers.bedrock.aws import Aws
    from tests.instrumentation.providers.conftest import Traced

ANSWER = {
    "role": "assistant",
    "parts": [
        {"type": "reasoning", "content": "Look it up."},
        {"type": "text", "content": "One moment."},
        {"type": "tool_call", "id": "tool_1", "name": "find_order", "arguments": {"id": 7}},
    ],
    "finish_reason": "tool_use",
}


@pytest.fixture
def captured(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> Traced:
    """Switch the capture of content on."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    traced.instrument()
    return traced


def read(traced: Traced, name: str) -> Any:
    """Return a concept of the one span's content."""
    return json.loads(str((traced.span().attributes or {})[attribute(name)]))


async def test_converse(captured: Traced, aws: Aws) -> None:
    """Converse's blocks are parts, each by the key that it has."""
    with FaultServer(reply_json(RESPONSE)) as server:
        await aws.call(server, "converse", **ASKED)
    assert read(captured, "system_instructions") == [{"type": "text", "content": "Be brief."}]
    asked = [{"role": "user", "parts": [{"type": "text", "content": "Where is order 7?"}]}]
    assert read(captured, "input_messages") == asked
    assert read(captured, "output_messages") == [ANSWER]
    assert read(captured, "tool_definitions")[0]["toolSpec"]["name"] == "find_order"


async def test_converse_stream(captured: Traced, aws: Aws) -> None:
    """A stream gives the same answer."""
    with FaultServer(reply_events(*converse_frames())) as server:
        await aws.read_all((await aws.call(server, "converse_stream", **ASKED))["stream"])
    assert read(captured, "output_messages") == [ANSWER]


@pytest.mark.parametrize("name", ["anthropic", "nova", "gpt_oss"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_models(captured: Traced, aws: Aws, name: str, *, streamed: bool) -> None:
    """A maker's chat format is read as that maker's, whole and streamed."""
    [model] = [each for each in MODELS if each["name"] == name]
    asked = {"modelId": model["model"], "body": json.dumps(model["request"])}
    reply = reply_events(*map(encode_chunk, model["chunks"])) if streamed else reply_json(model["response"])
    with FaultServer(reply) as server:
        result = await aws.call(server, f"invoke_model{'_with_response_stream' * streamed}", **asked)
        await (aws.read_all(result["body"]) if streamed else aws.wait(result["body"].read()))
    [answer] = read(captured, "output_messages")
    texts = [part["content"] for part in answer["parts"] if part["type"] == "text"]
    assert "".join(texts) in {"One moment.", "On its way."}
    assert [part["arguments"] for part in answer["parts"] if part["type"] == "tool_call"] in ([], [{"id": 7}])
    assert read(captured, "input_messages")[0]["parts"] == [{"type": "text", "content": "Where is order 7?"}]


async def test_off_by_default(traced: Traced, aws: Aws) -> None:
    """Without the switch, no word of it is kept."""
    with FaultServer(reply_json(RESPONSE)) as server:
        await aws.call(server, "converse", **ASKED)
    assert "order 7" not in json.dumps(dict(traced.span().attributes or {}), default=str)
