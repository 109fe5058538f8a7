"""Own who serves which host (hosts.json), and what the price table calls a provider.

The conventions name the provider by the best knowledge there is, and the SDK's own where there is none. So a host that
is not in the table keeps the SDK's name, with the host in ``server.address``; TRILEMMA_HOSTS names your own servers:
``llm.corp.example=azure.ai.openai,10.0.0.7:8000=vllm``.
"""

import json
import os
import re
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from trilemma.providers.spec import Endpoint

__all__ = ["HOSTS_VARIABLE", "find_endpoints", "find_price_id", "find_route", "name_server"]

HOSTS_VARIABLE = "TRILEMMA_HOSTS"
_VERSION = re.compile(r"v\d+")


class _Entry(NamedTuple):
    name: str
    host: str
    path: str


@lru_cache(maxsize=256)
def name_server(host: str, port: int = 443, path: str = "") -> str | None:
    """Return who serves `host`, or None where nobody known does; `path` is that of the client's base URL."""
    host = host.lower()
    hosts = {host, f"{host}:{port}", f"[{host}]:{port}"}
    return next(
        (entry.name for entry in _load_entries() if _fits(entry.host, hosts) and path.startswith(entry.path)), None
    )


@cache
def find_endpoints(name: str) -> tuple[Endpoint, ...]:
    """Return the endpoints of a provider's own format, for the SDKs of others that can ask any path."""
    module = next((each["endpoints"] for each in _load_table() if each["name"] == name and "endpoints" in each), None)
    return () if module is None else import_module(f"trilemma.providers.{module}").ENDPOINTS


def find_route(host: str, path: str) -> str | None:
    """Return whom a router passes calls under `path` on to; None where `host` is none, or decides for itself."""
    first = path.strip("/").partition("/")[0]
    return first if host in _list_routers() and first and not _VERSION.fullmatch(first) else None


@cache
def find_price_id(name: str) -> str | None:
    """Return the price table's id of a provider, by the conventions' name; None where tokens are not what it bills."""
    return next((each.get("prices", name) for each in _load_table() if each["name"] == name), name)


def _fits(pattern: str, hosts: set[str]) -> bool:
    if pattern.startswith("*"):
        return any(host.endswith(pattern[1:]) for host in hosts)
    if pattern.endswith("*"):
        return any(host.startswith(pattern[:-1]) for host in hosts)
    return pattern in hosts


@cache
def _load_entries() -> list[_Entry]:
    entries = []
    for pair in os.environ.get(HOSTS_VARIABLE, "").split(","):
        address, _, name = pair.strip().partition("=")
        if address and name:
            entries.append(_split(name.strip(), address.strip().lower()))
    return entries + [_split(each["name"], address) for each in _load_table() for address in each["hosts"]]


def _split(name: str, address: str) -> _Entry:
    host, slash, path = address.partition("/")
    return _Entry(name, host, slash + path)


@cache
def _list_routers() -> frozenset[str]:
    return frozenset(host for each in _load_table() for host in each.get("routers", ()))


@cache
def _load_table() -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = json.loads(Path(__file__).with_name("hosts.json").read_text("utf-8"))["providers"]
    return table
