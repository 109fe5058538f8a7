"""Drive google-genai: the Gemini API, Vertex AI, and gateways that speak their format."""

from __future__ import annotations

import json
import operator
import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from tests.instrumentation.providers.google_client import takes_httpx, use_requests
from tests.wire_score.drivers.httpx_sdk import make_http_client, remember_client
from tests.wire_score.outcome import NotDrivenError, Outcome, ask

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record

SDK = "google.genai"

_HOSTS = ("generativelanguage.googleapis.com", "aiplatform.googleapis.com")
_PATH = re.compile(r"(?P<base>.*?)/(?P<version>v\d\w*)/(?P<project>projects/[^/]+/locations/[^/]+/)?(?P<rest>.+)")
_MODEL = re.compile(r"(?P<name>.+):(?P<verb>\w+)")
# Enumerations by number, for clients that ask so.
_WORDS = {
    "finishReason": ("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER"),
    "modality": ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT"),
    "trafficType": ("TRAFFIC_TYPE_UNSPECIFIED", "ON_DEMAND", "PROVISIONED_THROUGHPUT"),
}
_NUMBER = re.compile(rf'"({"|".join(_WORDS)})": *(\d)')
# Which method asks what, and how it names the model's content or the thing itself.
_OF_MODELS = {
    "generateContent": ("models.generate_content", "contents"),
    "streamGenerateContent": ("models.generate_content_stream", "contents"),
    "countTokens": ("models.count_tokens", "contents"),
    "batchEmbedContents": ("models.embed_content", "contents"),
    "embedContent": ("models.embed_content", "contents"),
    "predict": ("models.embed_content", "contents"),
}
_OF_RESOURCES = {
    ("POST", "cachedContents", 1): "caches.create",
    ("DELETE", "cachedContents", 2): "caches.delete",
    ("POST", "fileSearchStores", 1): "file_search_stores.create",
    ("DELETE", "fileSearchStores", 2): "file_search_stores.delete",
    ("GET", "models", 1): "models.list",
    ("POST", "interactions", 1): "interactions.create",
    ("GET", "interactions", 2): "interactions.get",
}


def fits(record: Record) -> bool:
    """Tell whether Google was asked, in its own format, or another server by a path of it."""
    url = urlsplit(record["url"])
    if url.netloc.endswith(_HOSTS):
        return not url.path.endswith(("/chat/completions", "/embeddings")) and "/publishers/anthropic/" not in url.path
    return str(record["endpoint"]).startswith("gemini.")


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record: its own body, however little of it the SDK's arguments could say."""
    url = urlsplit(record["url"])
    path = _PATH.fullmatch(url.path)
    if path is None:
        raise NotDrivenError("no version of the API in the path")
    by_publisher = path["project"] is not None or path["rest"].startswith("publishers/")
    is_vertex = url.netloc.endswith(_HOSTS[1]) or by_publisher
    base = f"{url.scheme}://{url.netloc}{path['base']}"
    client, transport = remember_client(_make, base, path["version"], is_vertex, is_async)
    name, arguments = _find_method(path["project"] or "", path["rest"], record)
    try:
        method = operator.attrgetter(name)(client.aio if is_async else client)
    except AttributeError:
        raise NotDrivenError(f"it has no {name}") from None
    record = _frame(record)
    return ask(transport, record, lambda: method(**arguments), is_async=is_async, is_stream=lambda _: record["stream"])


def _frame(record: Record) -> Record:
    """Give a stream the form this SDK asks for, events and words, where a client asked for a list and numbers."""
    if not record["stream"] or record["wire"] != "json" or record["status"] >= 400:
        return record
    text = _NUMBER.sub(lambda found: f'"{found[1]}": "{_WORDS[found[1]][int(found[2])]}"', record["response_body"])
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in json.loads(text))
    return {**record, "wire": "sse", "response_body": events, "response_body_encoding": "text", "response_headers": {}}


def _find_method(project: str, rest: str, record: Record) -> tuple[str, dict[str, Any]]:
    body, query = record["request_body"], parse_qs(urlsplit(record["url"]).query)
    # An SDK that gets a null in place of an object says so in its log.
    sent = {key: value for key, value in body.items() if value is not None} if isinstance(body, dict) else None
    exact = {} if sent is None else {"http_options": {"extra_body": sent}} if takes_httpx() else {"http_options": {}}
    model = _MODEL.fullmatch(rest)
    if model is not None and model["verb"] in _OF_MODELS and exact:
        name, content = _OF_MODELS[model["verb"]]
        return name, {"model": project + model["name"], content: "x", "config": exact}
    steps = rest.split("/")
    found = _OF_RESOURCES.get((record["method"], steps[0], len(steps)))
    if found is None:
        raise NotDrivenError(f"no method for {record['method']} {rest}")
    if found == "interactions.create":
        return found, {"automatic_continuation": None if body.get("background") else False, **body}
    if found == "interactions.get":
        is_stream = query.get("stream") == ["true"]
        return found, {"id": steps[1], "stream": is_stream, "last_event_id": query.get("last_event_id", [None])[0]}
    if found.endswith(".delete"):
        return found, {"name": project + rest}
    return found, {"config": exact, **({"model": body["model"]} if found == "caches.create" else {})}


def _make(base: str, version: str, is_vertex: bool, is_async: bool) -> tuple[Any, Any]:
    from google import genai

    http_client, transport = _make_http(is_async=is_async and takes_httpx())
    options: dict[str, Any] = {"base_url": base, "api_version": version}
    if takes_httpx():
        options["httpx_async_client" if is_async else "httpx_client"] = http_client
    else:
        use_requests(http_client)
    return genai.Client(api_key="k", vertexai=is_vertex, http_options=options), transport


@cache  # one for all clients, as the oldest SDK has one place for all
def _make_http(*, is_async: bool) -> tuple[Any, Any]:
    return make_http_client(httpx2, is_async=is_async)
