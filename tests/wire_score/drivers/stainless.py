"""Own how a record becomes a call of a Stainless-generated SDK: its own method where there is one, else any path."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.wire_score.corpus import body_bytes, find_address, parse_form
from tests.wire_score.outcome import NotDrivenError, Outcome, ask
from tests.wire_score.transport import make_transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.wire_score.corpus import Address, Record

__all__ = ["Sdk", "find_http", "send"]


@dataclass(frozen=True)
class Sdk:
    """Be a Stainless-generated SDK: its clients, and which method asks which path."""

    name: str
    client: str
    async_client: str
    methods: Mapping[str, str]  # path of a POST with a JSON object to the method that sends it
    options: Mapping[str, Any] = field(default_factory=lambda: {"api_key": "k"})
    prefix: str | None = None  # what stands before the version where the SDK's paths have it, as in /v1/messages

    def __hash__(self) -> int:
        return hash((self.name, self.client))

    def find_address(self, record: Record) -> Address:
        """Split a record's URL as the SDK does."""
        tails = tuple(self.methods) if isinstance(record["request_body"], dict) else ()
        return find_address(record, tails, prefix=self.prefix)


def find_http(sdk: Any) -> Any:
    """Return the HTTP library the SDK is built on: httpx or httpx2."""
    base = importlib.import_module(f"{sdk.__name__}._base_client")
    return getattr(base, "httpx2", None) or base.httpx


def send(sdk: Sdk, record: Record, *, is_async: bool, **options: Any) -> Outcome:
    """Send a record's request through `sdk`, answered by its recorded response."""
    address = sdk.find_address(record)
    options = {"base_url": address.base, **options}
    client, transport = _make_client(sdk, is_async=is_async, options=tuple(sorted(options.items())))
    call = lambda: _call(sdk, client, record, address)  # noqa: E731  # sync or async, as its client is
    return ask(transport, record, call, is_async=is_async, is_stream=_is_stream)


def _is_stream(result: Any) -> bool:
    # The SDK's own streams, and what another instrumentation may give in their place.
    is_iterator = hasattr(result, "__next__") or hasattr(result, "__anext__")
    return is_iterator or "stream" in type(result).__name__.lower()


@cache
def _make_client(sdk: Sdk, *, is_async: bool, options: tuple[tuple[str, Any], ...]) -> tuple[Any, Any]:
    module = importlib.import_module(sdk.name)
    http = find_http(module)
    transport = make_transport(http)
    kind = http.AsyncClient if is_async else http.Client
    client_class = getattr(module, sdk.async_client if is_async else sdk.client)
    http_client = kind(transport=transport, trust_env=False)
    return client_class(**{**sdk.options, "max_retries": 0, "http_client": http_client, **dict(options)}), transport


def _call(sdk: Sdk, client: Any, record: Record, address: Address) -> Any:
    body = record["request_body"]
    path = sdk.methods.get(address.path) if record["method"] == "POST" and isinstance(body, dict) else None
    method = _find_method(client, path) if path else None
    return _call_path(client, record, address) if method is None else _call_method(method, body, address)


def _find_method(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name, None)
    return client


def _call_method(method: Any, body: dict[str, Any], address: Address) -> Any:
    known = inspect.signature(method).parameters
    arguments = {name: value for name, value in body.items() if name in known}
    extra = {name: value for name, value in body.items() if name not in known}
    # A request that the SDK would refuse unsent is sent all the same: the recording says what came back.
    missing = {
        name: None for name, kind in known.items() if kind.default is kind.empty and kind.kind == kind.KEYWORD_ONLY
    }
    arguments = {**missing, **arguments, "timeout": 60}
    return method(**arguments, extra_body=extra or None, extra_query=address.query or None)


def _call_path(client: Any, record: Record, address: Address) -> Any:
    """Ask a path by the SDK's methods for any path, which its own methods call as well."""
    body, verb = record["request_body"], record["method"].lower()
    arguments: dict[str, Any] = {"options": {"params": address.query} if address.query else {}}
    form = parse_form(record)
    if form is not None:
        # What the SDK's own upload methods do: multipart by header, fields as body.
        arguments |= {"body": _read_fields(form.fields), "files": form.files}
        arguments["options"]["headers"] = {"Content-Type": "multipart/form-data"}
    elif isinstance(body, str):
        arguments["content"] = body_bytes(record, "request_body")
        arguments["options"]["headers"] = {"Content-Type": "application/octet-stream"}
    elif body is not None:
        arguments["body"] = body
    if record["stream"] and record["status"] < 400:
        streaming = importlib.import_module(f"{type(client).__module__.partition('.')[0]}._streaming")
        is_async = inspect.iscoroutinefunction(client.post)
        stream_class = streaming.AsyncStream if is_async else streaming.Stream
        arguments |= {"stream": True, "stream_cls": stream_class[object]}
    method = getattr(client, verb)
    known = inspect.signature(method).parameters
    if "content" not in inspect.signature(client.post).parameters:
        raise NotDrivenError("this old release gives no body of a path it does not know")
    return method(address.path, cast_to=object, **{name: value for name, value in arguments.items() if name in known})


def _read_fields(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "stream": fields["stream"] in {"true", "True"}} if "stream" in fields else fields
