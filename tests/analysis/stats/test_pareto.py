"""Hold the frontier: who is beaten, what ties and gaps mean, and what its probability is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from trilemma_analysis.stats.pareto import frontier, frontier_probability


def test_beaten_on_all_and_better_on_one() -> None:
    """Off the frontier is who is matched on every criterion and beaten on one."""
    losses = np.array([[0.1, 5.0, 1.0], [0.1, 6.0, 1.0], [0.3, 1.0, 2.0], [0.3, 2.0, 1.5]])
    assert frontier(losses).tolist() == [True, False, True, True]


def test_equals_are_both_on_the_frontier() -> None:
    """Two that are equal on everything do not beat each other."""
    assert frontier(np.array([[0.1, 1.0], [0.1, 1.0]])).all()


def test_unknown_criterion_is_left_out() -> None:
    """An unknown cost neither beats nor protects: the rest decides."""
    assert frontier(np.array([[0.1, np.nan, 1.0], [0.2, 1.0, 2.0]])).tolist() == [True, False]


def test_probability_is_that_of_not_being_beaten() -> None:
    """Of two that differ in quality alone, the better one's chance is that of its draw being lower."""
    rng = np.random.default_rng(1)
    draws = np.zeros((40_000, 2, 2))
    draws[:, 0, 0], draws[:, 1, 0] = rng.normal(0.1, 0.02, 40_000), rng.normal(0.12, 0.02, 40_000)
    expected = stats.norm.cdf(0.02 / np.hypot(0.02, 0.02))
    assert frontier_probability(draws) == pytest.approx([expected, 1 - expected], abs=0.01)


def test_many_combinations_are_taken_in_steps() -> None:
    """Two hundred combinations over four hundred draws fit in memory and give what one step gives."""
    draws = np.random.default_rng(2).random((400, 200, 3))
    stepwise = frontier_probability(draws)
    assert stepwise == pytest.approx(np.mean([frontier(one) for one in draws], axis=0))
