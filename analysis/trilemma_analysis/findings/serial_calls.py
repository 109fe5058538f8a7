"""Own the finding "these calls could be made at once": like calls of a run in line, none with another's answer."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Verdict
from trilemma_analysis.measures import read_moments
from trilemma_analysis.stats.ratios import share_of_sums
from trilemma_analysis.wording import say_count, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "serial_calls"
QUESTIONS = ("serial_calls",)
LEAST_RUNS = 50
LEAST_SHARE = 0.1  # of the time of the task's runs, at the interval's lower end: code that waits for less is simpler
# Requests that carry the answers before them grow by them. Where they grow by less than a quarter of it on average,
# they are different inputs to one prompt.
MOST_GROWTH = 0.25


def find(analysis: Analysis) -> list[Finding]:
    """Return per task the like calls that take surely more than a tenth of the time because they wait in line."""
    rows = analysis.ask("serial_calls")
    level = 1 - analysis.alpha / max(len(rows), 1)
    by_task: dict[str, list[tuple[Estimate, dict[str, Any]]]] = defaultdict(list)
    for row in rows:
        interval = share_of_sums(read_moments(row, "saved"), level)
        share = to_estimate(interval, int(row["saved_n"]), "share", "delta method on the logit scale, over inputs")
        if row["runs"] >= LEAST_RUNS and (share.low or 0) >= LEAST_SHARE and not _carries_answers(row):
            by_task[row["task_name"]].append((share, row))
    return [
        _report(task, *min(ones, key=lambda one: (-(one[0].low or 0), one[1]["operation"], one[1]["model"])))
        for task, ones in by_task.items()
    ]


def _carries_answers(row: dict[str, Any]) -> bool:
    return bool(row["answered"] > 0 and row["grown"] > MOST_GROWTH * row["answered"])


def _report(task: str, share: Estimate, row: dict[str, Any]) -> Finding:
    name = f"{row['operation']} {row['model']}".strip()
    at_best = Estimate(
        value=None if share.value is None else 1 - share.value,
        low=None if share.high is None else 1 - share.high,
        high=1.0,  # where they depend on each other after all
        n=share.n,
        unit="ratio",
        method="time of runs at best; nothing is saved where the calls depend on each other",
    )
    return Finding(
        id=identify(KIND, task, row["operation"], row["model"]),
        kind=KIND,
        task=task,
        where=name,
        title=f"{task}: calls ({name}) wait for each other, for up to {say_share(share.value)} of the time",
        what=(
            f"{say_count(row['runs'])} runs make {row['calls'] / row['runs']:.2g} calls ({name}) of the same shape "
            "(prompt, messages, tools) each, one after the other, with different requests that ask for no tool and do "
            "not grow by the answers before them. At once they would take as long as the longest: "
            f"{with_interval(share)} of the time of all runs of the task is the most that this can save."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=int(row["runs"]), unit="runs", questions=QUESTIONS),
        effects=(Effect(side="latency", what="time of runs, calls made at once", estimate=at_best),),
        risk=(
            "That no request holds an earlier answer is seen from numbers of tokens, not from texts: a short answer "
            "may still decide what is asked next. Calls at once meet rate limits sooner."
        ),
        change=f"Look at the loop in {task} that makes these calls, and gather them (asyncio.gather, a thread pool).",
        verification="Compare the latency of the runs before and after; their success and cost should not change.",
        action=Action(kind="parallel", settings={"operation": row["operation"], "model": row["model"]}),
    )
