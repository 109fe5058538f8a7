"""Hold our prices to litellm's table: they agree within rounding, but for listed differences, each with its reason."""

from __future__ import annotations

import json
import os

import pytest

from tests.instrumentation.price.litellm_prices import Difference, compare, explain, find_table, fits, load_reasons

HOW = "litellm's table is not here: `make test` installs it (.venv-frameworks-openai2), or pip install litellm"


@pytest.fixture(scope="module")
def compared() -> list[tuple[bool, Difference]]:
    """Compare every rate that both tables have."""
    path = find_table()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(HOW)
        pytest.skip(HOW)
    return list(compare(json.loads(path.read_text(encoding="utf-8"))))


def test_agrees_but_for_listed_differences(compared: list[tuple[bool, Difference]]) -> None:
    """No rate differs for an unknown reason: a new difference is looked at, and listed or mended."""
    unexplained = [found for agrees, found in compared if not agrees and explain(found) is None]
    assert not unexplained
    assert sum(agrees for agrees, _ in compared) > 3_500


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gcp.gemini", "groq", "x_ai", "azure.ai.openai"])
def test_providers_agree(compared: list[tuple[bool, Difference]], provider: str) -> None:
    """Of the rates of a provider's own API, six in seven and more are the same in both tables."""
    results = [agrees for agrees, found in compared if found.provider == provider]
    assert len(results) >= 20
    assert sum(results) / len(results) > 6 / 7


def test_no_reason_is_idle(compared: list[tuple[bool, Difference]]) -> None:
    """A listed difference that is gone is taken off the list."""
    found = [difference for agrees, difference in compared if not agrees]
    assert not [reason for reason in load_reasons() if not any(fits(reason, each) for each in found)]
