"""Own the finding "the total moved, and this is why": mix, rates, evaluators and prices of two halves told apart."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from trilemma_analysis.claims import CLAIM_FAMILIES, adjust_claims
from trilemma_analysis.estimate import to_estimate
from trilemma_analysis.evidence.halves import read_calls, read_halves, split_by_source, split_by_traffic
from trilemma_analysis.evidence.mix_claim import MixClaim
from trilemma_analysis.evidence.mix_cost import claim_costs
from trilemma_analysis.evidence.reversals import claim_reversals
from trilemma_analysis.evidence.sample_ratio import claim_ratios
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.wording import say_change, say_count, say_points, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.estimate import Estimate
    from trilemma_analysis.evidence.mixes import Shift

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "mix_change"
QUESTIONS = ("mix_halves", "call_amounts", "experiment_units")
# A mix that surely moves a rate by two points does what many a release does; smaller ones come and go with the week.
LEAST_MIX = 0.02
NAMED = 3
MOST_WANTED = 10.0  # times the runs there are: more than that is no advice


def find(analysis: Analysis) -> list[Finding]:
    """Return what moved the totals of tasks beyond chance, totals that segments contradict, and broken experiments."""
    if not analysis.measures:
        return []
    halves, calls = read_halves(analysis), read_calls(analysis)
    tasks = sorted(halves)
    traffic = [(task, one) for task in tasks if (one := split_by_traffic(analysis, task, halves[task])) is not None]
    sources = [(task, one) for task in tasks if (one := split_by_source(analysis, task, halves[task])) is not None]
    level = analysis.alpha / CLAIM_FAMILIES
    claims = [
        *(MixClaim(one.p_mix, partial(_report_mix, task, one, level)) for task, one in traffic),
        *(MixClaim(one.p_mix, partial(_report_sources, task, one)) for task, one in sources),
        *claim_costs(analysis, halves, calls, KIND, QUESTIONS),
        *claim_reversals(analysis, halves, KIND, QUESTIONS),
        *claim_ratios(analysis, KIND, QUESTIONS),
    ]
    p_values = adjust_claims([one.p_value for one in claims])
    reports = [claim.report(p) for claim, p in zip(claims, p_values, strict=True) if p <= analysis.alpha]
    found = {one.id: one for one in reports if one is not None}
    for task, one in traffic:
        asked = _report_open(analysis, task, one)
        if asked is not None:
            found.setdefault(asked.id, asked)
    return list(found.values())


def _report_mix(task: str, one: Shift, level: float, p_value: float) -> Finding | None:
    """Report a mix that moved the total, and whether the rates at an equal mix moved too."""
    total, mix, rate = (one.estimate(part) for part in (one.split.total, one.split.mix, one.split.rate))
    if not _is_much(mix):
        return None
    fell = (rate.high or 0) < 0 or (one.by == "combinations" and (mix.high or 0) < 0)
    return Finding(
        id=identify(KIND, task, "success"),
        kind=KIND,
        task=task,
        where=task,
        title=f"{task}: {_name_change(one, level)}",
        what=(
            f"From the first to the last half of the time success went {say_change(total)}. That other {one.by} ran "
            f"makes {say_change(mix)} of it, that the same ones did otherwise {say_change(rate)} (p = {p_value:.2g}, "
            "adjusted for all claims of this report). "
            f"{_say_movers(one)}{_say_standardised(one)}"
        ),
        verdict=Verdict.ACT if fell else Verdict.DONT,
        evidence=Evidence(n=total.n, unit="runs with an outcome", questions=QUESTIONS, p_value=p_value),
        effects=(
            Effect(side="quality", what="success, last half minus first", estimate=total),
            Effect(side="quality", what=f"of that by other {one.by}", estimate=mix),
            Effect(side="quality", what="of that by other rates of the same ones", estimate=rate),
        ),
        risk=(
            f"{say_share(one.overlap)} of the runs are of groups that both halves have; of the others nobody knows "
            "what the same time would have made of them. What changed with the mix counts as rate."
        ),
        change=_name_next(one, fell=fell),
        verification="The same split of the next weeks; and success per group, which no mix can move.",
        doubts=("quality",) if one.by != "combinations" else (),
    )


def _name_next(one: Shift, *, fell: bool) -> str:
    if not fell:
        return "Mend nothing for the total's sake: compare the halves at the same mix, or group by group."
    if float(one.split.rate.high) < 0:
        return "Look for what made the rates of the same groups fall; the total alone misleads about how much."
    return f"If {one.groups[one.movers(1)[0]]} was not meant to take another share of the runs, give it back."


def _is_much(mix: Estimate) -> bool:
    return (mix.low or 0) >= LEAST_MIX or (mix.high or 0) <= -LEAST_MIX


def _name_change(one: Shift, level: float) -> str:
    total, mix, rate = (float(part.estimate) for part in (one.split.total, one.split.mix, one.split.rate))
    if one.is_turned(level):
        verb = "fell" if total < 0 else "rose"
        return f"success {verb} only because other {one.by} ran: at the same mix it moved the other way"
    if (mix > 0 and float(one.split.rate.high) < 0) or (mix < 0 and float(one.split.rate.low) > 0):
        return f"other {one.by} hide that success of the same ones went {say_points(rate)}"
    verb = "fell" if mix < 0 else "rose"
    return f"success {verb} by {say_points(abs(mix)).lstrip('+')} because other {one.by} ran"


def _say_movers(one: Shift) -> str:
    texts = []
    for at in one.movers(NAMED):
        rates = [
            say_share(float(half.mean[at])) for half in (one.before, one.after) if half.n[at] > 0
        ]  # of a group that was there
        shares = f"{say_share(float(one.before.share[at]))} to {say_share(float(one.after.share[at]))} of the runs"
        texts.append(f"“{one.groups[at]}” went from {shares} (success {' then '.join(rates)})")
    return "; ".join(texts) + "."


def _say_standardised(one: Shift) -> str:
    if one.standardised is None:
        return ""
    rate = with_interval(to_estimate(one.standardised, round(one.known[1]), "share", "direct standardisation"))
    return f" At the first half's mix the last half would have {rate}."


def _report_sources(task: str, one: Shift, p_value: float) -> Finding | None:
    """Report outcomes that other sources tell than before, and that moved the total by it."""
    mix, total = one.estimate(one.split.mix), one.estimate(one.split.total)
    if not _is_much(mix):
        return None
    return Finding(
        id=identify(KIND, task, "evaluators"),
        kind=KIND,
        task=task,
        where=task,
        title=f"{task}: others tell the outcomes than before, and success moves with them",
        what=(
            f"From the first to the last half success went {say_change(total)}; {say_change(mix)} of that goes with "
            f"who told the outcome (p = {p_value:.2g}, adjusted for all claims of this report). {_say_movers(one)}"
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=mix.n, unit="runs with an outcome", questions=QUESTIONS, p_value=p_value),
        effects=(Effect(side="quality", what="success, by who told the outcome", estimate=mix),),
        risk="Those who tell may see other runs: then it is those runs that differ, not who tells.",
        change="Have a sample of the same runs told by both, and compare success only within one source.",
        verification="The evaluator audit of this report, once both told of the same runs.",
        doubts=("quality",),
    )


def _report_open(analysis: Analysis, task: str, one: Shift) -> Finding | None:
    """Report a mix that may have moved the total by the margin or more, where more runs would tell."""
    mix = one.estimate(one.split.mix)
    value, reach = abs(mix.value or 0.0), ((mix.high or 0.0) - (mix.low or 0.0)) / 2
    margin = analysis.options.margin_of(task)
    if value < margin or reach <= value:
        return None
    more = math.ceil(mix.n * (reach / value) ** 2) - mix.n
    if more > MOST_WANTED * mix.n:
        return None
    return Finding(
        id=identify(KIND, task, "success"),
        kind=KIND,
        task=task,
        where=task,
        title=f"{task}: perhaps that other {one.by} ran moved success by {say_points(value).lstrip('+')}",
        what=(
            f"On {say_count(mix.n)} runs other {one.by} would have moved success by {say_change(mix)} from the first "
            f"to the last half; chance alone may do as much. {_say_movers(one)}"
        ),
        verdict=Verdict.NOT_ENOUGH_DATA,
        evidence=Evidence(n=mix.n, unit="runs with an outcome", questions=QUESTIONS),
        effects=(Effect(side="quality", what=f"of the change of success by other {one.by}", estimate=mix),),
        risk="A trend in the total may be one in the mix.",
        change="Compare the halves group by group until there are more runs.",
        verification="This report, when there are more runs.",
        needed=Needed(n=more, unit="runs with an outcome"),
    )
