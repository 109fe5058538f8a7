"""Own the finding "the same request is sent again": what an exact cache would have answered, as requests came.

A cache answers with whatever was answered first; before the fact any of a request's answers may be that one. So the
share of hits that would be wrong is bounded by how often the runs failed that used an answer to such a request.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, no_estimate, to_estimate
from trilemma_analysis.evidence.savings import identify, keep_rest, name_currency, save_part
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.intervals import two_sided_z, wilson
from trilemma_analysis.stats.ratios import share_of_sums
from trilemma_analysis.wording import say_count, say_seconds, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "repeated_requests"
QUESTIONS = ("repeated_requests",)
TRIED_S = (300.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)  # asked once, for the picture of caching too
TTLS_S = (300.0, 3600.0, 86_400.0, 604_800.0)  # what caches offer; beyond a week most answers are stale
ENOUGH = 0.95  # of the best time to live's saving: a shorter one that saves as much leaves fewer answers stale
LEAST_SHARE = 0.01  # with fewer repeats than this (the interval's lower end) a cache is not worth its keep
LEAST_HITS = 20


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task in which surely more than 1 % of requests repeat one answered in time."""
    by_task: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("repeated_requests", ttls_s=list(TRIED_S)):
        if float(row["ttl_s"]) in TTLS_S:
            by_task[row["task_name"]].append(row)
    return [found for rows in by_task.values() if (found := _report(analysis, choose_ttl(rows))) is not None]


