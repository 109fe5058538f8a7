"""Own the finding "the same request is sent again": what an exact cache would have answered, as requests came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, scale_estimate, to_estimate
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Saving, Verdict
from trilemma_analysis.findings.savings import identify
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.ratios import share_of_sums
from trilemma_analysis.wording import say_count, say_seconds, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "repeated_requests"
QUESTIONS = ("repeated_requests",)
TTL_S = 86_400.0  # a day: long enough for repeats, short enough that an answer is rarely stale
LEAST_SHARE = 0.01  # with fewer repeats than this (the interval's lower end) a cache is not worth its keep
LEAST_HITS = 20


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task in which surely more than 1 % of requests repeat one answered within a day."""
    rows = analysis.store.ask("repeated_requests", **analysis.scope.parameters, ttl_s=TTL_S).to_pylist()
    return [found for row in rows if (found := _report(analysis, row)) is not None]


def _report(analysis: Analysis, row: dict[str, Any]) -> Finding | None:
    level = analysis.options.confidence
    hits = to_estimate(
        share_of_sums(read_moments(row, "hit"), level),
        int(row["hit_n"]),
        "share",
        "delta method on the logit scale, over distinct requests",
    )
    if row["hits"] < LEAST_HITS or (hits.low or 0) < LEAST_SHARE:
        return None
    task = row["task_name"]
    effects = [Effect(side="latency", what="requests that need not wait", estimate=hits, is_level=True)]
    cost_share = to_estimate(
        share_of_sums(read_moments(row, "cost", PICO, PICO), level),
        int(row["cost_n"]),
        "share",
        "delta method on the logit scale, over distinct requests",
    )
    if row["cost_y"] > 0:
        effects.append(Effect(side="cost", what="cost per run, with the cache", estimate=_leave(cost_share)))
    mean_s = row["hit_latency_ns"] / row["hits"] / 1e9
    failed = row["hits_failed"] / row["hits"]
    return Finding(
        id=identify(KIND, task),
        kind=KIND,
        task=task,
        where=task,
        title=f"{task}: {say_share(hits.value)} of requests repeat an earlier one exactly",
        what=(
            f"{say_count(row['hits'])} of {say_count(row['requests'])} successful requests "
            f"({with_interval(hits)}) are byte for byte one that had been answered in the 24 hours before; they "
            f"cost {with_interval(cost_share)} of the task's bill and took {say_seconds(mean_s)} each on average."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=int(row["requests"]), unit="requests", questions=QUESTIONS),
        effects=tuple(effects),
        saving=_save(analysis, row, cost_share),
        risk=(
            f"A cache repeats mistakes: {say_share(failed)} of those requests would have got the answer of a run that "
            f"failed. {say_count(row['hits_repeatable'])} of them ran at temperature 0, where answers should not vary; "
            "for the others a cache ends the variety."
        ),
        change=f"Put an exact cache (key: model and request body; time to live 24 h) in front of {task}.",
        verification="Trace the cache with trilemma.variant.cache and compare success of hits with that of misses.",
        action=Action(kind="cache", settings={"cache_kind": "exact", "ttl_s": TTL_S}),
    )


def _leave(share: Estimate) -> Estimate:
    """Return what is left of the cost, as a ratio."""
    rest = scale_estimate(share, -1, "ratio")
    ends = {name: None if end is None else 1 + end for name, end in rest.model_dump(include=_ENDS).items()}
    return rest.model_copy(update=ends)


_ENDS = {"value", "low", "high"}


def _save(analysis: Analysis, row: dict[str, Any], cost_share: Estimate) -> Saving | None:
    """Return what the hits cost, per 1,000 runs of the task and per month at its traffic."""
    ones = analysis.of_task(row["task_name"])
    currencies = {currency for one in ones for currency in one.currencies}
    runs = sum(one.runs for one in ones)
    if not row["cost_y"] or not runs or len(currencies) > 1:
        return None
    per_1000 = scale_estimate(cost_share, row["cost_y"] * PICO / runs * 1000, next(iter(currencies), ""))
    monthly_runs = analysis.monthly(row["task_name"], runs)
    monthly = None if monthly_runs is None else scale_estimate(per_1000, monthly_runs / 1000)
    return Saving(per_1000_runs=per_1000, runs_per_month=monthly_runs, per_month=monthly)
