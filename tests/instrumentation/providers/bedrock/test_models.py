"""Hold that the bodies of every maker's models are read, whole and streamed (wire/models.json: a case is data)."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import TYPE_CHECKING, Any

import pytest
from trilemma.dropped import end_late

from tests.instrumentation.faults.server import FaultServer
from tests.instrumentation.providers.bedrock.aws import WIRE, encode_chunk, reply_events, reply_json

if TYPE_CHECKING:
    from tests.instrumentation.providers.bedrock.aws import Aws
    from tests.instrumentation.providers.conftest import Traced

MODELS = json.loads((WIRE / "models.json").read_text(encoding="utf-8"))
OPTIONAL = ("output_tokens", "cache_read_tokens", "finish_reasons", "tool_call_names", "response_id", "response_model")


def difference(record: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Return {concept: (expected, on the span)} where they differ; what is expected nowhere must not be there."""
    wanted = dict.fromkeys(OPTIONAL) | {name: _freeze(value) for name, value in expected.items()}
    return {name: (value, record[name]) for name, value in wanted.items() if record[name] != value}


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])
async def test_whole(traced: Traced, aws: Aws, model: dict[str, Any]) -> None:
    """A body read by the user says on the span what its maker's format says, and what the headers count."""
    headers = {name.replace("-", "_"): value for name, value in model["headers"].items()}
    with FaultServer(reply_json(model["response"], **headers)) as server:
        body = json.dumps(model["request"])
        result = await aws.call(server, "invoke_model", modelId=model["model"], body=body)
        assert not traced.spans()
        assert json.loads(await aws.wait(result["body"].read())) == model["response"]
    assert difference(traced.record(), model["expected"]) == {}
    assert traced.record()["request_model"] == model["model"]
    assert traced.record()["provider"] == "aws.bedrock"


@pytest.mark.parametrize("model", [each for each in MODELS if each["chunks"]], ids=lambda model: model["name"])
async def test_streamed(traced: Traced, aws: Aws, model: dict[str, Any]) -> None:
    """A stream of its chunks says the same."""
    traced.clock.advance(1)
    with FaultServer(reply_events(*map(encode_chunk, model["chunks"]))) as server:
        body = json.dumps(model["request"]).encode()
        result = await aws.call(server, "invoke_model_with_response_stream", modelId=model["model"], body=body)
        events = await aws.read_all(result["body"])
    assert [json.loads(event["chunk"]["bytes"]) for event in events] == model["chunks"]
    record = traced.record()
    assert difference(record, model.get("stream_expected", model["expected"])) == {}
    assert (record["chunk_count"], record["stream_end"]) == (len(model["chunks"]), "exhausted")
    assert record["time_to_first_content_s"] is not None


async def test_unread_body_has_the_counts_of_its_headers(traced: Traced, aws: Aws) -> None:
    """A body that nobody reads still has its tokens, from the headers."""
    [model] = [each for each in MODELS if each["name"] == "command"]
    headers = {name.replace("-", "_"): value for name, value in model["headers"].items()}
    with FaultServer(reply_json(model["response"], **headers)) as server:
        result = await aws.call(server, "invoke_model", modelId=model["model"], body=json.dumps(model["request"]))
        del result
        await asyncio.sleep(0.05)  # aiohttp keeps a response until its end has come
        gc.collect()
        end_late()
        assert (traced.record()["input_tokens"], traced.record()["output_tokens"]) == (7, 3)


async def test_body_that_is_no_json(traced: Traced, aws: Aws) -> None:
    """A request or response body in no known form is passed on; its call has a span all the same."""
    with FaultServer(reply_json([1, 2])) as server:
        result = await aws.call(server, "invoke_model", modelId="acme.new-v1", body=b"\xff\xfe")
        assert await aws.wait(result["body"].read()) == b"[1, 2]"
    assert traced.record()["request_model"] == "acme.new-v1"
    assert traced.record()["input_tokens"] is None
