"""Own the finding "who judges decides": evaluations of the same runs that disagree by more than the margin."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.doubting import by_task, doubt, label_of, list_names
from trilemma_analysis.findings.finding import Effect
from trilemma_analysis.stats.intervals import wilson
from trilemma_analysis.wording import say_count, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "evaluator_changes"
QUESTIONS = ("evaluation_pairs",)
LEAST_RUNS = 30
DECIDES = 0.98  # a label of which so many runs have one outcome decides it
CONTAINED = (
    0.03  # an evaluation that agrees so much better with each of others than these with each other is made of them
)


@dataclass
class _Pair:
    """Two evaluations of the same runs: how often each pair of labels came, by combination and outcome."""

    first: str
    second: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def count(self, *, differing: bool = False, combination: str | None = None) -> int:
        """Return the runs judged by both, or those on which they differ."""
        return sum(
            row["runs"]
            for row in self.rows
            if (combination is None or row["combination"] == combination)
            and (not differing or row["first_label"] != row["second_label"])
        )

    @property
    def disagreement(self) -> float:
        """Return the share of runs on which the two differ."""
        return self.count(differing=True) / self.count()

    @property
    def is_audited(self) -> bool:
        """Whether the two are of different kinds, or people, of which the evaluator audit tells."""
        sources = {row[name] for row in self.rows for name in ("first_source", "second_source")}
        return len(sources) > 1 or sources == {"human"}

    @property
    def shares_labels(self) -> bool:
        """Whether the two use the same words: at least two of them, and all of the poorer one's."""
        labels = [{row[name] for row in self.rows} for name in ("first_label", "second_label")]
        return len(labels[0] & labels[1]) >= 2


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task whose success, or verdicts, depend on which of its evaluations one believes."""
    found = []
    for task, rows in by_task(analysis.ask(QUESTIONS[0])):
        pairs: dict[tuple[str, str], _Pair] = {}
        for row in rows:
            key = row["first_name"], row["second_name"]
            pairs.setdefault(key, _Pair(*key)).rows.append(row)
        alike = {key: pair for key, pair in pairs.items() if pair.shares_labels and pair.count() >= LEAST_RUNS}
        found += [
            one for make in (_find_disagreement, _find_circles) if (one := make(analysis, task, alike)) is not None
        ]
    return found


def _find_disagreement(analysis: Analysis, task: str, pairs: dict[tuple[str, str], _Pair]) -> Finding | None:
    margin, level = analysis.options.margin_of(task), analysis.options.confidence
    told = []
    for pair in pairs.values():
        if pair.is_audited:
            continue
        n, differing = pair.count(), pair.count(differing=True)
        share = to_estimate(wilson(differing, n, level), n, "share", "Wilson")
        if (share.low or 0) > margin:
            told.append((share, pair))
    if not told:
        return None
    told.sort(key=lambda one: (-(one[0].value or 0), one[1].first, one[1].second))
    texts = [
        f"{pair.first} and {pair.second}: {with_interval(share)} of {say_count(share.n)} runs" for share, pair in told
    ]
    moved = [text for _, pair in told if (text := _say_moves(analysis, task, pair, margin))]
    share, _ = told[0]
    return doubt(
        KIND,
        task,
        title=f"its evaluations disagree on up to {say_share(share.value)} of the runs",
        what=(
            f"Evaluations with the same labels disagree by more than the margin: {list_names(texts, 4)}. "
            + (
                " ".join(moved[:3])
                or "A success rate, or a count of preferences, that rests on one of them may move by as much."
            )
            + _say_labels(told[0][1])
        ),
        n=share.n,
        unit="runs judged by both",
        questions=QUESTIONS,
        doubts=("quality",),
        effects=[
            Effect(
                side="quality", what=f"runs on which {pair.first} and {pair.second} differ", estimate=one, is_level=True
            )
            for one, pair in told[:4]
        ],
        risk=(
            "A change of parser or judge is taken for a change of the model; rates by different evaluations do not "
            "compare."
        ),
        change="Choose one evaluation by a hundred labels of people, keep it, and name it beside every rate.",
        verification=(
            "The evaluation agrees with people on fresh runs (trilemma label) as often as people among themselves."
        ),
    )


def _say_moves(analysis: Analysis, task: str, pair: _Pair, margin: float) -> str:
    """Say how success rates move when the other evaluation decides, where labels of one decide the outcome."""
    for name, other in (("first", "second"), ("second", "first")):
        verdicts = _read_verdicts(pair, f"{name}_label")
        if verdicts is None or not {row[f"{other}_label"] for row in pair.rows} <= verdicts.keys():
            continue
        moves = []
        for combination in sorted({row["combination"] for row in pair.rows}):
            rows = [row for row in pair.rows if row["combination"] == combination and row["outcome"] != "unknown"]
            n = sum(row["runs"] for row in rows)
            if n < LEAST_RUNS:
                continue
            by_one, by_other = (
                sum(row["runs"] for row in rows if verdicts[row[f"{which}_label"]] == "success") / n
                for which in (name, other)
            )
            if abs(by_other - by_one) > margin:
                label = label_of(analysis, {"task_name": task, "combination": combination})
                moves.append(f"{label} {say_share(by_one)} to {say_share(by_other)}")
        if moves:
            ours, theirs = (pair.first, pair.second) if name == "first" else (pair.second, pair.first)
            return f"The outcome follows {ours}; by {theirs} success moves: {list_names(moves)}."
    return ""


def _read_verdicts(pair: _Pair, column: str) -> dict[str, str] | None:
    """Return the outcome that each label of an evaluation comes with; None where a label comes with both."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in pair.rows:
        if row["outcome"] != "unknown":
            counts[row[column]][row["outcome"]] += row["runs"]
    verdicts = {}
    for label, outcomes in counts.items():
        outcome = max(sorted(outcomes), key=lambda name: outcomes[name])
        if outcomes[outcome] < DECIDES * sum(outcomes.values()):
            return None
        verdicts[label] = outcome
    return verdicts if len(set(verdicts.values())) > 1 else None


