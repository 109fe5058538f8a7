"""Drive boto3, and aiobotocore where it is: any operation of Bedrock's and SageMaker's runtimes, found by its URL."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from tests.wire_score.corpus import body_bytes, reply_headers
from tests.wire_score.outcome import NotDrivenError, Outcome, ask, run_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.wire_score.corpus import Record

SDK = "botocore"

_SERVICES = {
    "bedrock-runtime.": "bedrock-runtime",
    "bedrock-agent-runtime.": "bedrock-agent-runtime",
    "runtime.sagemaker.": "sagemaker-runtime",
}
_ACCOUNT = {"region_name": "us-east-1", "aws_access_key_id": "k", "aws_secret_access_key": "k"}
_CLIENT_PARTS = re.compile(r"^(?P<base>.*?)(?P<path>/(?:model|guardrail|agents|knowledgebases|retrieve|endpoints).*)$")


def fits(record: Record) -> bool:
    """Tell whether one of these services was asked, or a gateway for Bedrock's converse and invoke."""
    service, parts = _find_service(record), _CLIENT_PARTS.match(urlsplit(record["url"]).path)
    if service is None or parts is None or service not in _list_services():
        return False
    client, _ = _make(service, "https://localhost")  # any, for its model of the service
    known = _list_operations(client)
    return any(verb == record["method"] and pattern.fullmatch(parts["path"]) for pattern, verb, _ in known)


@cache
def _list_services() -> list[str]:
    import boto3

    found: list[str] = boto3.Session().get_available_services()
    return found


def _find_service(record: Record) -> str | None:
    host = urlsplit(record["url"]).netloc
    named = next((service for start, service in _SERVICES.items() if host.startswith(start)), None)
    by_gateway = str(record["endpoint"]).startswith(("bedrock.converse", "bedrock.invoke"))
    return named or ("bedrock-runtime" if by_gateway else None)


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record; aiobotocore needs another botocore than the newest, so that it is not everywhere."""
    url = urlsplit(record["url"])
    parts = _CLIENT_PARTS.match(url.path)
    service = _find_service(record)
    if parts is None or service is None:
        raise NotDrivenError("no path of a service here")
    endpoint_url = f"{url.scheme}://{url.netloc}{parts['base']}"
    client, transport = _make(service, endpoint_url)
    operation, in_path = _find_operation(client, record["method"], parts["path"])
    arguments = {**_read_body(operation.shape, record), **in_path}
    if is_async and find_spec("aiobotocore"):
        client, transport = _make_async(service, endpoint_url)
        method = getattr(client, operation.method)
        return ask(transport, record, lambda: _read_async(method(**arguments)), is_async=True)
    method = getattr(client, operation.method)
    return ask(transport, record, lambda: _read(method(**arguments)), is_async=False)


class _Operation(NamedTuple):
    method: str
    shape: Any


def _find_operation(client: Any, verb: str, path: str) -> tuple[_Operation, dict[str, str]]:
    for pattern, http_method, operation in _list_operations(client):
        if http_method == verb and (found := pattern.fullmatch(path)):
            return operation, {name: unquote(value) for name, value in found.groupdict().items()}
    raise NotDrivenError(f"no operation has the path {path}")


@cache
def _list_operations(client: Any) -> list[tuple[re.Pattern[str], str, _Operation]]:
    model = client.meta.service_model
    methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        uri = re.sub(r"\\\{(\w+)(?:\\\+)?\\\}", r"(?P<\1>[^/]+)", re.escape(operation.http["requestUri"].rstrip("/")))
        entry = _Operation(methods[name], operation.input_shape)
        found.append((re.compile(uri + "/?"), operation.http["method"], entry))
    return found


def _read_body(shape: Any, record: Record) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    if payload is not None and shape.members[payload].type_name == "blob":
        return {payload: body_bytes(record, "request_body")}
    body = record["request_body"]
    return _shape(shape, body) if isinstance(body, dict) else {}


def _shape(shape: Any, value: Any) -> Any:
    """Return JSON as the client takes it: what it does not know left out, base64 as bytes."""
    if shape.type_name == "structure" and isinstance(value, dict) and not getattr(shape, "is_document_type", False):
        known = {key: _shape(shape.members[key], each) for key, each in value.items() if key in shape.members}
        return {key: each for key, each in known.items() if each is not None}
    if shape.type_name == "list" and isinstance(value, list):
        return [_shape(shape.member, each) for each in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _shape(shape.value, each) for key, each in value.items()}
    if shape.type_name == "blob" and isinstance(value, str):
        return base64.b64decode(value + "=" * (-len(value) % 4))
    return value


def _read(result: dict[str, Any]) -> Any:
    """Read a streamed body to its end, as a user does; of an event stream, return its events."""
    for name, value in result.items():
        if type(value).__name__ == "EventStream":
            return _events(value)
        if type(value).__name__ == "StreamingBody":
            result[name] = value.read()
    result.pop("ResponseMetadata", None)
    return result


def _events(stream: Any) -> Iterator[Any]:
    yield from stream


async def _read_async(called: Any) -> Any:
    """Do the same, of aiobotocore."""
    result = await called
    for name, value in result.items():
        if type(value).__name__ == "AioEventStream":
            return _events_async(value)
        if type(value).__name__ == "StreamingBody":
            result[name] = await value.read()
    result.pop("ResponseMetadata", None)
    return result


async def _events_async(stream: Any) -> AsyncIterator[Any]:
    async for event in stream:
        yield event


class _Transport:
    def __init__(self) -> None:
        self.record: Record = {}
        self.asked = 0

    def answer(self, request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse
        from urllib3.response import HTTPResponse

        self.asked += 1
        headers, status = reply_headers(self.record), self.record["status"]
        body = io.BytesIO(body_bytes(self.record))
        raw = HTTPResponse(body=body, headers=headers, status=status, preload_content=False)
        return AWSResponse(request.url, status, raw.headers, raw)


class _AsyncTransport(_Transport):
    async def answer(self, request: Any, **_: Any) -> Any:
        from aiobotocore.awsrequest import AioAWSResponse

        self.asked += 1
        headers, status = reply_headers(self.record), self.record["status"]
        return AioAWSResponse(request.url, status, headers, _Raw(body_bytes(self.record), headers))


class _Raw:
    """Stand for aiohttp's response: a body that is there."""

    def __init__(self, body: bytes, headers: dict[str, str]) -> None:
        from aiohttp.base_protocol import BaseProtocol
        from aiohttp.streams import StreamReader

        loop = asyncio.get_running_loop()
        self.url = ""
        self.raw_headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.content = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
        self.content.feed_data(body)
        self.content.feed_eof()

    async def read(self) -> bytes:
        return await self.content.read()

    def close(self) -> None:
        pass


@cache
def _make_async(service: str, endpoint_url: str) -> tuple[Any, _AsyncTransport]:
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session

    config = AioConfig(retries={"total_max_attempts": 1}, parameter_validation=False)
    made = get_session().create_client(service, endpoint_url=endpoint_url, config=config, **_ACCOUNT)
    client = run_async(made.__aenter__())
    transport = _AsyncTransport()
    client.meta.events.register("before-send.*.*", transport.answer)
    return client, transport


@cache
def _make(service: str, endpoint_url: str) -> tuple[Any, _Transport]:
    import boto3
    from botocore.config import Config

    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    client = boto3.client(service, endpoint_url=endpoint_url, config=config, **_ACCOUNT)
    transport = _Transport()
    client.meta.events.register("before-send.*.*", transport.answer)
    return client, transport
