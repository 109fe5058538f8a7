"""Hold the audit of judges to planted ones: good, useless, unchecked, drifting, biased; and to a published set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.evidence.audits import audit, decide
from trilemma_analysis.evidence.verdicts import Judge, Truth
from trilemma_analysis.findings import evaluator_audit
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.importing.loader import import_files
from trilemma_analysis.importing.mapping import load_mapping
from trilemma_analysis.importing.rejects import Rejects
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope
from trilemma_analysis.stats.agreement import cohen_kappa

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store
from tests.analysis.planted_verdicts import add_verdicts, say

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from trilemma_analysis.client import Store
    from trilemma_analysis.findings.finding import Finding

TASK = "support.refund"
N = 1200


def find(store: Store) -> list[Finding]:
    """Return the audit's findings of all of a store."""
    scope = find_scope(store, since="2000-01-01")
    assert scope is not None
    return evaluator_audit.find(analyse(store, scope, Options()))


def add_right_runs(store: Store, right: NDArray[np.bool_], **columns: Any) -> None:
    """Insert runs whose outcome the system tells, evenly over 20 days."""
    runs = Runs(
        right.size,
        outcome=np.where(right, "success", "failure"),
        started_ns=START_NS + np.linspace(0, 20 * 24 * HOUR_NS, right.size, endpoint=False).astype(np.int64),
        extra={"trilemma.task.outcome_source": "system"},
        **columns,
    )
    add_runs(store, runs)


def err(rng: np.random.Generator, right: NDArray[np.bool_], passes: float, stops: float) -> NDArray[np.bool_]:
    """Return the verdicts of a judge with these rates of passing what is right and stopping what is wrong."""
    return np.where(right, rng.random(right.size) < passes, rng.random(right.size) >= stops)


def make_judge(told: NDArray[np.bool_], said: NDArray[np.bool_], rest: NDArray[np.bool_] | None = None) -> Judge:
    """Return a judge that said this of runs with this outcome, and that of others."""
    judge = Judge(TASK, "grounded", "judge")
    truth = Truth("outcome", "outcome")
    for right, verdict in ((r, v) for r in (False, True) for v in (False, True)):
        runs = int(((told == right) & (said == verdict)).sum())
        truth.pairs[0, "success" if right else "failure", "yes" if verdict else "no"] = runs
    everything = said if rest is None else np.concatenate([said, rest])
    judge.said = {"yes": int(everything.sum()), "no": int((~everything).sum())}
    judge.truths["outcome", "outcome"] = truth
    return judge


def test_good_judge_is_used_corrected_and_useless_one_is_not(tmp_path: Path) -> None:
    """With a fifth labelled by people, a lenient judge is corrected to the true rate; one that guesses is refused."""
    rng = np.random.default_rng(3)
    right = rng.random(N) < 0.75
    labelled = rng.random(N) < 0.35
    with make_store(tmp_path) as store:
        add_runs(store, Runs(N, outcome=""))
        add_verdicts(store, TASK, "correct", "human", say(right, labelled))
        add_verdicts(store, TASK, "grounded", "judge", say(err(rng, right, 0.97, 0.7)))
        add_verdicts(store, TASK, "dice", "judge", say(rng.random(N) < 0.75))
        found = {one.where: one for one in find(store)}
    assert {name: one.verdict for name, one in found.items()} == {"grounded": Verdict.ACT, "dice": Verdict.DONT}
    _, corrected, bias = (effect.estimate for effect in found["grounded"].effects)
    assert (corrected.low or 0) <= right.mean() <= (corrected.high or 0)
    assert (bias.low or 0) > 0
    assert "too often" in found["grounded"].what
    assert found["grounded"].action is not None


