"""Own the finding "may this judge be believed": agreement with the truth, the bias of what it reports, its drift."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trilemma_analysis.buckets import find_width
from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.audits import LEAST_OF_EACH, USELESS_BELOW, audit, count_said, decide
from trilemma_analysis.evidence.judge_drift import find_judge_drifts
from trilemma_analysis.evidence.people import Ceiling, measure_ceiling
from trilemma_analysis.evidence.savings import identify, save_by_share
from trilemma_analysis.evidence.verdicts import AGGREGATED, ENOUGH_PAIRS, YES, read_judges, to_codes
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Saving, Verdict
from trilemma_analysis.stats.intervals import Interval, jeffreys, two_sided_z
from trilemma_analysis.stats.unpaired import newcombe
from trilemma_analysis.wording import say_change, say_count, say_points, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.evidence.audits import Audit
    from trilemma_analysis.evidence.verdicts import Judge

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "evaluator_audit"
QUESTIONS = ("verdict_pairs", "verdict_clusters", "human_verdicts")
MOST_VERDICTS = 12  # an evaluator with more distinct labels describes; it does not judge
LEAST_JUDGED = 20  # with fewer judged runs nobody relies on it yet
NO_TRUTH = "No person was asked the same of any of them, and no outcome that it could be held to is known."
OFTEN_FLIPPED = 0.3  # a pairwise judge that answers by place alone flips every time, one that tosses a coin half of it


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each judge of each task, and one for each whose errors changed in time."""
    if not analysis.measures:
        return []
    width_s = find_width(analysis)
    asked = analysis.ask("verdict_pairs", width_s=width_s, most_verdicts=MOST_VERDICTS)
    if not asked:
        return []
    repeated = any(one.has_input_ids for one in analysis.measures)
    clusters = analysis.ask("verdict_clusters", agrees_with_success=sorted(YES)) if repeated else []
    judges = [one for one in read_judges(asked, clusters) if one.judged >= LEAST_JUDGED and one.source != "human"]
    people = analysis.ask("human_verdicts", left_out=list(AGGREGATED))
    ceilings = {task: measure_ceiling(people, task, analysis.options.confidence) for task in {j.task for j in judges}}
    found = [one for judge in judges if (one := _look_at(analysis, judge, ceilings[judge.task])) is not None]
    return found + find_judge_drifts(analysis, judges, width_s, KIND, QUESTIONS)


def _look_at(analysis: Analysis, judge: Judge, ceiling: Ceiling | None) -> Finding | None:
    truth = judge.choose_truth()
    if truth is None:
        # Where nobody calls it a judge it may be a plain check, which asks for no truth.
        return None if judge.source != "judge" or judge.is_circular else _report_unknown(analysis, judge)
    return _report(analysis, audit(judge, truth, analysis.options.confidence), ceiling)


def _report(analysis: Analysis, one: Audit, ceiling: Ceiling | None) -> Finding:
    judge, verdict = one.judge, decide(one)
    titles = {
        Verdict.ACT: f"{judge.name} may be used, corrected: it agrees in {say_share(one.agreement.value)}",
        Verdict.DONT: f"do not use {judge.name} here: it says next to nothing of the truth",
        Verdict.NOT_ENOUGH_DATA: f"too few labels to say whether {judge.name} may be believed",
    }
    change = {
        Verdict.ACT: (
            f"Use {judge.name} for {judge.task}, and report its rate corrected: {with_interval(one.corrected)} "
            f"instead of {say_share(one.reported)}."
        ),
        Verdict.DONT: f"Decide nothing by {judge.name} in {judge.task}; change what it is asked, and audit it again.",
        Verdict.NOT_ENOUGH_DATA: _ask_for_labels(judge.task, _name_label(one)),
    }
    needed = _count_needed(analysis, one) if verdict is Verdict.NOT_ENOUGH_DATA else None
    return Finding(
        id=identify(KIND, judge.task, judge.name, judge.source),
        kind=KIND,
        task=judge.task,
        where=judge.name,
        title=f"{judge.task}: {titles[verdict]}",
        what=" ".join(
            [*_say_agreement(one, ceiling), *_say_rate(one), *_say_flips(judge), *_say_coverage(analysis, judge)]
        ),
        verdict=verdict,
        evidence=Evidence(n=one.n, unit=f"runs with a verdict and {one.truth.label}", questions=QUESTIONS),
        effects=(
            Effect(side="quality", what="agreement with the truth", estimate=one.agreement, is_level=True),
            Effect(side="quality", what=f"true share of {one.rate_of}", estimate=one.corrected, is_level=True),
            Effect(side="quality", what="share reported minus true share", estimate=one.bias, is_level=True),
            *_cost_effects(analysis, judge),
        ),
        saving=_save(analysis, judge) if verdict is Verdict.DONT else None,
        risk=_name_risk(one, analysis.options.confidence),
        change=change[verdict],
        verification="Label twenty random runs a month, and let this report compare them with the judge.",
        action=_act(one) if verdict is Verdict.ACT else None,
        needed=needed,
    )


