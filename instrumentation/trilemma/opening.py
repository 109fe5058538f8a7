"""Own the way from a request to its open call: which endpoint its path is, who serves it, what its span begins with.

A request to a path that no endpoint has is a plain span, named by method and path, so that no call of a known client is
invisible.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from trilemma.engine import Call, CompiledEndpoint, Engine, Target
from trilemma.providers.hosts import find_endpoints, find_route, name_server
from trilemma.providers.spec import Endpoint, Provider

__all__ = ["Opener", "Route", "Server", "compile_path", "find_port"]

_MAX_ROUTES = 512  # paths hold ids: what is remembered of them is forgotten when it is this much
_WORD = re.compile(r"v\d+[a-z]*\d*|[a-z][a-z_:-]{0,31}", re.IGNORECASE)


class Server(NamedTuple):
    """Be who a client calls; `host` is empty where that is unknown, `path` is the base URL's."""

    host: str
    port: int
    path: str = ""


def find_port(url: Any) -> int:
    """Return the port of a URL, urllib's or httpx's: its own, or else its scheme's."""
    return int(url.port or (80 if url.scheme in {"http", "ws"} else 443))


class Route(NamedTuple):
    """Be where a request goes: its target, and what its path says ({"{model}": ...})."""

    target: Target
    values: Mapping[str, str]


class Opener:
    """Open the calls of one provider's SDK."""

    def __init__(self, provider: Provider, engine: Engine) -> None:
        self.provider = provider
        self.engine = engine
        self._exact = {
            (each.method, each.path): each for each in provider.endpoints if "{" not in each.path and each.when is None
        }
        self._patterns = [
            (compile_path(each.path), each)
            for each in provider.endpoints
            if (each.method, each.path) not in self._exact
        ]
        self._compiled: dict[tuple[str, str, str], CompiledEndpoint] = {}
        self._targets: dict[tuple[Any, ...], Target] = {}

    def find(
        self, method: str, path: str, server: Server, body: Any = None, *, keeps_native_span: bool = False
    ) -> Route:
        """Return the route of a request; `path` may have a query, which is not looked at."""
        method, path = method.upper(), urlsplit(path).path if "://" in path else path.partition("?")[0]
        endpoint, values = self._match(method, path, body if type(body) is dict else {}, server)
        key = (endpoint.method, endpoint.path, endpoint.operation, server, keeps_native_span)
        target = self._targets.get(key)
        if target is None:
            if len(self._targets) >= _MAX_ROUTES:
                self._targets.clear()
            target = self._targets[key] = self._make_target(endpoint, server, keeps_native_span=keeps_native_span)
        return Route(target, values)

    def knows(self, method: str, path: str) -> bool:
        """Tell whether a path, without a query, is that of an endpoint."""
        return (method, path) in self._exact or any(
            endpoint.method == method and pattern.fullmatch(path) for pattern, endpoint in self._patterns
        )

    def template(self, path: str) -> str:
        """Return a path that is no endpoint's with its ids replaced."""
        return template_path(path)

    def open(self, route: Route, body: Any, *, streamed: bool) -> Call | None:
        """Open a call; `body` is the request's, if it is a JSON object."""
        if type(body) is not dict:
            body = {}
        if route.values:
            body = {**body, **route.values}
        return self.engine.open(route.target, body, streamed=streamed)

    def _match(
        self, method: str, path: str, body: dict[str, Any], server: Server
    ) -> tuple[Endpoint, Mapping[str, str]]:
        if (endpoint := self._exact.get((method, path))) is not None:
            return endpoint, {}
        for pattern, endpoint in self._patterns:
            if endpoint.method != method or (endpoint.when is not None and not endpoint.when(body)):
                continue
            if found := pattern.fullmatch(path):
                return endpoint, {f"{{{name}}}": value for name, value in found.groupdict().items()}
        full_path = f"{server.path.rstrip('/')}{path}"  # a client's base URL may have a part of it
        for endpoint in find_endpoints(self._name_server(server)):
            if endpoint.method == method and full_path.endswith(endpoint.path):
                return endpoint, {}
        template = self.template(path)
        return Endpoint(template, f"{method} {template}", method=method), {}

    def _make_target(self, spec: Endpoint, server: Server, *, keeps_native_span: bool) -> Target:
        key = (spec.method, spec.path, spec.operation)
        endpoint = self._compiled.get(key)
        if endpoint is None:
            if len(self._compiled) >= _MAX_ROUTES:
                self._compiled.clear()
            endpoint = self._compiled[key] = _compile(spec, self.provider)
        name = self._name_server(server)
        address: dict[str, Any] = {"server_address": server.host, "server_port": server.port} if server.host else {}
        if (route := find_route(server.host, server.path)) is not None:
            address["route"] = route
        return Target(endpoint, name, address, keeps_native_span=keeps_native_span)

    def _name_server(self, server: Server) -> str:
        name = next((name for end, name in self.provider.hosts.items() if server.host.endswith(end)), None)
        return name or name_server(server.host, server.port, server.path) or self.provider.name


_compile = lru_cache(_MAX_ROUTES)(CompiledEndpoint)  # switched off and on again, the tables are still those


@lru_cache
def compile_path(path: str) -> re.Pattern[str]:
    """Compile a path with ``{name}`` for a part of it: of one segment, unless it is ``{name*}``."""
    parts = re.split(r"\{(\w+\*?)\}", path)
    text = "".join(
        re.escape(part) if index % 2 == 0 else f"(?P<{part.rstrip('*')}>{'.+' if part.endswith('*') else '[^/]+'})"
        for index, part in enumerate(parts)
    )
    return re.compile(text)


def template_path(path: str) -> str:
    """Return a path with its ids replaced by ``{id}``: what looks like no word of an API is one."""
    return "/".join(part if not part or _WORD.fullmatch(part) else "{id}" for part in path.split("/"))
