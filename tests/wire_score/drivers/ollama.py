"""Drive the ollama SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.wire_score.drivers.httpx_sdk import known_arguments, remember_client
from tests.wire_score.outcome import Outcome, ask
from tests.wire_score.transport import make_transport

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record

SDK = "ollama"

_METHODS = {
    "/api/chat": "chat",
    "/api/generate": "generate",
    "/api/embed": "embed",
    "/api/embeddings": "embeddings",
    "/api/show": "show",
}


def fits(record: Record) -> bool:
    """Tell whether a record is of Ollama's own API, which has these paths and no version."""
    return urlsplit(record["url"]).path in _METHODS and isinstance(record["request_body"], dict)


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record."""
    url = urlsplit(record["url"])
    client, transport = remember_client(_make, f"{url.scheme}://{url.netloc}", is_async)
    method = getattr(client, _METHODS[url.path])
    body = {**record["request_body"], "stream": record["stream"]}  # the API streams unless told not to
    body.setdefault("model", body.get("name", ""))
    arguments = known_arguments(method, body)
    return ask(transport, record, lambda: method(**arguments), is_async=is_async)


def _make(host: str, is_async: bool) -> tuple[Any, Any]:
    import httpx
    import ollama

    transport = make_transport(httpx)
    kind = ollama.AsyncClient if is_async else ollama.Client
    return kind(host=host, transport=transport, trust_env=False), transport