def _act(one: Audit) -> Action:
    return Action(
        kind="judge",
        settings={"evaluator": one.judge.name, "verdict": one.rate_of, "corrected_share": one.corrected.value or 0.0},
    )


def _ask_for_labels(task: str, name: str) -> str:
    return f"Label a random sample: trilemma label --task {task} --name {name}."


def _name_label(one: Audit) -> str:
    return one.truth.name if one.truth.source == "human" else "correct"


def _say_agreement(one: Audit, ceiling: Ceiling | None) -> list[str]:
    agreed = f"it agrees with {one.truth.label} in {with_interval(one.agreement)}"
    texts = [f"On {say_count(one.n)} runs {agreed}; kappa {_say_kappa(one.kappa)}."]
    if one.accuracy is not None:
        right, wrong = one.accuracy.true_positive, one.accuracy.true_negative
        texts.append(
            f"It passes {say_share(float(right.estimate))} of what is right and stops "
            f"{say_share(float(wrong.estimate))} of what is wrong."
        )
    elif one.truth.n:
        texts.append(f"Of what is truly {one.missed[0]} it sees {say_share(one.missed[1])}.")
    if ceiling is not None:
        texts.append(
            f"The ceiling: people agree with each other in {say_share(ceiling.agreement)} (alpha of {ceiling.people} "
            f"annotators on {say_count(ceiling.items)} runs {_say_kappa(ceiling.alpha)})."
        )
    return texts


def _say_kappa(kappa: Interval) -> str:
    if not np.isfinite(kappa.estimate):
        return "unknown (one side always says the same)"
    return f"{float(kappa.estimate):.2f} ({float(kappa.low):.2f} to {float(kappa.high):.2f})"


def _say_rate(one: Audit) -> list[str]:
    verb = "too often" if (one.bias.value or 0) > 0 else "too seldom"
    bias = f", {verb} by {say_points(abs(one.bias.value or 0)).lstrip('+')}" if one.is_biased else ""
    text = (
        f"It says {one.rate_of} of {say_share(one.reported)} of the runs{bias}; the true share is "
        f"{with_interval(one.corrected)}."
    )
    if one.mean.saved > 0:
        text += f" It stands for {say_share(one.mean.saved)} of the labels that this would take without it."
    return [text]


def _say_flips(judge: Judge) -> list[str]:
    flips = judge.said.get("flipped", 0)
    if not flips:
        return []
    rate = to_estimate(jeffreys(float(flips), float(judge.judged)), judge.judged, "share", "Jeffreys")
    return [f"In {with_interval(rate)} its verdict turned with the order."]


def _say_coverage(analysis: Analysis, judge: Judge) -> list[str]:
    runs = sum(one.runs for one in analysis.of_task(judge.task))
    if runs <= judge.judged:
        return []
    return [f"It judged {say_count(judge.judged)} of {say_count(runs)} runs.", *_say_difference(analysis, judge)]


def _say_difference(analysis: Analysis, judge: Judge) -> list[str]:
    """Say whether the judged runs succeed more or less often than those that it did not judge."""
    outcomes, ones = judge.of_outcomes, analysis.of_task(judge.task)
    if outcomes is None:
        return []
    won = sum(runs for (_, told, _), runs in outcomes.pairs.items() if told == "success")
    rest, rest_won = sum(one.known for one in ones) - outcomes.n, sum(one.successes for one in ones) - won
    if rest < LEAST_JUDGED or not 0 <= rest_won <= rest:
        return []
    interval = newcombe(rest_won, rest, won, outcomes.n, analysis.options.confidence)
    gap = to_estimate(interval, outcomes.n, "share", "Newcombe")
    if (gap.low or 0) <= 0 <= (gap.high or 0):
        return []
    return [f"Those succeed otherwise than the rest, by {say_change(gap)}: what it says holds for runs like them."]


