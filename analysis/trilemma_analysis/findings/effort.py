"""Own the finding "less effort is enough": levels of reasoning, and limits of output, of one combination compared."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.estimate import known_ratio, scale_estimate
from trilemma_analysis.evidence.effects import list_effects
from trilemma_analysis.evidence.effort_levels import Pair, read_pairs
from trilemma_analysis.evidence.routed import can_show
from trilemma_analysis.evidence.savings import identify, save_by_ratio
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.gates import POWER
from trilemma_analysis.stats.multiplicity import holm
from trilemma_analysis.stats.noninferiority import more_pairs_needed
from trilemma_analysis.wording import say_change, say_count, say_money, say_points

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.estimate import Estimate

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "effort"
QUESTIONS = ("effort_levels", "effort_runs")
VERSUS = "less effort to more"
AXES = {"reasoning_level": "reasoning effort", "max_tokens": "limit of output tokens"}
WORTH = 0.95  # of the cost per run: a level that saves less than a twentieth is not worth a finding


@dataclass(frozen=True)
class _Judged:
    """A cheaper level against the one in use, with the p-values of both claims adjusted."""

    axis: str
    pair: Pair
    p_safe: float
    p_worse: float


def find(analysis: Analysis) -> list[Finding]:
    """Return per combination and axis: the cheaper level that is safe, or is worse, or what would settle it."""
    rows = analysis.ask("effort_levels")
    pairs = [
        (axis, pair)
        for axis in AXES
        if (names := [row["task_name"] for row in rows if row["axis"] == axis])
        for pair in _ask(analysis, axis, names)
    ]
    p_worse = adjust_claims([pair.test.p_worse for _, pair in pairs])
    judged = [
        _Judged(axis, pair, p, worse)
        for (axis, pair), p, worse in zip(
            pairs, _adjust_safe(analysis, [pair for _, pair in pairs]), p_worse, strict=True
        )
    ]
    places = itertools.groupby(judged, key=lambda one: (one.axis, *one.pair.base.place))
    return [found for _, own in places if (found := _report(analysis, list(own))) is not None]


def _ask(analysis: Analysis, axis: str, names: list[str]) -> list[Pair]:
    margins = {name: analysis.options.margin_of(name) for name in names}
    rows = analysis.ask("effort_runs", axis=axis, axis_tasks=names)
    return [
        pair
        for pair in read_pairs(rows, margins, analysis.options.confidence)
        if pair.cost_ratio is not None and (pair.cost_ratio.high or math.inf) < WORTH
    ]


def _adjust_safe(analysis: Analysis, pairs: list[Pair]) -> list[float]:
    """Return the p-values of "safe" by Holm over all levels of a task; 1 for those too few to show it."""
    adjusted = [1.0] * len(pairs)
    for task in {pair.base.task for pair in pairs}:
        able = [
            index
            for index, pair in enumerate(pairs)
            if pair.base.task == task and can_show(pair.test.n, pair.margin, analysis.alpha)
        ]
        if able:
            for index, p in zip(able, holm([pairs[index].test.p_noninferior for index in able]), strict=True):
                adjusted[index] = float(p)
    return adjusted


def _report(analysis: Analysis, judged: list[_Judged]) -> Finding | None:
    """Speak of the cheapest safe level; else of the one that is worse; else of the nearest to being shown safe."""
    if safe := [one for one in judged if one.p_safe <= analysis.alpha]:
        return _report_safe(analysis, _cheapest(safe))
    if worse := [one for one in judged if one.p_worse <= analysis.alpha]:
        return _report_worse(_cheapest(worse))
    near = [(more, one) for one in judged if (more := _plan(analysis, one)) is not None]
    return _report_open(analysis, *min(near, key=lambda pair: (pair[0], pair[1].pair.other.name))) if near else None


def _report_safe(analysis: Analysis, one: _Judged) -> Finding:
    pair, noun = one.pair, AXES[one.axis]
    base, other = pair.base, pair.other
    return Finding(
        id=identify(KIND, base.task, base.combination, one.axis, base.name, other.name),
        kind=KIND,
        task=base.task,
        where=base.combination,
        title=f"{base.task}: {noun} {other.label} does as well as {base.label}, for less",
        what=(
            f"{_say_basis(pair)} Success differs by {say_change(pair.difference)}: not worse by the margin of "
            f"{pair.margin * 100:g} points or more (p = {one.p_safe:.2g}, Holm over the task's levels). "
            f"{_say_tokens(pair)}"
        ),
        verdict=Verdict.ACT,
        evidence=_cite(pair, one.p_safe),
        effects=_predict(pair),
        saving=_save(analysis, pair),
        risk=_name_risk(pair),
        change=f"Ask for {noun} {other.label} instead of {base.label} in {base.task} with {base.combination}.",
        verification="Keep a tenth of the runs as they are and compare success on them after 200 runs.",
        action=Action(
            kind="effort",
            baseline=base.combination,
            settings={one.axis: other.name, "instead_of": base.name},
        ),
    )


def _report_worse(one: _Judged) -> Finding:
    pair, noun = one.pair, AXES[one.axis]
    base, other = pair.base, pair.other
    return Finding(
        id=identify(KIND, base.task, base.combination, one.axis, base.name, "worse"),
        kind=KIND,
        task=base.task,
        where=base.combination,
        title=f"{base.task}: do not go down to {noun} {other.label} from {base.label}",
        what=(
            f"{_say_basis(pair)} Success differs by {say_change(pair.difference)} (p = {one.p_worse:.2g}, adjusted for "
            f"all claims of this report). {_say_tokens(pair)}"
        ),
        verdict=Verdict.DONT,
        evidence=_cite(pair, one.p_worse),
        effects=list_effects(pair, VERSUS),
        risk="None in staying; the money not saved is the price of the quality kept.",
        change=f"Keep {noun} {base.label} in {base.task} with {base.combination}.",
        verification="The levels are compared anew with each report.",
    )


def _report_open(analysis: Analysis, more: int, one: _Judged) -> Finding:
    pair, noun = one.pair, AXES[one.axis]
    base, other = pair.base, pair.other
    price = other.cost_per_run
    cost = None if price is None or price.value is None else more * price.value
    text = f"{say_count(more)} more inputs at both levels" + (
        "" if cost is None or price is None else f", about {say_money(cost, price.unit)}"
    )
    return Finding(
        id=identify(KIND, base.task, base.combination, one.axis, base.name, "open"),
        kind=KIND,
        task=base.task,
        where=base.combination,
        title=f"Not settled for {base.task}: {noun} {other.label} instead of {base.label}",
        what=(
            f"{_say_basis(pair)} Success differs by {say_change(pair.difference)}, which does not rule out a loss of "
            f"{pair.margin * 100:g} points. {_say_tokens(pair)}"
        ),
        verdict=Verdict.NOT_ENOUGH_DATA,
        evidence=_cite(pair, one.p_safe),
        effects=list_effects(pair, VERSUS),
        saving=_save(analysis, pair),
        risk="Going down now would be a guess.",
        change=f"Collect data: {text}, would settle it with 80 % power if less effort truly does as well.",
        verification="Run the report again on the longer period.",
        needed=Needed(n=more, unit="inputs tried by both", cost=cost, currency="" if price is None else price.unit),
    )


def _plan(analysis: Analysis, one: _Judged) -> int | None:
    test = one.pair.test
    n = test.n if one.pair.paired else 0
    discordance = (test.discordance * test.n + 1) / (test.n + 2)
    difference = one.pair.difference.value or 0.0
    return more_pairs_needed(one.pair.margin, discordance, n, difference, alpha=analysis.alpha, power=POWER)


def _cheapest(judged: Iterable[_Judged]) -> _Judged:
    return min(judged, key=lambda one: (known_ratio(one.pair.cost_ratio), one.pair.other.name))


def _predict(pair: Pair) -> tuple[Effect, ...]:
    """Return what moving the level's runs does to all runs of the combination, at their share of runs and of cost."""
    share, of_cost = pair.base.share, pair.base.cost_share
    moved = scale_estimate(pair.difference, share)
    effects = [Effect(side="quality", what="difference in success rate, over all its runs", estimate=moved)]
    if pair.cost_ratio is not None:
        cost = _map(pair.cost_ratio, lambda ratio: 1 - of_cost * (1 - ratio))
        effects.append(Effect(side="cost", what="cost per run, over all its runs", estimate=cost))
    if pair.latency_ratio is not None:
        latency = _map(pair.latency_ratio, lambda ratio: ratio**share)
        effects.append(Effect(side="latency", what="latency, over all its runs", estimate=latency))
    return tuple(effects)


