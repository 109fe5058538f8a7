"""Hold who is said to serve a host: the table, what it says of recorded traffic, and the user's own servers."""

from __future__ import annotations

import json
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from trilemma.price import price_call
from trilemma.providers import hosts
from trilemma.providers.hosts import find_price_id, find_route, name_server

from tests.instrumentation.providers.cases import CHAT, MESSAGES
from tests.instrumentation.providers.wire import Reply, reply_whole
from tests.wire_score.corpus import load_records

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced

TABLE = json.loads(Path(hosts.__file__).with_name("hosts.json").read_text(encoding="utf-8"))["providers"]
# Names of the conventions' list (gen_ai.provider.name), which the table must use where they exist.
CONVENTIONS = {
    "openai", "anthropic", "aws.bedrock", "azure.ai.openai", "azure.ai.inference", "gcp.gemini", "gcp.vertex_ai",
    "cohere", "mistral_ai", "groq", "deepseek", "perplexity", "moonshot_ai", "x_ai", "ibm.watsonx.ai",
}  # fmt: skip
# What the recordings call a provider where the table's word is another.
RECORDED = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_agent": "aws.bedrock",
    "bedrock_mantle": "aws.bedrock",
    "chatgpt_codex": "chatgpt",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "sagemaker": "aws.bedrock",
    "snowflake_cortex": "snowflake",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
# Who these are their address does not tell.
UNTOLD = {"deepgram", "gpustack", "llamacpp", "localhost_openai_compat", "mistralrs", "replicate"}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://us.api.openai.com/v1", "openai"),
        ("https://x.openai.azure.com/openai", "azure.ai.openai"),
        ("https://x.services.ai.azure.com/openai/v1", "azure.ai.openai"),
        ("https://x.services.ai.azure.com/models", "azure.ai.inference"),
        ("https://x.cognitiveservices.azure.com/openai", "azure.ai.openai"),
        ("https://bedrock-mantle.us-east-1.api.aws/v1", "aws.bedrock"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("https://us-east5-aiplatform.googleapis.com/v1", "gcp.vertex_ai"),
        ("https://api.deepseek.com/anthropic", "deepseek"),
        ("https://api.moonshot.ai/anthropic", "moonshot_ai"),
        ("https://api.z.ai/api/anthropic", "zai"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://localhost:8000/v1", None),
        ("https://api.openai.com.evil.example/v1", None),
        ("https://notopenrouter.ai", None),
    ],
)
def test_name_of_server(url: str, name: str | None) -> None:
    """A base URL tells who serves it; an address that only looks like one tells nothing."""
    parts = urlsplit(url)
    assert name_server(parts.hostname or "", parts.port or 443, parts.path) == name


def test_whom_a_router_passes_a_call_on_to() -> None:
    """A router that says in its path who serves a call is recorded with that, and its call has that one's price."""
    assert find_route("router.huggingface.co", "/together/v1/chat/completions") == "together"
    assert find_route("router.huggingface.co", "/v1") is None
    assert find_route("abc.endpoints.huggingface.cloud", "/generate") is None
    record = {"provider": "huggingface", "request_model": "deepseek-ai/DeepSeek-R1", "operation": "chat"}
    usage = {"input_tokens": 1_000_000, "output_tokens": 0}
    routed = price_call({**record, **usage, "route": "together", "server_address": "router.huggingface.co"}, 1.79e9)
    assert routed["cost"] == 3.0
    assert price_call({**record, **usage}, 1.79e9)["unpriced_reason"] == "model"


def test_a_name_is_of_the_conventions_and_a_price_id_of_the_table() -> None:
    """Each provider of the conventions is in the table by its name; each other price id exists in genai-prices."""
    names = {each["name"] for each in TABLE}
    assert names >= CONVENTIONS
    for each in TABLE:
        if each.get("prices"):
            assert find_provider_by_id(get_snapshot().providers, each["prices"]), each
    assert find_price_id("chatgpt") is None
    assert find_price_id("acme") == "acme"


