"""Own the finding "further attempts hardly ever succeed": after which one to stop, and what that saves."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, scale_estimate, to_estimate
from trilemma_analysis.evidence.savings import identify, save_part
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.measures import PICO
from trilemma_analysis.stats.intervals import two_sided_z, wilson
from trilemma_analysis.wording import say_count, say_seconds, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "Stop", "find", "find_stop"]

KIND = "retry_waste"
QUESTIONS = ("retry_attempts",)
LEAST_SUCCESS = 0.1  # attempts that surely succeed less often than one in ten are not worth their wait
LEAST_WASTE = 0.01  # of the time, or the cost, of all calls of the task to this model, at the interval's lower end
LEAST_OPEN = 5  # chains without one success, before it is said that more would tell


@dataclass(frozen=True)
class Stop:
    """The first attempt from which on success is rare, and what is spent on it and those after it."""

    row: dict[str, Any]
    success: Estimate
    """Share of the chains that came to it and ended with success, at it or later."""
    time: Estimate
    cost: Estimate
    verdict: Verdict


def find(analysis: Analysis) -> list[Finding]:
    """Return per task the model whose further attempts surely waste most time or money."""
    chains: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("retry_attempts"):
        chains[row["task_name"], row["model"]].append(row)
    tried = sum(row["reached"] >= LEAST_OPEN for rows in chains.values() for row in rows)
    level = 1 - analysis.alpha / max(tried, 1)
    by_task: dict[str, list[Stop]] = defaultdict(list)
    for (task, _), rows in chains.items():
        if (stop := find_stop(rows, level)) is not None:
            by_task[task].append(stop)
    return [_report(analysis, task, min(stops, key=_rank)) for task, stops in sorted(by_task.items())]


def find_stop(rows: list[dict[str, Any]], level: float) -> Stop | None:
    """Return the first attempt of one task and model that is not worth its wait, or that may not be; None else."""
    stops = [_measure(row, level) for row in sorted(rows, key=lambda row: int(row["attempt"]))]
    worth = [one for one in stops if max(one.time.low or 0, one.cost.low or 0) >= LEAST_WASTE]
    settled = [one for one in worth if one.verdict is Verdict.ACT]
    open_ = [one for one in worth if not one.row["later_succeeded"] and one.row["reached"] >= LEAST_OPEN]
    return next(iter(settled or open_), None)


def _measure(row: dict[str, Any], level: float) -> Stop:
    reached, calls = row["reached"], row["all_calls"]
    success = to_estimate(wilson(row["later_succeeded"], reached, level), reached, "share", "Wilson")
    often = to_estimate(wilson(reached, calls, level), calls, "share", "share of calls that come to it, Wilson")
    spent_ns = max(row["wait_ns"], row["length_ns"])
    time = _part(spent_ns, row["all_length_ns"], often)
    cost = _part(row["cost"], row["all_cost"], often)
    is_rare = (success.high or 1) < LEAST_SUCCESS
    return Stop(row, success, time, cost, Verdict.ACT if is_rare else Verdict.NOT_ENOUGH_DATA)


def _part(spent: float, total: float, often: Estimate) -> Estimate:
    """Return the part of a total that the attempts take, as uncertain as it is how many calls come to them."""
    share = min(spent / total, 1.0) if total else 0.0
    return scale_estimate(often, share / (often.value or 1.0), "share")


def _rank(stop: Stop) -> tuple[bool, float, str]:
    return stop.verdict is not Verdict.ACT, -max(stop.time.low or 0, stop.cost.low or 0), stop.row["model"]


def _report(analysis: Analysis, task: str, stop: Stop) -> Finding:
    row, is_open = stop.row, stop.verdict is not Verdict.ACT
    model, retries = row["model"], int(row["attempt"]) - 2
    seconds = max(row["wait_ns"], row["length_ns"]) / 1e9 / row["reached"]
    title = f"{task}: from attempt {row['attempt']} on, {model} hardly ever answers"
    needed = _need(row, analysis) if is_open else None
    return Finding(
        id=identify(KIND, task, model),
        kind=KIND,
        task=task,
        where=model,
        title=f"{title}; whether never is not settled" if is_open else title,
        what=(
            f"{say_count(row['reached'])} calls came to attempt {row['attempt']} (tries of the SDK and of the app "
            f"together); {say_count(row['later_succeeded'])} of them got an answer then or later "
            f"({with_interval(stop.success)}). These attempts took {say_seconds(seconds)} each time, "
            f"{with_interval(stop.time)} of the time and {with_interval(stop.cost)} of the cost of all calls of {task} "
            f"to {model}."
        ),
        verdict=stop.verdict,
        evidence=Evidence(n=row["reached"], unit=f"calls that came to attempt {row['attempt']}", questions=QUESTIONS),
        effects=_list_effects(stop),
        saving=save_part(analysis, task, stop.cost, row["all_cost"] * PICO) if row["cost"] and not is_open else None,
        risk=(
            f"Of the calls that come so far, up to {say_share(stop.success.high)} would have got an answer. Outages "
            "that last longer, or end sooner, than those seen here may change that."
        ),
        change=(
            f"Collect data: {say_count(needed.n)} more calls that come to attempt {row['attempt']}."
            if needed is not None
            else f"Set max_retries to {retries} for {model} in {task}, and fall back or give up at once after that."
        ),
        verification="Compare the share of calls that fail, and the time that failed calls take, before and after.",
        action=None if is_open else Action(kind="retry", settings={"model": model, "max_retries": retries}),
        needed=needed,
    )


def _list_effects(stop: Stop) -> tuple[Effect, ...]:
    row = stop.row
    saved = scale_estimate(stop.success, row["reached"] / row["all_calls"])
    effects = [
        Effect(
            side="latency", what="of the time of all calls, spent on these attempts", estimate=stop.time, is_level=True
        ),
        Effect(side="quality", what="of all calls, answered by these attempts", estimate=saved, is_level=True),
    ]
    if row["cost"]:
        what = "of the cost of all calls, spent on these attempts"
        effects.append(Effect(side="cost", what=what, estimate=stop.cost, is_level=True))
    return tuple(effects)


def _need(row: dict[str, Any], analysis: Analysis) -> Needed:
    """Return how many more calls without a success bring Wilson's upper end, z^2 / (n + z^2), under the limit."""
    z = two_sided_z(analysis.options.confidence)
    wanted = math.ceil(z**2 * (1 / LEAST_SUCCESS - 1))
    return Needed(n=max(wanted - row["reached"], 1), unit=f"calls that come to attempt {row['attempt']}")
