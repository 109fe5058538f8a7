"""Hold the value of logged choices: intervals keep their promise, and there are none without support."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.evidence.logged import Arm, read_choice
from trilemma_analysis.findings.policy_value import find
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.planted import HOUR_NS, LABELS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from trilemma_analysis.client import Store
    from trilemma_analysis.findings import Finding

REPLAYS = 200
ARMS = ("gpt-large", "gpt-small")
COST = np.array([0.02, 0.004])
SEGMENTS = ("easy", "hard")
SUCCESS = np.array([[0.95, 0.93], [0.80, 0.79]])  # by segment and arm


def find_values(
    directory: Path, n: int, chance: Sequence[Sequence[float]], seed: int = 2, success: Any = SUCCESS
) -> list[Finding]:
    """Report on runs whose model a router chose, with so much chance of the small one in each segment."""
    rng = np.random.default_rng(seed)
    segment, arm, probability = draw_choices(rng, n, np.array(chance))
    with make_store(directory) as store:
        runs = Runs(
            n,
            model=np.array(ARMS)[arm],
            outcome=np.where(rng.random(n) < np.array(success)[segment, arm], "success", "failure"),
            cost=COST[arm] * rng.lognormal(0, 0.3, n),
            duration_s=COST[arm] * 100,
            started_ns=START_NS + np.linspace(0, 20 * 24 * HOUR_NS, n).astype(np.int64),
            extra={"trilemma.task.segment": np.array(SEGMENTS)[segment]},
        )
        add_runs(store, runs)
        add_routes(store, arm, probability)
        scope = find_scope(store)
        assert scope is not None
        return find(analyse(store, scope, Options()))


def draw_choices(
    rng: np.random.Generator, n: int, chance: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return a segment, an arm and the probability with which it was chosen, for each run."""
    segment = rng.integers(0, 2, n)
    arm = (rng.random(n) < chance[segment, 1]).astype(int)
    return segment, arm, chance[segment, arm]


def add_routes(store: Store, arm: NDArray[np.int64], probability: NDArray[np.float64]) -> None:
    """Insert the decision span of each run."""
    n = arm.size
    starts = START_NS + np.linspace(0, 20 * 24 * HOUR_NS, n).astype(np.int64)
    attributes = [
        [
            ("trilemma.decision.kind", "route"),
            ("trilemma.decision.name", "by-chance"),
            ("trilemma.decision.chosen", ARMS[one]),
            ("trilemma.decision.candidates", json.dumps(ARMS)),
            ("trilemma.decision.probability", repr(float(p))),
            ("trilemma.task.id", f"r{i}"),
            ("trilemma.task.name", "support.refund"),
        ]
        for i, (one, p) in enumerate(zip(arm, probability, strict=True))
    ]
    spans = {
        "Timestamp": pa.array(starts, pa.timestamp("ns", "UTC")),
        "TraceId": [f"r{i}" for i in range(n)],
        "SpanId": [f"d{i}" for i in range(n)],
        "SpanName": ["route by-chance"] * n,
        "SpanKind": ["Internal"] * n,
        "ServiceName": ["shop"] * n,
        "ScopeName": ["trilemma"] * n,
        "SpanAttributes": pa.array(attributes, LABELS),
        "Duration": pa.array(np.full(n, 1000, np.uint64)),
    }
    store.insert_arrow("otel_traces", pa.table(spans))


def test_cheaper_option_is_valued_from_chance(tmp_path: Path) -> None:
    """A router that sends hard inputs to the large model hides that the small one is as good: its logs show it."""
    (found,) = find_values(tmp_path, 6000, [[0.3, 0.7], [0.7, 0.3]])
    assert (found.verdict.value, found.action and found.action.candidate) == ("act", "gpt-small")
    cost = COST[1] / COST.mean()
    truth = {
        "quality": SUCCESS[:, 1].mean() - (0.3 * 0.95 + 0.7 * 0.93 + 0.7 * 0.80 + 0.3 * 0.79) / 2,
        "cost": cost,
        "latency": np.sqrt(COST[1] / COST[0]),
    }
    for effect in found.effects:
        assert (effect.estimate.low or 0) <= truth[effect.side] <= (effect.estimate.high or 0), effect.side
    assert found.saving is not None
    assert found.saving.per_1000_runs.value == pytest.approx(
        1000 * COST.mean() * np.exp(0.3**2 / 2) * (1 - cost), rel=0.05
    )


