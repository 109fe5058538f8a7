"""Hold that Anthropic's clients for Bedrock and Vertex AI leave one span a call, named for who serves it."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.instrumentation.providers.bedrock.aws import REQUEST_ID, WIRE, encode_chunk
from tests.instrumentation.providers.conftest import is_error
from tests.instrumentation.providers.wire import Reply, Script, find_http, transport_class

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced

anthropic = pytest.importorskip("anthropic")

[MODEL] = [each for each in json.loads((WIRE / "models.json").read_text("utf-8")) if each["name"] == "anthropic"]
ASKED = {"model": MODEL["model"], "max_tokens": 50, "messages": [{"role": "user", "content": "Where is order 7?"}]}
CLIENTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "AnthropicBedrock": (
        "aws.bedrock",
        "bedrock-runtime.us-east-1.amazonaws.com",
        {"aws_region": "us-east-1", "aws_access_key": "k", "aws_secret_key": "k"},
    ),
    "AnthropicBedrockMantle": (
        "aws.bedrock",
        "bedrock-mantle.us-east-1.api.aws",
        {"aws_region": "us-east-1", "api_key": "k"},
    ),
    "AnthropicVertex": (
        "gcp.vertex_ai",
        "us-east5-aiplatform.googleapis.com",
        {"region": "us-east5", "project_id": "p", "access_token": "t"},
    ),
}


class Clients:
    """Make a client that gets these replies, and its calls, sync or async."""

    def __init__(self, traced: Traced, name: str, *, is_async: bool) -> None:
        self.traced = traced
        self.name = name
        self.is_async = is_async
        self.provider, self.host, self.options = CLIENTS[name]

    async def call(self, *replies: Reply, retries: int = 0, **arguments: Any) -> Any:
        """Make one call, read to its end."""
        http = find_http(anthropic)
        transport = transport_class(http)(http, Script(self.traced.clock, *replies))
        kind = http.AsyncClient if self.is_async else http.Client
        client_class = getattr(anthropic, f"Async{self.name}" if self.is_async else self.name)
        client = client_class(
            http_client=kind(transport=transport, trust_env=False), max_retries=retries, **self.options
        )
        if not hasattr(client, "messages"):
            pytest.skip(f"{self.name} of anthropic {anthropic.__version__} has no messages")
        try:
            result = client.messages.create(**ASKED, **arguments)
            result = await result if inspect.isawaitable(result) else result
            if "stream" not in arguments:
                return result
            return [event async for event in result] if self.is_async else list(result)
        finally:
            closing = client.close()
            if inspect.isawaitable(closing):
                await closing

    def reply(self) -> Reply:
        """Return the whole answer."""
        body = json.dumps(MODEL["response"]).encode()
        return Reply(body=body, headers={"content-type": "application/json", **self._name_request()})

    def reply_stream(self) -> Reply:
        """Return a stream: Bedrock's own frames, or events."""
        if self.name == "AnthropicBedrock":
            kind, events = "application/vnd.amazon.eventstream", [encode_chunk(chunk) for chunk in MODEL["chunks"]]
        else:
            kind = "text/event-stream"
            events = [f"event: {chunk['type']}\ndata: {json.dumps(chunk)}\n\n".encode() for chunk in MODEL["chunks"]]
        return Reply(events=events, headers={"content-type": kind, **self._name_request()})

    def _name_request(self) -> dict[str, str]:
        return {"x-amzn-requestid" if self.provider == "aws.bedrock" else "request-id": REQUEST_ID}


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    """Be each kind of client."""
    return bool(request.param)


@pytest.fixture(params=CLIENTS)
def clients(traced: Traced, request: pytest.FixtureRequest, is_async: bool) -> Clients:
    """Be each client in turn."""
    if not hasattr(anthropic, request.param):
        pytest.skip(f"anthropic {anthropic.__version__} has no {request.param}")
    return Clients(traced, request.param, is_async=is_async)


def check_answer(clients: Clients) -> None:
    """Check what both ways of answering say."""
    span, record = clients.traced.span(), clients.traced.record()
    assert span.name == f"chat {MODEL['model']}"
    assert (record["provider"], record["server_address"]) == (clients.provider, clients.host)
    for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_1h_tokens", "response_id"):
        assert record[name] == MODEL["expected"][name]
    assert (record["http_status"], record["request_id"]) == (200, REQUEST_ID)
    # USD per million on AWS by a regional profile, and a tenth less on Vertex AI: https://aws.amazon.com/bedrock/pricing/
    usual = (7 * 3 + 1000 * 0.3 + 60 * 3.75 + 40 * 6 + 30 * 15) / 1e6
    assert record["cost"] == pytest.approx(usual * 1.1 if clients.provider == "aws.bedrock" else usual)


async def test_whole(clients: Clients) -> None:
    """A call is one span, and what Bedrock has rewritten of it (path, body, signature) does not show."""
    message = await clients.call(clients.reply())
    assert message.content[0].text == "One moment."
    check_answer(clients)


async def test_streamed(clients: Clients) -> None:
    """A stream is one span, also of Bedrock's own frames."""
    events = await clients.call(clients.reply_stream(), stream=True)
    assert [event.type for event in events] == [chunk["type"] for chunk in MODEL["chunks"]]
    check_answer(clients)
    assert clients.traced.record()["stream_end"] == "exhausted"
    assert clients.traced.record()["chunk_count"] == len(MODEL["chunks"])


async def test_repeated(clients: Clients) -> None:
    """An attempt that is signed anew is one of the call's attempts."""
    refusal = Reply(429, {"content-type": "application/json", "retry-after-ms": "1"}, b'{"message": "slow down"}')
    await clients.call(refusal, clients.reply(), retries=1)
    check_answer(clients)
    assert clients.traced.record()["retry_count"] == 1


async def test_refused(clients: Clients) -> None:
    """A refusal is the user's exception and costs nothing."""
    refusal = Reply(403, {"content-type": "application/json"}, b'{"message": "no"}')
    with pytest.raises(anthropic.PermissionDeniedError):
        await clients.call(refusal)
    record = clients.traced.record()
    assert (record["http_status"], record["error_type"], record["cost"]) == (403, "PermissionDeniedError", 0.0)
    assert is_error(clients.traced.span())
