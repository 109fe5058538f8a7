"""Hold each method to its claim: what it says happens 95 % (or at most 5 %) of the time does, on planted truth."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest

from tests.analysis.stats.calibrate import TABLE, promise
from tests.analysis.stats.scenarios import SCENARIOS, Scenario

NOISE = 3.0  # standard errors of the replays that a true 95 % (or 5 %) may stray


@pytest.mark.parametrize(
    ("scenario", "n"),
    [
        pytest.param(scenario, n, id=f"{scenario.method}: {scenario.truth} [{n}]")
        for scenario in SCENARIOS
        for n in scenario.sizes
    ],
)
def test_method_keeps_its_promise(scenario: Scenario, n: int) -> None:
    """Over many replays of a planted truth, a method covers it, or claims falsely, as often as it says."""
    rng = np.random.default_rng(zlib.crc32(f"{scenario.method}{scenario.truth}{n}".encode()))
    share = float(scenario.run(rng, n, scenario.quick).mean())
    error = NOISE * np.sqrt(0.05 * 0.95 / scenario.quick)
    assert scenario.least - error <= share <= scenario.most + error


def test_committed_table_has_every_scenario() -> None:
    """The committed table has a line for each scenario with what it promises, and no figure outside the promise."""
    text = TABLE.read_text(encoding="utf-8")
    missing = [
        one.truth for one in SCENARIOS if f"| {one.method} | {one.truth} | {one.what} | {promise(one)} |" not in text
    ]
    assert missing == []
    assert not re.search(r"\| \*\*[\d.]+ %", text)
