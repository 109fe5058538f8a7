"""Hold the split of totals to planted causes: mix, rates, evaluators, prices, contrary segments, broken experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings import mix_change
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.findings.mixes import choose_group, split_success
from trilemma_analysis.importing.loader import import_files
from trilemma_analysis.importing.mapping import load_mapping
from trilemma_analysis.importing.rejects import Rejects
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.planted import HOUR_NS, LABELS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.client import Store
    from trilemma_analysis.findings.finding import Finding

N = 2000
HALF = np.arange(N) >= N // 2


def find(store: Store) -> list[Finding]:
    """Return what moved the totals of all of a store."""
    scope = find_scope(store, since="2000-01-01")
    assert scope is not None
    return mix_change.find(analyse(store, scope, Options()))


def add_traffic(store: Store, rng: np.random.Generator, hard: Any, rates: Any, **columns: Any) -> None:
    """Insert runs over thirty days: easy or hard inputs, as a segment, of these success rates."""
    extra = {"trilemma.task.segment": np.where(hard, "hard", "easy"), **columns.pop("extra", {})}
    started = START_NS + np.linspace(0, 30 * 24 * HOUR_NS, N, endpoint=False).astype(np.int64)
    outcome = np.where(rng.random(N) < rates, "success", "failure")
    add_runs(store, Runs(N, outcome=outcome, started_ns=started, extra=extra, **columns))


def parts(one: Finding) -> dict[str, tuple[float, float, float]]:
    """Return the ends of each effect by what it says."""
    return {
        effect.what.split(",")[0]: (effect.estimate.low or 0, effect.estimate.value or 0, effect.estimate.high or 0)
        for effect in one.effects
    }


def test_fall_by_mix_alone_is_not_a_fall_of_rates(tmp_path: Path) -> None:
    """Hard inputs go from a fifth to half of the traffic, rates stay: the fall is the mix's, its size inside."""
    rng = np.random.default_rng(1)
    hard = rng.random(N) < np.where(HALF, 0.5, 0.2)
    with make_store(tmp_path) as store:
        add_traffic(store, rng, hard, np.where(hard, 0.6, 0.95))
        (one,) = find(store)
    assert (one.verdict, one.doubts) == (Verdict.DONT, ("quality",))
    assert "because other inputs ran" in one.title
    found = parts(one)
    low, _, high = found["of that by other inputs"]
    assert low <= -0.3 * 0.35 <= high
    low, _, high = found["of that by other rates of the same ones"]
    assert low <= 0 <= high


def test_mix_that_hides_a_fall_is_seen_through(tmp_path: Path) -> None:
    """Each segment falls by ten points while easy inputs come: the total stands still, the rates' part is told."""
    rng = np.random.default_rng(2)
    hard = rng.random(N) < np.where(HALF, 0.2, 0.5)
    with make_store(tmp_path) as store:
        add_traffic(store, rng, hard, np.where(hard, 0.6, 0.95) - 0.1 * HALF)
        (one,) = find(store)
    assert one.verdict is Verdict.ACT
    assert "hide" in one.title
    low, _, high = parts(one)["of that by other rates of the same ones"]
    assert low <= -0.1 <= high


def test_simpson_is_named(tmp_path: Path) -> None:
    """Each segment rises while the total falls: the title says that only the mix made it fall."""
    rng = np.random.default_rng(3)
    hard = rng.random(N) < np.where(HALF, 0.8, 0.2)
    with make_store(tmp_path) as store:
        add_traffic(store, rng, hard, np.where(hard, 0.5, 0.85) + 0.08 * HALF)
        (one,) = find(store)
    assert "at the same mix it moved the other way" in one.title


def test_other_evaluators_are_told_apart(tmp_path: Path) -> None:
    """Where a lenient source tells the outcomes of the last half, the change goes with who told, and is doubted."""
    rng = np.random.default_rng(4)
    lenient = rng.random(N) < np.where(HALF, 0.9, 0.1)
    source = np.where(lenient, "judge", "human")
    with make_store(tmp_path) as store:
        add_traffic(store, rng, False, np.where(lenient, 0.95, 0.75), extra={"trilemma.task.outcome_source": source})
        (one,) = find(store)
    assert "others tell the outcomes" in one.title
    low, _, high = parts(one)["success"]
    assert low <= 0.8 * 0.2 <= high
    assert one.doubts == ("quality",)


