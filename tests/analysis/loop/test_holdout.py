"""Hold the comparison beside what went on as before: its sizes, and its error however often one looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.loop.holdout import cut_blocks, measure_blocks
from trilemma_analysis.stats.sequences import asymptotic_reach, betting_sequence, units_needed

if TYPE_CHECKING:
    from numpy.typing import NDArray


def slice_runs(
    is_after: NDArray[np.bool_], won: NDArray[np.float64], cost: NDArray[np.float64] | float = 0.01, per_slice: int = 1
) -> list[dict[str, Any]]:
    """Return rows as the question gives them, of runs in the order of time, no input given twice."""
    amounts = np.broadcast_to(cost, won.shape)
    rows = []
    for start in range(0, won.size, per_slice):
        part = slice(start, start + per_slice)
        row: dict[str, Any] = {"slice": start // per_slice}
        for key, chosen in (("after", is_after[part]), ("before", ~is_after[part])):
            row[f"{key}_runs"] = int(chosen.sum())
            for name, values in (("outcome", won[part] * 1e6), ("cost", amounts[part] * 1e12)):
                row[f"{name}_{key}_n"], row[f"{name}_{key}"] = int(chosen.sum()), float(values[chosen].sum())
                row[f"{name}_pairs_n"], row[f"{name}_pairs_{key}"] = 0, 0.0
        rows.append(row)
    return rows


@pytest.mark.parametrize("per_slice", [1, 40])
@pytest.mark.parametrize("beside", [0.1, 0.5])
def test_no_bias_and_true_size(per_slice: int, beside: float) -> None:
    """A tenth or half of the traffic beside it, thin or thick slices: the true difference and ratio are inside."""
    rng = np.random.default_rng(3)
    n = 20_000
    is_after = rng.random(n) >= beside
    won = (rng.random(n) < np.where(is_after, 0.82, 0.9)).astype(float)
    cost = np.where(is_after, 0.002, 0.01) * rng.lognormal(0, 0.4, n)
    rows = slice_runs(is_after, won, cost, per_slice)
    quality = measure_blocks("quality", cut_blocks(rows, "quality"), 0.95)
    ratio = measure_blocks("cost", cut_blocks(rows, "cost"), 0.95)
    assert (quality.low or 0) <= -0.08 <= (quality.high or 0) < -0.03
    assert (ratio.low or 0) <= 0.2 <= (ratio.high or 0) < 0.25


def test_rollout_over_time_is_no_bias() -> None:
    """Where the change is rolled out while success rises for all, the comparison stays at no difference."""
    rng = np.random.default_rng(5)
    n = 12_000
    at = np.arange(n) / n
    is_after = rng.random(n) < at
    won = (rng.random(n) < 0.5 + 0.4 * at).astype(float)
    naive = won[is_after].mean() - won[~is_after].mean()
    found = measure_blocks("quality", cut_blocks(slice_runs(is_after, won), "quality"), 0.95)
    assert naive > 0.1
    assert (found.low or 0) <= 0 <= (found.high or 0)
    assert abs(found.value or 1) < 0.04


def test_error_however_often_one_looks() -> None:
    """At a loss of just the margin, neither "ruled out" nor "surely more" is ever said in more than 5 % of rollouts."""
    rng = np.random.default_rng(7)
    replays, n, margin = 120, 800, 0.05
    ruled_out, surely_more = 0, 0
    for _ in range(replays):
        is_after = rng.random(n) < 0.7
        base = 0.85 + 0.1 * np.sin(np.arange(n) / 50)
        won = (rng.random(n) < np.where(is_after, base - margin, base)).astype(float)
        ends = betting_sequence(cut_blocks(slice_runs(is_after, won), "quality").difference, -1, 1)
        ruled_out += bool((ends.low > -margin).any())
        surely_more += bool((ends.high < -margin).any())
    assert (ruled_out + surely_more) / replays <= 0.05


def test_pairs_are_used_where_inputs_are_shared() -> None:
    """Inputs that both sides had are compared one by one, which takes their difficulty out."""
    rng = np.random.default_rng(9)
    hard = rng.random(400) < 0.5
    rows = []
    for at, is_hard in enumerate(hard):
        row: dict[str, Any] = {"slice": at, "after_runs": 1, "before_runs": 1}
        for name in ("outcome", "cost"):
            value = 0.0 if is_hard else 1e6
            row |= {f"{name}_{key}_n": 1 for key in ("after", "before", "pairs")}
            row |= {f"{name}_{key}": value for key in ("after", "before", "pairs_after", "pairs_before")}
        rows.append(row)
    blocks = cut_blocks(rows, "quality")
    found = measure_blocks("quality", blocks, 0.95)
    assert blocks.is_paired
    assert found.value == 0
    assert (found.high or 1) - (found.low or -1) < 0.08


def test_nothing_beside_it_is_nothing_known() -> None:
    """Without a run on one side there is no block and no estimate."""
    rows = slice_runs(np.ones(50, bool), np.ones(50))
    assert measure_blocks("quality", cut_blocks(rows, "quality"), 0.95).n == 0


def test_needed_units_reach_as_far() -> None:
    """The number of units said to be needed is the first whose sequence reaches no farther than the distance."""
    wanted = units_needed(0.2, 0.05)
    assert wanted is not None
    assert float(asymptotic_reach(wanted, 0.2)) <= 0.05 < float(asymptotic_reach(wanted * 0.97, 0.2))
    assert units_needed(1.0, 1e-6) is None
