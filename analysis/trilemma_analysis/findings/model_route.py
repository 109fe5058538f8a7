"""Own the finding "route this task to another model": the non-inferiority gate, and what passing it is worth."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trilemma_analysis.estimate import known_ratio
from trilemma_analysis.evidence.effects import list_effects
from trilemma_analysis.evidence.savings import identify, save_by_ratio
from trilemma_analysis.findings.finding import Action, Evidence, Finding, Needed, Verdict
from trilemma_analysis.stats.noninferiority import GateVerdict
from trilemma_analysis.wording import say_change, say_count, say_money, say_points, say_ratio

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.gates import GateResult

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "model_route"
QUESTIONS = ("combinations", "pair_outcomes", "pair_amounts", "latency_at_ranks")
VERSUS = "candidate to baseline"
NAMED = 3  # candidates named in one sentence; the rest are counted


def find(analysis: Analysis) -> list[Finding]:
    """Return per task: the best safe candidate, the candidates that are worse, what is open, and who can go."""
    by_task: dict[str, list[GateResult]] = defaultdict(list)
    findings = []
    for result in analysis.gates:
        if "models" not in result.comparison.differs_in:
            continue
        if analysis.is_candidate(result):
            by_task[result.comparison.baseline.task].append(result)
        elif result.verdict is GateVerdict.SAFE:
            findings.append(_report_safe(analysis, [result]))
    for results in by_task.values():
        groups = {verdict: [one for one in results if one.verdict is verdict] for verdict in GateVerdict}
        if safe := groups[GateVerdict.SAFE]:
            findings.append(_report_safe(analysis, safe))
        if worse := groups[GateVerdict.WORSE]:
            findings.append(_report_worse(worse))
        if open_ := groups[GateVerdict.NOT_ENOUGH_DATA]:
            findings.append(_report_open(analysis, open_))
    return findings


def _report_safe(analysis: Analysis, safe: list[GateResult]) -> Finding:
    """Recommend the safe candidate that costs least (of equals, the fastest)."""
    best = min(
        safe, key=lambda one: (_ratio(one, "cost"), _ratio(one, "latency"), one.comparison.candidate.combination)
    )
    made = best.comparison
    others = f" {len(safe) - 1} other candidate(s) pass too; see the gate." if len(safe) > 1 else ""
    return Finding(
        id=identify(KIND, made.baseline.task, made.baseline.combination, made.candidate.combination),
        kind=KIND,
        task=made.baseline.task,
        where=made.baseline.label,
        title=f"Route {made.baseline.task} {_name_source(analysis, best)}to {made.candidate.label}{_name_gain(best)}",
        what=(
            f"Success differs by {say_change(made.stated.difference)} from {made.baseline.label}, "
            f"{_basis(best)}: not worse by the margin of {made.margin * 100:g} points or more "
            f"(p = {best.p_noninferior:.2g}, Holm over the task's candidates).{others}"
        ),
        verdict=Verdict.ACT,
        evidence=_cite(best, best.p_noninferior),
        effects=list_effects(best.comparison.stated, VERSUS),
        saving=save_by_ratio(analysis, made.baseline, made.stated.cost_ratio),
        risk=_name_risk(best),
        change=f"Send {made.baseline.task} to {made.candidate.label} instead of {made.baseline.label}.",
        verification=(
            "Keep a tenth of the traffic on the present combination and compare success on it after "
            f"{say_count(max(made.test.n, 200))} runs; go back if it is more than {made.margin * 100:g} points ahead."
        ),
        action=Action(kind="route", baseline=made.baseline.combination, candidate=made.candidate.combination),
    )


def _report_worse(worse: list[GateResult]) -> Finding:
    """Warn of candidates that save money or time and lose quality; figures are those of the cheapest."""
    cheapest = min(worse, key=lambda one: (_ratio(one, "cost"), one.comparison.candidate.combination))
    made = cheapest.comparison
    names = _name_some(worse)
    return Finding(
        id=identify(KIND, made.baseline.task, made.baseline.combination, "worse"),
        kind=KIND,
        task=made.baseline.task,
        where=made.baseline.label,
        title=f"Do not route {made.baseline.task} to {names}",
        what=(
            f"{len(worse)} cheaper or faster candidate(s) succeed less often than {made.baseline.label}. "
            f"The cheapest, {made.candidate.label}: {say_change(made.stated.difference)}, {_basis(cheapest)} "
            f"(p = {cheapest.p_worse:.2g}, adjusted for all claims of this report)."
        ),
        verdict=Verdict.DONT,
        evidence=_cite(cheapest, cheapest.p_worse),
        effects=list_effects(cheapest.comparison.stated, VERSUS),
        risk="None in staying; the money not saved is the price of the quality kept.",
        change=f"Keep {made.baseline.label} for {made.baseline.task}.",
        verification="The gate is computed anew with each report.",
    )


def _report_open(analysis: Analysis, open_: list[GateResult]) -> Finding:
    """Say what would settle the candidates that are neither safe nor worse; figures are those of the nearest.

    Nearest is the cheaper one that takes the fewest inputs.
    """
    nearest = min(open_, key=_rank_open)
    made = nearest.comparison
    currency = made.candidate.cost_per_run.unit if made.candidate.cost_per_run else ""
    cost = f", about {say_money(nearest.needed_cost, currency)}" if nearest.needed_cost is not None else ""
    need = (
        f"{say_count(nearest.needed)} more inputs tried by both{cost}, would settle {made.candidate.label} "
        "with 80 % power if it truly is as good"
        if nearest.needed is not None
        else f"no number of inputs will show {made.candidate.label} safe if the difference seen is the true one"
    )
    return Finding(
        id=identify(KIND, made.baseline.task, made.baseline.combination, "open"),
        kind=KIND,
        task=made.baseline.task,
        where=made.baseline.label,
        title=f"Not settled for {made.baseline.task}: {_name_some(open_)}",
        what=(
            f"{len(open_)} cheaper or faster one(s) are shown neither safe (within {made.margin * 100:g} points of "
            f"{made.baseline.label}) nor worse. Nearest, {made.candidate.label}: {say_change(made.stated.difference)}, "
            f"{_basis(nearest)}."
        ),
        verdict=Verdict.NOT_ENOUGH_DATA,
        evidence=_cite(nearest, nearest.p_noninferior),
        effects=list_effects(nearest.comparison.stated, VERSUS),
        saving=save_by_ratio(analysis, made.baseline, made.stated.cost_ratio) if _ratio(nearest, "cost") < 1 else None,
        risk="Switching now would be a guess.",
        change=f"Collect data: {need}.",
        verification="Run the report again on the longer period.",
        needed=None
        if nearest.needed is None
        else Needed(n=nearest.needed, unit="inputs tried by both", cost=nearest.needed_cost, currency=currency),
    )


def _cite(result: GateResult, p_value: float) -> Evidence:
    unit = "inputs tried by both" if result.comparison.paired else "runs of the smaller side"
    return Evidence(n=result.comparison.test.n, unit=unit, questions=QUESTIONS, p_value=p_value)


def _basis(result: GateResult) -> str:
    made = result.comparison
    if made.paired:
        return f"on {say_count(made.test.n)} inputs tried by both"
    return f"on different inputs ({say_count(made.candidate.known)} and {say_count(made.baseline.known)} runs)"


def _name_source(analysis: Analysis, result: GateResult) -> str:
    """Say whose traffic is meant, where it is not the baseline's."""
    return "" if analysis.is_candidate(result) else f"from {result.comparison.baseline.label} "


