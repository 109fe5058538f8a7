"""Hold the findings on signs in calls: what costs success is found at its size, what does not is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.evidence.signs import judge, measure_sign
from trilemma_analysis.findings.finding import Verdict

from tests.analysis.findings.planted_calls import add_calls, find_kind
from tests.analysis.planted import START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

N = 800
SIGNS = {
    "truncated_outputs": {"gen_ai.response.finish_reasons": "length"},
    "refusals": {"gen_ai.response.finish_reasons": "content_filter"},
    "schema_retries": {"gen_ai.response.finish_reasons": "MALFORMED_FUNCTION_CALL"},
}


def find_planted(
    directory: Path, kind: str, share: float, rate: float, *, n: int = N, cost: float = 0.01
) -> list[Finding]:
    """Return the findings on runs of which a share has the sign and succeeds at a rate; the others succeed at 0.9."""
    rng = np.random.default_rng(3)
    has_it = rng.random(n) < share
    won = rng.random(n) < np.where(has_it, rate, 0.9)
    with make_store(directory) as store:
        runs = Runs(
            n,
            outcome=np.where(won, "success", "failure"),
            started_ns=START_NS + np.arange(n) * 3_600_000_000_000,
            cost=np.where(has_it, cost, 0.01),
            extra={name: np.where(has_it, value, "") for name, value in SIGNS.get(kind, {}).items()},
        )
        add_runs(store, runs)
        if kind == "tool_loops":
            looping = [f"r{i}" for i in np.flatnonzero(has_it)]
            for number in range(1, 7):
                times = START_NS + np.flatnonzero(has_it) * 3_600_000_000_000 + number
                extra = {"trilemma.response.tool_call.names": "look_up"}
                add_calls(store, looping, number, started_ns=times, extra=extra, cost=0.01)
        return find_kind(store, kind)


@pytest.mark.parametrize("kind", [*SIGNS, "tool_loops"])
def test_sign_that_costs_success_is_found(tmp_path: Path, kind: str) -> None:
    """A tenth of the runs have the sign and succeed at 0.3 in place of 0.9: six points of all runs' success."""
    (found,) = find_planted(tmp_path, kind, 0.1, 0.3)
    assert found.verdict is Verdict.ACT
    loss = next(one.estimate for one in found.effects if one.what.startswith("success"))
    assert (loss.low or 0) <= 0.06 <= (loss.high or 0)
    assert (loss.low or 0) >= 0.01


@pytest.mark.parametrize("kind", ["truncated_outputs", "refusals"])
def test_harmless_sign_is_passed_over(tmp_path: Path, kind: str) -> None:
    """A sign in every fifth run, whose success is that of the others, is not worth a word."""
    assert find_planted(tmp_path, kind, 0.2, 0.9) == []


def test_repeated_formats_are_found_by_their_cost(tmp_path: Path) -> None:
    """Where a tenth of the runs costs three times as much for its format, the extra is 2 parts of 12."""
    (found,) = find_planted(tmp_path, "schema_retries", 0.1, 0.9, cost=0.03)
    extra = next(one.estimate for one in found.effects if "more than" in one.what)
    assert (extra.low or 0) <= 0.2 / 1.2 <= (extra.high or 0)
    assert found.saving is not None
    assert found.saving.per_1000_runs.value == pytest.approx(1000 * 0.1 * 0.02, rel=0.3)


def test_few_runs_are_not_settled(tmp_path: Path) -> None:
    """Where a fifth of 200 runs seems to succeed less often, the finding says how many more would settle it."""
    (found,) = find_planted(tmp_path, "refusals", 0.2, 0.75, n=200)
    assert found.verdict is Verdict.NOT_ENOUGH_DATA
    assert found.needed is not None
    assert 0 < found.needed.n <= 4 * 200
    assert found.needed.cost == pytest.approx(found.needed.n * 0.01)


def draw_row(rng: np.random.Generator, n: int, share: float, rates: tuple[float, float]) -> dict[str, Any]:
    """Return a row of sql/run_signs.sql for runs of one input each, which cost nothing known."""
    with_runs = int(rng.binomial(n, share))
    won, known = (int(rng.binomial(with_runs, rates[0])), int(rng.binomial(n - with_runs, rates[1]))), n - with_runs
    row: dict[str, Any] = {"task_name": "t", "combination": "c", "runs": n, "with_runs": with_runs}
    for prefix, x, y in (
        ("with_outcome", won[0], with_runs),
        ("without_outcome", won[1], known),
        ("share", with_runs, n),
    ):
        row |= {
            f"{prefix}_{name}": value
            for name, value in zip(("n", "x", "y", "xx", "yy", "xy"), (y, x, y, x, y, x), strict=True)
        }
    for prefix in ("waste", "with_cost", "without_cost"):
        row |= {f"{prefix}_{name}": 0 for name in ("n", "x", "y", "xx", "yy", "xy")}
    return row


def test_chance_is_rarely_taken_for_harm() -> None:
    """Where runs with the sign succeed like the others, fewer than one in twenty replays asks for a change."""
    rng = np.random.default_rng(11)
    for share in (0.05, 0.3):
        ones = [measure_sign([draw_row(rng, 600, share, (0.85, 0.85))], 0.95) for _ in range(400)]
        assert np.mean([judge(one, saves=False) is Verdict.ACT for one in ones]) <= 0.05


def test_loss_holds_the_truth() -> None:
    """The interval of the success lost over all runs covers the truth at least as often as it says."""
    rng = np.random.default_rng(12)
    ones = [measure_sign([draw_row(rng, 600, 0.15, (0.5, 0.9))], 0.95) for _ in range(400)]
    assert np.mean([(one.loss.low or 0) <= 0.06 <= (one.loss.high or 0) for one in ones]) >= 0.95
