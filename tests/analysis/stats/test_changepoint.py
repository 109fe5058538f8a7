"""Hold the search for change: where it is, how many there are, and what is too little to tell."""

from __future__ import annotations

import numpy as np
import pytest
from trilemma_analysis.stats.changepoint import Series, find_change, find_changes


def test_change_is_found_where_it_is() -> None:
    """A fall from 95 % to 80 % after 12 of 30 days is seen at day 12, with both rates."""
    rng = np.random.default_rng(3)
    runs = np.full(30, 100)
    won = rng.binomial(runs, np.where(np.arange(30) < 12, 0.95, 0.8))
    change = find_change(Series.of_rates(runs, won))
    assert change is not None
    assert abs(change.start - 12) <= 1
    assert (change.before, change.after) == (pytest.approx(0.95, abs=0.02), pytest.approx(0.8, abs=0.02))
    assert change.p_value < 1e-6


def test_several_changes_are_found_in_order() -> None:
    """An outage of ten days within forty is one change, with its beginning and its end; a later fall is another."""
    rng = np.random.default_rng(4)
    runs = np.full(40, 200)
    days = np.arange(40)
    rates = np.select([(days >= 8) & (days < 16), days >= 32], [0.5, 0.75], 0.9)
    changes = find_changes(Series.of_rates(runs, rng.binomial(runs, rates)))
    assert [(change.start, change.stop, change.lasts) for change in changes] == [(8, 16, False), (32, 40, True)]


def test_shift_of_a_mean_is_found() -> None:
    """A rise of log latency by 0.3 within noise of 0.5 is seen."""
    rng = np.random.default_rng(5)
    runs = np.full(20, 50.0)
    totals = rng.normal(runs * np.where(np.arange(20) < 10, 0.0, 0.3), np.sqrt(runs) * 0.5)
    changes = find_changes(Series.of_sums(runs, totals, 0.25))
    assert [(change.start, change.lasts) for change in changes] == [(10, True)]


@pytest.mark.parametrize("buckets", [1, 5])
def test_too_few_buckets_tell_nothing(buckets: int) -> None:
    """With fewer than three buckets on each side there is no answer rather than a guess."""
    assert find_change(Series.of_rates(np.full(buckets, 100), np.full(buckets, 50))) is None


def test_constant_outcome_is_no_change() -> None:
    """A rate of exactly 1 throughout has no change to find."""
    assert find_change(Series.of_rates(np.full(10, 30), np.full(10, 30))) is None


def test_empty_buckets_are_passed_over() -> None:
    """Days without runs do not hide a change, nor make one."""
    runs = np.where(np.arange(30) % 3 == 0, 0, 60)
    won = np.round(runs * np.where(np.arange(30) < 15, 0.9, 0.5))
    change = find_change(Series.of_rates(runs, won))
    assert change is not None
    assert change.start in {15, 16}
