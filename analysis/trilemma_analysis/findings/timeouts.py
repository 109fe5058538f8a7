"""Own the finding "wait less long": when calls that are still open will time out, an earlier time-out and a retry."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.stats.intervals import Interval, wilson
from trilemma_analysis.stats.survival import kaplan_meier, restricted_mean
from trilemma_analysis.wording import say_count, say_seconds, say_share, with_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "find", "plan_timeout"]

KIND = "timeouts"
QUESTIONS = ("call_times",)
LEAST_TIMEOUTS = 20
MOSTLY = 0.5  # of the calls that are still open, this share will time out: waiting is then the worse bet
EARLY = 0.5  # of today's time-out at most: shortly before any limit, most of what is open will hit it
MOST_CUT = 0.05  # of all calls may be given up early; where more are, they are slow, not stuck
WORTH = 0.98  # a saving of less than 2 % of the wait is not worth a change
REPLICATES = 200
MOST_MORE = 4  # times the data seen: a question that takes more is not put


@dataclass(frozen=True)
class Plan:
    """An earlier time-out: what it is now, what it could be, and what that does to the mean wait for an answer."""

    now_s: float
    then_s: float
    calls: int
    timed_out: int
    open_then: int
    stuck: Estimate
    """Share of the calls still open at the earlier time that timed out."""
    wait: Estimate
    """Mean length of a call, counting no more than the time-out of any (restricted mean)."""
    ratio: Estimate
    """Mean wait until an answer, with the earlier time-out to now; who times out is asked again in both."""


def find(analysis: Analysis) -> list[Finding]:
    """Return per task the model whose stuck calls are surely waited for too long."""
    lines: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("call_times", least=LEAST_TIMEOUTS):
        lines[row["task_name"], row["model"]].append(row)
    level = 1 - analysis.alpha / max(len(lines), 1)
    by_task: dict[str, list[tuple[str, Plan]]] = defaultdict(list)
    for (task, model), rows in sorted(lines.items()):
        columns = (np.array([row[name] for row in rows], dtype=float) for name in ("bin", "ended", "timed_out"))
        if (plan := plan_timeout(*columns, confidence=level)) is not None:
            by_task[task].append((model, plan))
    return [
        _report(task, *min(plans, key=lambda one: (one[1].ratio.high or 1, one[0]))) for task, plans in by_task.items()
    ]


def plan_timeout(
    bins: NDArray[np.float64], ended: NDArray[np.float64], timed_out: NDArray[np.float64], *, confidence: float
) -> Plan | None:
    """Return the earliest time-out at which most open calls are stuck, if it surely saves or may; else None.

    A call that is given up and asked again takes as long as any other, on average (it is drawn anew): with a time-out
    after t the mean wait for an answer is E[min(T, t)] / P(T <= t).
    """
    seconds = 1.02 ** (bins + 0.5) / 1000
    now_s = float(np.repeat(seconds, timed_out.astype(int))[int(timed_out.sum()) // 2])
    then_s = _find_turn(seconds, ended, timed_out, now_s, confidence)
    if then_s is None:
        return None
    calls, late = int(ended.sum() + timed_out.sum()), seconds > then_s
    open_then, stuck_then = int((ended + timed_out)[late].sum()), int(timed_out[late].sum())
    ratio = _bootstrap_ratio(seconds, ended, timed_out, (then_s, now_s), confidence)
    if ratio.value is None or ratio.high is None or ratio.value > WORTH:
        return None
    curve = _curve(seconds, ended, timed_out)
    return Plan(
        now_s=now_s,
        then_s=then_s,
        calls=calls,
        timed_out=int(timed_out.sum()),
        open_then=open_then,
        stuck=to_estimate(wilson(stuck_then, open_then, confidence), open_then, "share", "Wilson"),
        wait=to_estimate(restricted_mean(curve, now_s, confidence), calls, "s", "restricted mean (Kaplan-Meier)"),
        ratio=ratio,
    )


def _find_turn(
    seconds: NDArray[np.float64],
    ended: NDArray[np.float64],
    timed_out: NDArray[np.float64],
    now_s: float,
    confidence: float,
) -> float | None:
    """Return the first time, rounded up, from which on most calls that are still open surely time out."""
    order = np.argsort(seconds, kind="stable")
    both = (ended + timed_out)[order]
    still, stuck = both.sum() - both.cumsum(), timed_out.sum() - timed_out[order].cumsum()
    few = still <= MOST_CUT * both.sum()
    turns = few & (still > 0) & (wilson(stuck, np.maximum(still, 1), confidence).low >= MOSTLY)
    if not turns.any():
        return None
    first = float(seconds[order][turns.argmax()]) * 1.01
    digit = 10.0 ** (math.floor(math.log10(first)) - 1)
    turn = round(math.ceil(first / digit) * digit, 6)
    return turn if turn <= EARLY * now_s else None


def _bootstrap_ratio(
    seconds: NDArray[np.float64],
    ended: NDArray[np.float64],
    timed_out: NDArray[np.float64],
    times: tuple[float, float],
    confidence: float,
) -> Estimate:
    """Return the ratio of mean waits under two time-outs, and its interval over resampled calls (Poisson)."""
    rng = np.random.default_rng(0)

    def measure(ends: NDArray[np.float64], outs: NDArray[np.float64]) -> float:
        curve = _curve(seconds, ends, outs)
        waits = []
        for limit in times:
            open_ = float(curve.share[curve.time <= limit][-1]) if (curve.time <= limit).any() else 1.0
            horizon = min(limit, curve.last)
            waits.append(float(restricted_mean(curve, horizon).estimate) / max(1 - open_, 1e-9))
        return waits[0] / waits[1]

    draws = [measure(rng.poisson(ended).astype(float), rng.poisson(timed_out).astype(float)) for _ in range(REPLICATES)]
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    interval = Interval(np.asarray(low), np.asarray(measure(ended, timed_out)), np.asarray(high))
    return to_estimate(interval, int(ended.sum() + timed_out.sum()), "ratio", "Kaplan-Meier, Poisson bootstrap")


def _curve(seconds: NDArray[np.float64], ended: NDArray[np.float64], timed_out: NDArray[np.float64]) -> Any:
    ends = np.concatenate([np.ones(seconds.size, bool), np.zeros(seconds.size, bool)])
    counts = np.concatenate([ended, timed_out])
    seen = counts > 0
    return kaplan_meier(np.concatenate([seconds, seconds])[seen], ends[seen], counts[seen])


def _report(task: str, model: str, plan: Plan) -> Finding:
    settled = (plan.ratio.high or 1) <= WORTH
    share = plan.timed_out / plan.calls
    saves = f"would take {with_interval(plan.ratio)} of the mean wait for an answer"
    return Finding(
        id=identify(KIND, task, model),
        kind=KIND,
        task=task,
        where=model,
        title=f"{task}: give up calls of {model} after {say_seconds(plan.then_s)}, not {say_seconds(plan.now_s)}",
        what=(
            f"{say_count(plan.timed_out)} of {say_count(plan.calls)} attempts ({say_share(share)}) time out, half of "
            f"them after {say_seconds(plan.now_s)} or more. Of the {say_count(plan.open_then)} still open after "
            f"{say_seconds(plan.then_s)}, {with_interval(plan.stuck)} end so. With those that time out, and not only "
            f"those that end, a call takes {with_interval(plan.wait)}. Asking again after {say_seconds(plan.then_s)} "
            f"{saves}."
        ),
        verdict=Verdict.ACT if settled else Verdict.NOT_ENOUGH_DATA,
        evidence=Evidence(n=plan.calls, unit="attempts", questions=QUESTIONS),
        effects=(
            # the mean, which stuck calls move; the typical latency, which a prediction is about, stays
            Effect(side="latency", what="mean wait for an answer, after to before", estimate=plan.ratio, is_level=True),
        ),
        risk=(
            "This takes a retry for a fresh draw. Where a call is slow because of what it was asked, the retry is as "
            f"slow, and up to {say_share((1 - (plan.stuck.low or 0)) * plan.open_then / plan.calls)} of the calls "
            "would be given up although they would have ended. What is given up may be billed."
        ),
        change=f"Set the time-out of {model} in {task} to {say_seconds(plan.then_s)}, with at least one retry.",
        verification="Compare the mean and the p99 of the task's latency, and its success, before and after.",
        action=Action(kind="timeout", settings={"model": model, "timeout_s": plan.then_s, "max_retries": 1})
        if settled
        else None,
        needed=None if settled else _need(plan),
    )


def _need(plan: Plan) -> Needed | None:
    """Return how many more attempts would settle it, if they are not more than a few times those seen."""
    value, high = plan.ratio.value or 1.0, plan.ratio.high or 1.0
    if value >= WORTH:
        return None
    factor = ((high - value) / (WORTH - value)) ** 2
    return Needed(n=math.ceil(plan.calls * (factor - 1)), unit="attempts") if factor <= 1 + MOST_MORE else None
