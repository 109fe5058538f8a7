"""Own the finding "nobody waits for this": calls that a batch, or a cheaper service tier, would serve in time."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma.price import price_call

from trilemma_analysis.estimate import Estimate, scale_estimate, to_estimate
from trilemma_analysis.evidence.savings import identify, keep_rest, name_currency, save_part
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Verdict
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.ratios import share_of_sums
from trilemma_analysis.wording import say_count, say_money, say_seconds, say_share, with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Saving

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "service_tier"
QUESTIONS = ("tier_tasks", "tier_runs", "tier_calls")
BATCH_S = 86_400.0  # how long OpenAI, Anthropic, Google, Azure, Mistral and Groq may take for a batch
FLEX_S = 900.0  # the time-out that OpenAI recommends for flex (developers.openai.com, guides/flex-processing)
EASE = 3.0  # a run that takes a third of its time has no need of priority
LEAST_SHARE = 0.05  # of the task's bill, at the interval's lower end: less is not worth the change
MATERIAL = 100.0  # a month: where nobody said a deadline, less is not worth asking for one
BUSY = 0.8  # of runs in the busiest twentieth of hours: a job sends them, and not people
LIKE_TABLE = 0.1  # how far the table's price may be from what was paid, for it to be the one that was paid
_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)


@dataclass(frozen=True)
class Tier:
    """A cheaper way to be served: what it is called, what it costs of what is paid, and who may take it."""

    name: str
    kind: str
    side: str
    """Prefix of the moments in sql/tier_runs.sql of the runs that may take it."""
    from_tier: str
    change: dict[str, Any]
    why: str
    risk: str


BATCH = Tier(
    "a batch", "batch", "batch", "", {"batch": True, "service_tier": None},
    "have a deadline of at least 24 hours for each of their calls",
    "An answer may take up to 24 hours, and what streams cannot be a batch.",
)  # fmt: skip
FLEX = Tier(
    "the flex tier", "tier", "flex", "", {"service_tier": "flex"},
    "have a deadline of at least 15 minutes for each of their calls",
    "Answers take longer, and the provider may have no capacity: retry at the ordinary tier.",
)  # fmt: skip
ORDINARY = Tier(
    "the ordinary tier", "tier", "priority", "priority", {"service_tier": "default"},
    "pay for priority and took less than a third of the time they had",
    "Latency may rise: watch the share of runs that miss their deadline.",
)  # fmt: skip


def find(analysis: Analysis) -> list[Finding]:
    """Return per task: what a batch or else flex would save, what priority costs for nothing, or a deadline to set."""
    stated = {row["task_name"] for row in analysis.ask("tier_tasks")}
    names = sorted(
        stated | {task for task in {one.task for one in analysis.measures} if _spend(analysis, task) >= MATERIAL}
    )
    if not names:
        return []
    calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("tier_calls", tier_tasks=names):
        calls[row["task_name"]].append(row)
    rows = analysis.ask("tier_runs", tier_tasks=names, batch_s=BATCH_S, flex_s=FLEX_S, ease=EASE)
    return [found for row in rows for found in _report(analysis, row, calls[row["task_name"]])]


def _spend(analysis: Analysis, task: str) -> float:
    """Return what a task costs in a month; 0 where that is unknown."""
    costs = [
        one.cost_per_run.value * one.runs
        for one in analysis.of_task(task)
        if one.cost_per_run and one.cost_per_run.value
    ]
    return analysis.monthly(task, sum(costs)) or 0.0


def _report(analysis: Analysis, row: dict[str, Any], calls: Sequence[dict[str, Any]]) -> list[Finding]:
    found = []
    for tier in (BATCH, FLEX):
        share = _find_share(analysis, row, calls, tier)
        if share is not None and (share.low or 0.0) >= LEAST_SHARE:
            found.append(_report_tier(analysis, row, tier, share))
            break
    share = _find_share(analysis, row, calls, ORDINARY)
    if share is not None and (share.low or 0.0) >= LEAST_SHARE:
        found.append(_report_tier(analysis, row, ORDINARY, share))
    if not found and not row["known"] and _is_a_job(row):
        share = _find_share(analysis, row, calls, BATCH, side="open")
        saving = None if share is None else _save(analysis, row, share)
        if share is not None and saving is not None and _monthly(saving) >= MATERIAL:
            found.append(_report_unknown(row, share, saving))
    return found


def _is_a_job(row: dict[str, Any]) -> bool:
    """Return whether runs come as from a job: in bursts, one call each, with nobody who reads as it is written."""
    return bool(row["busy_share"] >= BUSY and not row["streamed"] and not row["several"])


def _find_share(
    analysis: Analysis, row: dict[str, Any], calls: Sequence[dict[str, Any]], tier: Tier, side: str = ""
) -> Estimate | None:
    """Return the part of the task's bill that the tier saves, or None where it has no price, or nobody may take it."""
    name = side or tier.side
    ratio = _find_ratio(calls, tier, analysis.scope.as_of.timestamp())
    if ratio is None or ratio >= 1 or row[f"{name}_x"] <= 0:
        return None
    moments = {**{f"x_{part}": row[f"batch_{part}"] for part in ("n", "y", "yy")}}
    moments |= {f"x_{part}": row[f"{name}_{part}"] for part in ("x", "xx", "xy")}
    part = share_of_sums(read_moments(moments, "x", PICO, PICO), analysis.options.confidence)
    method = "delta method on the logit scale, over runs; prices of the table"
    return scale_estimate(to_estimate(part, int(row["batch_n"]), "share", method), 1 - ratio)


