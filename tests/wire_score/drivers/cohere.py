"""Drive the cohere SDK: chat, embed and rerank of both versions of the API, also of servers that speak its rerank."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.wire_score.corpus import find_address, parse_form
from tests.wire_score.drivers.httpx_sdk import known_arguments, make_http_client, remember_client
from tests.wire_score.outcome import NotDrivenError, Outcome, ask

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record

SDK = "cohere"

_METHODS = {
    "/v1/chat": ("", "chat"),
    "/v1/generate": ("", "generate"),
    "/v1/embed": ("", "embed"),
    "/v1/rerank": ("", "rerank"),
    "/v1/tokenize": ("", "tokenize"),
    "/v2/chat": ("V2", "chat"),
    "/v2/embed": ("V2", "embed"),
    "/v2/rerank": ("V2", "rerank"),
    "/v2/audio/transcriptions": ("V2", "audio.transcriptions.create"),
    "/v1/models": ("", "models.list"),
}


def fits(record: Record) -> bool:
    """Tell whether Cohere was asked, or another server for a rerank by its API."""
    path = find_address(record, prefix="").path
    is_cohere = urlsplit(record["url"]).netloc.startswith("api.cohere.")
    return path in _METHODS and (is_cohere or path.endswith("/rerank"))


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record."""
    address = find_address(record, prefix="")
    version, path = _METHODS[address.path]
    client, transport = remember_client(_make, address.base, version, is_async)
    path += "_stream" if record["stream"] and path in {"chat", "generate"} else ""
    method = client
    for name in path.split("."):
        method = getattr(method, name, None)
    if method is None:
        raise NotDrivenError(f"it has no {path}")
    body = {"batching": False, "offline": False, **_read_body(record)}
    # The client wraps its methods so that their arguments are not seen; its class has them as they are.
    arguments = known_arguments(getattr(type(client), path, method), body)
    options = {"max_retries": 0}
    # Streams of its async client are generators that are not awaited.
    is_generator = is_async and path.endswith("_stream")
    if is_generator:
        return ask(transport, record, lambda: _wait(method(**arguments, request_options=options)), is_async=True)
    return ask(transport, record, lambda: method(**arguments, request_options=options), is_async=is_async)


async def _wait(stream: Any) -> Any:
    return stream


def _read_body(record: Record) -> dict[str, Any]:
    form = parse_form(record)
    if form is not None:
        return {**form.fields, **dict(form.files)}
    body = record["request_body"]
    return body if isinstance(body, dict) else {}


def _make(base_url: str, version: str, is_async: bool) -> tuple[Any, Any]:
    import cohere

    wrapper = importlib.import_module("cohere.core.http_client")
    http_client, transport = make_http_client(wrapper.httpx, is_async=is_async)
    if not hasattr(cohere, "ClientV2"):  # then the version is part of the base URL
        if version:
            raise NotDrivenError("it has no client for version 2 of the API")
        base_url += "/v1"
    kind = getattr(cohere, f"{'Async' if is_async else ''}Client{version}")
    return kind("k", base_url=base_url, httpx_client=http_client), transport