@pytest.mark.shared
def test_recorded_hosts(shared: Path) -> None:
    """Every host of the recorded traffic has its provider's name, but those that only their operator knows."""
    records = load_records(shared / "data/wire/dev.jsonl.gz")
    seen, wrong = Counter[str](), set()
    for record in records:
        url, provider = urlsplit(record["url"]), record["provider"]
        named = name_server(url.hostname or "", url.port or 443, url.path)
        seen[named or ""] += 1
        if provider == "azure_ai":
            provider = "azure.ai.inference" if url.path.startswith("/models") else "azure.ai.openai"
        if named != RECORDED.get(provider, provider) and not (named is None and provider in UNTOLD):
            wrong.add((provider, url.netloc, named))
    assert not wrong
    assert sum(seen.values()) - seen[""] > 7000


def test_of_the_sdk_where_nobody_known_serves(traced: Traced) -> None:
    """At an unknown server the SDK's own name stays, by the conventions, and the address says where it was."""
    client = traced.client(CHAT, reply_whole(CHAT.name), base_url="http://llm.corp.example:8000/v1")
    CHAT.find(client)(**CHAT.arguments)
    record = traced.record()
    assert (record["provider"], record["server_address"]) == ("openai", "llm.corp.example")


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_a_format_without_an_sdk_is_read_by_its_host(traced: Traced, *, is_streamed: bool) -> None:
    """A client that can ask any path asks watsonx.ai: model, tokens and end are read, wherever its base URL stops."""
    chunks = [
        {"model_id": "granite", "results": [{"generated_text": text, **counts, "stop_reason": reason}]}
        for text, counts, reason in (
            ("", {"generated_token_count": 0, "input_token_count": 8}, "not_finished"),
            ("the sun", {"generated_token_count": 2, "input_token_count": 0}, "not_finished"),
            ("", {"generated_token_count": 3, "input_token_count": 0}, "eos_token"),
        )
    ]
    whole = {"model_id": "granite", "results": [{**chunks[2]["results"][0], "input_token_count": 8}]}  # type: ignore[index,dict-item]
    events = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] if is_streamed else None
    reply = Reply(headers={"content-type": "text/event-stream" if is_streamed else "application/json"}, events=events)
    reply.body = b"" if is_streamed else json.dumps(whole).encode()
    client = traced.client(CHAT, reply, base_url="https://us-south.ml.cloud.ibm.com/ml/v1")
    path = f"/text/generation{'_stream' * is_streamed}"
    stream = {"stream": True, "stream_cls": import_module("openai").Stream[object]} if is_streamed else {}
    cast_to = object if is_streamed else dict[str, object]
    result = client.post(path, cast_to=cast_to, body={"model_id": "granite", "input": "x"}, **stream)
    assert len(list(result)) == (3 if is_streamed else 2)
    record = traced.record()
    names = ("provider", "operation", "request_model", "response_model", "input_tokens", "output_tokens")
    assert [record[name] for name in names] == ["ibm.watsonx.ai", "text_completion", "granite", "granite", 8, 3]
    assert list(record["finish_reasons"]) == ["eos_token"]


def test_user_names_own_servers(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """TRILEMMA_HOSTS says who serves which host, before the table."""
    monkeypatch.setenv(hosts.HOSTS_VARIABLE, "llm.corp.example=azure.ai.openai, 10.0.0.7:8000=vllm")
    for cached in (hosts._load_entries, name_server):
        cached.cache_clear()
    try:
        assert name_server("10.0.0.7", 8000) == "vllm"
        assert name_server("10.0.0.7", 8001) is None
        client = traced.client(CHAT, reply_whole(CHAT.name), base_url="https://llm.corp.example/v1")
        CHAT.find(client)(**CHAT.arguments)
        assert traced.record()["provider"] == "azure.ai.openai"
    finally:
        for cached in (hosts._load_entries, name_server):
            cached.cache_clear()


def test_anthropic_format_elsewhere(traced: Traced) -> None:
    """The anthropic SDK pointed at another provider names that provider."""
    client = traced.client(MESSAGES, reply_whole(MESSAGES.name), base_url="https://api.deepseek.com/anthropic")
    MESSAGES.find(client)(**MESSAGES.arguments)
    assert traced.record()["provider"] == "deepseek"
