"""Own what drivers of SDKs on httpx or httpx2 share: one client per base URL, which arguments a method takes."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.wire_score.transport import make_transport

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["known_arguments", "make_http_client", "remember_client"]


def make_http_client(http: Any, *, is_async: bool) -> tuple[Any, Any]:
    """Return a client of `http` and the transport that answers it."""
    transport = make_transport(http)
    kind = http.AsyncClient if is_async else http.Client
    return kind(transport=transport, trust_env=False), transport


@cache
def remember_client(make: Callable[..., tuple[Any, Any]], *arguments: Any) -> tuple[Any, Any]:
    """Return the (client, transport) that `make` gives for these arguments, made once."""
    return make(*arguments)


def known_arguments(method: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Return what of a request's body the method takes: the answer is recorded, whatever else was asked."""
    known = inspect.signature(method).parameters
    return {name: value for name, value in body.items() if name in known and value is not None}
