"""Hold the route by segment: found where segments differ, judged on inputs that did not choose it, rarely wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings.segment_route import find
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.findings.no_effect import ALPHA, MARGIN
from tests.analysis.findings.policies import split_by_segment
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from trilemma_analysis.evidence.segments import Split
    from trilemma_analysis.findings import Finding

REPLAYS = {50: 150, 200: 100, 1000: 60}
DEAR, CHEAP = 0.02, 0.002
SEGMENTS = np.array(["faq", "status", "refund", "legal"])
EASY = np.array([True, True, False, False])  # where the cheap model is as good


def find_routes(directory: Path, n: int, seed: int = 1, *, lost: float = 0.25, by_size: bool = False) -> list[Finding]:
    """Report on inputs of four segments that both models tried; the cheap one loses so much in two of them."""
    rng = np.random.default_rng(seed)
    segment = rng.integers(0, 4, n)
    hard = rng.random(n)
    dear = hard < 0.9
    as_good = np.where(rng.random(n) < 0.3, rng.random(n) < 0.9, dear)  # not on the same inputs
    cheap = np.where(EASY[segment], as_good, hard < 0.9 - lost)
    size = np.where(EASY[segment], rng.integers(100, 900, n), rng.integers(1000, 4000, n))
    labels = {"gen_ai.usage.input_tokens": size} if by_size else {"trilemma.task.segment": SEGMENTS[segment]}
    with make_store(directory) as store:
        for model, won, cost in (("gpt-large", dear, DEAR), ("gpt-small", cheap, CHEAP)):
            runs = Runs(
                n,
                model=model,
                input_id=np.char.add("i", np.arange(n).astype(str)),
                outcome=np.where(won, "success", "failure"),
                cost=cost * rng.lognormal(0, 0.3, n),
                duration_s=cost * 500,
                started_ns=START_NS + np.linspace(0, 20 * 24 * HOUR_NS, n).astype(np.int64),
                extra=labels,
            )
            add_runs(store, runs, prefix=model)
        scope = find_scope(store)
        assert scope is not None
        return find(analyse(store, scope, Options()))


def test_route_by_segment_is_found_with_its_true_size(tmp_path: Path) -> None:
    """Two of four segments go to the cheap model: success, cost and latency are inside their intervals."""
    (found,) = find_routes(tmp_path, 1200)
    assert found.verdict.value == "act"
    assert found.action is not None
    assert found.action.settings["combinations"] == {"faq": "gpt-small", "status": "gpt-small"}
    truth = {"quality": 0.0, "cost": 0.5 + 0.5 * CHEAP / DEAR, "latency": np.sqrt(CHEAP / DEAR)}
    for effect in found.effects:
        assert (effect.estimate.low or 0) <= truth[effect.side] <= (effect.estimate.high or 0), effect.side
    assert found.saving is not None


def test_size_of_the_input_serves_where_nobody_named_segments(tmp_path: Path) -> None:
    """Without segments, thirds by input tokens are tried; the finding says up to how many tokens."""
    (found,) = find_routes(tmp_path, 1200, by_size=True)
    assert found.action is not None
    assert found.action.settings["combinations"] == {"small": "gpt-small"}
    assert 500 < float(str(found.action.settings["small_tokens_at_most"])) < 800


def test_segments_that_do_not_differ_give_nothing(tmp_path: Path) -> None:
    """Where the cheap model is as good everywhere, the plain route says it, and where it is as bad, nothing does."""
    assert find_routes(tmp_path / "good", 1200, lost=0.0) == []


def test_few_inputs_are_not_enough(tmp_path: Path) -> None:
    """On 200 inputs the route is open: the finding says how many more, and what they cost."""
    (found,) = find_routes(tmp_path, 200, lost=0.5)
    assert found.verdict.value == "not enough data"
    assert found.needed is not None
    assert found.needed.cost == pytest.approx(found.needed.n * CHEAP, rel=0.2)


def draw(rng: np.random.Generator, n: int, losses: NDArray[np.float64], candidates: int = 2) -> Split | None:
    """Draw inputs of as many segments as losses, on which each of several candidates loses so much success."""
    segment, hard = rng.integers(0, losses.size, n), rng.random(n)
    half, dear = rng.integers(0, 2, n), hard < 0.9
    ours = DEAR * rng.lognormal(0, 0.5, n)
    cheap = [
        (
            (hard < 0.9) & (rng.random(n) > losses[segment] / 0.9),
            (CHEAP + number * 1e-4) * rng.lognormal(0, 0.5, n),
        )
        for number in range(candidates)
    ]
    return split_by_segment(2 * segment + half, (dear, ours), cheap)


def try_routes(n: int, losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return per replay: called safe, truly worse by the margin, and whether the interval of cost holds the truth."""
    rng = np.random.default_rng(n)
    results = []
    for _ in range(REPLAYS[n]):
        split = draw(rng, n, losses)
        best = None if split is None else split.find_safe(ALPHA, 1.0)
        if best is None:
            results.append((False, False, True))
            continue
        routed = [int(name[1:]) for name in best.routes]
        lost = losses[routed].sum() / losses.size
        share = len(routed) / losses.size
        prices = [CHEAP + int(name[1:]) * 1e-4 for name in best.routes.values()]
        cost = 1 - share + share * float(np.mean(prices)) / DEAR
        ratio = best.held_out.cost_ratio
        covers = ratio is not None and (ratio.low or 0) <= cost <= (ratio.high or 0)
        results.append((True, lost >= MARGIN - 1e-9, covers))
    return np.array(results, dtype=float)


@pytest.mark.parametrize("n", [50, 200, 1000])
def test_rarely_called_safe_wrongly(n: int) -> None:
    """Where routing nearly any segment loses the margin, at most 5 % of replays (and chance) advise what does."""
    losses = np.array([0.0, *[6 * MARGIN] * 5])  # six segments: one more routed than the first loses the margin
    wrong = try_routes(n, losses)[:, 1].mean()
    assert wrong <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / REPLAYS[n])


def test_saving_is_what_it_says() -> None:
    """Where half the segments are free to route, most replays advise it, and nine in ten intervals hold its cost."""
    results = try_routes(1000, np.array([0.0, 0.0, 0.3, 0.3]))
    assert results[:, 0].mean() > 0.8
    assert results[results[:, 0] == 1, 2].mean() >= 0.9


def test_a_gain_that_vanishes_on_other_inputs_is_seen() -> None:
    """Of 40 small segments some look free on the inputs that choose them; on the others they lose."""
    rng = np.random.default_rng(5)
    split = draw(rng, 1600, np.full(40, 0.06), candidates=4)
    assert split is not None
    flattered = split.in_sample.difference.value or 0.0
    held_out = np.mean([one.held_out.difference.value for one in split.policies])
    assert flattered > held_out + 0.01
    assert split.p_worse < 0.01
