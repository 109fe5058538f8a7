"""Hold the measurement over time: its size, its controls, and the looks that are fixed beforehand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.loop.timeline import choose_width, find_look, measure_series

from tests.analysis.loop.predicted import ADOPTED_AT, predict

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_S = 86_400
CONTROL = ("other", "")


def write_rows(
    rates: np.ndarray[Any, np.dtype[np.float64]], start: int, seed: int, n: int = 400
) -> dict[int, dict[str, Any]]:
    """Return a series of n runs a bucket with these success rates; cost follows the rate."""
    won = np.random.default_rng(seed).binomial(n, rates)
    return {
        at - start: {
            "known": n, "successes": int(w), "priced": n, "spent": float(n * rate), "timed": n, "latency": 0.0
        }
        for at, (w, rate) in enumerate(zip(won, rates, strict=True))
    }  # fmt: skip


def step(size: float, buckets: int = 40, start: int = 24) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a rate of 0.8 that steps at the start."""
    return 0.8 + size * (np.arange(buckets) >= start)


def test_step_is_measured_and_controls_are_taken_off() -> None:
    """A fall of ten points, beside a control that stays, is measured as such and not called confounded."""
    series = {("", ""): write_rows(step(-0.1), 24, 1), CONTROL: write_rows(step(0.0), 24, 2)}
    found, controls, moved = measure_series("quality", series, DAY_S, 0.975, 0.95)
    assert (found.low or 0) <= -0.1 <= (found.high or 0) < 0
    assert controls == ("other",)
    assert not moved


def test_confounder_is_caught() -> None:
    """Where a task that the change cannot touch steps at that time, the effect is net of it, and said to be unclear."""
    series = {("", ""): write_rows(step(-0.1), 24, 1), CONTROL: write_rows(step(-0.1), 24, 2)}
    found, _, moved = measure_series("quality", series, DAY_S, 0.975, 0.95)
    assert moved
    assert (found.low or 0) <= 0 <= (found.high or 0)


def test_false_steps_are_rare() -> None:
    """Without a change, a step is claimed at most in the share allowed."""
    wrong = 0
    for seed in range(100):
        series = {("", ""): write_rows(step(0.0), 24, seed), CONTROL: write_rows(step(0.0), 24, 1000 + seed)}
        found, _, _ = measure_series("quality", series, DAY_S, 0.975, 0.95)
        wrong += (found.low or 0) > 0 or (found.high or 0) < 0
    assert wrong <= 8


def test_cost_is_a_ratio() -> None:
    """A cost that falls from 0.8 to 0.4 a run is a ratio of a half."""
    found, _, _ = measure_series("cost", {("", ""): write_rows(step(-0.4), 24, 1)}, DAY_S, 0.975, 0.95)
    assert found.unit == "ratio"
    assert found.value == pytest.approx(0.5, rel=0.01)


@pytest.mark.parametrize("thin", [lambda at: at < -4, lambda at: at > 3], ids=["few before", "few since"])
def test_too_few_buckets_say_nothing(thin: Callable[[int], bool]) -> None:
    """With fewer than eight buckets on a side nothing is measured."""
    rows = {at: row for at, row in write_rows(step(-0.1), 24, 1).items() if not thin(at)}
    assert measure_series("quality", {("", ""): rows}, DAY_S, 0.975, 0.95)[0].n == 0


def test_thin_series_is_no_control() -> None:
    """A task with a fraction of the runs would add more noise than it takes off."""
    series = {("", ""): write_rows(step(-0.1), 24, 1), CONTROL: write_rows(step(0.0), 24, 2, n=40)}
    assert measure_series("quality", series, DAY_S, 0.975, 0.95)[1] == ()


def test_looks_are_fixed() -> None:
    """Half of the horizon and its end are the looks (to a bucket); between them the one before stands."""
    one = predict(horizon_s=16 * DAY_S)
    days = [None if at is None else (at - ADOPTED_AT).days for at in
            (find_look(one, ADOPTED_AT + timedelta(days=day)) for day in (0, 6.9, 8, 14.9, 16, 30))]  # fmt: skip
    assert days == [None, None, 8, 8, 16, 16]


@pytest.mark.parametrize(("days", "width_s"), [(16, DAY_S), (14, 12 * 3600), (2, 3 * 3600), (1 / 24, 60)])
def test_first_look_has_buckets_enough(days: float, width_s: int) -> None:
    """Half of the horizon has at least eight buckets of a length that goes into a day."""
    assert choose_width(int(days * DAY_S)) == width_s
