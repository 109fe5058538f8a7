"""Hold spans to what providers really said: thousands of recorded exchanges through the real SDKs."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from trilemma.providers import VERSIONS

from tests.wire_score.processes import score_file
from tests.wire_score.report import render, sum_up

if TYPE_CHECKING:
    from pathlib import Path

# What is compared at least: a filter that lets nothing through must not pass for success.
LEAST = {
    "spans": 7334,
    "http_status": 7334,
    "error_type": 220,
    "request_model": 6800,
    "response_model": 6100,
    "response_id": 6100,
    "input_tokens": 6400,
    "output_tokens": 6240,
    "cache_read_tokens": 4600,
    "cache_write_tokens": 1680,
    "reasoning_tokens": 3700,
    "finish_reasons": 6390,
    "tool_call_names": 1560,
    "tool_call_ids": 1310,
    "stream_complete": 1620,
    "embedding_dimension": 180,
    "cost": 5900,
}
IS_NEWEST = version("openai") == VERSIONS["openai"][1]
# What openai 1.0.0 and groq 0.4.0 themselves do otherwise, and so their users and our spans see.
BEYOND_OLDEST = {
    ("9a175d06997c4dfe", "error_type"),  # it drops events with a name, such as this stream's `event: error`
    ("8a6a2d67775de901", "error_type"),  # it refuses base64 embeddings where numpy is not installed
}
# What mistralai 1.1.0 cannot read, so that its user has an exception instead: thoughts in a stream, a stream's refusal.
UNREAD_BY_OLDEST = {"1e8e1579a7947b40", "412a716053aa9f98", "62f5d73fe18edd03", "de13927b9a7d315e", "e47a5db9f0cb97e6"}


@pytest.fixture(scope="module")
def score(shared: Path) -> dict[str, Any]:
    """Score every recording that an installed SDK can send."""
    scored, seconds = score_file(shared / "data/wire/dev.jsonl.gz")
    return sum_up(scored, seconds)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(not IS_NEWEST, reason="the oldest SDKs lack most endpoints: test_recorded_by_the_oldest")
def test_recorded(score: dict[str, Any]) -> None:
    """Every recorded exchange is driven, and its span right in every field, or it is known why the corpus is wrong."""
    assert not score["misses"], render(score)
    assert score["records"] == LEAST["spans"]
    compared = {name: score["by_field"][name]["compared"] for name in LEAST}
    assert all(compared[name] >= least for name, least in LEAST.items()), compared
    assert len(score["explained"]) < 20


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(IS_NEWEST, reason="the newest SDKs have every endpoint: test_recorded")
def test_recorded_by_the_oldest(score: dict[str, Any]) -> None:
    """What the oldest SDKs can send gives spans as right as those of the newest."""
    misses = [
        miss
        for miss in score["misses"]
        if miss["driver"] and miss["id"] not in UNREAD_BY_OLDEST and (miss["id"], miss["field"]) not in BEYOND_OLDEST
    ]
    assert not misses, render({**score, "misses": misses})
    assert score["total"]["right"] > 55_000
