"""Own what a sign in a run's calls is worth: how often runs have it, how they do against those without, what they cost.

Runs are compared within their combination, and over combinations by the runs that have the sign. Each decision rests on
the honest end of intervals that pay for all tasks looked at: the share of runs times the success they lack.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.estimate import Estimate, no_estimate, scale_estimate, to_estimate
from trilemma_analysis.evidence.savings import identify, name_currency, save_part
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.clustered import clustered_rate
from trilemma_analysis.stats.intervals import Interval
from trilemma_analysis.stats.moments import Moments
from trilemma_analysis.stats.ratios import ratio_of_sums, share_of_sums
from trilemma_analysis.stats.unpaired import newcombe
from trilemma_analysis.wording import say_change, say_count, say_points, say_range, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["QUESTIONS", "Sign", "Signed", "find_sign", "judge", "measure_sign"]

QUESTIONS = ("run_signs",)
LOOP_LENGTH = 5  # calls in a row for the same tools; agents page through three or four results without being lost
LEAST_RUNS = 20  # with the sign and a known outcome, and as many without: fewer tell nothing that intervals could use
LEAST_LOSS = 0.01  # of all runs' success: a smaller loss is not worth a change
LEAST_COST = 0.01  # of the task's bill, likewise
LEAST_OPEN = 0.02  # of success that seems lost before it is said that it is not settled
MOST_MORE = 4  # times the data seen: a question that takes more is not put


@dataclass(frozen=True)
class Sign:
    """One sign: the finding's kind, the word in the rows, how it reads, and what to do about it."""

    kind: str
    sign: str
    noun: str
    """What a run has: ``an answer that was cut at its limit of tokens``."""
    change: str
    risk: str
    verification: str
    saves: bool = False
    """Whether a run without it would cost what the others cost, so that the difference is saved."""


@dataclass(frozen=True)
class Signed:
    """What was measured of one sign in one task."""

    task: str
    where: str
    runs: int
    with_runs: int
    with_known: int
    without_known: int
    share: Estimate
    difference: Estimate
    """Success with the sign minus success without, within combinations."""
    loss: Estimate
    """Share of all runs that would succeed more if those with the sign did as the others."""
    waste: Estimate
    """Share of the bill that went to runs with the sign that failed."""
    extra: Estimate
    """Share of the bill by which runs with the sign cost more than as many others."""
    cost: float
    """Of all runs."""


def find_sign(analysis: Analysis, sign: Sign) -> list[Finding]:
    """Return a finding for each task in which the sign surely costs success or money, or may and is not settled."""
    by_task: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("run_signs", loop_length=LOOP_LENGTH, least_runs=1):
        if row["sign"] == sign.sign:
            by_task[row["task_name"]].append(row)
    level = 1 - analysis.alpha / max(len(by_task), 1)
    measured = [measure_sign(rows, level) for rows in by_task.values()]
    return [
        _report(analysis, sign, one, verdict)
        for one in measured
        if (verdict := judge(one, saves=sign.saves)) is not None
    ]


def judge(one: Signed, *, saves: bool) -> Verdict | None:
    """Return whether to act on a sign, whether it is open, or None where it is not worth a word."""
    if saves and (one.extra.low or 0) >= LEAST_COST:
        return Verdict.ACT
    if (one.loss.low or 0) >= LEAST_LOSS:
        return Verdict.ACT
    is_seen = (one.share.low or 0) >= LEAST_LOSS and (one.loss.value or 0) >= LEAST_OPEN
    return Verdict.NOT_ENOUGH_DATA if is_seen and _count_more(one) is not None else None


def measure_sign(rows: list[dict[str, Any]], level: float) -> Signed:
    """Measure a sign in one task from its rows of sql/run_signs.sql, one for each combination that has it."""
    share = _pool_share(rows, "share", 1.0, level)
    difference = _compare(rows, level)
    waste = _pool_share(rows, "waste", PICO, level)
    total = sum(row["waste_y"] for row in rows) * PICO
    most = max(rows, key=lambda row: (row["with_runs"], row["combination"]))
    return Signed(
        task=rows[0]["task_name"],
        where=most["combination"],
        runs=sum(row["runs"] for row in rows),
        with_runs=sum(row["with_runs"] for row in rows),
        with_known=sum(int(row["with_outcome_y"]) for row in rows),
        without_known=sum(int(row["without_outcome_y"]) for row in rows),
        share=share,
        difference=difference,
        loss=_multiply(share, difference),
        waste=waste,
        extra=_measure_extra(rows, share, total, level),
        cost=total,
    )


