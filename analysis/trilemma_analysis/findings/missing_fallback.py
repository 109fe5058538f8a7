"""Own the finding "runs are lost when the provider fails": what another model, asked next, would have saved.

Providers fail together at times, so a model is credited only with how it answered in the very minutes in which runs
were lost. That is counted over all calls, and an outage is one unit however many runs fell into it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.measures import read_moments
from trilemma_analysis.stats.clustered import clustered_rate
from trilemma_analysis.wording import say_change, say_count, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.measures import Measures

__all__ = ["KIND", "QUESTIONS", "Option", "find", "judge"]

KIND = "missing_fallback"
QUESTIONS = ("provider_failures", "combinations")
LEAST_LOST = 0.005  # of runs, at the interval's lower end: with fewer lost, a fallback is not worth its upkeep
LEAST_GAIN = 0.0025  # of success, likewise
LEAST_CALLS = 20  # of the other model in those minutes; and runs of it with an outcome, before its success is believed
LEAST_ANSWERED = 0.5  # a model that answers less often than that, while the first is away, fails together with it


@dataclass(frozen=True)
class Option:
    """One other model: how it answered while runs were lost, how it does the task, and what it would have saved."""

    measures: Measures
    answered: Estimate
    gain: Estimate


def find(analysis: Analysis) -> list[Finding]:
    """Return per task the combination that surely loses most runs to its provider, and what to fall back to."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("provider_failures"):
        rows[row["task_name"], row["combination"]].append(row)
    worst: dict[str, tuple[float, str]] = {}
    lost = {key: _rate(_own(ones), analysis) for key, ones in rows.items() if _own(ones)["x"]}
    for (task, combination), share in sorted(lost.items()):
        if (share.low or 0) >= LEAST_LOST and (share.low or 0) > worst.get(task, (0.0, ""))[0]:
            worst[task] = (share.low or 0, combination)
    return [_report(analysis, rows[key], lost[key]) for task, (_, name) in worst.items() for key in [(task, name)]]


def judge(options: list[Option]) -> Verdict:
    """Return whether a fallback surely helps, surely fails with the first model, or is not known well enough."""
    if any((one.gain.low or 0) >= LEAST_GAIN for one in options):
        return Verdict.ACT
    known = [one for one in options if one.answered.n]
    if known and all((one.answered.high or 1) < LEAST_ANSWERED for one in known):
        return Verdict.DONT
    return Verdict.NOT_ENOUGH_DATA


