"""Own the finding "one version of this prompt is worse": versions compared with all else equal."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.comparisons import compare
from trilemma_analysis.evidence.effects import list_effects
from trilemma_analysis.evidence.savings import identify, save_by_ratio
from trilemma_analysis.findings.finding import Action, Evidence, Finding, Verdict
from trilemma_analysis.wording import say_change, say_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.comparisons import Comparison
    from trilemma_analysis.measures import Measures

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "prompt_version"
QUESTIONS = ("combinations", "pair_outcomes", "pair_amounts")
STILL_IN_USE = 0.1  # seen in the last tenth of the period


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each pair of versions, older and newer, whose success differs beyond chance."""
    pairs = _pair_versions(analysis.measures)
    margins = {one.task: analysis.options.margin_of(one.task) for one in analysis.measures}
    comparisons = compare(analysis.store, analysis.scope, pairs, margins, analysis.options.confidence)
    p_values = adjust_two_sided(comparisons)
    return [_report(analysis, one, p) for one, p in zip(comparisons, p_values, strict=True) if p <= analysis.alpha]


def adjust_two_sided(comparisons: Sequence[Comparison]) -> list[float]:
    """Return p-values of "the versions succeed equally often", adjusted for all of them and for the claim families."""
    return adjust_claims([2 * min(one.test.p_worse, one.test.p_better) for one in comparisons])


def _pair_versions(measures: Sequence[Measures]) -> list[tuple[Measures, Measures]]:
    """Pair each version with the one seen before it, among combinations that differ in the version alone."""
    groups: dict[tuple[object, ...], list[Measures]] = defaultdict(list)
    for one in measures:
        if "prompt_version" in one.axes:
            rest = tuple(sorted((axis, value) for axis, value in one.axes.items() if axis != "prompt_version"))
            groups[one.task, one.models, rest].append(one)
    pairs = []
    for ones in groups.values():
        ordered = sorted(ones, key=lambda one: (one.first_us, one.axes["prompt_version"]))
        pairs += list(itertools.pairwise(ordered))
    return pairs


def _report(analysis: Analysis, one: Comparison, p_value: float) -> Finding:
    older, newer = one.baseline, one.candidate
    newer_is_worse = one.test.p_worse < one.test.p_better
    bad, good = (newer, older) if newer_is_worse else (older, newer)
    period = analysis.scope.until.timestamp() - analysis.scope.since.timestamp()
    in_use = bad.last_us / 1e6 >= analysis.scope.until.timestamp() - STILL_IN_USE * period
    prompt = older.axes.get("prompt_name", "the prompt")
    bad_version, good_version = bad.axes["prompt_version"], good.axes["prompt_version"]
    basis = "inputs tried by both" if one.paired else "runs of the smaller side, on different inputs"
    moved = f"success rate, {newer.axes['prompt_version']} minus {older.axes['prompt_version']}"
    return Finding(
        id=identify(KIND, older.task, older.combination, newer.combination),
        kind=KIND,
        task=older.task,
        where=newer.label,
        title=f"{older.task}: version {bad_version} of {prompt} succeeds less often than {good_version}",
        what=(
            f"From {older.axes['prompt_version']} to {newer.axes['prompt_version']}, all else equal, success moved by "
            f"{say_change(one.difference)} on {say_count(one.test.n)} {basis} (p = {p_value:.2g}, adjusted for all "
            f"claims of this report)."
        ),
        verdict=Verdict.ACT if in_use else Verdict.DONT,
        evidence=Evidence(n=one.test.n, unit=basis, questions=QUESTIONS, p_value=p_value),
        effects=list_effects(one, "newer to older", moved),
        saving=save_by_ratio(analysis, older, one.cost_ratio) if not newer_is_worse else None,
        risk=(
            "Small: the better version has served this task already."
            if one.paired
            else "The versions served different inputs, perhaps at different times: what changed with them counts too."
        ),
        change=(
            f"Use version {good_version} of {prompt} for {older.task}; {bad_version} was in use to the end."
            if in_use
            else f"Nothing: {bad_version} is out of use. Do not bring it back."
        ),
        verification="Compare the success rate of the two weeks before and after with this report.",
        action=Action(kind="prompt", baseline=older.combination, candidate=newer.combination)
        if in_use and not newer_is_worse
        else None,
    )
