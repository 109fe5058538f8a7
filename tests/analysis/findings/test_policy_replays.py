"""Replay off-policy values on real outcomes: logs in which chance chose one model for each input of a full log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.analysis.findings.replays_of_policies import DESIGNS, LEAST, list_policy_logs, replay_policy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.shared

REPLAYS = 300
NOISE = 0.03  # two standard errors of a share near 93 % in so many replays


@pytest.mark.parametrize("n", [100, 500])
@pytest.mark.parametrize("design", sorted(DESIGNS))
def test_values_hold_or_are_refused(shared: Path, design: str, n: int) -> None:
    """However skewed the logged choice, the interval of a policy's value holds it 93 % of the time, or is refused."""
    for log in list_policy_logs(shared):
        for method, score in replay_policy(log, DESIGNS[design], n, REPLAYS).items():
            assert score.given < LEAST or score.held >= 0.93 - NOISE, (log.name, method, score)


def test_runs_that_match_mislead(shared: Path) -> None:
    """Where a router sends hard inputs to a model, the mean of its runs misses its value most of the time."""
    _, mmlu, _ = list_policy_logs(shared)
    scores = replay_policy(mmlu, DESIGNS["by segment, 95 % to 5 %"], 1000, REPLAYS)
    assert scores["SNIPS"].naively_held < 0.3
    assert scores["SNIPS"].refused < 0.05


def test_too_few_matching_runs_are_refused(shared: Path) -> None:
    """Of 100 runs five match: no value is stated."""
    for log in list_policy_logs(shared):
        assert all(score.refused == 1 for score in replay_policy(log, DESIGNS["one in twenty"], 100, 50).values())