def test_unchecked_judge_asks_for_labels(tmp_path: Path) -> None:
    """Without any truth the judge is open, and the labels needed are those of a rate within the margin."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(400, outcome=""))
        add_verdicts(store, TASK, "grounded", "judge", say(np.arange(400) % 5 > 0))
        add_verdicts(store, TASK, "short", "system", say(np.arange(400) % 3 > 0))
        (one,) = find(store)
    assert (one.where, one.verdict) == ("grounded", Verdict.NOT_ENOUGH_DATA)
    assert one.needed is not None
    assert one.needed.n == int(np.ceil(1.96**2 * 0.2 * 0.8 / 0.05**2))


def test_judged_runs_that_differ_are_named(tmp_path: Path) -> None:
    """Where mostly failed runs were judged, the audit says that they are not like the rest."""
    rng = np.random.default_rng(17)
    right = rng.random(N) < 0.8
    seen = rng.random(N) < np.where(right, 0.3, 0.8)
    with make_store(tmp_path) as store:
        add_right_runs(store, right)
        add_verdicts(store, TASK, "grounded", "judge", say(err(rng, right, 0.9, 0.9), seen))
        (one,) = find(store)
    assert "Those succeed otherwise than the rest, by −" in one.what


def test_outcome_made_by_the_judge_is_no_truth(tmp_path: Path) -> None:
    """An outcome that a judge told, or that never differs from the judge, does not confirm it."""
    rng = np.random.default_rng(5)
    right = rng.random(300) < 0.8
    with make_store(tmp_path) as store:
        add_right_runs(store, right)
        add_verdicts(store, TASK, "source_of_outcome", "judge", say(right))
        assert find(store) == []
        told = Runs(300, task="other", outcome=np.where(right, "success", "failure"))
        told.extra = {"trilemma.task.outcome_source": "judge"}
        add_runs(store, told, prefix="o")
        add_verdicts(store, "other", "near", "judge", say(err(rng, right, 0.95, 0.95)), prefix="o")
        (one,) = find(store)
    assert (one.where, one.verdict, one.evidence.unit) == ("near", Verdict.NOT_ENOUGH_DATA, "judged runs")


def test_evaluator_that_describes_is_no_judge(tmp_path: Path) -> None:
    """An evaluator with more than a dozen labels is left alone, with and without inputs that repeat."""
    with make_store(tmp_path) as store:
        add_right_runs(store, np.arange(300) % 5 > 0, input_id=[f"i{i // 2}" for i in range(300)])
        add_verdicts(store, TASK, "topic", "judge", [f"topic {i % 20}" for i in range(300)])
        assert find(store) == []


def test_pairwise_judge_that_turns_with_the_order_is_refused(tmp_path: Path) -> None:
    """A judge nobody checked, half of whose verdicts turn with the order, is not to be used."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(200, outcome=""))
        add_verdicts(store, TASK, "better", "judge", [("a", "flipped", "b", "flipped")[i % 4] for i in range(200)])
        (one,) = find(store)
    assert one.verdict is Verdict.DONT
    assert one.effects[0].estimate.value == pytest.approx(0.5)


def test_drift_of_a_judge_is_dated_and_steady_judge_has_none(tmp_path: Path) -> None:
    """A judge that becomes lenient on day 12 is found then, by its leniency; one that stays as it was is not."""
    rng = np.random.default_rng(7)
    right = rng.random(N) < 0.7
    day = np.arange(N) * 20 / N
    turned = np.where(day < 12, err(rng, right, 0.9, 0.85), err(rng, right, 0.99, 0.35))
    with make_store(tmp_path) as store:
        add_right_runs(store, right)
        add_verdicts(store, TASK, "turning", "judge", say(turned))
        add_verdicts(store, TASK, "steady", "judge", say(err(rng, right, 0.9, 0.85)))
        drifts = [one for one in find(store) if "otherwise" in one.title]
    (one,) = drifts
    assert one.where == "turning"
    assert any(f"2026-06-{day:02d}" in one.title for day in (8, 9, 10))
    assert (one.evidence.p_value or 1) <= 0.05


