"""Hold the context finding: what marks say of a source, at the task's price of a token, and repeats in a context."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.findings.context_waste import judge, measure_use
from trilemma_analysis.findings.finding import Verdict

from tests.analysis.findings.planted_calls import add_decisions, add_marks, find_kind
from tests.analysis.planted import Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

N = 300
TOKENS = 500  # of each of two blocks; the prompt has 2,000, at half of the bill


def find_planted(directory: Path, *, used: float, marked: float = 1.0, twice: bool = False) -> list[Finding]:
    """Return the findings on runs with a block from the wiki and one from tickets, the latter used at a rate."""
    rng = np.random.default_rng(6)
    ids = [f"r{i}" for i in range(N)]
    facts: dict[str, Any] = {
        "trilemma.context.block.ids": json.dumps(["a", "b"]),
        "trilemma.context.block.sources": json.dumps(["tickets", "tickets" if twice else "wiki"]),
        "trilemma.context.block.hashes": json.dumps(["x", "x" if twice else "y"]),
        "trilemma.context.block.tokens": json.dumps([TOKENS, TOKENS]),
        "trilemma.context.block.kept": "[true,true]",
        "trilemma.context.block.reasons": '["",""]',
        "trilemma.context.block.scores": '["",""]',
    }
    costs = {"trilemma.cost.input": "0.005", "trilemma.cost.output": "0.005", "gen_ai.usage.input_tokens": "2000"}
    with make_store(directory) as store:
        add_runs(store, Runs(N, cost=0.01, extra=costs))
        add_decisions(store, ids, "context", extra=facts)
        seen = rng.random(N) < marked
        add_marks(store, ids, np.where(seen, np.where(rng.random(N) < used, "used", "unused"), ""), block="a")
        if not twice:
            add_marks(store, ids, np.where(seen, "used", ""), block="b")
        return find_kind(store, "context_waste")


def test_source_that_is_never_used_is_found(tmp_path: Path) -> None:
    """Tickets are used in one of twenty runs: most of a quarter of the input, an eighth of the bill, is wasted."""
    (found,) = find_planted(tmp_path, used=0.05)
    assert (found.verdict, found.where) == (Verdict.ACT, "tickets")
    cost = found.effects[1].estimate
    assert (cost.low or 0) <= 1 - 0.125 * 0.95 <= (cost.high or 0)
    assert found.saving is not None
    assert found.saving.per_1000_runs.value == pytest.approx(1000 * 0.01 * 0.125 * 0.95, rel=0.05)


def test_source_that_is_used_is_left_alone(tmp_path: Path) -> None:
    """A source of which half the blocks are of use is not waste."""
    assert find_planted(tmp_path, used=0.5) == []


def test_nothing_is_guessed_without_marks(tmp_path: Path) -> None:
    """Blocks that nobody marked are not called unused."""
    assert find_planted(tmp_path, used=0.0, marked=0.0) == []


def test_repeats_within_a_context_are_found(tmp_path: Path) -> None:
    """One of two equal blocks is too many: an eighth of the bill."""
    (found,) = find_planted(tmp_path, used=0.5, twice=True)
    cost = found.effects[0].estimate
    assert (cost.low or 0) <= 1 - 0.125 <= (cost.high or 0)
    assert found.action is not None
    assert found.action.settings["drop_repeats"] is True


def measure_drawn(unused: int, marked: int) -> Verdict | None:
    """Return the verdict on a source of which as many marked blocks, one a run, were of no use."""
    row: dict[str, Any] = {"marked": marked, "blocks": 2000, "tokens": 10**6, "repeated": 0, "repeated_tokens": 0}
    sums = {"n": marked, "x": unused, "y": marked, "xx": unused, "yy": marked, "xy": unused}
    row |= {f"{prefix}_{name}": value for prefix in ("unused", "lost") for name, value in sums.items()}
    return judge(measure_use(row, {"cost": 10**13, "input_cost": 5 * 10**12, "input_tokens": 4 * 10**6}, 0.95))


def test_useful_sources_are_rarely_dropped() -> None:
    """Where one block in five is of use, at most 2.5 % of replays (plus noise) advise to leave the source out."""
    rng = np.random.default_rng(10)
    verdicts = [measure_drawn(int(unused), 200) for unused in rng.binomial(200, 0.8, 2000)]
    assert np.mean([verdict is Verdict.ACT for verdict in verdicts]) <= 0.035


def test_few_marks_settle_nothing() -> None:
    """Nine of ten unused blocks are not enough to leave a source out, and are to be followed up."""
    assert measure_drawn(9, 10) is Verdict.NOT_ENOUGH_DATA
