"""Own the finding "route by segment": chosen on one half of the inputs and judged on the other, both ways."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.evidence.effects import list_effects
from trilemma_analysis.evidence.routed import best_plain_ratio, find_paired, plan_inputs, say_need
from trilemma_analysis.evidence.savings import identify, save_by_ratio
from trilemma_analysis.evidence.segments import Split, split_inputs
from trilemma_analysis.findings.finding import Action, Evidence, Finding, Verdict
from trilemma_analysis.stats.noninferiority import GateVerdict
from trilemma_analysis.wording import say_change, say_count, say_points

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.evidence.segments import Policy
    from trilemma_analysis.gates import GateResult

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "segment_route"
QUESTIONS = ("segment_pairs",)
VERSUS = "policy to baseline"
WELL_COVERED = 0.8  # of the shared inputs: where fewer have a segment, the rest is no policy's business
FEATURES = {"segment": "segment", "input_size": "size of the input"}
NAMED = 4


def find(analysis: Analysis) -> list[Finding]:
    """Return per task: the route by segment if it is safe, or that its gain is an illusion, or what would settle it."""
    by_task: dict[str, list[GateResult]] = defaultdict(list)
    for one in find_paired(analysis):
        by_task[one.comparison.baseline.task].append(one)
    rows = _ask(analysis, [one for plains in by_task.values() for one in plains])
    splits = {task: split for task, ones in by_task.items() if (split := _split(analysis, rows[task], ones))}
    free = [task for task, split in splits.items() if split.looks_free]
    p_worse = dict(zip(free, adjust_claims([splits[task].p_worse for task in free]), strict=True))
    found = []
    for task, split in sorted(splits.items()):
        plain_ratio = best_plain_ratio(analysis, task)
        if (best := split.find_safe(analysis.alpha, plain_ratio)) is not None:
            found.append(_report_safe(analysis, split, best, by_task[task]))
        elif p_worse.get(task, 1.0) <= analysis.alpha:
            found.append(_report_illusion(split, by_task[task], p_worse[task]))
        elif (near := split.find_near(plain_ratio)) is not None:
            found += _report_open(analysis, split, near, by_task[task])
    return found


def _ask(analysis: Analysis, plains: list[GateResult]) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if plains:
        pairs = [one.comparison for one in plains]
        asked = analysis.ask(
            "segment_pairs",
            pair_tasks=[pair.baseline.task for pair in pairs],
            pair_baselines=[pair.baseline.combination for pair in pairs],
            pair_candidates=[pair.candidate.combination for pair in pairs],
        )
        for row in asked:
            rows[row["task_name"]].append(row)
    return rows


def _split(analysis: Analysis, rows: list[dict[str, Any]], plains: list[GateResult]) -> Split | None:
    """Return the task's inputs by the first feature that nearly all have: the user's segments, else their size."""
    shared = sum(one.comparison.shared_inputs for one in plains)
    for feature in FEATURES:
        own = [row for row in rows if row["feature"] == feature]
        if len({row["segment"] for row in own}) > 1 and sum(row["inputs"] for row in own) >= WELL_COVERED * shared:
            return split_inputs(own, plains[0].comparison.margin, analysis.options.confidence)
    return None


def _report_safe(analysis: Analysis, split: Split, best: Policy, plains: list[GateResult]) -> Finding:
    baseline, routed = plains[0].comparison.baseline, best.held_out
    task, feature = baseline.task, FEATURES[split.feature]
    return Finding(
        id=identify(KIND, task, baseline.combination, split.feature),
        kind=KIND,
        task=task,
        where=baseline.label,
        title=f"Route {task} by {feature}: {_name_routes(best, plains)}",
        what=(
            f"{_say_basis(split, best)} Success would differ by {say_change(routed.difference)} from {baseline.label} "
            f"everywhere: not worse by the margin of {split.margin * 100:g} points or more (p = {best.p_value:.2g}, "
            f"for trying both halves). On the inputs that chose it, it looked like "
            f"{say_points(best.in_sample.difference.value)}. {_say_other(split, best)}"
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=routed.test.n, unit="held-out inputs", questions=QUESTIONS, p_value=best.p_value),
        effects=list_effects(routed, VERSUS),
        saving=save_by_ratio(analysis, baseline, routed.cost_ratio),
        risk=_name_risk(best),
        change=f"Route {task} by {feature}: {_name_routes(best, plains)}; all else stays on {baseline.label}.",
        verification=(
            "Keep a tenth of each segment's traffic on the present combination and compare success on it after "
            f"{say_count(max(routed.test.n, 200))} runs."
        ),
        action=Action(
            kind="segment_route",
            baseline=baseline.combination,
            settings={"feature": split.feature, "combinations": dict(best.routes), **split.edges},
        ),
    )


def _report_open(analysis: Analysis, split: Split, near: Policy, plains: list[GateResult]) -> list[Finding]:
    """Say what would settle the route, where that is less than what its combinations take on their own."""
    baseline, routed = plains[0].comparison.baseline, near.held_out
    half = plan_inputs(routed, analysis.alpha / 2)
    used = [one for one in plains if one.comparison.candidate.combination in near.routes.values()]
    if half is None or not all(_is_nearer(2 * half, one) for one in used):
        return []
    task, feature = baseline.task, FEATURES[split.feature]
    text, needed = say_need(2 * half, used[0])
    return [
        Finding(
            id=identify(KIND, task, baseline.combination, split.feature, "open"),
            kind=KIND,
            task=task,
            where=baseline.label,
            title=f"Not settled for {task}: routing by {feature}, {_name_routes(near, plains)}",
            what=(
                f"{_say_basis(split, near)} Success would differ by {say_change(routed.difference)} from "
                f"{baseline.label} everywhere, which does not rule out a loss of {split.margin * 100:g} points."
            ),
            verdict=Verdict.NOT_ENOUGH_DATA,
            evidence=Evidence(n=routed.test.n, unit="held-out inputs", questions=QUESTIONS, p_value=near.p_value),
            effects=list_effects(routed, VERSUS),
            saving=save_by_ratio(analysis, baseline, routed.cost_ratio),
            risk="Switching now would be a guess.",
            change=f"Collect data: {text}, would settle it with 80 % power if the route truly is as good.",
            verification="Run the report again on the longer period.",
            needed=needed,
        )
    ]


def _report_illusion(split: Split, plains: list[GateResult], p_value: float) -> Finding:
    baseline, everywhere = plains[0].comparison.baseline, split.in_sample
    task, feature = baseline.task, FEATURES[split.feature]
    worst = min(split.policies, key=lambda one: one.held_out.test.p_worse)
    return Finding(
        id=identify(KIND, task, baseline.combination, split.feature, "illusion"),
        kind=KIND,
        task=task,
        where=baseline.label,
        title=f"Do not route {task} by {feature}: the gain is one of looking at the same inputs twice",
        what=(
            f"Chosen and judged on the same {say_count(everywhere.test.n)} inputs, the best route by {feature} seems "
            f"to cost nothing: {say_points(everywhere.difference.value)}. Chosen on one half and judged on the other "
            f"it loses success: {say_change(worst.held_out.difference)} from {baseline.label} (p = {p_value:.2g}, "
            "adjusted for all claims of this report)."
        ),
        verdict=Verdict.DONT,
        evidence=Evidence(n=worst.held_out.test.n, unit="held-out inputs", questions=QUESTIONS, p_value=p_value),
        effects=list_effects(worst.held_out, VERSUS),
        risk="None in staying; the money not saved is the price of the quality kept.",
        change=f"Keep {baseline.label} for all of {task}.",
        verification="The halves are judged anew with each report.",
    )


def _is_nearer(more: int, plain: GateResult) -> bool:
    return plain.verdict is GateVerdict.WORSE or plain.needed is None or more < plain.needed


def _say_basis(split: Split, one: Policy) -> str:
    halves = f"{say_count(one.in_sample.test.n)} inputs tried by both chose it; it is judged on the other"
    return f"Cross-fitted over {split.count} segments: {halves} {say_count(one.held_out.test.n)}."


def _say_other(split: Split, one: Policy) -> str:
    """Say what the other half chose, and how that did on this one."""
    others = [other for other in split.policies if other is not one]
    if not others:
        return "The other half would not route by it."
    same = sum(others[0].routes.get(segment) == target for segment, target in one.routes.items())
    return (
        f"The other half agrees on {same} of {len(one.routes)} segment(s), with "
        f"{say_points(others[0].held_out.difference.value)} on these."
    )


def _name_routes(one: Policy, plains: list[GateResult]) -> str:
    labels = {plain.comparison.candidate.combination: plain.comparison.candidate.label for plain in plains}
    by_target: dict[str, list[str]] = defaultdict(list)
    for segment, target in sorted(one.routes.items()):
        by_target[target].append(segment)
    return "; ".join(f"{_name_some(names)} to {labels[target]}" for target, names in sorted(by_target.items()))


def _name_some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _name_risk(one: Policy) -> str:
    low = one.held_out.difference.low or 0.0
    loss = "Success is not lower" if low >= 0 else f"Success may be up to {say_points(-low).lstrip('+')} lower"
    return (
        f"{loss} over all segments together; a single segment may lose more. A segment that is new stays where it is."
    )
