"""Hold the time-out finding: stuck calls are told from slow ones, and the wait that an earlier end saves is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.findings.timeouts import plan_timeout

from tests.analysis.findings.planted_calls import find_kind
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from trilemma_analysis.client import Store
    from trilemma_analysis.findings import Finding

N, LIMIT_S = 3000, 60.0


def find_in(store: Store, seconds: NDArray[np.float64]) -> list[Finding]:
    """Return the findings where calls would take so long, and time out after a minute."""
    late = seconds >= LIMIT_S
    runs = Runs(
        seconds.size,
        duration_s=np.minimum(seconds, LIMIT_S),
        started_ns=START_NS + np.arange(seconds.size) * HOUR_NS // 4,
        error=np.where(late, "APITimeoutError", ""),
        outcome=np.where(late, "failure", "success"),
    )
    add_runs(store, runs)
    return find_kind(store, "timeouts")


def draw(stuck: float, sigma: float, seed: int = 3) -> NDArray[np.float64]:
    """Draw lengths about 2 s, log-normal; a share of the calls is stuck for ever."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(N) < stuck, np.inf, rng.lognormal(np.log(2), sigma, N))


def test_stuck_calls_are_given_up_early(tmp_path: Path) -> None:
    """Where 3 % hang and the rest takes 2 s, the advice is some seconds, and the true saving is in its interval."""
    with make_store(tmp_path) as store:
        (found,) = find_in(store, draw(0.03, 0.4))
    assert found.verdict is Verdict.ACT
    assert found.action is not None
    then_s = float(str(found.action.settings["timeout_s"]))
    assert 3 < then_s < 10
    lengths = np.random.default_rng(1).lognormal(np.log(2), 0.4, 1_000_000)
    mean = [
        (0.97 * np.minimum(lengths, t).mean() + 0.03 * t) / (0.97 * (lengths <= t).mean()) for t in (then_s, LIMIT_S)
    ]
    ratio = found.effects[0].estimate
    assert (ratio.low or 0) <= mean[0] / mean[1] <= (ratio.high or 0)


def test_slow_calls_are_not_stuck(tmp_path: Path) -> None:
    """Where some calls are only slow, and most of those open at any time still end, nothing is advised."""
    with make_store(tmp_path) as store:
        assert find_in(store, draw(0.0, 1.5)) == []


def test_few_time_outs_say_nothing(tmp_path: Path) -> None:
    """Ten calls that hang are too few."""
    seconds = draw(0.0, 0.4)
    seconds[:10] = np.inf
    with make_store(tmp_path) as store:
        assert find_in(store, seconds) == []


def test_saving_is_seldom_claimed_too_high() -> None:
    """Of two hundred stores where 2 % hang, the interval holds the true ratio in at least 90 %."""
    rng = np.random.default_rng(7)
    lengths = rng.lognormal(np.log(2), 0.5, 400_000)
    hits = []
    for _ in range(200):
        seconds = np.where(rng.random(2000) < 0.02, np.inf, rng.choice(lengths, 2000))
        bins = np.floor(np.log(np.minimum(seconds, LIMIT_S) * 1000) / np.log(1.02))
        values, index = np.unique(bins, return_inverse=True)
        late = seconds >= LIMIT_S
        plan = plan_timeout(values, np.bincount(index, ~late), np.bincount(index, late), confidence=0.95)
        if plan is None:
            continue
        then, now = ((0.98 * np.minimum(lengths, t).mean() + 0.02 * t) / (0.98 * (lengths <= t).mean())
                     for t in (plan.then_s, plan.now_s))  # fmt: skip
        hits.append((plan.ratio.low or 0) <= then / now <= (plan.ratio.high or 0))
    assert len(hits) > 100
    assert np.mean(hits) >= 0.9
