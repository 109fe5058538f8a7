"""Hold the cascade: found with its true size, only on signals of a run in time, rarely wrong, never the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings.cascade import decide, find
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.findings.no_effect import ALPHA, MARGIN
from tests.analysis.findings.policies import replay_cascade
from tests.analysis.planted import HOUR_NS, LABELS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from trilemma_analysis.client import Store
    from trilemma_analysis.findings import Finding

N = 900
REPLAYS = {50: 150, 200: 100, 1000: 60}
DEAR, CHEAP = 0.02, 0.002
CAUGHT = 0.85  # of the cheap model's failures are cut at their limit of tokens


def find_cascades(
    directory: Path, seed: int = 1, *, n: int = N, scores: Sequence[dict[str, Any]] = ()
) -> list[Finding]:
    """Report on inputs that both models tried: the cheap one fails where inputs are hard, and often shows it."""
    rng = np.random.default_rng(seed)
    hard = rng.random(n)
    cheap_wins, shows = hard < 0.8, rng.random(n)
    cut = np.where(~cheap_wins, shows < CAUGHT, shows < 0.01)
    with make_store(directory) as store:
        add_model(store, rng, "gpt-large", hard < 0.9, DEAR, finish="stop")
        add_model(
            store, rng, "gpt-small", cheap_wins, CHEAP, finish="stop" if scores else np.where(cut, "length", "stop")
        )
        for number, one in enumerate(scores):
            rest = {key: value for key, value in one.items() if key != "score"}
            score = one["score"](cheap_wins) if "score" in one else np.where(cut, 0.2, 0.9)
            add_scores(store, score, f"judge-{number}", **rest)
        scope = find_scope(store)
        assert scope is not None
        return find(analyse(store, scope, Options()))


def add_model(store: Store, rng: np.random.Generator, model: str, won: Any, cost: float, *, finish: Any) -> None:
    """Insert a run of each input; the dear model takes ten seconds, the cheap one a second."""
    n = won.size
    runs = Runs(
        n,
        model=model,
        input_id=np.char.add("i", np.arange(n).astype(str)),
        outcome=np.where(won, "success", "failure"),
        cost=cost * rng.lognormal(0, 0.3, n),
        duration_s=cost * 500,
        started_ns=START_NS + np.linspace(0, 20 * 24 * HOUR_NS, n).astype(np.int64),
        extra={"gen_ai.response.finish_reasons": finish},
    )
    add_runs(store, runs, prefix=model)


def add_scores(store: Store, scores: Any, name: str, *, late_s: float = 0.5, source: str = "judge") -> None:
    """Insert a score of each run of the cheap model, so many seconds after its start."""
    n = scores.size
    starts = START_NS + np.linspace(0, 20 * 24 * HOUR_NS, n).astype(np.int64)
    names = (
        "gen_ai.evaluation.name",
        "gen_ai.evaluation.score.value",
        "trilemma.evaluation.source",
        "trilemma.task.id",
    )
    values = [(name, repr(float(x)), source, f"gpt-small{i}") for i, x in enumerate(scores)]
    table = {
        "Timestamp": pa.array(starts + int(late_s * 1e9), pa.timestamp("ns", "UTC")),
        "TraceId": [f"gpt-small{i}" for i in range(n)],
        "SpanId": [f"tgpt-small{i}" for i in range(n)],
        "EventName": ["gen_ai.evaluation.result"] * n,
        "LogAttributes": pa.array([list(zip(names, row, strict=True)) for row in values], LABELS),
    }
    store.insert_arrow("otel_logs", pa.table(table))


def test_cascade_is_found_with_its_true_size(tmp_path: Path) -> None:
    """Cut answers catch 85 % of failures: success, cost and latency of the cascade are inside their intervals."""
    (found,) = find_cascades(tmp_path)
    assert (found.verdict.value, found.action and found.action.kind) == ("act", "cascade")
    fired = 0.2 * CAUGHT + 0.8 * 0.01
    # Inputs between the two models' reach are lost unless the cut answer sends them on.
    truth = {
        "quality": -0.1 * (1 - CAUGHT),
        "cost": CHEAP / DEAR + fired,
        "latency": np.exp((1 - fired) * np.log(0.1) + fired * np.log(1.1)),
    }
    for effect in found.effects:
        assert (effect.estimate.low or 0) <= truth[effect.side] <= (effect.estimate.high or 0), effect.side
    assert found.saving is not None
    assert found.action is not None
    assert found.action.settings["first"] == "gpt-small"
    assert "bound" in found.what


def test_a_score_given_in_time_is_a_signal(tmp_path: Path) -> None:
    """A judge that scored the run before it ended lets it fall back, below a score that the finding names."""
    (found,) = find_cascades(tmp_path, scores=[{}])
    assert found.action is not None
    assert (found.action.settings["evaluator"], found.action.settings["score_at_most"]) == ("judge-0", 0.2)


def test_a_score_that_no_runtime_had_is_none(tmp_path: Path) -> None:
    """Scores given after the run, by a human, or with the imported row itself are not replayed."""
    late = [{"late_s": 60.0}, {"source": "human"}, {"late_s": 0.0}]
    assert find_cascades(tmp_path, scores=late) == []


def test_the_outcome_itself_is_no_signal(tmp_path: Path) -> None:
    """A score that is low exactly where the run failed is taken for the outcome under another name."""
    assert find_cascades(tmp_path, scores=[{"score": lambda won: np.where(won, 1.0, 0.0)}]) == []


def test_a_signal_that_tells_nothing_gives_nothing(tmp_path: Path) -> None:
    """Scores that have nothing to do with success are no reason to fall back."""
    rng = np.random.default_rng(3)
    assert find_cascades(tmp_path, scores=[{"score": lambda won: rng.random(won.size)}]) == []


def test_few_inputs_are_not_enough(tmp_path: Path) -> None:
    """On 120 inputs the same cascade is open: the finding says how many more, and what they cost."""
    (found,) = find_cascades(tmp_path, n=120, seed=2)
    assert found.verdict.value == "not enough data"
    assert found.needed is not None
    assert found.needed.cost == pytest.approx(found.needed.n * CHEAP, rel=0.2)


def draw(rng: np.random.Generator, n: int, lost: float) -> list[Any]:
    """Draw two cascades on one sample: of the failures of the cheap model, ``lost`` of all inputs stay uncaught."""
    hard = rng.random(n)
    outcomes = (hard < 0.9, hard < 0.6)
    costs = (DEAR * rng.lognormal(0, 0.5, n), CHEAP * rng.lognormal(0, 0.5, n))
    uncaught = lost / 0.3  # of the inputs that the dear model alone gets right
    return [
        replay_cascade(outcomes, costs, np.where(hard < 0.6, rng.random(n) < 0.02, rng.random(n) > uncaught), name)
        for name in ("", "a")
    ]


def try_cascades(n: int, lost: float) -> NDArray[np.float64]:
    """Return per replay: whether a cascade is called safe, and whether its saving's interval holds the truth."""
    rng = np.random.default_rng(n)
    cost = CHEAP / DEAR + 0.6 * 0.02 + 0.4 * (1 - lost / 0.3)
    results = []
    for _ in range(REPLAYS[n]):
        best, _, safe = decide(draw(rng, n, lost), ALPHA, 1.0)
        ratio = None if best is None else best.routed.cost_ratio
        covers = ratio is not None and (ratio.low or 0) <= cost <= (ratio.high or 0)
        results.append((safe, covers))
    return np.array(results, dtype=float)


@pytest.mark.parametrize("n", [50, 200, 1000])
def test_rarely_called_safe_wrongly(n: int) -> None:
    """Of replays in which all cascades truly lose the margin, at most 5 % (and chance) call one of them safe."""
    assert try_cascades(n, MARGIN)[:, 0].mean() <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / REPLAYS[n])


def test_saving_is_what_it_says() -> None:
    """Cascades that lose nearly nothing are called safe, and nine in ten intervals of cost hold the truth."""
    results = try_cascades(1000, 0.005)
    assert results[:, 0].mean() > 0.9
    assert results[results[:, 0] == 1, 1].mean() >= 0.9
