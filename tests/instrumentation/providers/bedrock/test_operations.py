"""Hold which calls of AWS are spans: those of Bedrock and SageMaker, each once, and nothing made on their behalf."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context
from trilemma.instrumentation import uninstrument

from tests.instrumentation.faults.server import Behaviour, FaultServer
from tests.instrumentation.providers.bedrock.aws import encode_chunk, find_operation, reply_events, reply_json
from tests.instrumentation.providers.bedrock.test_converse import ASKED, RESPONSE

if TYPE_CHECKING:
    from tests.instrumentation.providers.bedrock.aws import Aws
    from tests.instrumentation.providers.conftest import Traced

OPERATIONS: list[tuple[str, str, dict[str, Any], Any, str, dict[str, Any]]] = [
    (
        "bedrock-runtime",
        "apply_guardrail",
        {
            "guardrailIdentifier": "gr1",
            "guardrailVersion": "1",
            "source": "INPUT",
            "content": [{"text": {"text": "x"}}],
        },
        {"action": "GUARDRAIL_INTERVENED", "outputs": [], "assessments": []},
        "POST /guardrail/{id}/version/{id}/apply",
        {"guardrail_id": "gr1", "guardrail_action": "GUARDRAIL_INTERVENED"},
    ),
    (
        "bedrock-runtime",
        "list_async_invokes",
        {},
        {"asyncInvokeSummaries": []},
        "GET /async-invoke",
        {"provider": "aws.bedrock"},
    ),
    (
        "bedrock-agent-runtime",
        "retrieve",
        {"knowledgeBaseId": "KB12345678", "retrievalQuery": {"text": "order 7"}},
        {"retrievalResults": []},
        "retrieval",
        {"knowledge_base_id": "KB12345678"},
    ),
    (
        "bedrock-agent-runtime",
        "retrieve_and_generate",
        {"input": {"text": "order 7"}},
        {"sessionId": "s1", "output": {"text": "On its way."}},
        "POST /retrieveAndGenerate",
        {"http_status": 200},
    ),
    (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "mine", "Body": json.dumps({"messages": [], "max_tokens": 50})},
        {"id": "c1", "model": "m1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
        "chat",
        {"provider": "aws.sagemaker", "input_tokens": 7, "request_model": "mine", "response_model": "m1", "cost": None},
    ),
    (
        "sagemaker-runtime",
        "invoke_endpoint",
        {"EndpointName": "mine", "Body": b"1,2,3"},
        [0.5],
        "POST /endpoints/{id}/invocations",
        {"provider": "aws.sagemaker", "input_tokens": None},
    ),
]


@pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case[4])
async def test_operations(traced: Traced, aws: Aws, case: Any) -> None:
    """Any operation is a span, by the conventions' name or by method and path."""
    service, operation, arguments, response, name, expected = case
    with FaultServer(reply_json(response)) as server:
        result = await aws.call(server, operation, service=service, **arguments)
        if "Body" in result:
            assert json.loads(await aws.wait(result["Body"].read())) == response
    record = traced.record()
    assert record["operation"] == name
    assert {key: record[key] for key in expected} == expected


async def test_agent(traced: Traced, aws: Aws) -> None:
    """An agent's stream is one span, which lasts until it is read."""
    with FaultServer(reply_events(encode_chunk("On its"), encode_chunk(" way."))) as server:
        asked = {"agentId": "AGENT12345", "agentAliasId": "ALIAS12345", "sessionId": "s1", "inputText": "order 7?"}
        result = await aws.call(server, "invoke_agent", service="bedrock-agent-runtime", **asked)
        assert not traced.spans()
        assert len(await aws.read_all(result["completion"])) == 2
    record = traced.record()
    assert (record["operation"], record["agent_id"]) == ("invoke_agent", "AGENT12345")
    assert (record["conversation_id"], record["request_model"]) == ("s1", None)


async def test_other_services_have_no_span(traced: Traced, aws: Aws) -> None:
    """Calls of other services are left alone."""
    with FaultServer(reply_json({"TableNames": []})) as server:
        assert (await aws.call(server, "list_tables", service="dynamodb"))["TableNames"] == []
    assert not traced.spans()


async def test_calls_on_behalf_of_a_call(traced: Traced, aws: Aws) -> None:
    """A call of another service while Bedrock is being called, such as for credentials, leaves nothing on its span."""
    with FaultServer(reply_json({"message": "no"}, 400)) as other, FaultServer(reply_json(RESPONSE)) as server:
        client = await aws.make_client(server.url)
        tables = await aws.make_client(other.url, "dynamodb", retries=1)

        async def ask_async(**_: Any) -> None:
            with pytest.raises(tables.exceptions.ClientError):
                await tables.list_tables()

        def ask(**_: Any) -> None:
            with pytest.raises(tables.exceptions.ClientError):
                tables.list_tables()

        client.meta.events.register("before-send.*.*", ask_async if aws.is_async else ask)
        await aws.wait(find_operation(client, "converse")(**ASKED))
    record = traced.record()
    assert (record["http_status"], record["input_tokens"], record["retry_count"]) == (200, 1120, None)