def _name_gain(result: GateResult) -> str:
    """Say what for, where it is not for the cost."""
    cost = result.comparison.cost_ratio
    if cost is None or cost.value is None:
        return ": faster, at a cost that is not known"
    return "" if cost.value < 1 else ": faster, and dearer"


def _name_risk(result: GateResult) -> str:
    made, stated = result.comparison, result.comparison.stated
    low = stated.difference.low or 0.0
    risks = ["Success is not lower." if low >= 0 else f"Success may be up to {say_points(-low).lstrip('+')} lower."]
    if not made.paired:
        risks.append(
            "The two served different inputs: if the router sent easier ones to one of them, this compares inputs."
        )
    if made.cost_ratio is None:
        risks.append("Its cost, or the baseline's, is not known: find out before you switch.")
    elif (made.cost_ratio.value or 0) > 1:
        risks.append(f"It costs more per run: {say_ratio(made.cost_ratio.value)}.")
    if stated.latency_ratio is not None and (stated.latency_ratio.value or 0) > 1:
        risks.append(f"It is slower: {say_change(stated.latency_ratio)}.")
    return " ".join(risks)


def _name_some(results: list[GateResult]) -> str:
    names = [one.comparison.candidate.label for one in results]
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _rank_open(result: GateResult) -> tuple[bool, bool, int, str]:
    cheaper, needed = _ratio(result, "cost") < 1, result.needed
    return not cheaper, needed is None, needed or 0, result.comparison.candidate.combination


def _ratio(result: GateResult, side: str) -> float:
    return known_ratio(result.comparison.cost_ratio if side == "cost" else result.comparison.latency_ratio)
