"""Hold the frontier of a report: who surely is on it, who may be, and that a sample of inputs says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from trilemma_analysis import frontier
from trilemma_analysis.report import build_report

from tests.analysis.planted import Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path


def place(directory: Path, rates: dict[str, float], n: int = 600) -> dict[str, float]:
    """Return each model's probability to be on the frontier; they differ in success alone, on the same inputs."""
    rng = np.random.default_rng(4)
    with make_store(directory) as store:
        for model, rate in rates.items():
            outcome = np.where(rng.permutation(n) < round(rate * n), "success", "failure")
            inputs = np.char.add("i", np.arange(n).astype(str))
            add_runs(store, Runs(n, model=model, input_id=inputs, outcome=outcome), prefix=model)
        (task,) = build_report(store).tasks
    return {one.name: one.frontier_probability or 0.0 for one in task.combinations}


def test_sure_and_unsure_members(tmp_path: Path) -> None:
    """A clear winner is on the frontier for sure, a clear loser never, and a close second now and then."""
    found = place(tmp_path, {"best": 0.93, "close": 0.92, "poor": 0.7})
    assert found["best"] > 0.6
    assert 0.1 < found["close"] < 0.5
    assert found["poor"] == 0


def test_few_successes_of_few_are_not_certain(tmp_path: Path) -> None:
    """Three successes of three do not make a combination better than 95 % of six hundred for sure."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(600, model="many", outcome=["success"] * 570 + ["failure"] * 30), prefix="many")
        add_runs(store, Runs(3, model="few"), prefix="few")
        (task,) = build_report(store).tasks
    places = {one.name: one for one in task.combinations}
    assert places["few"].on_frontier
    assert (places["few"].frontier_probability or 1) < 0.95
    assert (places["many"].frontier_probability or 0) > 0.1


def test_sample_of_inputs_gives_like_probabilities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every fourth input resampled and the spread shrunk, probabilities stay about what they are."""
    rates = {"best": 0.93, "close": 0.91, "poor": 0.8}
    whole = place(tmp_path / "whole", rates, 2000)
    monkeypatch.setattr(frontier, "RUNS_IN_BOOTSTRAP", 1500)
    sampled = place(tmp_path / "sampled", rates, 2000)
    assert sampled == pytest.approx(whole, abs=0.12)
