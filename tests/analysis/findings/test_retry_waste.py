"""Hold the retry finding: attempts that never succeed are named with what they take, those that do are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.findings.retry_waste import find_stop

from tests.analysis.findings.planted_calls import add_calls, find_kind
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

N = 1000


def plant_calls(retries: NDArray[np.int64], fails: NDArray[np.bool_], wait_s: float = 4.0) -> Runs:
    """Return runs of one call, retried so many times by the SDK; one that fails has run out of attempts."""
    return Runs(
        retries.size,
        error=np.where(fails, "overloaded_error", ""),
        outcome=np.where(fails, "failure", "success"),
        cost=np.where(fails, 0.0, 0.01),
        duration_s=1.0 + retries * (1.0 + wait_s),
        started_ns=START_NS + np.arange(retries.size) * HOUR_NS // 2,
        extra={
            "http.request.resend_count": np.where(retries > 0, retries.astype(str), ""),
            "trilemma.retry.wait": np.where(retries > 0, (retries * wait_s).astype(str), ""),
        },
    )


def test_attempts_that_never_succeed_are_named(tmp_path: Path) -> None:
    """Where every second first retry succeeds and none after it does, the advice is one retry."""
    retries = np.zeros(N, dtype=np.int64)
    retries[:80], retries[80:160] = 1, 4
    with make_store(tmp_path) as store:
        add_runs(store, plant_calls(retries, retries == 4))
        (found,) = find_kind(store, "retry_waste")
    assert found.verdict is Verdict.ACT
    assert found.action is not None
    assert found.action.settings == {"model": "gpt-large", "max_retries": 1}
    time = next(one.estimate for one in found.effects if one.side == "latency")
    # of the 5 attempts, waits and all, that take 21 s, the last three
    assert (time.low or 0) <= 80 * 21 * 3 / 5 / (840 + 80 * 6 + 80 * 21) <= (time.high or 0)


def test_attempts_that_succeed_are_left_alone(tmp_path: Path) -> None:
    """Where half of the retries succeed, at whatever attempt, nothing is advised."""
    retries = np.zeros(N, dtype=np.int64)
    retries[:80], retries[80:120], retries[120:160] = 1, 2, 2
    fails = (np.arange(N) >= 120) & (np.arange(N) < 160)
    with make_store(tmp_path) as store:
        add_runs(store, plant_calls(retries, fails))
        assert find_kind(store, "retry_waste") == []


def test_the_apps_own_retries_count(tmp_path: Path) -> None:
    """A request that the app sends again within the run, after an error, is a further attempt, and is paid for."""
    n, again = 400, 60
    ids = [f"r{i}" for i in range(again)]
    with make_store(tmp_path) as store:
        fails = np.arange(n) < again
        runs = plant_calls(np.zeros(n, dtype=np.int64), fails)
        runs.request_hash = np.char.add("h", np.arange(n).astype(str))
        runs.cost, runs.error = 0.01, np.where(fails, "ValidationError", "")
        add_runs(store, runs)
        times = START_NS + np.arange(again) * HOUR_NS // 2 + 2 * 10**9
        hashes = {"trilemma.request.hash": np.char.add("h", np.arange(again).astype(str))}
        add_calls(store, ids, 1, started_ns=times, error="ValidationError", extra=hashes)
        (found,) = find_kind(store, "retry_waste")
    assert found.action is not None
    assert found.action.settings["max_retries"] == 0
    assert found.saving is not None
    cost = next(one.estimate for one in found.effects if one.side == "cost")
    assert (cost.low or 0) <= again / (n + again) <= (cost.high or 0)


def test_useful_attempts_are_rarely_stopped() -> None:
    """Where one in ten attempts succeeds, at most 2.5 % of replays (plus noise) advise against them."""
    rng = np.random.default_rng(4)
    row = {"attempt": 2, "reached": 100, "wait_ns": 10**9, "length_ns": 10**9, "cost": 0, "all_cost": 0}
    row |= {"all_calls": 1000, "all_length_ns": 10**10}
    stops = [find_stop([row | {"later_succeeded": int(won)}], 0.95) for won in rng.binomial(100, 0.1, 2000)]
    assert np.mean([one is not None and one.verdict is Verdict.ACT for one in stops]) <= 0.04
