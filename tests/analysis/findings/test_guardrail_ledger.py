"""Hold the ledger of guardrails to planted ones: right, wrong, unmarked, idle, and quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    from trilemma_analysis.client import Store
    from trilemma_analysis.findings.finding import Finding

N = 1200
DAYS = 15


def mark(verdicts: list[str], right: float, marked: float) -> list[str]:
    """Return marks of a share of the blocks, of which a share is right."""
    rng = np.random.default_rng(5)
    return [
        ("right" if rng.random() < right else "wrong") if verdict == "blocked" and rng.random() < marked else ""
        for verdict in verdicts
    ]


BLOCKS = ["blocked" if x < 0.1 else "passed" for x in np.random.default_rng(2).random(N)]
FEW = mark(BLOCKS, right=0.9, marked=0.06)


def fill(store: Store) -> None:
    """Insert a task for each truth, of runs of one second over fifteen days, with a guardrail or two."""
    started = START_NS + np.linspace(0, DAYS * 24 * HOUR_NS, N).astype(np.int64)

    def add(task: str, name: str, verdicts: list[str], marks: list[str], **columns: Any) -> None:
        add_checks(store, task, name, verdicts, marks, prefix=f"{task}-", started_ns=started, **columns)

    for task in ("wrong", "right", "unmarked", "few", "twice", "idle", "quiet"):
        extra = {"trilemma.task.failure_cost": "4.0" if task == "wrong" else ""}
        add_runs(store, Runs(N, task=task, started_ns=started, duration_s=1.0, extra=extra), prefix=f"{task}-")
    add("wrong", "topics", BLOCKS, mark(BLOCKS, right=0.2, marked=0.6))
    add("right", "pii", BLOCKS, mark(BLOCKS, right=0.9, marked=0.6), cost="0.002")
    add("unmarked", "pii", BLOCKS, [])
    add("few", "pii", BLOCKS, FEW)
    for marked_ns, one in ((START_NS + HOUR_NS, "right"), (START_NS, "wrong")):  # and the checks come twice
        add("twice", "pii", ["blocked"] * 40 + ["passed"] * (N - 40), [one] * 40, marked_ns=marked_ns)
    add("idle", "slow", ["passed"] * N, [], duration_s=0.2, stage="input")
    add("idle", "fast", ["passed"] * N, [], duration_s=0.001)
    add("quiet", "pii", ["blocked"] * 5 + ["passed"] * (N - 5), [])
    add("quiet", "mask", ["changed"] * N, [], duration_s=0.2)


@pytest.fixture(scope="module", name="found")
def _found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    """Return the findings by task, of which each has one at most."""
    with make_store(tmp_path_factory.mktemp("guardrails")) as store:
        fill(store)
        scope = find_scope(store, since="2000-01-01")
        assert scope is not None
        findings = guardrail_ledger.find(analyse(store, scope, Options()))
    found = {one.task: one for one in findings}
    assert len(found) == len(findings)
    return found


def test_wrong_blocks_are_counted_and_priced(found: dict[str, Finding]) -> None:
    """A guardrail whose blocks are wrong four times in five is to be loosened, and saves what those failures cost."""
    one = found["wrong"]
    assert one.verdict is Verdict.ACT
    precision = one.effects[0].estimate
    assert (precision.low or 0) <= 0.2 <= (precision.high or 0)
    assert one.saving is not None
    assert one.saving.per_1000_runs.value == pytest.approx(1000 * 0.1 * 0.8 * 4.0, rel=0.2)
    assert one.saving.per_month is not None
    assert one.saving.per_month.value == pytest.approx(N * 30 / DAYS * 0.1 * 0.8 * 4.0, rel=0.2)


def test_right_blocks_are_kept(found: dict[str, Finding]) -> None:
    """A guardrail whose blocks are mostly right is kept; its fee per check is stated."""
    assert found["right"].verdict is Verdict.DONT
    (fee,) = [effect.estimate for effect in found["right"].effects if effect.side == "cost"]
    assert (fee.value, fee.unit) == (pytest.approx(0.002), "USD")


@pytest.mark.parametrize(("task", "marks"), [("unmarked", 0), ("few", sum(one != "" for one in FEW))])
def test_few_marks_ask_for_more(found: dict[str, Finding], task: str, marks: int) -> None:
    """Without marks, or with a handful, the ledger says how many tell the share of right blocks to ten points."""
    one = found[task]
    assert one.verdict is Verdict.NOT_ENOUGH_DATA
    assert one.needed is not None
    assert one.needed.n == 97 - marks


def test_last_mark_counts(found: dict[str, Finding]) -> None:
    """Of two marks the later one counts, in whichever order they come; a check that comes twice is one."""
    one = found["twice"]
    assert (one.verdict, one.evidence.n, one.effects[0].estimate.value) == (Verdict.DONT, 40, 1.0)


def test_idle_guardrail_that_takes_time_is_named(found: dict[str, Finding]) -> None:
    """One that never stopped anything and takes a fifth of the time is named, with the latency without it."""
    one = found["idle"]
    assert one.where == "slow (input)"
    assert one.effects[0].estimate.value == pytest.approx(0.8)
    assert not one.effects[0].is_level


def test_nothing_is_said_of_quiet_guardrails(found: dict[str, Finding]) -> None:
    """A guardrail that blocks now and then, and one that changes, are no finding."""
    assert "quiet" not in found
