"""Replay the report on samples of logs whose truth is known: it rarely errs, and its intervals hold what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from trilemma_analysis.stats.noninferiority import GateVerdict

from tests.analysis.findings.no_effect import decide_on_outcomes
from tests.analysis.findings.replays import find_naively, replay
from tests.analysis.findings.sampled import MARGIN, read_bfcl, read_routellm, read_vllm

if TYPE_CHECKING:
    from pathlib import Path

    from tests.analysis.findings.sampled import FullLog

pytestmark = pytest.mark.shared

REPLAYS = 200
FEW = 30  # of whole reports, with all their intervals


@pytest.mark.parametrize("n", [50, 100, 200])
def test_gate_is_rarely_wrong(shared: Path, n: int) -> None:
    """Of samples of the whole leaderboard, at most 5 % give a safe candidate that is worse by the margin."""
    wrong, naively_wrong = decide_on_samples(read_bfcl(shared), n)
    assert wrong <= 0.05
    assert naively_wrong >= wrong


def test_naive_rule_is_often_wrong(shared: Path) -> None:
    """At 50 tests, the cheapest model that is not significantly worse is worse by the margin in a third of samples."""
    assert decide_on_samples(read_bfcl(shared), 50)[1] > 0.3


def decide_on_samples(log: FullLog, n: int) -> tuple[float, float]:
    """Return shares of samples in which the gate, and the naive rule, prefer a model that is worse by the margin."""
    rng = np.random.default_rng(n)
    costs = np.nanmean(log.cost, axis=0)
    errors = []
    for _ in range(REPLAYS):
        sample = log.take(rng.integers(0, log.won.shape[0], n))
        baseline, verdicts = decide_on_outcomes(sample.won, costs)
        safe = [index for index, verdict in verdicts if verdict is GateVerdict.SAFE]
        tried = (safe, [find_naively(sample, baseline)])
        errors.append([any(log.difference(baseline, index) <= -MARGIN for index in some) for some in tried])
    wrong, naively_wrong = np.mean(errors, axis=0)
    return float(wrong), float(naively_wrong)


@pytest.mark.parametrize(("category", "n"), [("simple", 200), (None, 500)])
def test_advice_keeps_its_promise(shared: Path, category: str | None, n: int) -> None:
    """Most samples give advice; its saving, success and cost are in the stated intervals nine times of ten, or more."""
    found = replay(read_bfcl(shared, category), n, FEW)
    assert found.wrong <= 0.05
    assert found.advised > 0.5
    for side in ("saving", "quality", "cost", "latency"):
        share, number = found.coverage(side, advised=True)
        assert number > FEW / 2
        assert share >= 0.9 - 0.05, (side, share, number)  # one standard error of so few


def test_what_is_not_advised_keeps_it_too(shared: Path) -> None:
    """A weak model at a tenth of the price is never advised, and what is said of it holds as well."""
    for task in ("gsm8k", "mmlu"):
        found = replay(read_routellm(shared, task), 100, FEW)
        assert (found.wrong, found.advised) == (0, 0)
        share, number = found.coverage("quality", advised=False)
        assert number >= FEW / 2
        assert share >= 0.9 - 0.05


def test_versions_of_a_stack(shared: Path) -> None:
    """Of versions of one stack, whose success is alike, none is called safe wrongly, and latencies hold."""
    found = replay(read_vllm(shared), 200, FEW)
    share, number = found.coverage("latency", advised=False)
    assert found.wrong <= 0.05
    assert number == 0 or share >= 0.9 - 0.05
