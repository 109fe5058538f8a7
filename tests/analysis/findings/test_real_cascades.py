"""Replay cascades on real outcomes of the Berkeley leaderboard: an answer that does not parse is the signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from trilemma_analysis.findings.cascade import decide

from tests.analysis.findings.no_effect import ALPHA, MARGIN
from tests.analysis.findings.policies import replay_cascade

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.shared

REPLAYS = 40
DEAR = "gpt-4-0125-preview"  # the best of them
CHEAP = (
    "claude-3-haiku-20240307", "claude-instant-1.2", "mistral-medium-2312", "gpt-3.5-turbo-0125-FC",
    "NousResearch/Hermes-2-Pro-Llama-3-8B", "command-r-plus-FC",
)  # fmt: skip
COLUMNS = ["snapshot", "model_key", "category", "test_id", "correct", "decoded", "failure", "cost_usd"]


class Graded(NamedTuple):
    """Per test (rows) and model (columns, the dear one first): success, cost, and whether the answer did not parse."""

    won: NDArray[np.bool_]
    cost: NDArray[np.float64]
    fires: NDArray[np.bool_]


class Score(NamedTuple):
    """Shares of samples: with a safe cascade that loses the margin, with any, and with its cost in the interval."""

    wrong: float
    advised: float
    covered: float


def read_tests(shared: Path) -> Graded:
    """Read one snapshot without the tests whose right answer is no call."""
    table = pq.read_table(shared / "data" / "bfcl" / "requests_dev.parquet", columns=COLUMNS)
    table = table.filter(pc.equal(table["snapshot"].cast("string"), "2024-07-25"))
    table = table.filter(pc.field("correct").is_valid() & (pc.field("category").cast("string") != "relevance"))
    sides = [
        table.filter(pc.equal(table["model_key"], name)).sort_by([("category", "ascending"), ("test_id", "ascending")])
        for name in (DEAR, *CHEAP)
    ]
    assert all(side["test_id"].equals(sides[0]["test_id"]) for side in sides)
    costs = [pc.fill_null(side["cost_usd"], pc.mean(side["cost_usd"])).to_numpy() for side in sides]
    won, decoded, whole = (
        np.stack([column.to_numpy(zero_copy_only=False).astype(bool) for column in columns], axis=1)
        for columns in (
            [side["correct"] for side in sides],
            [side["decoded"] for side in sides],
            [pc.is_null(side["failure"]) for side in sides],
        )
    )
    return Graded(won, np.stack(costs, axis=1), ~decoded | ~whole)


def replay(tests: Graded, n: int) -> Score:
    """Sample n tests again and again, decide, and compare with the truth of all tests."""
    rng = np.random.default_rng(n)
    after = np.where(tests.fires, tests.won[:, [0]], tests.won)
    loss = tests.won[:, 0].mean() - after.mean(axis=0)
    ratio = (tests.cost + np.where(tests.fires, tests.cost[:, [0]], 0.0)).mean(axis=0) / tests.cost[:, 0].mean()
    hits = []
    for _ in range(REPLAYS):
        drawn = rng.integers(0, tests.won.shape[0], n)
        won, cost, fires = (side[drawn] for side in tests)
        cascades = [
            replay_cascade((won[:, 0], won[:, i]), (cost[:, 0], cost[:, i]), fires[:, i], CHEAP[i - 1])
            for i in range(1, len(CHEAP) + 1)
        ]
        best, _, safe = decide(cascades, ALPHA, 1.0)
        if best is None or not safe:
            hits.append((False, False, True))
            continue
        i = CHEAP.index(best.evaluator) + 1
        stated = best.routed.cost_ratio
        covered = stated is not None and (stated.low or 0.0) <= ratio[i] <= (stated.high or 0.0)
        hits.append((loss[i] >= MARGIN, True, covered))
    wrong, advised, _ = np.mean(hits, axis=0)
    covered_share = np.mean([hit[2] for hit in hits if hit[1]]) if advised else 1.0
    return Score(float(wrong), float(advised), float(covered_share))


@pytest.mark.parametrize("n", [50, 200, 1000])
def test_cascade_is_rarely_wrong(shared: Path, n: int) -> None:
    """Of samples of the leaderboard, at most 5 % (and chance) advise a cascade that truly loses the margin."""
    found = replay(read_tests(shared), n)
    print(f"n = {n}: {found}")
    assert found.wrong <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / REPLAYS)
    assert n < 1000 or found.advised > 0.5
    assert n < 1000 or found.covered >= 0.85