def _name_risk(one: Audit, confidence: float) -> str:
    """Say whether the runs with a label look like a random sample, by what the judge says of both."""
    told, said, labels = to_codes(one.truth, polar=one.judge.is_polar)
    rest = one.judge.judged - told.size
    if not rest:
        return "None beyond the interval: all judged runs have a label."
    yes = float((said == labels.index(one.rate_of)).sum())
    others = min(max(count_said(one.judge, one.rate_of) - yes, 0.0), float(rest))
    interval = newcombe(others, float(rest), yes, float(told.size), confidence)
    gap = to_estimate(interval, int(told.size), "share", "Newcombe")
    if (gap.low or 0) > 0 or (gap.high or 0) < 0:
        return (
            f"The labelled runs are no random sample: the judge says {one.rate_of} of them more or less often than of "
            f"the others, by {say_change(gap)}. The corrected share then holds for runs like the labelled ones."
        )
    return "The correction holds if the labelled runs are a random sample; by the judge's verdicts they look like one."


def _count_needed(analysis: Analysis, one: Audit) -> Needed:
    """Return the labels that bring the corrected rate within the margin, and kappa away from what is useless."""
    margin = analysis.options.margin_of(one.judge.task)
    wanted = [one.n * ((_reach(one.corrected) / margin) ** 2), one.n * LEAST_OF_EACH / max(one.rarest, 1), ENOUGH_PAIRS]
    distance = abs(float(one.kappa.estimate) - USELESS_BELOW)
    if np.isfinite(distance) and distance >= 0.05:  # nearer than this no number of labels is worth their trouble
        wanted.append(one.n * (float(one.kappa.high - one.kappa.low) / 2 / distance) ** 2)
    return Needed(n=max(math.ceil(max(wanted)) - one.n, 1), unit="labelled runs")


def _reach(estimate: Estimate) -> float:
    return ((estimate.high or 0.0) - (estimate.low or 0.0)) / 2


def _report_unknown(analysis: Analysis, judge: Judge) -> Finding:
    """Report a judge whom nobody has checked: how many labels would do, or that it contradicts itself."""
    rate = count_said(judge, "yes") / judge.judged if judge.is_polar else 0.5
    z = two_sided_z(analysis.options.confidence)
    n = math.ceil(max(z**2 * rate * (1 - rate) / analysis.options.margin_of(judge.task) ** 2, ENOUGH_PAIRS))
    flips = jeffreys(float(judge.said.get("flipped", 0)), float(judge.judged))
    flips_much = float(flips.low) > OFTEN_FLIPPED
    share = to_estimate(flips, judge.judged, "share", "Jeffreys")
    level = Effect(side="quality", what="verdicts that turn with the order", estimate=share, is_level=True)
    return Finding(
        id=identify(KIND, judge.task, judge.name, judge.source),
        kind=KIND,
        task=judge.task,
        where=judge.name,
        title=(
            f"{judge.task}: do not use {judge.name} here: {say_share(share.value)} of its verdicts turn with the order"
            if flips_much
            else f"{judge.task}: nobody has checked {judge.name}"
        ),
        what=" ".join([f"It judged {say_count(judge.judged)} runs. {NO_TRUTH}", *_say_flips(judge)]),
        verdict=Verdict.DONT if flips_much else Verdict.NOT_ENOUGH_DATA,
        evidence=Evidence(n=judge.judged, unit="judged runs", questions=QUESTIONS),
        effects=(level,) if judge.said.get("flipped") else (),
        risk="What is decided by an unchecked judge is as good as the judge, and nobody knows how good that is.",
        change=_ask_for_labels(judge.task, judge.name),
        verification="This report compares the labels with the judge as soon as there are any.",
        needed=None if flips_much else Needed(n=min(n, judge.judged), unit="labelled runs"),
    )


def _cost_effects(analysis: Analysis, judge: Judge) -> list[Effect]:
    ones = [one for one in analysis.of_task(f"evaluate.{judge.name}") if one.cost_per_run is not None]
    return [
        Effect(side="cost", what=f"one judgement, by {one.label}", estimate=one.cost_per_run, is_level=True)
        for one in ones
        if one.cost_per_run is not None
    ]


def _save(analysis: Analysis, judge: Judge) -> Saving | None:
    """Return what the judge's own calls cost, where they are traced and made for one combination."""
    ones = [one for one in analysis.of_task(f"evaluate.{judge.name}") if one.cost_per_run is not None]
    if len(ones) != 1 or ones[0].cost_per_run is None or not ones[0].cost_per_run.value:
        return None
    cost = ones[0].cost_per_run
    value, low, high = (None if end is None else end / (cost.value or 1.0) for end in (cost.value, cost.low, cost.high))
    share = Estimate(value=value, low=low, high=high, n=cost.n, unit="share", method=cost.method)
    return save_by_share(share, cost.value or 0.0, cost.unit, analysis.monthly(ones[0].task, ones[0].runs))
