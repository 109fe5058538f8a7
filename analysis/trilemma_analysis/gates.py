"""Own the gate over a report: which candidates are tried against which baseline, and the verdicts with their errors."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trilemma.errors import ConfigurationError

from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.stats.multiplicity import holm
from trilemma_analysis.stats.noninferiority import GateVerdict, more_pairs_needed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trilemma_analysis.comparisons import Comparison
    from trilemma_analysis.measures import Measures

__all__ = [
    "Baseline",
    "GateResult",
    "choose_baselines",
    "find_candidates",
    "find_incumbents",
    "run_gates",
]

NEARLY_MOST = 0.9  # combinations with at least this share of the largest traffic count as having the most
POWER = 0.8


@dataclass(frozen=True)
class Baseline:
    """What candidates of a task are compared with, and why it was chosen."""

    measures: Measures
    reason: str
    chosen_from: int
    """Combinations among which it was chosen by its outcomes: the best of them is overestimated (winner's curse)."""


@dataclass(frozen=True)
class GateResult:
    """A comparison with its verdict, p-values adjusted, and what would settle it if it is open."""

    comparison: Comparison
    verdict: GateVerdict
    p_noninferior: float
    p_worse: float
    needed: int | None
    needed_cost: float | None


def choose_baselines(measures: Sequence[Measures], named: Mapping[str, str]) -> dict[str, Baseline]:
    """Choose each task's baseline: the one named, else that with the most runs; among near equals, the most successful.

    Raises:
        ConfigurationError: a named combination is not among those of its task.
    """
    by_task: dict[str, list[Measures]] = defaultdict(list)
    for one in measures:
        by_task[one.task].append(one)
    for task, name in named.items():
        if name not in {one.combination for one in by_task.get(task, [])}:
            shown = ", ".join(repr(one.combination) for one in by_task.get(task, [])) or "none in this period"
            raise ConfigurationError(
                f"--baseline names {name!r}, which is no combination of task {task!r}; its combinations are: {shown}"
            )
    chosen = {task: _choose_one(ones, named.get(task)) for task, ones in by_task.items()}
    return {task: baseline for task, baseline in chosen.items() if baseline is not None}


def find_candidates(measures: Sequence[Measures], baselines: Mapping[str, Baseline]) -> list[tuple[Measures, Measures]]:
    """Return (baseline, candidate) for each combination that is cheaper or faster than its task's baseline."""
    pairs = []
    for one in measures:
        baseline = baselines.get(one.task)
        if baseline and one.key != baseline.measures.key and _is_cheaper_or_faster(one, baseline.measures):
            pairs.append((baseline.measures, one))
    return pairs


def find_incumbents(measures: Sequence[Measures], baselines: Mapping[str, Baseline]) -> list[tuple[Measures, Measures]]:
    """Return per task where most of the money goes, with the baseline as its candidate, if that is cheaper.

    Where several combinations share the traffic, the most successful is the baseline, and may well be the cheapest:
    then the question is whether the dearer ones can go. It is asked of one only, chosen by cost and not by outcome.
    """
    pairs = []
    for task, baseline in baselines.items():
        best = baseline.measures
        in_use = [one for one in measures if one.task == task and one.known and one.runs >= NEARLY_MOST * best.runs]
        spent = [
            (one.cost_per_run.value * one.runs, one) for one in in_use if one.cost_per_run and one.cost_per_run.value
        ]
        if baseline.chosen_from > 1 and spent:
            dearest = max(spent, key=lambda pair: (pair[0], pair[1].combination))[1]
            if _is_cheaper(best, dearest):
                pairs.append((dearest, best))
    return pairs


def run_gates(comparisons: Sequence[Comparison], baselines: Mapping[str, Baseline], alpha: float) -> list[GateResult]:
    """Give each comparison its verdict.

    Safe: Holm over the candidates of its task at alpha, without those whose sample could not reach it whatever came
    out. Worse: Holm over all comparisons at hand, at a family's part of alpha, and not safe. Else not enough data.
    """
    safe, worse = _adjust_safe(comparisons, baselines, alpha), _adjust_worse(comparisons, baselines)
    verdicts = [_name_verdict(s, w, alpha) for s, w in zip(safe, worse, strict=True)]
    open_by_task: dict[str, int] = defaultdict(int)
    for one, verdict in zip(comparisons, verdicts, strict=True):
        open_by_task[one.baseline.task] += verdict is GateVerdict.NOT_ENOUGH_DATA
    results = []
    for one, verdict, s, w in zip(comparisons, verdicts, safe, worse, strict=True):
        needed = None
        if verdict is GateVerdict.NOT_ENOUGH_DATA:
            needed = _plan_pairs(one, alpha / max(1, open_by_task[one.baseline.task]))
        price = one.candidate.cost_per_run.value if one.candidate.cost_per_run else None
        cost = needed * price if needed is not None and price is not None else None
        results.append(GateResult(one, verdict, s, w, needed, cost))
    return results


def _choose_one(ones: list[Measures], name: str | None) -> Baseline | None:
    if name is not None:
        return Baseline(next(one for one in ones if one.combination == name), "named by the reader", 1)
    known = [one for one in ones if one.known]
    if not known:
        return None
    most = max(one.runs for one in known)
    near = [one for one in known if one.runs >= NEARLY_MOST * most]
    best = min(near, key=lambda one: (-(one.success.value or 0.0), one.combination))
    if len(near) == 1:
        return Baseline(best, f"most runs in the period ({best.runs:,})", 1)
    return Baseline(best, f"highest success rate among the {len(near)} combinations with the most runs", len(near))


def _is_cheaper(candidate: Measures, baseline: Measures) -> bool:
    ours, theirs = baseline.cost_per_run, candidate.cost_per_run
    return bool(
        ours
        and theirs
        and ours.unit == theirs.unit
        and ours.value is not None
        and theirs.value is not None
        and theirs.value < ours.value
    )


def _is_cheaper_or_faster(candidate: Measures, baseline: Measures) -> bool:
    slow, fast = baseline.latency_p50.value, candidate.latency_p50.value
    return _is_cheaper(candidate, baseline) or (slow is not None and fast is not None and fast < slow)


def _adjust_safe(comparisons: Sequence[Comparison], baselines: Mapping[str, Baseline], alpha: float) -> list[float]:
    """Return Holm-adjusted p-values of non-inferiority per task; 1 for samples too small to show it (Tarone 1990).

    A candidate that was itself chosen as the best of several (see find_incumbents) pays for that choice first.
    """
    adjusted = [1.0] * len(comparisons)
    by_task: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(comparisons):
        if one.test.n * -math.log1p(-one.margin) >= -math.log(alpha):  # (1 - margin)^n <= alpha: no loss in n pairs
            by_task[one.baseline.task].append(index)
    for indices in by_task.values():
        p_values = [_p_noninferior(comparisons[index], baselines) for index in indices]
        for index, p in zip(indices, holm(p_values), strict=True):
            adjusted[index] = float(p)
    return adjusted


def _p_noninferior(one: Comparison, baselines: Mapping[str, Baseline]) -> float:
    baseline = baselines[one.baseline.task]
    chosen_from = baseline.chosen_from if one.candidate.key == baseline.measures.key else 1
    return min(1.0, one.test.p_noninferior * chosen_from)


def _adjust_worse(comparisons: Sequence[Comparison], baselines: Mapping[str, Baseline]) -> list[float]:
    """Return p-values of "no worse", adjusted for all comparisons, the claim families, and the choice of the baseline.

    A baseline chosen as the best of several is likely to have been lucky, and others to look worse than it. Had each of
    them been tried as baseline there would be so many times the tests: that is what the factor pays for.
    """
    chosen = [baselines[one.baseline.task] for one in comparisons]
    p = [
        1.0 if one.candidate.key == baseline.measures.key else min(1.0, one.test.p_worse * baseline.chosen_from)
        for one, baseline in zip(comparisons, chosen, strict=True)
    ]
    return adjust_claims(p)


def _name_verdict(p_noninferior: float, p_worse: float, alpha: float) -> GateVerdict:
    if p_noninferior <= alpha:
        return GateVerdict.SAFE
    return GateVerdict.WORSE if p_worse <= alpha else GateVerdict.NOT_ENOUGH_DATA


def _plan_pairs(one: Comparison, alpha: float) -> int | None:
    """Return how many more shared inputs would call the candidate safe with 80 % power, if it truly is as good.

    What unpaired runs have shown counts for nothing here: the plan is to try inputs with both.
    """
    n = one.test.n if one.paired else 0
    discordance = (one.test.discordance * one.test.n + 1) / (one.test.n + 2)
    return more_pairs_needed(one.margin, discordance, n, one.difference.value or 0.0, alpha=alpha, power=POWER)
