"""Drive the mistralai SDK."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.wire_score.corpus import find_address, parse_form
from tests.wire_score.drivers.httpx_sdk import known_arguments, make_http_client, remember_client
from tests.wire_score.outcome import NotDrivenError, Outcome, ask

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record

SDK = "mistralai"

# Method and path to the method of the SDK, and that for a stream.
_METHODS = {
    ("POST", "/chat/completions"): ("chat.complete", "chat.stream"),
    ("POST", "/fim/completions"): ("fim.complete", "fim.stream"),
    ("POST", "/agents/completions"): ("agents.complete", "agents.stream"),
    ("POST", "/embeddings"): ("embeddings.create", ""),
    ("POST", "/moderations"): ("classifiers.moderate", ""),
    ("POST", "/ocr"): ("ocr.process", ""),
    ("POST", "/audio/transcriptions"): ("audio.transcriptions.complete", "audio.transcriptions.stream"),
    ("POST", "/audio/speech"): ("audio.speech.complete", ""),
    ("GET", "/models"): ("models.list", ""),
    ("GET", "/files"): ("files.list", ""),
    ("POST", "/files"): ("files.upload", ""),
    ("GET", "/batch/jobs"): ("batch.jobs.list", ""),
    ("POST", "/batch/jobs"): ("batch.jobs.create", ""),
}


def fits(record: Record) -> bool:
    """Tell whether Mistral was asked for what its SDK has."""
    return urlsplit(record["url"]).netloc == "api.mistral.ai" and _key(record) in _METHODS


def _key(record: Record) -> tuple[str, str]:
    return record["method"], find_address(record).path


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record."""
    url = urlsplit(record["url"])
    client, transport = remember_client(_make, f"{url.scheme}://{url.netloc}", is_async)
    path = _METHODS[_key(record)][bool(record["stream"])] + ("_async" if is_async else "")
    method: Any = client
    for name in path.split("."):
        method = getattr(method, name, None)
    if method is None:
        raise NotDrivenError(f"it has no {path}")
    arguments = known_arguments(method, _read_body(record))
    return ask(transport, record, lambda: method(**arguments), is_async=is_async, is_stream=_is_stream)


def _is_stream(result: Any) -> bool:
    # Before 1.2 a stream is a generator.
    return (
        type(result).__name__.startswith("EventStream") or hasattr(result, "__next__") or hasattr(result, "__anext__")
    )


def _read_body(record: Record) -> dict[str, Any]:
    form = parse_form(record)
    if form is not None:
        files = {field: {"file_name": name, "content": data} for field, (name, data, _) in form.files}
        return {**form.fields, **files}
    body = record["request_body"] if isinstance(record["request_body"], dict) else {}
    return {("inputs" if name == "input" else name): value for name, value in body.items() if name != "stream"}


def _make(server_url: str, is_async: bool) -> tuple[Any, Any]:
    try:
        package = importlib.import_module("mistralai.client")
        client_class = package.Mistral
    except (ImportError, AttributeError):  # before 2
        package = importlib.import_module("mistralai")
        client_class = package.Mistral
    wrapper = sys.modules[f"{package.__name__}.httpclient"]
    http_client, transport = make_http_client(getattr(wrapper, "httpx2", None) or wrapper.httpx, is_async=is_async)
    which = {"async_client": http_client} if is_async else {"client": http_client}
    return client_class(api_key="k", server_url=server_url, **which), transport
