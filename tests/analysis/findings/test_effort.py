"""Hold the levels of effort: the cheaper one is safe, worse or open, with its true size, all else being equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings.effort import find
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

COST = {"high": 0.03, "low": 0.01}
SECONDS = {"high": 20.0, "low": 5.0}


def find_efforts(
    directory: Path,
    n: int,
    *,
    lost: float = 0.0,
    seed: int = 1,
    axis: str = "gen_ai.request.reasoning.level",
    **more: Any,
) -> list[Finding]:
    """Report on a model asked at two levels, the dearer in two thirds of its runs; the cheaper one loses so much."""
    rng = np.random.default_rng(seed)
    names = {"high": "high", "low": "low"} if "reasoning" in axis else {"high": "2000", "low": "500"}
    with make_store(directory) as store:
        for level, runs_of_it in (("high", 2 * n), ("low", n)):
            ease = np.random.default_rng(seed + 1).random(2 * n)[:runs_of_it]
            won = ease < 0.9 - (lost if level == "low" else 0.0)
            won = np.where(rng.random(runs_of_it) < 0.2, rng.random(runs_of_it) < won.mean(), won)
            cost = COST[level] * rng.lognormal(0, 0.3, runs_of_it)
            runs = Runs(
                runs_of_it,
                model=more.get("model", {}).get(level, "gpt-large"),
                input_id=np.char.add("i" if more.get("paired", True) else level, np.arange(runs_of_it).astype(str)),
                outcome=np.where(won, "success", "failure"),
                cost=cost,
                duration_s=SECONDS[level] * rng.lognormal(0, 0.3, runs_of_it),
                started_ns=START_NS + np.linspace(0, 20 * 24 * HOUR_NS, runs_of_it).astype(np.int64),
                extra={
                    axis: names[level],
                    "gen_ai.usage.output_tokens": np.round(cost * 1e5).astype(int),
                    "gen_ai.usage.reasoning.output_tokens": np.round(cost * 5e4).astype(int),
                    "trilemma.cost.output": cost,
                },
            )
            add_runs(store, runs, prefix=level)
        scope = find_scope(store)
        assert scope is not None
        return find(analyse(store, scope, Options()))


@pytest.mark.parametrize("paired", [True, False])
def test_less_effort_is_enough_with_its_true_size(tmp_path: Path, *, paired: bool) -> None:
    """Moving the two thirds at high effort to low: success, cost and latency of all runs are inside their intervals."""
    (found,) = find_efforts(tmp_path, 800 if paired else 1500, paired=paired)
    assert found.verdict.value == "act"
    assert found.action is not None
    assert found.action.settings == {"reasoning_level": "low", "instead_of": "high"}
    share = 2 * COST["high"] / (2 * COST["high"] + COST["low"])
    truth = {"quality": 0.0, "cost": 1 - share * (1 - COST["low"] / COST["high"]), "latency": (5 / 20) ** (2 / 3)}
    for effect in found.effects:
        assert (effect.estimate.low or 0) <= truth[effect.side] <= (effect.estimate.high or 0), effect.side
    assert found.saving is not None
    assert "reasoning, at $0.0052" in found.what or "reasoning, at $0.0053" in found.what


def test_less_effort_that_loses_is_named(tmp_path: Path) -> None:
    """A level that succeeds 15 points less often is one not to go down to."""
    (found,) = find_efforts(tmp_path, 600, lost=0.15)
    assert found.verdict.value == "don't"
    assert (found.effects[0].estimate.low or 0) <= -0.15 * 0.8 <= (found.effects[0].estimate.high or 0)


def test_few_runs_are_not_enough(tmp_path: Path) -> None:
    """At 60 inputs the lower level is open: the finding says how many more, and what they cost."""
    (found,) = find_efforts(tmp_path, 60, seed=4)
    assert found.verdict.value == "not enough data"
    assert found.needed is not None
    assert found.needed.cost == pytest.approx(found.needed.n * COST["low"], rel=0.2)


def test_limit_of_output_is_an_effort_too(tmp_path: Path) -> None:
    """A lower limit of output tokens that loses nothing is worth taking."""
    (found,) = find_efforts(tmp_path, 800, axis="gen_ai.request.max_tokens")
    assert found.action is not None
    assert found.action.settings == {"max_tokens": "500", "instead_of": "2000"}


def test_levels_of_different_models_are_not_compared(tmp_path: Path) -> None:
    """Where the level changes with the model, nobody can tell which of the two made the difference."""
    assert find_efforts(tmp_path, 300, model={"low": "gpt-small"}) == []
