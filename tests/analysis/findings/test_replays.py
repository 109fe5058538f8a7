"""Replay the gate on real outcomes: many samples of the Berkeley leaderboard, whose truth is its 1,700 tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from trilemma_analysis.stats.noninferiority import GateVerdict
from trilemma_analysis.stats.paired import mcnemar_exact

from tests.analysis.findings.no_effect import decide_on_outcomes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.shared

REPLAYS = 200
MARGIN = 0.05
COLUMNS = ["snapshot", "model_key", "category", "test_id", "correct", "cost_usd"]


class Leaderboard(NamedTuple):
    """Outcomes of all tests under all priced models, shape (tests, models), and each model's mean cost."""

    outcomes: NDArray[np.bool_]
    costs: NDArray[np.float64]


class Score(NamedTuple):
    """Shares of samples: with a safe candidate that is worse by the margin, with any safe candidate, naively wrong."""

    wrong: float
    advised: float
    naively_wrong: float


@pytest.mark.parametrize("n", [50, 100, 200])
def test_gate_is_rarely_wrong(shared: Path, n: int) -> None:
    """Of samples of the whole leaderboard, at most 5 % give a safe candidate that is worse by the margin."""
    found = replay(read_leaderboard(shared), n)
    print(f"n = {n}: {found}")
    assert found.wrong <= 0.05
    assert found.naively_wrong >= found.wrong


def test_naive_rule_is_often_wrong(shared: Path) -> None:
    """At 50 tests, the cheapest model that is not significantly worse is worse by the margin in a third of samples."""
    assert replay(read_leaderboard(shared), 50).naively_wrong > 0.3


def test_gate_advises_where_models_are_close(shared: Path) -> None:
    """On the simple tests some cheap models are as good: 400 tests show it in most samples, and never wrongly."""
    found = replay(read_leaderboard(shared, "simple"), 400)
    assert found.advised > 0.5
    assert found.wrong <= 0.05


def read_leaderboard(shared: Path, category: str | None = None) -> Leaderboard:
    """Read one snapshot, all its categories or one."""
    table = pq.read_table(shared / "data" / "bfcl" / "requests_dev.parquet", columns=COLUMNS)
    table = table.filter(pc.equal(table["snapshot"].cast("string"), "2024-07-25")).filter(
        pc.field("correct").is_valid()
    )
    if category is not None:
        table = table.filter(pc.equal(table["category"], category))
    models, tests = (table[name].to_numpy(zero_copy_only=False).astype(str) for name in ("model_key", "test_id"))
    keys = np.char.add(table["category"].to_numpy(zero_copy_only=False).astype(str), tests)
    names, column = np.unique(models, return_inverse=True)
    inputs, row = np.unique(keys, return_inverse=True)
    outcomes = np.zeros((inputs.size, names.size), bool)
    outcomes[row, column] = table["correct"].to_numpy(zero_copy_only=False).astype(bool)
    price = table["cost_usd"].to_numpy(zero_copy_only=False)
    priced = np.array([bool(np.isfinite(price[column == i]).any()) for i in range(names.size)])
    costs = np.array([np.nanmean(price[column == i]) for i in np.flatnonzero(priced)])
    assert outcomes.shape[0] >= 400
    assert costs.size > 30
    return Leaderboard(outcomes[:, priced], costs)


def replay(board: Leaderboard, n: int) -> Score:
    """Sample n tests again and again, decide, and compare with the truth of all tests."""
    truth = board.outcomes.mean(axis=0)
    rng = np.random.default_rng(n)
    hits = []
    for _ in range(REPLAYS):
        sample = board.outcomes[rng.integers(0, board.outcomes.shape[0], n)]
        baseline, verdicts = decide_on_outcomes(sample, board.costs)
        safe = [i for i, verdict in verdicts if verdict is GateVerdict.SAFE]
        least = truth[baseline] - MARGIN
        naive = truth[find_naively(sample, board.costs, baseline)] <= least
        hits.append((any(truth[i] <= least for i in safe), bool(safe), naive))
    return Score(*(float(share) for share in np.mean(hits, axis=0)))


def find_naively(sample: NDArray[np.bool_], costs: NDArray[np.float64], baseline: int) -> int:
    """Return the cheapest model that is not significantly worse than the baseline (McNemar, 5 %)."""
    ours = sample[:, [baseline]]
    p = 2 * mcnemar_exact((sample & ~ours).sum(axis=0), (ours & ~sample).sum(axis=0))
    return int(np.argmin(np.where(p > 0.05, costs, np.inf)))
