"""Hold spans to what providers really said: thousands of recorded exchanges through the real SDKs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import openai
import pytest

from tests.instrumentation.providers import corpus

if TYPE_CHECKING:
    from pathlib import Path

    from tests.instrumentation.providers.conftest import Traced

# At least so many records of each kind there are: a filter that lets nothing through must not pass for success.
LEAST = {
    "openai.chat": 1571,
    "openai.responses": 914,
    "openai.embeddings": 87,
    "openai.completions": 90,
    "anthropic.messages": 1173,
}
# Of compatible servers: 37 of them, from Azure to a llama.cpp on localhost.
LEAST_COMPATIBLE = {"openai.chat": 1180, "openai.responses": 140, "openai.embeddings": 40}
# What a recording of a compatible server cannot say.
BEYOND = {
    "azure_openai": "request_model",  # the deployment is in the URL, where the recorder put it, not in the body
    "perplexity": "response_id",  # the recorder replaced the ids, differently in body and expectation
}
# What openai 1.0.0 itself does otherwise, and so its user and our span see.
BEYOND_OLDEST = {
    "9a175d06997c4dfe": "error_type",  # it drops events with a name, such as this stream's `event: error`
    "8a6a2d67775de901": "error_type",  # it refuses base64 embeddings where numpy is not installed
}


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")  # of the recordings' old models
@pytest.mark.parametrize("endpoint", corpus.METHODS)
def test_recorded(traced: Traced, shared: Path, endpoint: str) -> None:
    """Every recorded exchange has one span, exact in tokens, models, ids, finish reasons, tool calls and error type."""
    replay(traced, shared, endpoint, LEAST[endpoint])


@pytest.mark.shared
@pytest.mark.parametrize("endpoint", LEAST_COMPATIBLE)
def test_recorded_of_compatible_servers(traced: Traced, shared: Path, endpoint: str) -> None:
    """So has every recorded exchange with a server that speaks OpenAI's API."""
    replay(traced, shared, endpoint, LEAST_COMPATIBLE[endpoint], compatible=True)


def replay(traced: Traced, shared: Path, endpoint: str, least: int, *, compatible: bool = False) -> None:
    """Send every record of an endpoint and hold its span to what the provider said."""
    if not corpus.has_method(endpoint):
        pytest.skip(f"the installed SDK has no {corpus.METHODS[endpoint][1]}")
    wrong, seen = {}, Counter[str]()
    for record in corpus.load_records(shared, endpoint, compatible=compatible):
        corpus.send(shared, record)
        [span] = traced.spans()
        traced.exporter.clear()
        seen["records"] += 1
        seen.update(name for name, value in corpus.expect(record).items() if value is not None)
        differences = corpus.compare(record, span)
        differences.pop(BEYOND.get(record["provider"], ""), None)
        if openai.__version__ == "1.0.0":
            differences.pop(BEYOND_OLDEST.get(record["id"], ""), None)
        if differences:
            wrong[record["id"]] = differences
    print(f"{endpoint}: {dict(seen)}")
    assert not wrong
    assert seen["records"] >= least
    assert seen["input_tokens"] > 0.6 * seen["records"]
