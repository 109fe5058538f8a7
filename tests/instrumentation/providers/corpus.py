"""Own the recorded provider traffic of ../shared as calls through the real SDKs, and what their spans must say."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import inspect
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from trilemma.registry import attribute

from tests.instrumentation.providers.wire import find_http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

# Family of a record to the SDK, and the method that sends it.
METHODS = {
    "openai.chat": ("openai", "chat.completions.create"),
    "openai.responses": ("openai", "responses.create"),
    "openai.embeddings": ("openai", "embeddings.create"),
    "openai.completions": ("openai", "completions.create"),
    "anthropic.messages": ("anthropic", "messages.create"),
}
# How an endpoint's URL ends; that leaves out Anthropic's /v1/complete, filed under its messages: no SDK has it now.
_TAILS = {
    "openai.chat": "/chat/completions",
    "openai.responses": "/responses",
    "openai.embeddings": "/embeddings",
    "openai.completions": "/completions",
    "anthropic.messages": "/messages",
}
# Why a record is left out.
LEFT_OUT = {
    "6bf6f73ec86ec4ea": "a completion stream of 2023 that the SDK itself cannot parse (JSONDecodeError without us too)",
    "b0c7ddefbbc5fa98": "OpenRouter's Anthropic stream: ends in a [DONE] that the SDK cannot parse, without us either",
}
_CLIENTS = {"openai": "OpenAI", "anthropic": "Anthropic"}


@dataclass
class Outcome:
    """What the user got: the result or the chunks, as plain data, and the exception's class."""

    result: Any = None
    chunks: list[Any] = field(default_factory=list)
    error: str | None = None


@cache
def load_replay(shared: Path) -> Any:
    """Import the replay transport that comes with the recordings."""
    spec = importlib.util.spec_from_file_location("trilemma_replay", shared / "data/wire/replay.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_records(shared: Path, endpoint: str, *, compatible: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the development records of an endpoint: of its own provider, or of the servers compatible with it."""
    with gzip.open(shared / "data/wire/dev.jsonl.gz", "rt", encoding="utf-8", errors="surrogatepass") as lines:
        for line in lines:
            record = json.loads(line)
            family = (record["expected"] or {}).get("family")
            is_own = record["provider"] == METHODS[endpoint][0]
            asks = record["method"] == "POST" and isinstance(record["request_body"], dict)
            asks = asks and record["url"].partition("?")[0].endswith(_TAILS[endpoint])
            if family == endpoint and is_own is not compatible and asks and record["id"] not in LEFT_OUT:
                yield {**record, "endpoint": endpoint}


def has_method(endpoint: str) -> bool:
    """Tell whether the installed SDK has the endpoint's method."""
    sdk, path = METHODS[endpoint]
    client = getattr(importlib.import_module(sdk), _CLIENTS[sdk])(api_key="k")
    try:
        _find_method(client, path)
    except AttributeError:
        return False
    return True


def send(shared: Path, record: dict[str, Any]) -> Outcome:
    """Send a record's request through the SDK, answered by its recorded response."""
    replay = load_replay(shared)
    sdk_name, path = METHODS[record["endpoint"]]
    sdk = importlib.import_module(sdk_name)
    transport = replay.ReplayTransport([record], http=find_http(sdk))
    http = find_http(sdk)
    client_class = getattr(sdk, _CLIENTS[sdk_name])
    with client_class(
        api_key="k",
        base_url=replay.base_url(record, sdk=sdk_name),
        http_client=http.Client(transport=transport, trust_env=False),
        max_retries=0,
    ) as client:
        return _call(_find_method(client, path), record["request_body"])


def compare(record: dict[str, Any], span: ReadableSpan) -> dict[str, tuple[Any, Any]]:
    """Return {concept: (expected, on the span)} where they differ."""
    attributes = dict(span.attributes or {})
    expected = expect(record)
    if expected["error_type"] is None and record["expected"]["is_error"]:
        # The provider gave no type of its own: ours is its code or the SDK's exception.
        expected["error_type"] = attributes.get(attribute("error_type")) or "some type"
    found = {name: attributes.get(attribute(name)) for name in expected}
    return {name: (value, found[name]) for name, value in expected.items() if value != found[name]}


def expect(record: dict[str, Any]) -> dict[str, Any]:
    """Return what a record's span must say, by the registry's names."""
    said = record["expected"]
    calls = said["tool_calls"] or ()
    by_anthropic = record["endpoint"] == "anthropic.messages"
    return {
        "request_model": said["request_model"],
        "response_model": said["response_model"] or None,
        "response_id": said["response_id"] or None,
        "input_tokens": said["input_tokens_incl_cache"] if by_anthropic else said["input_tokens"],
        "output_tokens": said["output_tokens"],
        "cache_read_tokens": said["cached_input_tokens"],
        "cache_write_tokens": said["cache_creation_tokens"],
        "reasoning_tokens": said["reasoning_tokens"],
        "finish_reasons": _strings(said["finish_reasons"]),
        "tool_call_names": _strings([call["name"] for call in calls]),
        "tool_call_ids": _strings([call["id"] for call in calls]),
        "error_type": said["error_type"] if said["is_error"] else None,
    }


def _strings(values: list[Any] | None) -> tuple[str, ...] | None:
    return tuple(value for value in values or () if value is not None) or None


def _find_method(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


def _call(method: Any, body: dict[str, Any]) -> Outcome:
    known = inspect.signature(method).parameters
    arguments = {name: value for name, value in body.items() if name in known}
    extra = {name: value for name, value in body.items() if name not in known}
    # A request that the SDK would refuse unsent is sent all the same: the recording says what came back.
    missing = {
        name: None for name, kind in known.items() if kind.default is kind.empty and kind.kind == kind.KEYWORD_ONLY
    }
    arguments = {**missing, **arguments, "timeout": 60}
    outcome = Outcome()
    try:
        result = method(**arguments, extra_body=extra or None)
        if body.get("stream"):
            outcome.chunks.extend(repr(chunk) for chunk in result)
        else:
            outcome.result = repr(result)
    except Exception as error:  # noqa: BLE001  # whatever the user would have got
        outcome.error = type(error).__name__
    return outcome
