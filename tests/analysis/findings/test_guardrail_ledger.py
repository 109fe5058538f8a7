"""Hold the ledger of guardrails to planted ones: right, wrong, unmarked, idle, and quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings import guardrail_ledger
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store
from tests.analysis.planted_checks import add_checks

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.client import Store
    from trilemma_analysis.findings.finding import Finding

TASK = "support.refund"
N = 1500
DAYS = 15


def find(store: Store) -> list[Finding]:
    """Return the ledger of all of a store."""
    scope = find_scope(store, since="2000-01-01")
    assert scope is not None
    return guardrail_ledger.find(analyse(store, scope, Options()))


def add_guarded(store: Store, failure_cost: str = "") -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Insert runs of one second over fifteen days and return their starts."""
    started = START_NS + np.linspace(0, DAYS * 24 * HOUR_NS, N).astype(np.int64)
    add_runs(store, Runs(N, started_ns=started, duration_s=1.0, extra={"trilemma.task.failure_cost": failure_cost}))
    return started


def mark(verdicts: list[str], right: float, marked: float, seed: int = 5) -> list[str]:
    """Return marks of a share of the blocks, of which a share is right."""
    rng = np.random.default_rng(seed)
    return [
        ("right" if rng.random() < right else "wrong") if verdict == "blocked" and rng.random() < marked else ""
        for verdict in verdicts
    ]


def block(rate: float, seed: int = 2) -> list[str]:
    """Return verdicts of which a share blocks."""
    return ["blocked" if x < rate else "passed" for x in np.random.default_rng(seed).random(N)]


def test_wrong_blocks_are_counted_and_priced(tmp_path: Path) -> None:
    """A guardrail whose blocks are wrong four times in five is to be loosened, and saves what those failures cost."""
    verdicts = block(0.1)
    with make_store(tmp_path) as store:
        started = add_guarded(store, failure_cost="4.0")
        add_checks(store, TASK, "topics", verdicts, mark(verdicts, right=0.2, marked=0.6), started_ns=started)
        (one,) = find(store)
    assert one.verdict is Verdict.ACT
    precision = one.effects[0].estimate
    assert (precision.low or 0) <= 0.2 <= (precision.high or 0)
    assert one.saving is not None
    assert one.saving.per_1000_runs.value == pytest.approx(1000 * 0.1 * 0.8 * 4.0, rel=0.2)
    assert one.saving.per_month is not None
    assert one.saving.per_month.value == pytest.approx(N * 30 / DAYS * 0.1 * 0.8 * 4.0, rel=0.2)


def test_right_blocks_are_kept(tmp_path: Path) -> None:
    """A guardrail whose blocks are mostly right is kept; its fee per check is stated."""
    verdicts = block(0.1)
    with make_store(tmp_path) as store:
        started = add_guarded(store)
        marks = mark(verdicts, right=0.9, marked=0.6)
        add_checks(store, TASK, "pii", verdicts, marks, started_ns=started, cost="0.002")
        (one,) = find(store)
    assert one.verdict is Verdict.DONT
    (fee,) = [effect.estimate for effect in one.effects if effect.side == "cost"]
    assert (fee.value, fee.unit) == (pytest.approx(0.002), "USD")


@pytest.mark.parametrize(("marked", "needed"), [(0.0, 97), (0.06, None)])
def test_few_marks_ask_for_more(tmp_path: Path, marked: float, needed: int | None) -> None:
    """Without marks, or with a handful, the ledger says how many tell the share of right blocks to ten points."""
    verdicts = block(0.1)
    with make_store(tmp_path) as store:
        started = add_guarded(store)
        marks = mark(verdicts, right=0.9, marked=marked)
        add_checks(store, TASK, "pii", verdicts, marks, started_ns=started)
        (one,) = find(store)
    assert one.verdict is Verdict.NOT_ENOUGH_DATA
    assert one.needed is not None
    assert one.needed.n == (needed or 97 - sum(mark != "" for mark in marks))


def test_last_mark_counts(tmp_path: Path) -> None:
    """Of two marks the later one counts, in whichever order they come; a check that comes twice is one."""
    verdicts = ["blocked"] * 40 + ["passed"] * (N - 40)
    with make_store(tmp_path) as store:
        started = add_guarded(store)
        for marked_ns, mark in ((START_NS + HOUR_NS, "right"), (START_NS, "wrong")):  # and the checks come twice
            add_checks(store, TASK, "pii", verdicts, [mark] * 40, started_ns=started, marked_ns=marked_ns)
        rows = store.ask("guardrail_checks", **_ever(store)).to_pylist()
    assert [(row["checks"], row["wrong_blocks"], row["right_blocks"]) for row in rows] == [(N, 0, 40)]


def test_idle_guardrail_that_takes_time_is_named(tmp_path: Path) -> None:
    """One that never stopped anything and takes a fifth of the time is named, with the latency without it."""
    with make_store(tmp_path) as store:
        started = add_guarded(store)
        add_checks(store, TASK, "slow", ["passed"] * N, started_ns=started, duration_s=0.2, stage="input")
        add_checks(store, TASK, "fast", ["passed"] * N, started_ns=started, duration_s=0.001)
        (one,) = find(store)
    assert one.where == "slow (input)"
    assert one.effects[0].estimate.value == pytest.approx(0.8)
    assert not one.effects[0].is_level


def test_nothing_is_said_of_quiet_guardrails(tmp_path: Path) -> None:
    """A guardrail that blocks now and then, and one that changes, are no finding."""
    with make_store(tmp_path) as store:
        started = add_guarded(store)
        add_checks(store, TASK, "pii", ["blocked"] * 5 + ["passed"] * (N - 5), started_ns=started)
        add_checks(store, TASK, "mask", ["changed"] * N, started_ns=started, duration_s=0.2)
        assert find(store) == []


def _ever(store: Store) -> dict[str, object]:
    scope = find_scope(store, since="2000-01-01")
    assert scope is not None
    return scope.parameters
