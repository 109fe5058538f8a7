"""Hold the fallback finding: what another model would have saved, in the minutes in which the first one failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from trilemma_analysis.findings.finding import Verdict

from tests.analysis.findings.planted_calls import find_kind
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

N = 600
LOST = 0.05


def find_planted(
    directory: Path, *, together: bool = False, error: str = "overloaded_error", second: bool = True
) -> list[Finding]:
    """Return the findings on runs of which a twentieth fails with an error, the second model perhaps with it."""
    rng = np.random.default_rng(2)
    down = rng.random(N) < LOST
    started = START_NS + np.arange(N) * HOUR_NS
    with make_store(directory) as store:
        for model, fails, rate in (("first", down, 0.9), ("second", down & together, 0.8)):
            if model == "second" and not second:
                continue
            won = (rng.random(N) < rate) & ~fails
            runs = Runs(
                N,
                model=model,
                outcome=np.where(won, "success", "failure"),
                error=np.where(fails, error, ""),
                cost=np.where(fails, 0.0, 0.01),
                started_ns=started,
            )
            add_runs(store, runs, prefix=model)
        return find_kind(store, "missing_fallback")


def test_other_model_that_answers_is_advised(tmp_path: Path) -> None:
    """A twentieth of the runs is lost; another model that answers then, and succeeds at 0.8, saves four points."""
    (found,) = find_planted(tmp_path)
    assert found.verdict is Verdict.ACT
    assert found.action is not None
    assert found.action.settings["models"] == ("first", "second")
    gain = next(one.estimate for one in found.effects if "with the fallback" in one.what and one.side == "quality")
    assert 0 < (gain.low or 0) <= LOST * 0.8 <= (gain.high or 0)


def test_models_that_fail_together_are_not_each_others_fallback(tmp_path: Path) -> None:
    """Where the second model is away in the same minutes, its success at other times counts for nothing."""
    found = find_planted(tmp_path, together=True)
    assert {one.verdict for one in found} == {Verdict.DONT}
    assert all(one.action is None for one in found)


def test_without_another_model_the_finding_is_open(tmp_path: Path) -> None:
    """Where no other model has done the task, the finding says how many runs of one would tell."""
    (found,) = find_planted(tmp_path, second=False)
    assert found.verdict is Verdict.NOT_ENOUGH_DATA
    assert found.needed is not None
    assert found.needed.cost is not None


def test_errors_of_the_app_are_no_outage(tmp_path: Path) -> None:
    """A request that the provider was right to refuse is not saved by asking another."""
    assert find_planted(tmp_path, error="invalid_request_error") == []