def _save(analysis: Analysis, pair: Pair) -> Any:
    ones = [one for one in analysis.of_task(pair.base.task) if one.combination == pair.base.combination]
    ratio = None if pair.cost_ratio is None else _map(pair.cost_ratio, lambda x: 1 - pair.base.cost_share * (1 - x))
    return save_by_ratio(analysis, ones[0], ratio) if ones else None


def _map(one: Estimate, change: Any) -> Estimate:
    ends = {name: None if end is None else change(end) for name, end in one.model_dump(include=_ENDS).items()}
    return one.model_copy(update=ends)


_ENDS = {"value", "low", "high"}


def _cite(pair: Pair, p_value: float) -> Evidence:
    unit = "inputs tried by both" if pair.paired else "runs of the smaller side"
    return Evidence(n=pair.test.n, unit=unit, questions=QUESTIONS, p_value=p_value)


def _say_basis(pair: Pair) -> str:
    if pair.paired:
        return f"Same model, prompt and all else, on {say_count(pair.test.n)} inputs tried at both levels."
    return (
        f"Same model, prompt and all else, on different inputs ({say_count(pair.other.known)} and "
        f"{say_count(pair.base.known)} runs)."
    )


def _say_tokens(pair: Pair) -> str:
    """Say what is paid for: output, and the part of it that is reasoning."""
    base, other = pair.base, pair.other
    said = f"A run has {say_count(other.output_tokens)} output tokens instead of {say_count(base.output_tokens)}"
    if not base.reasoning_tokens:
        return f"{said}."
    price = base.cost_per_run
    unit = "" if price is None else price.unit
    return (
        f"{said}, of which {say_count(other.reasoning_tokens)} instead of {say_count(base.reasoning_tokens)} are "
        f"reasoning, at {say_money(other.reasoning_cost, unit)} instead of {say_money(base.reasoning_cost, unit)}."
    )


def _name_risk(pair: Pair) -> str:
    low = pair.difference.low or 0.0
    loss = "Success is not lower." if low >= 0 else f"Success may be up to {say_points(-low).lstrip('+')} lower."
    if pair.paired:
        return loss
    return f"{loss} The levels served different inputs: if harder ones were given more effort, this compares inputs."
