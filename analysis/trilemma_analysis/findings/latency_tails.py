"""Own the finding "a few runs are far slower than the rest": what one cause holds most of their time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Verdict
from trilemma_analysis.stats.moments import Moments
from trilemma_analysis.stats.ratios import share_of_sums
from trilemma_analysis.wording import say_count, say_seconds, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.measures import Measures

__all__ = ["KIND", "PARTS", "QUESTIONS", "find"]

KIND = "latency_tails"
QUESTIONS = ("latency_tails", "latency_at_ranks")
FAR = 4.0  # times the p50 lies the p95, at the honest ends: lengths of answers alone make it two or three
LEAST_RUNS = 400  # of the combination: some twenty in its slowest twentieth
MAIN = 0.5  # of what the slowest runs take longer, for a cause to be the cause

# The parts of a run's time in the order of sql/latency_tails.sql: what it is called, and what to do about it.
PARTS = (
    (
        "calls that fail",
        "Fail sooner, or go to another provider: see the findings on time-outs, retries and fallbacks.",
    ),
    (
        "waits between attempts of the SDK",
        "Send less at once, it is throttled; or cap the SDK's attempts (max_retries).",
    ),
    (
        "waits for the first content",
        "See what these have in common (long inputs, a cold prompt cache, a busy hour), or ask again where none came.",
    ),
    ("stalls in the middle of an answer", "Limit the wait between two chunks: see the finding on stalls."),
    ("streaming long answers", "Limit the answers (max_tokens, a word in the prompt) where nobody reads all of them."),
    ("calls without a stream", "Stream these calls to see whether they wait or write: their lengths do not say."),
    ("work outside of calls to models", "Trace the tools and the retrieval of these runs: models are not the cause."),
)


@dataclass(frozen=True)
class Tail:
    """The slowest twentieth of a combination's runs beside its faster half, by the part that makes most of it."""

    measures: Measures
    part: int
    runs: int
    share: Estimate
    """Of the slowest runs' time that is this part."""
    typical: float
    excess: float
    mean_s: tuple[float, float]
    tokens: tuple[float, float]


def find(analysis: Analysis) -> list[Finding]:
    """Return per task the combination with a tail that one cause explains, and the longest of them."""
    far = [one for one in analysis.measures if _is_far(one)]
    if not far:
        return []
    rows = analysis.ask(
        "latency_tails",
        tail_tasks=[one.task for one in far],
        tail_combinations=[one.combination for one in far],
        p50_s=[one.latency_p50.value for one in far],
        p95_s=[one.latency_p95.value for one in far],
    )
    sides = {(row["task_name"], row["combination"], row["is_tail"]): row for row in rows}
    level = 1 - analysis.alpha / (len(far) * len(PARTS))
    by_task: dict[str, list[Tail]] = defaultdict(list)
    for one in far:
        slow, fast = sides.get((*one.key, 1)), sides.get((*one.key, 0))
        if slow and fast and (tail := _explain(one, slow, fast, level)) is not None:
            by_task[one.task].append(tail)
    return [
        _report(task, min(tails, key=lambda one: (-one.runs * one.mean_s[1], one.measures.combination)))
        for task, tails in by_task.items()
    ]


def _is_far(one: Measures) -> bool:
    low, high = one.latency_p95.low, one.latency_p50.high
    return one.timed >= LEAST_RUNS and low is not None and high is not None and low >= FAR * high


def _explain(one: Measures, slow: dict[str, Any], fast: dict[str, Any], level: float) -> Tail | None:
    """Return the part that makes up most of what the slow runs take longer, if there is one, and surely more of it."""
    means = [np.array(row["x"]) / row["runs"] for row in (fast, slow)]
    totals = [row["y"] / row["runs"] for row in (fast, slow)]
    excess = (means[1] - means[0]) / (totals[1] - totals[0])
    part = int(excess.argmax())
    n, y, yy = (float(slow[name]) for name in ("n", "y", "yy"))
    x, xx, xy = (float(slow[name][part]) for name in ("x", "xx", "xy"))
    moments = Moments(*(np.asarray(value, dtype=float) for value in (n, max(x, 0.0), y, xx, yy, xy)))
    share = to_estimate(share_of_sums(moments, level), int(n), "share", "delta method on the logit scale, over inputs")
    typical = float(means[0][part] / totals[0])
    if excess[part] < MAIN or (share.low or 0) <= typical:
        return None
    return Tail(
        measures=one,
        part=part,
        runs=int(slow["runs"]),
        share=share,
        typical=max(typical, 0.0),
        excess=float(excess[part]),
        mean_s=(totals[0] / 1e6, totals[1] / 1e6),
        tokens=(fast["tokens"] / fast["runs"], slow["tokens"] / slow["runs"]),
    )


def _report(task: str, tail: Tail) -> Finding:
    one, (noun, change) = tail.measures, PARTS[tail.part]
    p50, p95 = one.latency_p50, one.latency_p95
    return Finding(
        id=identify(KIND, task, one.combination),
        kind=KIND,
        task=task,
        where=one.label,
        title=f"{task}: the slowest runs are slow for {noun}",
        what=(
            f"The p95 of {one.label} is {with_interval(p95)}, its p50 {with_interval(p50)}. The {say_count(tail.runs)} "
            f"slowest runs take {say_seconds(tail.mean_s[1])} on average, the faster half "
            f"{say_seconds(tail.mean_s[0])}; {say_share(tail.excess)} of the difference is {noun}: "
            f"{with_interval(tail.share)} of the slowest runs' time, {say_share(tail.typical)} of the others'. They "
            f"write {say_count(tail.tokens[1])} tokens, the others {say_count(tail.tokens[0])}."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=tail.runs, unit="runs beyond the p95", questions=QUESTIONS),
        effects=(
            Effect(side="latency", what="p95 of runs", estimate=p95, is_level=True),
            Effect(side="latency", what=f"{noun}, of the slowest runs' time", estimate=tail.share, is_level=True),
        ),
        risk="What slow runs have in common need not be what makes them slow; change one thing and compare the p95.",
        change=change,
        verification="Run the report again on the days after, and compare the p95 and this share.",
    )
