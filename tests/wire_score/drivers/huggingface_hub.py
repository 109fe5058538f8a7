"""Drive the inference clients of huggingface_hub: chat by the router, text generation by one's own endpoint."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.wire_score.corpus import find_address
from tests.wire_score.drivers.httpx_sdk import known_arguments
from tests.wire_score.outcome import NotDrivenError, Outcome, ask
from tests.wire_score.transport import make_transport

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record

SDK = "huggingface_hub"

_HOSTS = ("router.huggingface.co", "api-inference.huggingface.co", "endpoints.huggingface.cloud")


def fits(record: Record) -> bool:
    """Tell whether Hugging Face was asked for chat or text."""
    has_body = isinstance(record["request_body"], dict)
    return has_body and urlsplit(record["url"]).netloc.endswith(_HOSTS)


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record."""
    hub = importlib.import_module("huggingface_hub")
    if not hasattr(hub, "set_client_factory"):
        raise NotDrivenError("its HTTP client cannot be given before 1.0")
    transport = _answer(is_async=is_async)
    kind = hub.AsyncInferenceClient if is_async else hub.InferenceClient
    body = record["request_body"]
    if record["url"].partition("?")[0].endswith("/chat/completions"):
        address = find_address(record, ("/chat/completions",))
        method = kind(base_url=address.base, token="k").chat_completion
        arguments = known_arguments(method, body)
        extra = {name: value for name, value in body.items() if name not in inspect.signature(method).parameters}
        arguments |= {"extra_body": extra} if extra else {}
    elif "inputs" in body:
        method = kind(model=record["url"], token="k").text_generation
        arguments = known_arguments(method, {**(body.get("parameters") or {}), "prompt": body["inputs"]})
        arguments |= {"details": True, "stream": record["stream"]}
    else:
        raise NotDrivenError("neither chat nor text generation")
    return ask(transport, record, lambda: method(**arguments), is_async=is_async)


def _answer(*, is_async: bool) -> Any:
    """Have the SDK's HTTP clients answered by a transport, and return that."""
    hub = importlib.import_module("huggingface_hub")
    http = importlib.import_module("huggingface_hub.utils._http")
    http = getattr(http, "httpx2", None) or http.httpx
    transport = _transport(http, is_async)
    if is_async:
        hub.set_async_client_factory(lambda: http.AsyncClient(transport=transport, trust_env=False))
    else:
        hub.set_client_factory(lambda: http.Client(transport=transport, trust_env=False))
    return transport


@cache
def _transport(http: Any, is_async: bool) -> Any:
    return make_transport(http)