def _say_labels(pair: _Pair) -> str:
    """Say on which label of the first evaluation the two differ most, if it is one of several."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in pair.rows:
        totals[row["first_label"]][0] += row["runs"]
        totals[row["first_label"]][1] += row["runs"] * (row["first_label"] != row["second_label"])
    common = {label: each for label, each in totals.items() if each[0] >= LEAST_RUNS}
    if len(common) < 2:
        return ""
    worst = max(sorted(common), key=lambda label: common[label][1] / common[label][0])
    n, differing = common[worst]
    return f" Most where {pair.first} says {worst!r}: {say_share(differing / n)} of {say_count(n)}."


def _find_circles(analysis: Analysis, task: str, pairs: dict[tuple[str, str], _Pair]) -> Finding | None:  # noqa: ARG001
    """Find an evaluation that is made of others: it agrees with each better than any two of them agree."""
    names = sorted({name for key in pairs for name in key})

    def differ(one: str, other: str) -> float:
        pair = pairs.get((min(one, other), max(one, other)))
        return 1.0 if pair is None else pair.disagreement

    for name in names:
        near = sorted((other for other in names if other != name), key=lambda other: (differ(name, other), other))
        for size in range(len(near), 1, -1):
            parts = near[:size]
            if all(
                differ(one, other) >= max(differ(name, one), differ(name, other)) + CONTAINED
                for one, other in combinations(parts, 2)
            ):
                return _report_circle(task, name, sorted(parts), [pairs[min(name, p), max(name, p)] for p in parts])
    return None


def _report_circle(task: str, name: str, parts: list[str], pairs: list[_Pair]) -> Finding:
    agreement: Estimate = to_estimate(
        wilson(sum(p.count() - p.count(differing=True) for p in pairs), sum(p.count() for p in pairs)),
        min(p.count() for p in pairs),
        "share",
        "Wilson, over all pairs",
    )
    return doubt(
        KIND,
        task,
        "circle",
        title=f"{name} seems to be made of {list_names(parts)}",
        what=(
            f"{name} agrees with each of {list_names(parts)} ({with_interval(agreement)}) better than any two of them "
            "agree: it "
            "looks like their majority. To score one of them against it is circular."
        ),
        n=agreement.n,
        unit="runs",
        questions=QUESTIONS,
        doubts=("quality",),
        risk="An agreement that contains itself is too high, and makes the others look worse.",
        change=f"Score each of {list_names(parts)} against the others, not against {name}.",
    )