def test_logs_without_support_are_refused(tmp_path: Path) -> None:
    """A router without chance says nothing of another choice; the finding says why, and asks for a little chance."""
    (found,) = find_values(tmp_path, 1000, [[0.0, 1.0], [1.0, 0.0]])
    assert found.verdict.value == "not enough data"
    assert "never made" in found.what
    assert found.effects == ()


def test_options_alike_give_nothing(tmp_path: Path) -> None:
    """Where the options cost and succeed alike in the logs' own mix, no choice is better than another."""
    found = find_values(tmp_path, 400, [[0.5, 0.5], [0.5, 0.5]], success=[[0.9, 0.2], [0.9, 0.2]])
    assert [one.verdict.value for one in found] in ([], ["act"])
    assert all(one.action and one.action.candidate == "gpt-large" for one in found)


def draw_arm(rng: np.random.Generator, n: int, chance: NDArray[np.float64]) -> Arm:
    """Draw the logs of n runs as SQL sums them, and value the small model."""
    segment, arm, probability = draw_choices(rng, n, chance)
    won = rng.random(n) < SUCCESS[segment, arm]
    cost = COST[arm] * np.where(segment == 1, 2.0, 1.0) * rng.lognormal(0, 0.5, n)
    rows: list[dict[str, Any]] = []
    for cell in np.unique(2 * segment + arm):
        where = 2 * segment + arm == cell
        sums = {"quality": won[where].astype(float), "cost": cost[where] * 1e12, "latency": np.log(cost[where])}
        moments = {
            f"{side}_{name}": value
            for side, x in sums.items()
            for name, value in (("n", x.size), ("sum", x.sum()), ("squares", (x**2).sum()))
        }
        rows.append({
            "segment": SEGMENTS[cell // 2], "chosen": ARMS[cell % 2], "probability": probability[where][0], "unit": "",
            "combinations": [ARMS[cell % 2]], "currencies": ["USD"], "units": where.sum(), "runs": where.sum(),
            **moments,
        })  # fmt: skip
    choice = read_choice(("task", "route", "r"), rows)
    assert choice is not None
    return choice.value_arms(0.95, safe_level=0.9, claim_level=0.99)[1]


@pytest.mark.parametrize("n", [1000, 5000])
def test_intervals_keep_their_promise(n: int) -> None:
    """Of 200 logs, at least 93 % (less chance) of the intervals of each side hold the truth, and none refuses."""
    chance = np.array([[0.3, 0.7], [0.9, 0.1]])
    rng = np.random.default_rng(n)
    arms = [draw_arm(rng, n, chance) for _ in range(REPLAYS)]
    prices = COST * np.array([[1.0], [2.0]]) * np.exp(0.5**2 / 2)
    logs = np.log(COST * np.array([[1.0], [2.0]]))
    logged = (chance * SUCCESS).sum(axis=1).mean()
    truth = {
        "difference": SUCCESS[:, 1].mean() - logged,
        "cost_ratio": prices[:, 1].mean() / (chance * prices).sum(axis=1).mean(),
        "latency_ratio": np.exp(logs[:, 1].mean() - (chance * logs).sum(axis=1).mean()),
    }
    for name, true in truth.items():
        found = [getattr(arm, name) for arm in arms]
        covered = np.mean([one is not None and one.low <= true <= one.high for one in found])
        assert covered >= 0.93 - 2 * np.sqrt(0.95 * 0.05 / REPLAYS), (name, covered)


def test_few_runs_refuse() -> None:
    """Logs that amount to fewer than thirty runs of an option give no interval."""
    arm = draw_arm(np.random.default_rng(1), 120, np.array([[0.9, 0.1], [0.9, 0.1]]))
    assert "fewer than 30" in arm.refusal
    assert arm.difference is None
