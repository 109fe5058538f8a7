"""Hold spans to what providers really said: thousands of recorded exchanges through the real SDKs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

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


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")  # of the recordings' old models
@pytest.mark.parametrize("endpoint", corpus.METHODS)
def test_recorded(traced: Traced, shared: Path, endpoint: str) -> None:
    """Every recorded exchange has one span, exact in tokens, models, ids, finish reasons, tool calls and error type."""
    if not corpus.has_method(endpoint):
        pytest.skip(f"the installed SDK has no {corpus.METHODS[endpoint][1]}")
    wrong, seen = {}, Counter[str]()
    for record in corpus.load_records(shared, endpoint):
        corpus.send(shared, record)
        [span] = traced.spans()
        traced.exporter.clear()
        seen["records"] += 1
        seen.update(name for name, value in corpus.expect(record).items() if value is not None)
        if differences := corpus.compare(record, span):
            wrong[record["id"]] = differences
    print(f"{endpoint}: {dict(seen)}")
    assert not wrong
    assert seen["records"] >= LEAST[endpoint]
    assert seen["input_tokens"] > 0.6 * seen["records"]
