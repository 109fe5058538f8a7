"""Hold the tests among the findings about the data to their error: on sound values they fire as rarely as they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from trilemma_analysis.evidence.doubting import compare_shares
from trilemma_analysis.findings.integrity.made_up_times import find_even_gap
from trilemma_analysis.findings.integrity.sentinels import is_piled_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPLAYS = 1000
LEVEL = 0.05


def draw(rng: np.random.Generator, shape: str, n: int) -> NDArray[np.float64]:
    """Return costs or lengths of a usual shape."""
    if shape == "exponential":
        return rng.exponential(1, n)
    return rng.lognormal(0, float(shape.removeprefix("log-normal ")), n)


@pytest.mark.parametrize("n", [50, 200, 1000])
@pytest.mark.parametrize("shape", ["log-normal 0.5", "log-normal 1.2", "exponential"])
def test_tails_are_rarely_taken_for_limits(shape: str, n: int) -> None:
    """Where nothing ended the runs, values pile up by chance in at most 5 % of samples."""
    rng = np.random.default_rng(1)
    errors = 0
    for _ in range(REPLAYS):
        values = draw(rng, shape, n)
        p_value = is_piled_up(sorted(values, reverse=True)[:500], float(values.sum()), n)
        errors += p_value is not None and p_value <= LEVEL
    assert errors <= LEVEL * REPLAYS


def test_limits_are_found() -> None:
    """Where a limit ends a tenth of 200 runs, it is found nearly always."""
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(200):
        values = rng.lognormal(0, 1, 200)
        values = np.where(values > 3.6, 3.6 * (1 + 0.02 * rng.random(200)), values)
        p_value = is_piled_up(sorted(values, reverse=True)[:500], float(values.sum()), 200)
        found += p_value is not None and p_value <= 0.001
    assert found >= 180


@pytest.mark.parametrize("rate", [0.02, 0.2])
@pytest.mark.parametrize("groups", [2, 6, 30])
def test_equal_shares_are_rarely_called_uneven(groups: int, rate: float) -> None:
    """Groups that lose outcomes at one rate differ by chance in about 5 % of samples, few or many of them."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(20, 300, groups)
    tables = [rng.binomial(sizes, rate) for _ in range(REPLAYS)]
    errors = sum(compare_shares(np.column_stack([sizes - lost, lost]).tolist()) <= LEVEL for lost in tables)
    assert errors <= (LEVEL + 0.02) * REPLAYS


@pytest.mark.parametrize("jitter_ns", [10**6, 10**9])
def test_a_timer_with_jitter_is_no_number_of_rows(jitter_ns: int) -> None:
    """Runs started by a timer differ by a millisecond at least; only gaps equal to the microsecond are made up."""
    rng = np.random.default_rng(4)
    ticks = np.arange(200) * 60 * 10**9
    assert find_even_gap((ticks + rng.integers(0, jitter_ns, 200)).tolist()) is None
    assert find_even_gap(ticks.tolist()) == 60 * 10**9