def _pool_share(rows: list[dict[str, Any]], prefix: str, scale: float, level: float) -> Estimate:
    moments = [read_moments(row, prefix, scale, scale) for row in rows]
    pooled = Moments(*(np.sum([getattr(one, name) for one in moments]) for name in ("n", "x", "y", "xx", "yy", "xy")))
    if not pooled.y > 0:
        return no_estimate("share")
    interval = share_of_sums(pooled, level)
    return to_estimate(interval, int(pooled.n), "share", "delta method on the logit scale, over inputs")


def _compare(rows: list[dict[str, Any]], level: float) -> Estimate:
    """Return the difference within combinations, weighted by their runs with the sign.

    Source: Newcombe 1998 within each; Zou and Donner 2008 (MOVER) for the weighted sum of independent differences.
    """
    used = [row for row in rows if row["with_outcome_y"] and row["without_outcome_y"]]
    known = sum(row["with_outcome_y"] for row in used)
    if known < LEAST_RUNS or sum(row["without_outcome_y"] for row in used) < LEAST_RUNS:
        return no_estimate("share")
    parts = [(row["with_outcome_y"] / known, _differ(row, level)) for row in used]
    return to_estimate(_add(parts), int(known), "share", "Newcombe within combinations, weighted by runs with the sign")


def _differ(row: dict[str, Any], level: float) -> Interval:
    """Return Newcombe's interval on effective sample sizes; that inputs may be shared makes it wider than need be."""
    without, with_ = (clustered_rate(read_moments(row, side), level) for side in ("without_outcome", "with_outcome"))
    return newcombe(
        without.interval.estimate * without.effective_n,
        without.effective_n,
        with_.interval.estimate * with_.effective_n,
        with_.effective_n,
        level,
    )


def _measure_extra(rows: list[dict[str, Any]], share: Estimate, total: float, level: float) -> Estimate:
    """Return by what share of the bill runs with the sign cost more than as many without, within combinations.

    The ends are those of the difference of mean costs (MOVER), each times that of how many runs have the sign.
    """
    used = [row for row in rows if row["with_cost_n"] > 1 and row["without_cost_n"] > 1]
    if not used or not total:
        return no_estimate("share")
    extra = _add([(row["with_cost_y"] / total, _differ_in_cost(row, level)) for row in used])
    often = share.value or 1.0
    fewer, more = (share.low or 0.0) / often, (share.high or 1.0) / often
    low = extra.low * (fewer if extra.low > 0 else more)
    high = extra.high * (more if extra.high > 0 else fewer)
    wide = Interval(np.asarray(low), extra.estimate, np.asarray(high))
    return to_estimate(wide, sum(int(row["with_cost_n"]) for row in used), "share", "difference of mean costs")


def _differ_in_cost(row: dict[str, Any], level: float) -> Interval:
    with_, without = (ratio_of_sums(read_moments(row, f"{side}_cost", PICO), level) for side in ("with", "without"))
    gap = with_.estimate - without.estimate
    low = gap - math.hypot(with_.estimate - with_.low, without.high - without.estimate)
    high = gap + math.hypot(with_.high - with_.estimate, without.estimate - without.low)
    return Interval(np.asarray(low), gap, np.asarray(high))


def _add(parts: list[tuple[float, Interval]]) -> Interval:
    value = sum(weight * part.estimate for weight, part in parts)
    below = math.sqrt(sum(float(weight * (part.estimate - part.low)) ** 2 for weight, part in parts))
    above = math.sqrt(sum(float(weight * (part.high - part.estimate)) ** 2 for weight, part in parts))
    return Interval(np.asarray(value - below), np.asarray(value), np.asarray(value + above))