def priced(prices: Any, tokens: Any, model: Any = "gpt-mini") -> dict[str, Any]:
    """Return columns of calls with output tokens at a price per token, and nothing else."""
    cost = np.broadcast_to(np.asarray(prices) * np.asarray(tokens), N)
    extra = {
        "gen_ai.usage.output_tokens": np.broadcast_to(np.asarray(tokens), N).astype(str),
        "trilemma.cost.output": [repr(float(c)) for c in cost],
        "trilemma.cost.input": "0",
        "trilemma.cost.price_table.version": np.where(HALF, "v2", "v1"),
    }
    return {"cost": cost, "model": model, "extra": extra}


def test_price_rise_is_told_from_tokens(tmp_path: Path) -> None:
    """A price that rises by half while answers stay as long is the whole change, and named with its model."""
    rng = np.random.default_rng(5)
    tokens = rng.integers(80, 120, N)
    with make_store(tmp_path) as store:
        add_traffic(store, rng, False, 0.9, **priced(np.where(HALF, 1.5e-5, 1e-5), tokens))
        (one,) = find(store)
    assert "most by other prices" in one.title
    assert "gpt-mini output +50 %" in one.what
    found = parts(one)
    assert found["of the change"][1] == pytest.approx(0.5e-5 * 100, rel=0.03)


def test_dearer_models_are_mix_and_longer_answers_are_drifts_business(tmp_path: Path) -> None:
    """More runs of a dear model are mix; answers twice as long within one model are left to the drift finding."""
    rng = np.random.default_rng(6)
    dear = rng.random(N) < np.where(HALF, 0.6, 0.1)
    with make_store(tmp_path / "models") as store:
        add_traffic(
            store, rng, False, 0.9, **priced(np.where(dear, 1e-4, 1e-5), 100, np.where(dear, "gpt-large", "gpt-mini"))
        )
        (one,) = find(store)
    assert "most by other models or more calls" in one.title
    with make_store(tmp_path / "answers") as store:
        add_traffic(store, rng, False, 0.9, **priced(1e-5, np.where(HALF, 200, 100) + rng.integers(-9, 9, N)))
        assert find(store) == []


def test_contrary_segments_forbid_the_total(tmp_path: Path) -> None:
    """A model worse in all, better on one segment and far worse on the other is not to be judged by the total."""
    rng = np.random.default_rng(7)
    hard, other = rng.random(N) < 0.5, rng.random(N) < 0.5
    rates = np.where(other, np.where(hard, 0.35, 0.98), np.where(hard, 0.8, 0.88))
    with make_store(tmp_path) as store:
        add_traffic(store, rng, hard, rates, model=np.where(other, "new", "old"), cost=np.where(other, 0.001, 0.02))
        (one,) = [found for found in find(store) if "segment" in found.title]
    assert (one.verdict, one.doubts) == (Verdict.DONT, ("quality",))
    ends = [(effect.estimate.low or 0, effect.estimate.high or 0) for effect in one.effects]
    assert ends[0][0] <= 0.1 <= ends[0][1]
    assert ends[1][0] <= -0.45 <= ends[1][1]


def add_assignments(store: Store, names: list[str], probabilities: dict[str, float]) -> None:
    """Insert one assignment of an experiment per unit."""
    n = len(names)
    facts = [
        [
            ("trilemma.decision.kind", "variant"),
            ("trilemma.decision.name", "shorter-prompt"),
            ("trilemma.decision.chosen", name),
            ("trilemma.decision.candidates", '["control","short"]'),
            ("trilemma.decision.probability", repr(probabilities[name])),
            ("trilemma.decision.unit_hash", f"u{i}"),
            ("trilemma.decision.eligible", "true"),
            ("trilemma.task.id", f"r{i}"),
            ("trilemma.task.name", "support.refund"),
        ]
        for i, name in enumerate(names)
    ]
    store.insert_arrow(
        "otel_traces",
        pa.table(
            {
                "Timestamp": pa.array([START_NS] * n, pa.timestamp("ns", "UTC")),
                "TraceId": [f"r{i}" for i in range(n)],
                "SpanId": [f"v{i}" for i in range(n)],
                "SpanKind": ["Internal"] * n,
                "SpanName": ["variant"] * n,
                "ServiceName": ["shop"] * n,
                "ScopeName": ["trilemma"] * n,
                "SpanAttributes": pa.array(facts, LABELS),
            }
        ),
    )


