"""Drive the replicate SDK: predictions and what is known of models."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.wire_score.drivers.httpx_sdk import remember_client
from tests.wire_score.outcome import NotDrivenError, Outcome, ask
from tests.wire_score.transport import make_transport

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record

SDK = "replicate"

# Method and path to the method of the SDK and its arguments out of the path.
_METHODS = {
    ("POST", r"/v1/predictions"): ("predictions.{}create", ()),
    ("POST", r"/v1/models/([^/]+/[^/]+)/predictions"): ("models.predictions.{}create", ("model",)),
    ("POST", r"/v1/deployments/([^/]+/[^/]+)/predictions"): ("deployments.predictions.{}create", ("deployment",)),
    ("GET", r"/v1/predictions/([^/]+)"): ("predictions.{}get", ("id",)),
    ("GET", r"/v1/models/([^/]+/[^/]+)"): ("models.{}get", ("key",)),
}


def fits(record: Record) -> bool:
    """Tell whether Replicate was asked."""
    return urlsplit(record["url"]).netloc == "api.replicate.com"


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record."""
    url = urlsplit(record["url"])
    path, names, values = _find_method(record["method"], url.path)
    client, transport = remember_client(_make, f"{url.scheme}://{url.netloc}", is_async)
    method: Any = client
    for name in path.format("async_" if is_async else "").split("."):
        method = getattr(method, name, None)
    if method is None:
        raise NotDrivenError(f"it has no {path}")
    body = record["request_body"] if isinstance(record["request_body"], dict) else {}
    arguments = {**body, **dict(zip(names, values, strict=True))}
    positional = [arguments.pop(name) for name in ("key", "id") if name in arguments]
    return ask(transport, record, lambda: method(*positional, **arguments), is_async=is_async)


def _find_method(verb: str, path: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    for (method, pattern), (name, arguments) in _METHODS.items():
        if method == verb and (found := re.fullmatch(pattern, path)):
            return name, arguments, found.groups()
    raise NotDrivenError(f"no method for {verb} {path}")


def _make(base_url: str, is_async: bool) -> tuple[Any, Any]:
    import httpx
    import replicate

    del is_async  # one client has both
    transport = make_transport(httpx)
    return replicate.Client(api_token="k", base_url=base_url, transport=transport), transport
