"""Drive the openai SDK: OpenAI, whoever speaks its format, and any path of any host that no other SDK here asks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.wire_score.corpus import find_address
from tests.wire_score.drivers import stainless

if TYPE_CHECKING:
    from tests.wire_score.corpus import Record
    from tests.wire_score.outcome import Outcome

SDK = "openai"

METHODS = {
    "/chat/completions": "chat.completions.create",
    "/responses": "responses.create",
    "/embeddings": "embeddings.create",
    "/completions": "completions.create",
    "/moderations": "moderations.create",
    "/images/generations": "images.generate",
    "/audio/speech": "audio.speech.create",
}
_OPENAI = stainless.Sdk("openai", "OpenAI", "AsyncOpenAI", METHODS)
_AZURE = stainless.Sdk("openai", "AzureOpenAI", "AsyncAzureOpenAI", METHODS)
_DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)")


def fits(record: Record) -> bool:
    """Say yes: the client asks any path of any host. Ollama's own /api/embeddings only looks like one of it."""
    return bool(record["url"]) and not str(record["endpoint"]).startswith("ollama.")


def send(record: Record, *, is_async: bool) -> Outcome:
    """Send a record; to a deployment on Azure as the SDK's client for Azure does, which names it in the URL."""
    url = urlsplit(record["url"])
    deployment = _DEPLOYMENT.search(url.path)
    if deployment is None or not isinstance(record["request_body"], dict):
        return stainless.send(_OPENAI, record, is_async=is_async)
    version = find_address(record).query.get("api-version") or "2024-10-21"
    body = {**record["request_body"], "model": record["request_body"].get("model") or deployment[1]}
    address = {"base_url": None, "azure_endpoint": f"{url.scheme}://{url.netloc}", "api_version": version}
    return stainless.send(_AZURE, {**record, "request_body": body}, is_async=is_async, **address)