def _find_ratio(calls: Sequence[dict[str, Any]], tier: Tier, at_s: float) -> float | None:
    """Return what these calls would cost at the tier, of what they cost; a model it has no price for stays as it is."""
    paid = changed = 0.0
    for row in calls:
        if row["tier"] != tier.from_tier or row["currencies"] != ["USD"]:
            continue
        cost = row["cost"] * PICO
        now, then = (_price(row, change, at_s) for change in ({"service_tier": tier.from_tier or None}, tier.change))
        paid += cost
        is_known = now and then is not None and abs(now * row["calls"] / cost - 1) <= LIKE_TABLE if cost else False
        changed += cost * then / now if is_known and now and then is not None else cost
    return changed / paid if paid else None


def _price(row: dict[str, Any], change: dict[str, Any], at_s: float) -> float | None:
    """Return what the mean call of a row costs by the table."""
    names = ("provider", "server_address", "request_model", "response_model", "operation")
    record = {name: row[name] or None for name in names} | {name: round(row[name] / row["calls"]) for name in _TOKENS}
    cost = price_call(record | change, at_s).get("cost")
    return None if cost is None else float(cost)


def _report_tier(analysis: Analysis, row: dict[str, Any], tier: Tier, share: Estimate) -> Finding:
    task, deadline = row["task_name"], row["least_deadline_s"]
    return Finding(
        id=identify(KIND, task, tier.name),
        kind=KIND,
        task=task,
        where=task,
        title=f"{task}: {tier.name} would do, and save {with_interval(share)} of cost",
        what=(
            f"Runs that {tier.why} would cost {with_interval(share)} less of the task's bill, at the prices of the "
            f"table that their calls were priced by. {say_count(row['known'])} of {say_count(row['runs'])} runs say "
            f"their deadline; the shortest is {say_seconds(deadline)}."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=int(row["runs"]), unit="runs", questions=QUESTIONS),
        effects=(Effect(side="cost", what="cost per run, with the tier", estimate=keep_rest(share)),),
        saving=_save(analysis, row, share),
        risk=tier.risk,
        change=f"Send the runs of {task} that {tier.why} to {tier.name}.",
        verification="Compare the cost per run, and the share of runs past their deadline, before and after.",
        action=Action(
            kind=tier.kind, settings={name: value for name, value in tier.change.items() if value is not None}
        ),
    )


def _report_unknown(row: dict[str, Any], share: Estimate, saving: Saving) -> Finding:
    task = row["task_name"]
    monthly = saving.per_month or saving.per_1000_runs
    return Finding(
        id=identify(KIND, task, "deadline"),
        kind=KIND,
        task=task,
        where=task,
        title=f"{task}: say its deadline, and a batch may save {say_money(monthly.value, monthly.unit)} a month",
        what=(
            f"{say_count(row['runs'])} runs of one call each, none of them streamed, {say_share(row['busy_share'])} of "
            f"which started in the busiest twentieth of the hours: as from a job for which nobody waits. In a batch "
            f"they would cost {with_interval(share)} less. Nothing says by when their answers are needed."
        ),
        verdict=Verdict.NOT_ENOUGH_DATA,
        evidence=Evidence(n=int(row["runs"]), unit="runs", questions=QUESTIONS),
        effects=(Effect(side="cost", what="cost per run, in a batch", estimate=keep_rest(share)),),
        saving=saving,
        risk=BATCH.risk,
        change=f'Say the deadline where the task starts: trilemma.task("{task}", deadline_s=...).',
        verification="Run the report again on runs that say it.",
    )


def _save(analysis: Analysis, row: dict[str, Any], share: Estimate) -> Saving | None:
    if name_currency(analysis, row["task_name"]) != "USD":
        return None
    return save_part(analysis, row["task_name"], share, row["batch_y"] * PICO)


def _monthly(saving: Saving) -> float:
    return 0.0 if saving.per_month is None or saving.per_month.low is None else saving.per_month.low
