"""Hold the split of totals to planted causes: mix, rates, evaluators, prices, contrary segments, broken experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.evidence.mixes import choose_group, split_success
from trilemma_analysis.findings import mix_change
from trilemma_analysis.findings.finding import Verdict
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

N = 1500
HALF = np.arange(N) >= N // 2


def find(store: Store, **choices: Any) -> list[Finding]:
    """Return what moved the totals of all of a store."""
    scope = find_scope(store, since="2000-01-01", **choices)
    assert scope is not None
    return mix_change.find(analyse(store, scope, Options()))


def add_traffic(store: Store, task: str, rng: np.random.Generator, hard: Any, rates: Any, **columns: Any) -> None:
    """Insert runs of a task over thirty days: easy or hard inputs, as a segment, of these success rates."""
    extra = {"trilemma.task.segment": np.where(hard, "hard", "easy"), **columns.pop("extra", {})}
    started = START_NS + np.linspace(0, 30 * 24 * HOUR_NS, N, endpoint=False).astype(np.int64)
    outcome = np.where(rng.random(N) < rates, "success", "failure")
    runs = Runs(N, task=task, outcome=outcome, started_ns=started, extra=extra, **columns)
    add_runs(store, runs, prefix=f"{task}-")


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


def add_assignments(store: Store, name: str, variants: list[str]) -> None:
    """Insert one assignment of an experiment, planned half and half, per unit."""
    n = len(variants)
    facts = [
        [
            ("trilemma.decision.kind", "variant"),
            ("trilemma.decision.name", name),
            ("trilemma.decision.chosen", variant),
            ("trilemma.decision.candidates", '["control","short"]'),
            ("trilemma.decision.probability", "0.5"),
            ("trilemma.decision.unit_hash", f"u{i}"),
            ("trilemma.decision.eligible", "true"),
            ("trilemma.task.id", f"{name}-{i}"),
            ("trilemma.task.name", name),
        ]
        for i, variant in enumerate(variants)
    ]
    columns = {
        "Timestamp": pa.array([START_NS] * n, pa.timestamp("ns", "UTC")),
        "TraceId": [f"{name}-{i}" for i in range(n)],
        "SpanId": [f"v{name}-{i}" for i in range(n)],
        "SpanKind": ["Internal"] * n,
        "SpanName": ["variant"] * n,
        "ServiceName": ["shop"] * n,
        "ScopeName": ["trilemma"] * n,
        "SpanAttributes": pa.array(facts, LABELS),
    }
    store.insert_arrow("otel_traces", pa.table(columns))


def fill(store: Store) -> None:
    """Insert one task for each cause that can move a total, and some that nothing moves."""
    rng = np.random.default_rng(4)

    def draw(before: float, after: float) -> Any:
        return rng.random(N) < np.where(HALF, after, before)

    hard = draw(0.2, 0.5)
    add_traffic(store, "mix", rng, hard, np.where(hard, 0.6, 0.95))
    hard = draw(0.5, 0.2)
    add_traffic(store, "hidden", rng, hard, np.where(hard, 0.6, 0.95) - 0.1 * HALF)
    hard = draw(0.2, 0.8)
    add_traffic(store, "simpson", rng, hard, np.where(hard, 0.5, 0.85) + 0.1 * HALF)
    lenient = draw(0.1, 0.9)
    told = {"trilemma.task.outcome_source": np.where(lenient, "judge", "human")}
    add_traffic(store, "evaluators", rng, hard=False, rates=np.where(lenient, 0.95, 0.75), extra=told)
    tokens = rng.integers(80, 120, N)
    add_traffic(store, "price", rng, hard=False, rates=0.9, **priced(np.where(HALF, 1.5e-5, 1e-5), tokens))
    dear = draw(0.1, 0.6)
    models = priced(np.where(dear, 1e-4, 1e-5), 100, np.where(dear, "gpt-large", "gpt-mini"))
    add_traffic(store, "models", rng, hard=False, rates=0.9, **models)
    longer = priced(1e-5, np.where(HALF, 200, 100) + rng.integers(-9, 9, N))
    add_traffic(store, "longer", rng, hard=False, rates=0.9, **longer)
    hard, other = draw(0.5, 0.5), draw(0.5, 0.5)
    rates = np.where(other, np.where(hard, 0.35, 0.98), np.where(hard, 0.8, 0.85))
    add_traffic(
        store, "contrary", rng, hard, rates, model=np.where(other, "new", "old"), cost=np.where(other, 0.001, 0.02)
    )
    for number in range(4):
        hard, model = draw(0.3, 0.3), np.where(draw(0.5, 0.5), "a", "b")
        costs = 0.01 * rng.lognormal(0, 0.8, N)
        add_traffic(store, f"clean{number}", rng, hard, np.where(hard, 0.6, 0.95), model=model, cost=costs)
    for name, lost in (("broken", 0.3), ("fine", 0.0)):
        drawn = ["short" if one else "control" for one in draw(0.5, 0.5)]
        add_assignments(store, name, [one for one in drawn if one == "control" or rng.random() >= lost])
    dear = draw(0.1, 0.6)
    whole = {"model": np.where(dear, "gpt-large", "gpt-mini"), "cost": np.where(dear, 0.01, 0.001)}
    add_traffic(store, "whole", rng, hard=False, rates=0.9, **whole)


@pytest.fixture(scope="module", name="found")
def _found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    """Return the findings by task, of which each has one at most."""
    with make_store(tmp_path_factory.mktemp("causes")) as store:
        fill(store)
        findings = find(store)
    found = {one.task: one for one in findings}
    assert len(found) == len(findings)
    return found


def parts(one: Finding) -> dict[str, tuple[float, float, float]]:
    """Return the ends of each effect by what it says."""
    return {
        effect.what: (effect.estimate.low or 0, effect.estimate.value or 0, effect.estimate.high or 0)
        for effect in one.effects
    }


def test_each_cause_is_found_and_nothing_else(found: dict[str, Finding]) -> None:
    """Tasks of which something moved have a finding; those that nothing moved, or only tokens (drift), have none."""
    assert set(found) == {"mix", "hidden", "simpson", "evaluators", "price", "models", "contrary", "broken", "whole"}


def test_fall_by_mix_alone_is_not_a_fall_of_rates(found: dict[str, Finding]) -> None:
    """Hard inputs go from a fifth to half of the traffic, rates stay: the fall is the mix's, its size inside."""
    one = found["mix"]
    assert (one.verdict, one.doubts) == (Verdict.DONT, ("quality",))
    assert "because other inputs ran" in one.title
    low, _, high = parts(one)["of that by other inputs"]
    assert low <= -0.3 * 0.35 <= high
    low, _, high = parts(one)["of that by other rates of the same ones"]
    assert low <= 0 <= high


