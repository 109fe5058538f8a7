"""Own who may ask on the ClickHouse port: the user, when there is one, and never a page in a browser."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from trilemma_collector.storage.engine import ClickHouseError

if TYPE_CHECKING:
    from trilemma_collector.web import Scope

__all__ = ["Credentials", "check_credentials", "check_origin", "is_loopback"]


@dataclass(frozen=True)
class Credentials:
    """Who the client says it is."""

    user: str = ""
    password: str = ""


def check_credentials(scope: Scope, expected: Credentials | None) -> None:
    """Check user and password.

    Raises:
        ClickHouseError: they are not the expected ones.
    """
    if expected is None:
        return
    given = _read_credentials(scope)
    same_user = hmac.compare_digest(given.user.encode(), expected.user.encode())
    if not (hmac.compare_digest(given.password.encode(), expected.password.encode()) and same_user):
        raise ClickHouseError(
            f"Code: 516. DB::Exception: {given.user or 'default'}: Authentication failed: password is incorrect, "
            f"or there is no user with such name. (AUTHENTICATION_FAILED)"
        )


def check_origin(scope: Scope, *, loopback_only: bool) -> None:
    """Refuse what a page in a browser sends: any page may POST to a port of this machine, and the port has no password.

    Raises:
        ClickHouseError: the request comes from a page of another origin, or by a name that leads here by rebinding.
    """
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host, origin = headers.get(b"host", ""), headers.get(b"origin")
    named = urlsplit(f"//{host}").hostname or ""
    if (origin is not None and urlsplit(origin).netloc != host) or (loopback_only and host and not is_loopback(named)):
        raise ClickHouseError(
            f"Code: 497. DB::Exception: A request from {origin or host!r} is refused: this port is not for web pages. "
            f"(ACCESS_DENIED)"
        )


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, reached by itself only."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_credentials(scope: Scope) -> Credentials:
    """Return the user and password of a request: from its headers, else from its URL."""
    headers = dict(scope["headers"])
    scheme, _, text = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(text).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Credentials()
        return Credentials(user, password)
    if b"x-clickhouse-user" in headers:
        key = headers.get(b"x-clickhouse-key", b"")
        return Credentials(headers[b"x-clickhouse-user"].decode("latin-1"), key.decode("latin-1"))
    url = dict(parse_qsl(scope["query_string"].decode("utf-8"), keep_blank_values=True))
    return Credentials(url.get("user", ""), url.get("password", ""))
