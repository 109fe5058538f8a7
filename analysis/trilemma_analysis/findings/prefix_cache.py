"""Own the finding on the provider's prompt cache: beginnings sent again at the full price, and writes that none read.

Calls carry hashes of their first 4, 16, 64 and 256 KiB. What repeats beyond the longest of these is not counted, nor
what is sent again after five minutes; so the saving is stated rather too low than too high.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from trilemma.fingerprints import PREFIX_BYTES
from trilemma.price import price_call

from trilemma_analysis.buckets import find_width
from trilemma_analysis.estimate import Estimate, no_estimate, scale_estimate, to_estimate
from trilemma_analysis.evidence.savings import identify, keep_rest, save_part
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Verdict
from trilemma_analysis.measures import PICO
from trilemma_analysis.stats.moments import collect_moments
from trilemma_analysis.stats.ratios import ratio_of_sums
from trilemma_analysis.wording import say_count, say_share, with_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "Usage", "find"]

KIND = "prefix_cache"
QUESTIONS = ("prompt_prefixes",)
BYTES_PER_TOKEN = 4  # of a body in JSON; English prose has more bytes a token, code and other scripts fewer
LIFETIME_S = 300  # the shorter of what Anthropic (5 minutes) and OpenAI (5 to 10) promise after the last use
LEAST_TOKENS = (
    1024  # OpenAI's and Anthropic Sonnet's shortest prompt that is cached; platform.claude.com, prompt-caching
)
LEAST_TOKENS_OF = {"haiku": 4096, "opus": 4096}  # the same page: of these families the newest ask for more
LEAST_SAVING = 0.01  # of the task's bill, at the interval's lower end
LEAST_BUCKETS = 5  # of time: an interval over fewer says little
PRICED = 2048  # tokens that the price table is asked for, below any step of its prices


@dataclass(frozen=True)
class Usage:
    """One model of one task over time: tokens and costs per bucket, and what a token costs."""

    task: str
    provider: str
    model: str
    columns: dict[str, NDArray[np.float64]]
    plain_price: float | None
    read_price: float | None
    write_price: float | None


def find(analysis: Analysis) -> list[Finding]:
    """Return per task the model for which the prompt cache surely saves most, or costs more than it saves."""
    if not analysis.measures:
        return []
    by_task: dict[str, list[Usage]] = defaultdict(list)
    for one in _ask(analysis):
        by_task[one.task].append(one)
    findings = []
    for task, ones in by_task.items():
        bill = sum(float(one.columns["cost"].sum()) for one in ones)
        for measure, report in ((_measure_missed, _report_missed), (_measure_unread, _report_unread)):
            measured = [(measure(one, bill, analysis.options.confidence), one) for one in ones]
            share, one = max(measured, key=lambda pair: (pair[0].low or 0, pair[1].model))
            if (share.low or 0) >= LEAST_SAVING:
                findings.append(report(analysis, task, one, share))
    return findings


def _ask(analysis: Analysis) -> list[Usage]:
    rows = analysis.ask(
        "prompt_prefixes",
        width_s=find_width(analysis),
        lifetime_s=LIFETIME_S,
        prefix_tokens=[size // BYTES_PER_TOKEN for size in PREFIX_BYTES],
        least_tokens=LEAST_TOKENS,
    )
    grouped: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["task_name"], row["provider"], row["model"]].append(row)
    at_s = analysis.scope.as_of.timestamp()
    return [_read_usage(*key, rows, at_s) for key, rows in grouped.items()]


def _read_usage(task: str, provider: str, model: str, rows: list[dict[str, Any]], at_s: float) -> Usage:
    names = [name for name in rows[0] if name not in ("task_name", "provider", "model", "answered", "bucket")]
    columns = {name: np.array([row[name] for row in rows], dtype=float) for name in names}
    sums = {name: float(column.sum()) for name, column in columns.items() if column.ndim == 1}
    record = {"provider": provider, "request_model": model, "response_model": rows[0]["answered"] or model}

    def price(kind: str, field: str) -> float | None:
        """Return what a token cost in these calls, else what the price table says."""
        if sums[f"{kind}_tokens"] and sums[f"{kind}_cost"]:
            return sums[f"{kind}_cost"] * PICO / sums[f"{kind}_tokens"]
        used = {} if kind == "plain" else {f"{field}_tokens": PRICED}
        asked = {**record, "operation": "chat", "input_tokens": PRICED, "output_tokens": 0, **used}
        cost = price_call(asked, at_s).get(f"cost_{field}")
        return None if not cost else float(cost) / PRICED

    return Usage(
        task,
        provider,
        model,
        columns,
        price("plain", "input"),
        price("read", "cache_read"),
        price("write", "cache_write"),
    )


def _measure_missed(one: Usage, bill: float, level: float) -> Estimate:
    """Return the share of the task's bill that reading one beginning from the cache saves, after writing it."""
    if one.plain_price is None or one.read_price is None or not bill:
        return no_estimate("share")
    gain = max(one.plain_price - one.read_price, 0.0)
    # Where writing has no price of its own (OpenAI), the table prices it as plain input.
    loss = max((one.write_price or one.plain_price) - one.plain_price, 0.0)
    least = next((tokens for name, tokens in LEAST_TOKENS_OF.items() if name in one.model), LEAST_TOKENS)
    nets = [
        one.columns["missed"][:, k] * gain - one.columns["cold"][:, k] * loss
        for k, size in enumerate(PREFIX_BYTES)
        if size // BYTES_PER_TOKEN >= least
    ]
    return _share(one, max(nets, key=lambda net: float(net.sum())), bill, level)


