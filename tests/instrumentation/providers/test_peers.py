"""Hold whom a call is said to go to: the provider by the client's host, the server, and the request as it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.instrumentation.providers.cases import CHAT, MESSAGES
from tests.instrumentation.providers.wire import find_http, make_client, reply_whole, transport_class

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced


@pytest.mark.parametrize(
    ("base_url", "provider", "address", "port"),
    [
        ("https://api.openai.com/v1", "openai", "api.openai.com", 443),
        ("https://eu.openai.azure.com/openai/v1", "azure.ai.openai", "eu.openai.azure.com", 443),
        ("https://api.groq.com/openai/v1", "groq", "api.groq.com", 443),
        ("https://openrouter.ai/api/v1", "openrouter", "openrouter.ai", 443),
        ("http://localhost:8080/v1", "openai", "localhost", 8080),
        ("http://127.0.0.1", "openai", "127.0.0.1", 80),
    ],
)
def test_openai_compatible(traced: Traced, base_url: str, provider: str, address: str, port: int) -> None:
    """A server compatible with OpenAI is named by its host; an unknown one passes for what the SDK is made for."""
    CHAT.find(traced.client(CHAT, reply_whole(CHAT.name), base_url=base_url))(**CHAT.arguments)
    record = traced.record()
    assert (record["provider"], record["server_address"], record["server_port"]) == (provider, address, port)


@pytest.mark.parametrize(
    ("base_url", "provider"),
    [
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock"),
        ("https://europe-west1-aiplatform.googleapis.com/v1", "gcp.vertex_ai"),
    ],
)
def test_anthropic_elsewhere(traced: Traced, base_url: str, provider: str) -> None:
    """Anthropic's models on another cloud are that cloud's calls."""
    MESSAGES.find(traced.client(MESSAGES, reply_whole(MESSAGES.name), base_url=base_url))(**MESSAGES.arguments)
    assert traced.record()["provider"] == provider


def test_azure_client(traced: Traced) -> None:
    """Azure's client, which moves the model into the URL, is seen with the model."""
    openai = CHAT.import_sdk()
    http, script = find_http(openai), traced.script(reply_whole(CHAT.name))
    client = openai.AzureOpenAI(
        api_key="k",
        api_version="2024-10-21",
        azure_endpoint="https://eu.openai.azure.com",
        max_retries=0,
        http_client=http.Client(transport=transport_class(http)(http, script), trust_env=False),
    )
    CHAT.find(client)(**CHAT.arguments)
    assert "/deployments/gpt-4o-mini/" in str(script.requests[0].url)
    assert (traced.record()["provider"], traced.span().name) == ("azure.ai.openai", "chat gpt-4o-mini")


def test_base_url_changed_later(traced: Traced) -> None:
    """A client whose address is changed is followed there."""
    client = traced.client(CHAT, reply_whole(CHAT.name))
    CHAT.find(client)(**CHAT.arguments)
    client.base_url = "https://api.groq.com/openai/v1"
    if "groq" not in str(client.base_url):
        pytest.skip("this openai does not follow a change of base_url")
    CHAT.find(client)(**CHAT.arguments)
    providers = [(span.attributes or {})["gen_ai.provider.name"] for span in traced.spans()]
    assert providers == ["openai", "groq"]


def test_extra_body(traced: Traced) -> None:
    """What is given as `extra_body` is part of the request."""
    arguments: dict[str, Any] = {**CHAT.arguments, "extra_body": {"model": "other", "seed": 7}}
    CHAT.find(traced.client(CHAT, reply_whole(CHAT.name)))(**arguments)
    assert (traced.record()["request_model"], traced.record()["seed"]) == ("other", 7)


def test_one_shot_messages(traced: Traced) -> None:
    """Messages that can be read only once are left for the SDK to read."""
    script = traced.script(reply_whole(MESSAGES.name))
    arguments = {**MESSAGES.arguments, "messages": iter(MESSAGES.arguments["messages"])}
    try:
        MESSAGES.find(make_client(MESSAGES, script))(**arguments)
    except TypeError:
        pytest.skip("this anthropic takes no iterators")
    assert b"Where is order 7?" in script.requests[0].content
    assert traced.record()["input_tokens"] == 100


def test_other_endpoints(traced: Traced) -> None:
    """An endpoint without a table of its own has a span with its model; any other call a plain one by its path."""
    reply = reply_whole(CHAT.name)
    reply.body = b'{"id": "m", "model": "omni-moderation", "results": [], "data": []}'
    client = traced.client(CHAT, reply)
    client.models.list()
    client.files.retrieve("file-abc123")
    client.moderations.create(input="x", model="omni-moderation-latest")
    names = [span.name for span in traced.spans()]
    assert names == ["GET /models", "GET /files/{id}", "moderation omni-moderation-latest"]