def choose_ttl(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the row of the shortest time to live that saves nearly as much money (or, unpriced, calls) as the best."""
    measure = "cost_x" if any(row["cost_x"] for row in rows) else "hits"
    best = max(row[measure] for row in rows)
    return min((row for row in rows if row[measure] >= ENOUGH * best), key=lambda row: float(row["ttl_s"]))


def bound_wrong(row: dict[str, Any], confidence: float) -> Estimate:
    """Return the share of hits that would be answered wrongly, which is unknown where no outcome is."""
    if not row["answers_known"]:
        return no_estimate("share")
    interval = wilson(row["answers_failed"], row["answers_known"], confidence)
    return to_estimate(interval, int(row["answers_known"]), "share", "Wilson, over answers to repeated requests")


def judge(wrong: Estimate, hit_share: float, margin: float) -> Verdict:
    """Return what to do: the runs answered wrongly must surely be fewer than the margin, or surely are more."""
    if wrong.high is not None and wrong.high * hit_share <= margin:
        return Verdict.ACT
    return Verdict.DONT if (wrong.low or 0) * hit_share > margin else Verdict.NOT_ENOUGH_DATA


def _report(analysis: Analysis, row: dict[str, Any]) -> Finding | None:
    level = analysis.options.confidence
    hits = _share(row, "hit", 1.0, level)
    if row["hits"] < LEAST_HITS or (hits.low or 0) < LEAST_SHARE:
        return None
    task, wrong, cost_share = row["task_name"], bound_wrong(row, level), _share(row, "cost", PICO, level)
    margin = analysis.options.margin_of(task)
    verdict = judge(wrong, hits.value or 0.0, margin)
    ttl = _say_ttl(row["ttl_s"])
    mean_s = row["hit_latency_ns"] / row["hits"] / 1e9
    return Finding(
        id=identify(KIND, task),
        kind=KIND,
        task=task,
        where=task,
        title=f"{task}: {say_share(hits.value)} of requests repeat an earlier one exactly{_TITLES[verdict]}",
        what=(
            f"{say_count(row['hits'])} of {say_count(row['requests'])} successful requests "
            f"({with_interval(hits)}) are byte for byte one that had been answered in the {ttl} before; they "
            f"cost {with_interval(cost_share)} of the task's bill and took {say_seconds(mean_s)} each on average. "
            f"{_say_wrong(row, wrong)}"
        ),
        verdict=verdict,
        evidence=Evidence(n=int(row["requests"]), unit="requests", questions=QUESTIONS),
        effects=_list_effects(row, hits, cost_share, wrong),
        saving=save_part(analysis, task, cost_share, row["cost_y"] * PICO),
        risk=(
            f"A cache repeats mistakes, and is stale for up to {ttl}. {say_count(row['hits_repeatable'])} of the "
            "repeats ran at temperature 0, where answers should not vary; for the others a cache ends the variety."
        ),
        change=_name_change(verdict, row, ttl, margin),
        verification="Trace the cache with trilemma.variant.cache and compare success of hits with that of misses.",
        action=Action(kind="cache", settings={"cache_kind": "exact", "ttl_s": row["ttl_s"]})
        if verdict is Verdict.ACT
        else None,
        needed=_need(analysis, row, wrong, hits, margin) if verdict is Verdict.NOT_ENOUGH_DATA else None,
    )


_TITLES = {
    Verdict.ACT: "",
    Verdict.DONT: ", too often with a wrong answer",
    Verdict.NOT_ENOUGH_DATA: "; whether the answers were right is not known well enough",
}


def _share(row: dict[str, Any], prefix: str, scale: float, level: float) -> Estimate:
    return to_estimate(
        share_of_sums(read_moments(row, prefix, scale, scale), level),
        int(row[f"{prefix}_n"]),
        "share",
        "delta method on the logit scale, over distinct requests",
    )


def _list_effects(row: dict[str, Any], hits: Estimate, cost_share: Estimate, wrong: Estimate) -> tuple[Effect, ...]:
    effects = [Effect(side="latency", what="requests that need not wait", estimate=hits, is_level=True)]
    if row["cost_y"] > 0:
        effects.append(Effect(side="cost", what="cost per run, with the cache", estimate=keep_rest(cost_share)))
    effects.append(
        Effect(side="quality", what="hits that would be answered wrongly, at most", estimate=wrong, is_level=True)
    )
    return tuple(effects)


def _say_wrong(row: dict[str, Any], wrong: Estimate) -> str:
    if wrong.value is None:
        return "Nobody said whether the runs with such requests succeeded."
    mixed = row["requests_mixed"]
    varied = f"; {say_count(mixed)} of the requests had right and wrong answers" if mixed else ""
    return (
        f"Of the runs with such requests {with_interval(wrong)} failed, so a hit would be wrong in at most "
        f"{say_share(wrong.high)}{varied}."
    )


def _name_change(verdict: Verdict, row: dict[str, Any], ttl: str, margin: float) -> str:
    if verdict is Verdict.ACT:
        return f"Put an exact cache (key: model and request body; time to live {ttl}) in front of {row['task_name']}."
    if verdict is Verdict.DONT:
        return (
            f"Do not cache {row['task_name']} as it is: more than {margin * 100:g} points of all runs would be served "
            "a wrong answer again. Get these requests right first, or keep only answers that were checked."
        )
    return f"Tell the outcome of more runs of {row['task_name']} before a cache repeats their answers."


def _need(analysis: Analysis, row: dict[str, Any], wrong: Estimate, hits: Estimate, margin: float) -> Needed | None:
    """Return how many more outcomes bring the bound under the margin, at the rate seen; None if that is above it."""
    rate, limit, z = wrong.value or 0.0, margin / (hits.value or 1.0), two_sided_z(analysis.options.confidence)
    if rate >= limit:
        return None
    # Wilson's upper end is the limit where (limit - rate)^2 n = z^2 limit (1 - limit).
    wanted = math.ceil(z**2 * limit * (1 - min(limit, 1.0)) / (min(limit, 1.0) - rate) ** 2) if limit < 1 else 1
    mean = row["cost_y"] * PICO / row["requests"]
    more = max(wanted - int(row["answers_known"]), 1)
    currency = name_currency(analysis, row["task_name"])
    return Needed(
        n=more,
        unit="repeated requests with an outcome",
        cost=more * mean if row["cost_y"] and currency else None,
        currency=currency or "",
    )


def _say_ttl(ttl_s: float) -> str:
    return f"{ttl_s / 86_400:g} days" if ttl_s > 86_400 else f"{ttl_s / 3600:g} h" if ttl_s >= 3600 else "5 minutes"
