"""Drive the anthropic SDK: Anthropic itself, gateways that speak its format, and Claude on Vertex AI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.wire_score.drivers import stainless

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record
    from tests.wire_score.outcome import Outcome

SDK = "anthropic"

_ANTHROPIC = stainless.Sdk(
    "anthropic",
    "Anthropic",
    "AsyncAnthropic",
    {
        "/v1/messages": "messages.create",
        "/v1/messages/count_tokens": "messages.count_tokens",
        "/v1/complete": "completions.create",
    },
    prefix="",
)
_VERTEX = stainless.Sdk(
    "anthropic", "AnthropicVertex", "AsyncAnthropicVertex", {"/v1/messages": "messages.create"}, {"access_token": "t"}
)
_ON_VERTEX = re.compile(
    r"(?P<base>.*)/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/publishers/anthropic/models/(?P<model>[^/:]+)"
)


def fits(record: Record) -> bool:
    """Tell whether a record is of Anthropic's API, whoever serves it."""
    url = urlsplit(record["url"])
    endpoint = str(record["endpoint"])
    in_its_format = endpoint.startswith("anthropic.") and "bedrock" not in url.netloc
    return in_its_format or (url.netloc == "api.anthropic.com" and not endpoint.startswith("openai."))


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record."""
    url = urlsplit(record["url"])
    on_vertex = _ON_VERTEX.match(url.path)
    if on_vertex is None or not isinstance(record["request_body"], dict):
        return stainless.send(_ANTHROPIC, record, is_async=is_async)
    body = {name: value for name, value in record["request_body"].items() if name != "anthropic_version"}
    options = {
        "base_url": f"{url.scheme}://{url.netloc}{on_vertex['base']}",
        "project_id": on_vertex["project"],
        "region": on_vertex["region"],
    }
    body = {"model": on_vertex["model"], **body}
    as_message = {**record, "request_body": body, "url": f"{url.scheme}://{url.netloc}/v1/messages"}
    return stainless.send(_VERTEX, as_message, is_async=is_async, **options)