def test_repeated_inputs_widen_the_intervals(tmp_path: Path) -> None:
    """Ten runs of each input that err together say as much as one: the interval is three times as wide."""
    rng = np.random.default_rng(9)
    right = np.repeat(rng.random(120) < 0.6, 10)
    said = np.repeat(err(rng, right[::10], 0.85, 0.85), 10)
    widths = []
    for ids in (np.arange(N) // 10, np.arange(N)):
        with make_store(tmp_path / str(len(widths))) as store:
            add_right_runs(store, right, input_id=np.char.add("i", ids.astype(str)))
            add_verdicts(store, TASK, "grounded", "judge", say(said))
            bias = next(one for one in find(store) if "otherwise" not in one.title).effects[2].estimate
        widths.append((bias.high or 0) - (bias.low or 0))
    assert widths[0] / widths[1] == pytest.approx(np.sqrt(10), rel=0.1)


@pytest.mark.parametrize("n", [60, 250])
def test_verdicts_on_judges_are_rarely_wrong(n: int) -> None:
    """A judge that guesses is called usable, and a good one useless, in at most 2.5 % of samples."""
    rng = np.random.default_rng(11)
    wrong = {"guess": 0, "good": 0}
    for _ in range(200):
        right = rng.random(n) < 0.8
        for kind, said in (("guess", rng.random(n) < 0.8), ("good", err(rng, right, 0.85, 0.7))):
            judge = make_judge(right, said)
            truth = judge.truths["outcome", "outcome"]
            verdict = decide(audit(judge, truth, 0.95))
            wrong[kind] += verdict is (Verdict.ACT if kind == "guess" else Verdict.DONT)
    assert max(wrong.values()) / 200 <= 0.025


def test_corrected_rate_covers_the_truth() -> None:
    """The corrected rate's interval holds the true rate in 93 to 97 % of samples, however lenient the judge."""
    rng, covered, rounds = np.random.default_rng(13), 0, 300
    for _ in range(rounds):
        right, others = rng.random(150) < 0.8, rng.random(1000) < 0.8
        judge = make_judge(right, err(rng, right, 0.95, 0.6), err(rng, others, 0.95, 0.6))
        one = audit(judge, judge.truths["outcome", "outcome"], 0.95)
        covered += (one.corrected.low or 0) <= 0.8 <= (one.corrected.high or 0)
    assert 0.93 <= covered / rounds <= 0.97 + 0.01


@pytest.fixture(scope="module", name="pandalm")
def _pandalm(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Return rows and findings of 999 pairs of answers, judged by three people and two judges."""
    with make_store(tmp_path_factory.mktemp("pandalm")) as store, Rejects(None) as rejects:
        path = shared / "data" / "published" / "pandalm" / "data.parquet"
        import_files(load_mapping("pandalm"), [path], store, rejects)
        scope = find_scope(store, since="2000-01-01")
        assert scope is not None
        rows = store.ask("verdict_pairs", **scope.parameters, width_s=86_400, most_verdicts=12).to_pylist()
        return rows, find(store)


@pytest.mark.shared
@pytest.mark.parametrize(("pair", "kappa"), [("12", 0.85), ("13", 0.88), ("23", 0.86)])
def test_published_kappas(pandalm: tuple[list[dict[str, Any]], list[Finding]], pair: str, kappa: float) -> None:
    """The kappas of PandaLM's annotators come out of the question's rows."""
    names = [f"annotator{number}" for number in pair]
    both = [row for row in pandalm[0] if [row["evaluator"], row["truth"]] == names]
    labels, runs = ["first", "second", "tie"], [row["runs"] for row in both]
    first, second = (
        np.repeat([labels.index(row[side]) for row in both], runs) for side in ("verdict", "truth_verdict")
    )
    assert round(float(cohen_kappa(first, second).estimate), 2) == kappa


@pytest.mark.shared
@pytest.mark.parametrize(("judge", "share"), [("judge.gpt35", 71.07), ("judge.pandalm", 66.77)])
def test_published_agreements(pandalm: tuple[list[dict[str, Any]], list[Finding]], judge: str, share: float) -> None:
    """The published agreement with the majority, in which an unreadable verdict counts as a tie, comes out too."""
    rows = [row for row in pandalm[0] if (row["evaluator"], row["truth"]) == (judge, "human_majority")]
    agreed = sum(row["runs"] for row in rows if row["verdict"].replace("unreadable", "tie") == row["truth_verdict"])
    assert round(agreed / 999 * 100, 2) == share


@pytest.mark.shared
def test_pandalm_audit(pandalm: tuple[list[dict[str, Any]], list[Finding]]) -> None:
    """Both judges may be used, corrected; ties are what they miss; the ceiling is the annotators' agreement."""
    found = {one.where: one for one in pandalm[1]}
    assert {name: one.verdict for name, one in found.items()} == dict.fromkeys(
        ("judge.gpt35", "judge.pandalm"), Verdict.ACT
    )
    assert all("alpha of 3 annotators on 999 runs 0.86" in one.what for one in found.values())
    assert all("Of what is truly tie it sees" in one.what for one in found.values())
    true_ties = found["judge.gpt35"].effects[1].estimate
    assert (true_ties.low or 0) <= 105 / 999 <= (true_ties.high or 0)
