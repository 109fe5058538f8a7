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

    from trilemma_analysis.client import Store
    from trilemma_analysis.findings.finding import Finding

N = 800


def add_failures(store: Store, task: str, rates: Mapping[str, float], **columns: Any) -> None:
    """Insert runs of a task that fail of each mode at its rate, and succeed else."""
    seed = columns.pop("seed", 1)
    names = ["", *rates]
    drawn = np.random.default_rng(seed).choice(len(names), N, p=[1 - sum(rates.values()), *rates.values()])
    add_modes(store, task, [names[i] for i in drawn], prefix=f"{task}-{seed}-", **columns)


def add_modes(store: Store, task: str, modes: list[str], *, prefix: str = "", **columns: Any) -> None:
    """Insert one run for each mode; '' succeeds. Losses are what a failure of a mode costs."""
    losses = columns.pop("losses", None) or {}
    extra = {
        "trilemma.task.failure_mode": modes,
        "trilemma.task.failure_cost": [str(losses[mode]) if mode in losses else "" for mode in modes],
    }
    outcome = ["failure" if mode else "success" for mode in modes]
    runs = Runs(len(modes), task=task, outcome=outcome, extra=extra, **columns)
    add_runs(store, runs, prefix=prefix or f"{task}-m-")


def fill(store: Store) -> None:
    """Insert a task for each truth."""
    add_failures(store, "place", {"wrong_amount": 0.3, "no_answer": 0.04}, model="gpt-mini")
    add_failures(store, "place", {"wrong_amount": 0.1, "no_answer": 0.04}, model="gpt-large", seed=2)
    add_failures(store, "dear", {"slow": 0.25, "refund_twice": 0.15}, losses={"slow": 0.1, "refund_twice": 80.0})
    add_failures(store, "harness", {"wrong_amount": 0.15, "no_answer": 0.1})
    add_modes(store, "harness", ["sandbox_down"] * 60, duration_s=np.nan)
    add_failures(store, "untimed", {"a": 0.2, "b": 0.2}, duration_s=np.nan)
    add_failures(store, "rare", {"a": 0.05, "b": 0.03})
    add_failures(store, "single", {"a": 0.4})
    add_failures(store, "perfect", {})
    add_modes(store, "few", ["late"] * 8 + ["lost"] * 5 + [""] * 27)
    same = ["late"] * 30 + ["lost"] * 5 + [""] * 100
    add_modes(store, "same", same, input_id=["same"] * 30 + [f"i{i}" for i in range(105)])


@pytest.fixture(scope="module", name="found")
def _found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    """Return the findings by task."""
    found: dict[str, list[Finding]] = {}
    with make_store(tmp_path_factory.mktemp("failures")) as store:
        fill(store)
        scope = find_scope(store, since="2000-01-01")
        assert scope is not None
        for one in failure_modes.find(analyse(store, scope, Options())):
            found.setdefault(one.task, []).append(one)
    return found


def test_nothing_is_said_of_nothing(found: dict[str, list[Finding]]) -> None:
    """No finding where no mode takes a tenth of the runs, where there is but one mode, or no failure."""
    assert not {"rare", "single", "perfect"} & set(found)


def test_most_frequent_mode_leads_and_its_place_is_named(found: dict[str, list[Finding]]) -> None:
    """Without prices of failure the most frequent mode leads, at the model that has it; its rate is in the interval."""
    (one,) = found["place"]
    assert one.verdict is Verdict.ACT
    assert one.where == "gpt-mini"
    assert "fail of “wrong_amount”" in one.title
    rate, share = (effect.estimate for effect in one.effects)
    assert (rate.low or 0) <= 0.2 <= (rate.high or 0)
    assert (share.low or 0) <= 0.2 / 0.24 <= (share.high or 0)


def test_dear_mode_leads_a_frequent_one(found: dict[str, list[Finding]]) -> None:
    """Where a failure's cost is known, the mode that costs most leads, though another is more frequent."""
    (one,) = found["dear"]
    assert "fail of “refund_twice”" in one.title
    assert one.what.index("refund_twice") < one.what.index("slow")


def test_harness_is_not_the_model(found: dict[str, list[Finding]]) -> None:
    """Failures without tokens or time are the harness's: they doubt the success rate, and are not ranked."""
    by_doubts = {one.doubts: one for one in found["harness"]}
    assert set(by_doubts) == {(), ("quality", "cost", "latency")}
    harness = by_doubts["quality", "cost", "latency"]
    assert "60 failures never reached a model" in harness.title
    assert "sandbox_down" in harness.what
    assert "60 of them before they reached a model" in by_doubts[()].what
    assert "sandbox_down" not in by_doubts[()].what


def test_absent_tokens_are_no_fault_where_none_are_recorded(found: dict[str, list[Finding]]) -> None:
    """Where successes have no tokens and no times either, their absence says nothing."""
    assert [one.doubts for one in found["untimed"]] == [()]


def test_few_runs_leave_it_open(found: dict[str, list[Finding]]) -> None:
    """A mode seen in 8 of 40 runs may be as frequent or not: so many more runs would tell."""
    (one,) = found["few"]
    assert one.verdict is Verdict.NOT_ENOUGH_DATA
    assert one.needed is not None
    assert one.needed.n == int(np.ceil(max(1.96**2 * 0.2 * 0.8 / 0.1**2, 20 / 0.2))) - 40
    assert one.needed.cost == pytest.approx(one.needed.n * 0.01)


def test_inputs_not_runs_count(found: dict[str, list[Finding]]) -> None:
    """Thirty failing runs of one input are one failing input, and no reason to act."""
    assert [one for one in found.get("same", []) if one.verdict is Verdict.ACT] == []
