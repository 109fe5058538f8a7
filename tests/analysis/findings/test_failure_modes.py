"""Hold the ranking of failures to planted modes: order, shares, place, the harness, and what is too rare to name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings import failure_modes
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.planted import Runs, add_runs, make_store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trilemma_analysis.client import Store
    from trilemma_analysis.findings.finding import Finding

N = 800


def find(store: Store) -> list[Finding]:
    """Return the failures ranked, of all of a store."""
    scope = find_scope(store, since="2000-01-01")
    assert scope is not None
    return failure_modes.find(analyse(store, scope, Options()))


def add_failures(
    store: Store,
    rates: Mapping[str, float],
    *,
    n: int = N,
    seed: int = 1,
    losses: Mapping[str, float] | None = None,
    **columns: Any,
) -> None:
    """Insert runs that fail of each mode at its rate, and succeed else; losses are what a failure of a mode costs."""
    rng = np.random.default_rng(seed)
    names = ["", *rates]
    modes = [names[i] for i in rng.choice(len(names), n, p=[1 - sum(rates.values()), *rates.values()])]
    extra = {"trilemma.task.failure_mode": modes}
    if losses:
        extra["trilemma.task.failure_cost"] = [str(losses[mode]) if mode else "" for mode in modes]
    outcome = ["failure" if mode else "success" for mode in modes]
    add_runs(store, Runs(n, outcome=outcome, extra=extra, **columns), prefix=f"s{seed}-")


def test_most_frequent_mode_leads_and_its_place_is_named(tmp_path: Path) -> None:
    """Without prices of failure the most frequent mode leads, at the model that has it; its rate is in the interval."""
    with make_store(tmp_path) as store:
        add_failures(store, {"wrong_amount": 0.3, "no_answer": 0.04}, model="gpt-mini")
        add_failures(store, {"wrong_amount": 0.1, "no_answer": 0.04}, model="gpt-large", seed=2)
        (one,) = find(store)
    assert one.verdict is Verdict.ACT
    assert one.where == "gpt-mini"
    assert "fail of “wrong_amount”" in one.title
    rate, share = (effect.estimate for effect in one.effects)
    assert (rate.low or 0) <= 0.2 <= (rate.high or 0)
    assert (share.low or 0) <= 0.2 / 0.24 <= (share.high or 0)


def test_dear_mode_leads_a_frequent_one(tmp_path: Path) -> None:
    """Where a failure's cost is known, the mode that costs most leads, though another is more frequent."""
    with make_store(tmp_path) as store:
        add_failures(store, {"slow": 0.25, "refund_twice": 0.15}, losses={"slow": 0.1, "refund_twice": 80.0})
        (one,) = find(store)
    assert "fail of “refund_twice”" in one.title
    assert one.what.index("refund_twice") < one.what.index("slow")


def test_harness_is_not_the_model(tmp_path: Path) -> None:
    """Failures without tokens or time are the harness's; they doubt the success rate, and are not ranked."""
    with make_store(tmp_path) as store:
        add_failures(store, {"wrong_amount": 0.15, "no_answer": 0.1})
        lost = Runs(60, outcome="failure", duration_s=np.nan, extra={"trilemma.task.failure_mode": "sandbox_down"})
        add_runs(store, lost, prefix="h")
        found = {one.doubts: one for one in find(store)}
    assert set(found) == {(), ("quality", "cost", "latency")}
    harness = found["quality", "cost", "latency"]
    assert "60 failures never reached a model" in harness.title
    assert "sandbox_down" in harness.what
    assert "sandbox_down" not in found[()].what


def test_absent_tokens_are_no_fault_where_none_are_recorded(tmp_path: Path) -> None:
    """Where successes have no tokens and no times either, their absence says nothing."""
    with make_store(tmp_path) as store:
        add_failures(store, {"a": 0.2, "b": 0.2}, duration_s=np.nan)
        assert [one.doubts for one in find(store)] == [()]


@pytest.mark.parametrize(
    "rates",
    [
        pytest.param({"a": 0.05, "b": 0.03}, id="rare modes"),
        pytest.param({"a": 0.4}, id="one mode is the failure rate again"),
        pytest.param({}, id="no failures"),
    ],
)
def test_nothing_is_said_of_nothing(tmp_path: Path, rates: dict[str, float]) -> None:
    """No finding where no mode takes a tenth of the runs, or where there is but one."""
    with make_store(tmp_path) as store:
        add_failures(store, rates)
        assert find(store) == []


def test_few_runs_leave_it_open(tmp_path: Path) -> None:
    """A mode seen in 8 of 40 runs may be as frequent or not: so many more runs would tell."""
    modes = ["late"] * 8 + ["lost"] * 5 + [""] * 27
    outcome = ["failure" if mode else "success" for mode in modes]
    with make_store(tmp_path) as store:
        add_runs(store, Runs(40, outcome=outcome, extra={"trilemma.task.failure_mode": modes}))
        (one,) = find(store)
    assert one.verdict is Verdict.NOT_ENOUGH_DATA
    assert one.needed is not None
    assert one.needed.n == int(np.ceil(max(1.96**2 * 0.2 * 0.8 / 0.1**2, 20 / 0.2))) - 40
    assert one.needed.cost == pytest.approx(one.needed.n * 0.01)


def test_inputs_not_runs_count(tmp_path: Path) -> None:
    """Thirty failing runs of one input are one failing input, and no reason to act."""
    modes = ["late"] * 30 + ["lost"] * 5 + [""] * 100
    outcome = ["failure" if mode else "success" for mode in modes]
    ids = ["same"] * 30 + [f"i{i}" for i in range(105)]
    with make_store(tmp_path) as store:
        add_runs(store, Runs(135, outcome=outcome, input_id=ids, extra={"trilemma.task.failure_mode": modes}))
        assert [one for one in find(store) if one.verdict is Verdict.ACT] == []