def _multiply(share: Estimate, difference: Estimate) -> Estimate:
    """Return the success lost over all runs: each end is the product of the ends of both intervals, so it is wide."""
    if difference.value is None:
        return no_estimate("share")
    lost = scale_estimate(difference, -1)
    low, value, high = (
        (part or 0.0) * (gap or 0.0)
        for part, gap in ((share.low, lost.low), (share.value, lost.value), (share.high, lost.high))
    )
    low = low if (lost.low or 0) > 0 else (share.high or 1.0) * (lost.low or 0.0)
    return Estimate(value=value, low=low, high=high, n=difference.n, unit="share", method="product of both intervals")


def _count_more(one: Signed) -> int | None:
    """Return how many more runs settle the difference at the size seen; None where too many, or none at all, would."""
    if not one.share.value or one.difference.value is None or one.difference.high is None:
        return None
    room = -one.difference.value - LEAST_LOSS / one.share.value
    if room <= 0:
        return None
    factor = ((one.difference.high - one.difference.value) / room) ** 2
    return math.ceil(one.runs * (factor - 1)) if 1 < factor <= 1 + MOST_MORE else None


def _report(analysis: Analysis, sign: Sign, one: Signed, verdict: Verdict) -> Finding:
    is_open = verdict is Verdict.NOT_ENOUGH_DATA
    more = _count_more(one) if is_open else None
    tail = "; whether that costs success is not settled" if is_open else _say_harm(one)
    return Finding(
        id=identify(sign.kind, one.task),
        kind=sign.kind,
        task=one.task,
        where=one.where,
        title=f"{one.task}: {say_share(one.share.value)} of runs have {sign.noun}{tail}",
        what=_describe(one),
        verdict=verdict,
        evidence=Evidence(n=one.with_known, unit="runs with the sign and a known outcome", questions=QUESTIONS),
        effects=_list_effects(sign, one),
        saving=save_part(analysis, one.task, one.extra, one.cost) if sign.saves and _is_dearer(one) else None,
        risk=f"{sign.risk} Runs with the sign may be harder for other reasons: the gain is at most what is stated.",
        change=f"Collect data: {say_count(more)} more runs with an outcome." if is_open else sign.change,
        verification=sign.verification,
        needed=_need(analysis, one, more),
    )


def _say_harm(one: Signed) -> str:
    return ", and succeed less often" if (one.loss.low or 0) > 0 else ", and cost more"


def _is_dearer(one: Signed) -> bool:
    return (one.extra.low or 0) > 0


def _describe(one: Signed) -> str:
    runs = f"{say_count(one.with_runs)} of {say_count(one.runs)} runs ({with_interval(one.share)})"
    said = [f"{runs} of the combinations in which it occurs, most in {one.where}."]
    if one.difference.value is not None:
        said.append(
            f"Their success differs by {say_change(one.difference)} from that of the other runs of the same "
            f"combination ({say_count(one.with_known)} with and {say_count(one.without_known)} without it, outcome "
            f"known): {say_points(-(one.loss.value or 0))} for all runs ({say_range(_negate(one.loss), say_points)})."
        )
    if one.waste.value is not None:
        said.append(f"Of the bill, {with_interval(one.waste)} went to those of them that failed.")
    if _is_dearer(one):
        said.append(f"They cost more than as many others by {with_interval(one.extra)} of the bill.")
    return " ".join(said)


def _negate(estimate: Estimate) -> Estimate:
    return scale_estimate(estimate, -1)


def _list_effects(sign: Sign, one: Signed) -> tuple[Effect, ...]:
    effects = [Effect(side="quality", what=f"runs that have {sign.noun}", estimate=one.share, is_level=True)]
    if one.loss.value is not None:
        effects.append(Effect(side="quality", what="success, if they did as the others", estimate=one.loss))
    if one.waste.value is not None:
        what = "of the bill, spent on those of them that failed"
        effects.append(Effect(side="cost", what=what, estimate=one.waste, is_level=True))
    if sign.saves and _is_dearer(one):
        what = "of the bill, more than as many others cost"
        effects.append(Effect(side="cost", what=what, estimate=one.extra, is_level=True))
    return tuple(effects)


def _need(analysis: Analysis, one: Signed, more: int | None) -> Needed | None:
    if more is None:
        return None
    currency = name_currency(analysis, one.task)
    cost = more * one.cost / one.runs if one.cost and currency else None
    return Needed(n=more, unit="runs with an outcome", cost=cost, currency=currency or "")