def _measure_unread(one: Usage, bill: float, level: float) -> Estimate:
    """Return the share of the task's bill by which writing to the cache cost more than reading from it saved."""
    if one.plain_price is None or not one.columns["write_cost"].any() or not bill:
        return no_estimate("share")
    premium = one.columns["write_cost"] * PICO - one.columns["write_tokens"] * one.plain_price
    saved = one.columns["read_tokens"] * (one.plain_price - (one.read_price or 0.0))
    return _share(one, premium - saved, bill, level)


def _share(one: Usage, amounts: NDArray[np.float64], bill: float, level: float) -> Estimate:
    """Return the part of the model's bill over buckets of time, as a part of the task's."""
    cost = one.columns["cost"] * PICO
    if amounts.sum() <= 0 or np.count_nonzero(cost) < LEAST_BUCKETS:
        return no_estimate("share")
    interval = ratio_of_sums(collect_moments(amounts, cost), level)
    estimate = to_estimate(interval, cost.size, "share", "delta method on the log scale, over buckets of time")
    return scale_estimate(estimate, float(one.columns["cost"].sum()) / bill)


def _report_missed(analysis: Analysis, task: str, one: Usage, share: Estimate) -> Finding:
    calls, read = float(one.columns["calls"].sum()), float(one.columns["read_tokens"].sum())
    missed = float(one.columns["missed"].sum(axis=0).max())
    return Finding(
        id=identify(KIND, task, one.model),
        kind=KIND,
        task=task,
        where=one.model,
        title=f"{task}: prompts to {one.model} begin alike and are paid in full, {say_share(share.value)} of the bill",
        what=(
            f"In {say_count(calls)} calls at least {say_count(missed)} input tokens repeat the beginning of a prompt "
            f"sent in the five minutes before, and were not read from the provider's cache ({say_count(read)} were). "
            f"At its price for cached input they would have cost {with_interval(share)} of the task's bill less, "
            "writing them to the cache included."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=int(calls), unit="calls", questions=QUESTIONS),
        effects=(Effect(side="cost", what="cost per run, with the prompt cache", estimate=keep_rest(share)),),
        saving=save_part(analysis, task, share, _sum_bill(analysis, task)),
        risk="None for quality: the model sees the same prompt. Where traffic thins out, prefixes expire unread.",
        change=(
            f"Let {one.model} read its prompt's beginning from the cache: put what is the same in all requests first "
            "and what changes last, send a cache key or mark the end of the common part, as the provider asks for it."
        ),
        verification="Compare cache_read_tokens with input_tokens, and the cost per run, before and after.",
        action=Action(
            kind="cache",
            settings={"cache_kind": "prefix", "model": one.model, "enabled": True, "ttl_s": float(LIFETIME_S)},
        ),
    )


def _report_unread(analysis: Analysis, task: str, one: Usage, share: Estimate) -> Finding:
    written, read = float(one.columns["write_tokens"].sum()), float(one.columns["read_tokens"].sum())
    return Finding(
        id=identify(KIND, task, one.model, "unread"),
        kind=KIND,
        task=task,
        where=one.model,
        title=f"{task}: {one.model} writes prompts to a cache hardly read, {say_share(share.value)} of the bill",
        what=(
            f"{say_count(written)} tokens were written to the provider's cache at a higher price than plain input, and "
            f"{say_count(read)} were read from it: {with_interval(share)} of the task's bill more than without a cache."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=int(one.columns["calls"].sum()), unit="calls", questions=QUESTIONS),
        effects=(Effect(side="cost", what="cost per run, without writing", estimate=keep_rest(share)),),
        saving=save_part(analysis, task, share, _sum_bill(analysis, task)),
        risk="None for quality. If traffic grows, prefixes are read before they expire, and the cache pays.",
        change=(
            f"Do not mark prompts of {task} for the cache, or move the mark before the part that changes from request "
            "to request; a longer lifetime pays only where the next request comes within it."
        ),
        verification="Compare cost per run before and after.",
        action=Action(kind="cache", settings={"cache_kind": "prefix", "model": one.model, "enabled": False}),
    )


def _sum_bill(analysis: Analysis, task: str) -> float:
    """Return what the task's priced runs cost."""
    costs = [(one.cost_per_run, one.runs - one.unpriced) for one in analysis.of_task(task)]
    return sum((cost.value or 0.0) * runs for cost, runs in costs if cost is not None)