def test_mix_that_hides_a_fall_is_seen_through(found: dict[str, Finding]) -> None:
    """Each segment falls by ten points while easy inputs come: the total stands still, the rates' part is told."""
    one = found["hidden"]
    assert one.verdict is Verdict.ACT
    assert "hide" in one.title
    low, _, high = parts(one)["of that by other rates of the same ones"]
    assert low <= -0.1 <= high


def test_simpson_is_named(found: dict[str, Finding]) -> None:
    """Each segment rises while the total falls: the title says that only the mix made it fall."""
    assert "at the same mix it moved the other way" in found["simpson"].title


def test_other_evaluators_are_told_apart(found: dict[str, Finding]) -> None:
    """Where a lenient source tells the outcomes of the last half, the change goes with who told, and is doubted."""
    one = found["evaluators"]
    assert "others tell the outcomes" in one.title
    low, _, high = parts(one)["success, by who told the outcome"]
    assert low <= 0.8 * 0.2 <= high
    assert one.doubts == ("quality",)


def test_price_rise_is_told_from_tokens(found: dict[str, Finding]) -> None:
    """A price that rises by half while answers stay as long is the whole change, and named with its model."""
    one = found["price"]
    assert "most by other prices" in one.title
    assert "gpt-mini output +50 %" in one.what
    assert parts(one)["of the change, by other prices"][1] == pytest.approx(0.5e-5 * 100, rel=0.03)
    low, _, high = parts(one)["cost per run, last half to first"]
    assert low <= 1.5 <= high


def test_dearer_models_are_mix(found: dict[str, Finding]) -> None:
    """More runs of a dear model are other models, and no other prices."""
    one = found["models"]
    assert "most by other models or more calls" in one.title
    assert parts(one)["of the change, by other prices"][1] == pytest.approx(0, abs=1e-9)


def test_costs_without_parts_are_split_too(found: dict[str, Finding]) -> None:
    """Where calls say their whole cost alone, dearer models are told from the rest, and prices from nothing."""
    one = found["whole"]
    assert "most by other models or more calls" in one.title
    assert "is other tokens per call or prices." in one.what
    low, _, high = parts(one)["of the change, by other models or more calls"]
    assert low == high == pytest.approx(0.5 * 0.009, rel=0.1)
    assert "of the change, by other prices" not in parts(one)


def test_contrary_segments_forbid_the_total(found: dict[str, Finding]) -> None:
    """A model worse in all, better on one segment and far worse on the other is not to be judged by the total."""
    one = found["contrary"]
    assert (one.verdict, one.doubts) == (Verdict.DONT, ("quality",))
    ends = [(effect.estimate.low or 0, effect.estimate.high or 0) for effect in one.effects]
    assert ends[0][0] <= 0.13 <= ends[0][1]
    assert ends[1][0] <= -0.45 <= ends[1][1]


def test_sample_ratio_mismatch_doubts_everything(found: dict[str, Finding]) -> None:
    """A variant that loses three in ten of its units breaks its experiment."""
    assert found["broken"].where == "broken"
    assert found["broken"].doubts == ("quality", "cost", "latency")


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
        one = split_success(rows, choose_group(rows), 1.0, 0.95)
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
        found = find(store, tasks=("llmdrift.prime",))
    contrary = next(one for one in found if "segment" in one.title)
    assert "gpt-4-0613" in contrary.where
    assert [round((effect.estimate.value or 0) * 100, 1) for effect in contrary.effects] == [29.4, -95.2]
    mix = next(one for one in found if one is not contrary)
    assert parts(mix)["of that by other rates of the same ones"][1] == pytest.approx(0, abs=0.01)