@pytest.mark.parametrize(("lost", "is_broken"), [(0.2, True), (0.0, False)])
def test_sample_ratio_mismatch_is_found(tmp_path: Path, lost: float, is_broken: bool) -> None:
    """A variant that loses a fifth of its units breaks its experiment; one that loses none does not."""
    rng = np.random.default_rng(8)
    drawn = [("short" if rng.random() < 0.5 else "control") for _ in range(N)]
    names = [name for name in drawn if name == "control" or rng.random() >= lost]
    with make_store(tmp_path) as store:
        add_runs(store, Runs(len(names)))
        add_assignments(store, names, {"control": 0.5, "short": 0.5})
        found = find(store)
    assert [one.doubts for one in found] == [("quality", "cost", "latency")] * is_broken


def test_few_runs_leave_the_mix_open(tmp_path: Path) -> None:
    """A mix that may have moved success by the margin, on eighty runs, is open, with the runs that would tell."""
    hard = np.array([i % 10 < 2 for i in range(40)] + [i % 10 < 4 for i in range(40)])
    won = np.array([(i % 3 > 0) if one else (i % 12 > 0) for i, one in enumerate(hard)])
    runs = Runs(80, outcome=np.where(won, "success", "failure"), started_ns=START_NS + np.arange(80) * HOUR_NS)
    runs.extra = {"trilemma.task.segment": np.where(hard, "hard", "easy")}
    with make_store(tmp_path) as store:
        add_runs(store, runs)
        (one,) = find(store)
    assert one.verdict is Verdict.NOT_ENOUGH_DATA
    assert one.needed is not None
    assert one.needed.n > 0


@pytest.mark.parametrize("seed", range(2))
def test_nothing_moved(tmp_path: Path, seed: int) -> None:
    """Two models, two segments, one cost and one rate throughout give no finding."""
    rng = np.random.default_rng(seed)
    hard = rng.random(N) < 0.3
    model = np.where(rng.random(N) < 0.5, "a", "b")
    with make_store(tmp_path) as store:
        add_traffic(store, rng, hard, np.where(hard, 0.6, 0.95), model=model, cost=0.01 * rng.lognormal(0, 0.8, N))
        assert find(store) == []


def test_intervals_of_the_parts_hold_the_truth() -> None:
    """Mix and rate parts are within their intervals in 93 to 98 % of samples, by segment and combination."""
    rng, rounds, n = np.random.default_rng(9), 400, 400
    shares = np.array([[0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    rates = np.array([[0.95, 0.8, 0.7, 0.5], [0.9, 0.85, 0.65, 0.5]])
    mix, rate = ((shares[1] - shares[0]) * rates.mean(0)).sum(), ((rates[1] - rates[0]) * shares.mean(0)).sum()
    held = np.zeros(2)
    for _ in range(rounds):
        rows = []
        for half in (0, 1):
            counts = rng.multinomial(n, shares[half])
            for at, known in enumerate(counts):
                rows.append(
                    {
                        "segment": f"s{at % 2}",
                        "combination": f"c{at // 2}",
                        "is_after": half,
                        "runs": int(known),
                        "known": int(known),
                        "successes": int(rng.binomial(known, rates[half][at])),
                    }
                )
        one = split_success(rows, choose_group(rows), 1.0, 0.95, 0.01)
        assert one is not None
        held += [bool(one.split.mix.covers(mix)), bool(one.split.rate.covers(rate))]
    assert (held / rounds >= 0.93).all()
    assert (held / rounds <= 0.98).all()


@pytest.mark.shared
def test_llmdrift_prime_is_not_what_the_total_says(shared: Path, tmp_path: Path) -> None:
    """GPT-4 fell from 84 to 51 % on primes and composites together, by −95 points on one and +29 on the other."""
    with make_store(tmp_path) as store, Rejects(None) as rejects:
        path = shared / "data" / "published" / "llmdrift" / "data.parquet"
        import_files(load_mapping("llmdrift"), [path], store, rejects)
        scope = find_scope(store, since="2000-01-01", tasks=("llmdrift.prime",))
        assert scope is not None
        found = mix_change.find(analyse(store, scope, Options()))
    contrary = next(one for one in found if "segment" in one.title)
    assert "gpt-4-0613" in contrary.where
    assert [round((effect.estimate.value or 0) * 100, 1) for effect in contrary.effects] == [29.4, -95.2]
    mix = next(one for one in found if one is not contrary)
    assert parts(mix)["of that by other rates of the same ones"][1] == pytest.approx(0, abs=0.01)
