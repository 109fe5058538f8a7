"""Own the finding "always choose this": what logged choices with known probabilities say of a policy not in use."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.claims import CLAIM_FAMILIES
from trilemma_analysis.evidence.effects import list_effects
from trilemma_analysis.evidence.logged import LoggedChoice, read_choice
from trilemma_analysis.evidence.savings import identify, save_by_share
from trilemma_analysis.findings.finding import Action, Evidence, Finding, Needed, Verdict
from trilemma_analysis.stats.off_policy import MIN_EFFECTIVE
from trilemma_analysis.wording import say_change, say_count, say_points, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.evidence.logged import Arm
    from trilemma_analysis.findings.finding import Saving

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "policy_value"
QUESTIONS = ("logged_policies",)
VERSUS = "this option to as logged"
LEAST_UNITS = 50  # of a logged choice: with fewer, it has hardly begun


def find(analysis: Analysis) -> list[Finding]:
    """Return per logged choice: the option that beats choosing as logged, or why the logs cannot tell."""
    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("logged_policies"):
        rows[row["task_name"], row["decision_kind"], row["decision_name"]].append(row)
    choices = [choice for key, own in sorted(rows.items()) if (choice := read_choice(key, own)) is not None]
    choices = [choice for choice in choices if choice.units >= LEAST_UNITS and len(choice.actions) > 1]
    return [found for choice in choices if (found := _judge(analysis, choice, len(choices))) is not None]


def _judge(analysis: Analysis, choice: LoggedChoice, choices: int) -> Finding | None:
    """Value each option; the cheapest that is safe, else the one that is surely better, else what keeps them open."""
    tries = len(choice.actions)
    arms = choice.value_arms(
        analysis.options.confidence,
        safe_level=1 - 2 * analysis.alpha / tries,
        claim_level=1 - analysis.alpha / (tries * choices * CLAIM_FAMILIES),
    )
    margin = analysis.options.margin_of(choice.task)
    if safe := [one for one in arms if one.is_safe(margin) and one.saves]:
        return _report_arm(analysis, choice, min(safe, key=lambda one: (one.cost, one.name)), margin)
    if better := [one for one in arms if one.is_better]:
        best = min(better, key=lambda one: (-one.gain, one.name))
        return _report_arm(analysis, choice, best, margin)
    if all(one.refusal for one in arms):
        return _report_refused(choice, arms)
    near = [one for one in arms if one.saves and one.count_more(margin) is not None]
    return _report_open(choice, min(near, key=lambda one: (one.count_more(margin), one.name)), margin) if near else None


def _report_arm(analysis: Analysis, choice: LoggedChoice, arm: Arm, margin: float) -> Finding:
    what = (
        f"not worse by the margin of {margin * 100:g} points or more (one-sided, for all options)"
        if arm.is_safe(margin)
        else "better beyond chance (for all options and claims of this report)"
    )
    return Finding(
        id=identify(KIND, choice.task, choice.kind, choice.name, arm.name),
        kind=KIND,
        task=choice.task,
        where=f"{choice.kind} {choice.name}",
        title=f"{choice.task}: always choose {arm.name} in {choice.kind} {choice.name}",
        what=(
            f"{_say_basis(choice, arm)} Success would differ by {_say_difference(arm)} from the logged choices: {what}."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=choice.units, unit=choice.unit_name, questions=QUESTIONS),
        effects=list_effects(arm, VERSUS),
        saving=_save(analysis, choice, arm),
        risk=_name_risk(arm),
        change=f"Let {choice.kind} {choice.name} choose {arm.name} for {choice.task}; explore with a twentieth of it.",
        verification="Keep logging probabilities: the logged policy of the next weeks is then valued the same way.",
        action=Action(
            kind="route",
            candidate=arm.combination,
            settings={"decision": choice.kind, "decision_name": choice.name, "option": arm.name},
        ),
    )


def _report_open(choice: LoggedChoice, arm: Arm, margin: float) -> Finding:
    more = arm.count_more(margin) or 0
    return Finding(
        id=identify(KIND, choice.task, choice.kind, choice.name, "open"),
        kind=KIND,
        task=choice.task,
        where=f"{choice.kind} {choice.name}",
        title=f"Not settled for {choice.task}: always choosing {arm.name} in {choice.kind} {choice.name}",
        what=(
            f"{_say_basis(choice, arm)} Success would differ by {_say_difference(arm)} from the logged choices, which "
            f"does not rule out a loss of {margin * 100:g} points."
        ),
        verdict=Verdict.NOT_ENOUGH_DATA,
        evidence=Evidence(n=choice.units, unit=choice.unit_name, questions=QUESTIONS),
        effects=list_effects(arm, VERSUS),
        risk="Choosing it always would be a guess.",
        change=f"Collect data: go on choosing at random, for {say_count(more)} more {choice.unit_name}.",
        verification="Run the report again on the longer period.",
        needed=Needed(n=more, unit=f"{choice.unit_name} with a logged probability"),
    )


def _report_refused(choice: LoggedChoice, arms: list[Arm]) -> Finding:
    """Say why no option can be valued: no number is better than a wrong one."""
    nearest = max(arms, key=lambda one: (one.effective_n, one.name))
    share = nearest.effective_n / MIN_EFFECTIVE
    needed = math.ceil(choice.units / share) - choice.units if 0 < share < 1 else None
    reasons = "; ".join(f"{one.name}: {one.refusal}" for one in arms)
    return Finding(
        id=identify(KIND, choice.task, choice.kind, choice.name, "refused"),
        kind=KIND,
        task=choice.task,
        where=f"{choice.kind} {choice.name}",
        title=f"{choice.task}: the logs of {choice.kind} {choice.name} cannot say what another choice would have given",
        what=(
            f"{say_count(choice.units)} choices were logged with a probability, and support no estimate. {reasons}. "
            "An estimate from them would carry an interval that does not hold."
        ),
        verdict=Verdict.NOT_ENOUGH_DATA,
        evidence=Evidence(n=choice.units, unit=choice.unit_name, questions=QUESTIONS),
        risk="Comparing the options as they were chosen compares what they were chosen for.",
        change="Choose at random for a small share (5 %) in every segment, and log the probability that was used.",
        verification="Run the report again on the longer period.",
        needed=None if needed is None else Needed(n=needed, unit=f"{choice.unit_name} with a logged probability"),
    )


def _save(analysis: Analysis, choice: LoggedChoice, arm: Arm) -> Saving | None:
    if arm.cost_ratio is None or choice.currency is None or arm.cost_ratio.value is None:
        return None
    ratio = arm.cost_ratio
    share = ratio.model_copy(
        update={
            "value": 1 - (ratio.value or 0.0),
            "low": None if ratio.high is None else 1 - ratio.high,
            "high": None if ratio.low is None else 1 - ratio.low,
            "unit": "share",
        }
    )
    monthly = analysis.options.runs_per_month or analysis.monthly(choice.task, choice.runs)
    return save_by_share(share, choice.mean_cost, choice.currency, monthly)


def _say_basis(choice: LoggedChoice, arm: Arm) -> str:
    counted = "" if choice.unit_name == "runs" else f" (each of the {choice.unit_name} counts once)"
    return (
        f"Doubly robust, from {say_count(choice.units)} {choice.unit_name}{counted} whose choice was logged with its "
        f"probability; {arm.name} was chosen for {say_share(arm.share)} of them, which amounts to "
        f"{say_count(arm.effective_n)} that count for it."
    )


def _say_difference(arm: Arm) -> str:
    return "an unknown amount" if arm.difference is None else say_change(arm.difference)


def _name_risk(arm: Arm) -> str:
    low = 0.0 if arm.difference is None else arm.difference.low or 0.0
    loss = "Success is not lower." if low >= 0 else f"Success may be up to {say_points(-low).lstrip('+')} lower."
    dearer = "" if arm.cost_ratio is None or arm.cost <= 1 else f" It costs more: {say_change(arm.cost_ratio)}."
    return f"{loss}{dearer} It holds as long as the logged probabilities are those that chose."
