"""Hold the findings to planted truths: each is found, its size inside the interval, and nothing else is claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from trilemma_analysis.report import build_report

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store
from tests.analysis.planted_shop import TRUTHS, fill_shop

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding
    from trilemma_analysis.report import Report


@pytest.fixture(scope="module", name="report")
def _report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with make_store(tmp_path_factory.mktemp("shop")) as store:
        fill_shop(store)
        return build_report(store)


def pick(report: Report, kind: str, verdict: str = "act") -> Finding:
    """Return the one finding of a kind and verdict."""
    (found,) = [one for one in report.findings if one.kind == kind and one.verdict.value == verdict]
    return found


def test_each_truth_is_found_and_nothing_else(report: Report) -> None:
    """The findings are the planted truths, one each."""
    assert sorted((one.kind, one.task, one.verdict.value) for one in report.findings) == sorted(TRUTHS)


def test_route_states_effect_and_saving(report: Report) -> None:
    """The route to the mini model holds the true effects in its intervals, and saves what the arithmetic says."""
    found = pick(report, "model_route")
    assert "gpt-mini" in found.title
    effects = {effect.side: effect.estimate for effect in found.effects}
    for side, truth in (("quality", 0.0), ("cost", 0.1), ("latency", 0.4)):
        assert (effects[side].low or 0) <= truth <= (effects[side].high or 0)
    assert found.saving is not None
    assert found.saving.per_month is not None
    monthly = 700 * 30 / 20 * 0.9 * 0.02 * np.exp(0.3**2 / 2)
    assert found.saving.per_month.value == pytest.approx(monthly, rel=0.05)


def test_worse_model_is_named(report: Report) -> None:
    """The tiny model is what not to route to."""
    assert "gpt-tiny" in pick(report, "model_route", "don't").title


def test_prompt_version_says_which_to_use(report: Report) -> None:
    """Of two versions the finding says to use the better, which is v1."""
    found = pick(report, "prompt_version")
    assert "Use version v1" in found.change
    effect = found.effects[0].estimate
    assert (effect.low or 0) <= -0.16 <= (effect.high or 0)


def test_drift_says_when(report: Report) -> None:
    """The fall of success is placed within a day of the twelfth, 2026-06-09."""
    found = pick(report, "drift")
    assert any(f"2026-06-{day:02d}" in found.title for day in (8, 9, 10))
    assert "success rate" in found.title


def test_repeats_are_counted_in_order_of_arrival(report: Report) -> None:
    """Of about 315 equal requests of each day, all but the first after each expiry could have been answered."""
    found = pick(report, "repeated_requests")
    share = found.effects[0].estimate.value
    assert share == pytest.approx(0.35, abs=0.05)


def test_ids_name_place_and_change(report: Report) -> None:
    """Ids are distinct and do not depend on the data."""
    ids = [one.id for one in report.findings]
    assert len(set(ids)) == len(ids)
    assert all(one.id.startswith(f"{one.kind}:{one.task}:") for one in report.findings)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_claimed_of_nothing(tmp_path: Path, seed: int) -> None:
    """Equal models, equal prompts, distinct requests and no change over time give no claim."""
    rng = np.random.default_rng(seed)
    n = 400
    with make_store(tmp_path) as store:
        for model, cost in (("a", 0.02), ("b", 0.01)):
            for version in ("v1", "v2"):
                runs = Runs(
                    n,
                    model=model,
                    input_id=np.char.add("i", np.arange(n).astype(str)),
                    outcome=np.where(rng.random(n) < 0.9, "success", "failure"),
                    cost=cost * rng.lognormal(0, 0.3, n),
                    duration_s=rng.lognormal(0, 0.4, n),
                    started_ns=START_NS + rng.integers(0, 14 * 24 * HOUR_NS, n),
                    request_hash=np.char.add(f"{model}{version}", np.arange(n).astype(str)),
                    extra={"gen_ai.prompt.name": "p", "gen_ai.prompt.version": version},
                )
                add_runs(store, runs, prefix=f"{model}{version}")
        report = build_report(store)
    claims = [one for one in report.findings if one.verdict.value == "don't" or one.kind != "model_route"]
    assert claims == []