def _own(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return next(row for row in rows if not row["candidate"])


def _rate(row: dict[str, Any], analysis: Analysis) -> Estimate:
    moments = read_moments({f"a_{name}": row[name] for name in ("n", "x", "y", "xx", "yy", "xy")}, "a")
    interval = clustered_rate(moments, analysis.options.confidence).interval
    return to_estimate(
        interval, int(row["y"]), "share", "Wilson on the effective sample size, over five-minute buckets"
    )


def _list_options(analysis: Analysis, rows: list[dict[str, Any]], lost: Estimate) -> list[Option]:
    """Return the other models that do this task by themselves, best first: by the gain's lower end, then by success."""
    task, model = _own(rows)["task_name"], _own(rows)["model"]
    by_model: dict[str, Measures] = {}
    for one in sorted(analysis.of_task(task), key=lambda one: (-one.known, one.combination)):
        if len(one.models) == 1 and one.models[0] != model and one.known >= LEAST_CALLS:
            by_model.setdefault(one.models[0], one)
    seen = {row["candidate"]: row for row in rows if row["candidate"]}
    options = []
    for name, measures in by_model.items():
        answered = _rate(seen[name], analysis) if name in seen else Estimate(
            value=None, low=None, high=None, n=0, unit="share", method="no calls in those minutes"
        )  # fmt: skip
        options.append(Option(measures, answered, _gain(lost, answered, measures.success)))
    return sorted(
        options, key=lambda one: (-(one.gain.low or 0), -(one.measures.success.value or 0), one.measures.combination)
    )


def _gain(lost: Estimate, answered: Estimate, success: Estimate) -> Estimate:
    """Return the success gained over all runs: each end is the product of the three intervals' ends."""
    enough = answered.n >= LEAST_CALLS
    low = (lost.low or 0) * (answered.low or 0) * (success.low or 0) if enough else 0.0
    high = (lost.high or 1) * (answered.high or 1 if enough else 1) * (success.high or 1)
    value = (lost.value or 0) * (answered.value or 0) * (success.value or 0) if enough else None
    return Estimate(value=value, low=low, high=high, n=lost.n, unit="share", method="product of three intervals")


def _report(analysis: Analysis, rows: list[dict[str, Any]], lost: Estimate) -> Finding:
    own, options = _own(rows), _list_options(analysis, rows, lost)
    verdict = judge(options)
    best = options[0] if options else None
    task, baseline = own["task_name"], next(
        one for one in analysis.measures if one.key == (own["task_name"], own["combination"])
    )  # fmt: skip
    needed = _need(baseline, best) if verdict is Verdict.NOT_ENOUGH_DATA else None
    return Finding(
        id=identify(KIND, task, own["combination"]),
        kind=KIND,
        task=task,
        where=baseline.label,
        title=f"{task}: {say_share(lost.value)} of runs are lost when {own['model']} is away{_TITLES[verdict]}",
        what=(
            f"{say_count(own['x'])} of {say_count(own['y'])} runs of {baseline.label} ({with_interval(lost)}) failed "
            "with an error of the provider as their last word (rate limit, overload, time-out, no connection), and "
            f"asked no other model. {_say_option(best)}"
        ),
        verdict=verdict,
        evidence=Evidence(n=int(own["y"]), unit="runs", questions=QUESTIONS),
        effects=_list_effects(lost, best, baseline, verdict),
        risk=(
            "Providers fail together at times; the minutes seen here may not be like those to come. A fallback that is "
            "slower to fail than users wait saves nothing: give the first model a time limit."
        ),
        change=_name_change(verdict, task, own["model"], best, needed),
        verification="Trace it with trilemma.fallback: how often the second model is asked, and how such runs succeed.",
        action=_act(own, best) if verdict is Verdict.ACT and best is not None else None,
        needed=needed,
    )


_TITLES = {
    Verdict.ACT: ", and no other is asked",
    Verdict.DONT: ", and the others are away then too",
    Verdict.NOT_ENOUGH_DATA: "; what another would do is not known",
}


def _act(own: dict[str, Any], best: Option) -> Action:
    models = (str(own["model"]), best.measures.models[0])
    return Action(kind="fallback", baseline=own["combination"], settings={"models": models})


def _say_option(best: Option | None) -> str:
    if best is None:
        return f"No other model has done this task alone in {LEAST_CALLS} runs or more with a known outcome."
    name = best.measures.models[0]
    does = f"{name} succeeds in {with_interval(best.measures.success)} of its runs of this task"
    if not best.answered.n:
        return f"{does}; it was not called in those minutes."
    return (
        f"In those minutes {name} answered {with_interval(best.answered)} of its {say_count(best.answered.n)} calls; "
        f"{does}."
    )


def _list_effects(lost: Estimate, best: Option | None, baseline: Measures, verdict: Verdict) -> tuple[Effect, ...]:
    level = Effect(side="quality", what="runs lost to the provider", estimate=lost, is_level=True)
    if best is None or verdict is not Verdict.ACT:
        return (level,)
    effects = [level, Effect(side="quality", what="success rate, with the fallback", estimate=best.gain)]
    ours, theirs = baseline.cost_per_run, best.measures.cost_per_run
    if ours is not None and theirs is not None and ours.value and ours.unit == theirs.unit:
        # Lost runs cost next to nothing; those saved cost what the other model's runs cost.
        ratio = (theirs.value or 0.0) / ours.value
        more = [1 + ratio * (end or 0.0) for end in (lost.low, lost.value, lost.high)]
        cost = Estimate(value=more[1], low=more[0], high=more[2], n=lost.n, unit="ratio", method=lost.method)
        effects.append(Effect(side="cost", what="cost per run, with the fallback", estimate=cost))
    return tuple(effects)


def _need(baseline: Measures, best: Option | None) -> Needed:
    each = baseline.cost_per_run if best is None else best.measures.cost_per_run
    if best is None:
        n, unit = 5 * LEAST_CALLS, "runs of another model with an outcome"
    else:
        n = LEAST_CALLS - best.answered.n if best.answered.n < LEAST_CALLS else best.answered.n
        unit = f"calls of {best.measures.models[0]} while the first model fails"
    cost = None if each is None or each.value is None else n * each.value
    return Needed(n=n, unit=unit, cost=cost, currency=each.unit if each is not None else "")


def _name_change(verdict: Verdict, task: str, model: str, best: Option | None, needed: Needed | None) -> str:
    if verdict is Verdict.ACT and best is not None:
        gain = say_change(best.gain)
        return f"Ask {best.measures.models[0]} when {model} fails in {task}: {gain} of success over all runs."
    if verdict is Verdict.DONT:
        return f"Do not rely on the other models tried when {model} fails: take one whose provider fails apart from it."
    more = "" if needed is None else f": {say_count(needed.n)} {needed.unit}"
    return f"Try another model on a small part of {task}, and when {model} fails{more}."