async def test_suppressed(traced: Traced, aws: Aws) -> None:
    """Where instrumentation is suppressed, there is no span."""
    token = context.attach(context.set_value("suppress_instrumentation", True))
    with FaultServer(reply_json(RESPONSE)) as server:
        assert (await aws.call(server, "converse", **ASKED))["stopReason"] == "tool_use"
    context.detach(token)
    assert not traced.spans()


async def test_call_that_is_never_sent(traced: Traced, aws: Aws) -> None:
    """What the SDK refuses to send is the user's exception, and a span that failed."""
    from botocore.exceptions import ParamValidationError

    with FaultServer(reply_json(RESPONSE)) as server, pytest.raises(ParamValidationError):
        await aws.call(server, "converse", modelId="amazon.nova-lite-v1:0", messages="no list")
    assert traced.record()["error_type"] == "ParamValidationError"
    assert traced.record()["http_status"] is None


async def test_arguments_are_the_users(traced: Traced, aws: Aws) -> None:
    """What the user gives is sent as it is, and is not changed."""
    asked = json.loads(json.dumps(ASKED))
    with FaultServer(reply_json(RESPONSE)) as server:
        await aws.call(server, "converse", **asked)
    assert asked == ASKED
    assert traced.record()["max_tokens"] == 50


async def test_switched_off(traced: Traced, aws: Aws) -> None:
    """Switched off, the SDK's own functions are back, and a stream being read still ends its span."""
    from botocore.client import BaseClient
    from botocore.eventstream import EventStream

    uninstrument()
    theirs = BaseClient._make_api_call, EventStream._parse_event
    traced.instrument()
    assert BaseClient._make_api_call is not theirs[0]
    with FaultServer(reply_events(encode_chunk({"generation": "On"}))) as server:
        asked = {"modelId": "meta.llama3-8b-instruct-v1:0", "body": "{}"}
        result = await aws.call(server, "invoke_model_with_response_stream", **asked)
        uninstrument()
        assert (BaseClient._make_api_call, EventStream._parse_event) == theirs
        assert len(await aws.read_all(result["body"])) == 1
    assert traced.record()["stream_end"] == "exhausted"


GLOBAL, REGIONAL = (20 * 3.0 + 30 * 15.0) / 1e6, (20 * 3.3 + 30 * 16.5) / 1e6


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", GLOBAL),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", REGIONAL),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", REGIONAL),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", REGIONAL),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0", REGIONAL),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0", GLOBAL),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123", None),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/abc123", None),
    ],
)
async def test_price_of_the_profile(traced: Traced, aws: Aws, model: str, cost: float | None) -> None:
    """A price is that of the profile asked (AWS Bedrock pricing, 2026-11: regional ones cost a tenth more)."""
    usage = {"inputTokens": 20, "outputTokens": 30, "totalTokens": 50}
    with FaultServer(reply_json({**RESPONSE, "usage": usage})) as server:
        await aws.call(server, "converse", modelId=model, messages=ASKED["messages"])
    assert traced.record()["request_model"] == model
    assert traced.record()["cost"] == (cost and pytest.approx(cost))


async def test_other_tiers_have_other_prices(traced: Traced, aws: Aws) -> None:
    """Latency-optimized inference costs more than the table says: its price is unknown."""
    with FaultServer(reply_json({**RESPONSE, "performanceConfig": {"latency": "optimized"}})) as server:
        await aws.call(server, "converse", **ASKED)
    record = traced.record()
    assert (record["service_tier"], record["cost"]) == ("latency_optimized", None)
    assert record["unpriced_reason"] == "service_tier"


def refuse_guarded() -> Behaviour:
    """Return an answer that a guardrail has replaced."""
    return reply_json({**RESPONSE, "stopReason": "guardrail_intervened"})


async def test_guardrail(traced: Traced, aws: Aws) -> None:
    """A guardrail that stepped in is told by its action as by the reason to stop."""
    with FaultServer(refuse_guarded()) as server:
        await aws.call(server, "converse", **ASKED)
    record = traced.record()
    assert (record["guardrail_action"], record["finish_reasons"]) == ("INTERVENED", ("guardrail_intervened",))


def test_imports_no_more_than_the_app() -> None:
    """An app that imports a part of botocore is not made to import the rest of it, and is patched once it does."""
    program = """
        import sys
        from trilemma.instrumentation import instrument
        instrument()
        import botocore.exceptions
        print("botocore.client" in sys.modules, "trilemma.transports.botocore" in sys.modules)
        import boto3
        print("trilemma.transports.botocore" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True"]
