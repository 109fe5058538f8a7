"""Own the finding "the logged cost is not tokens x price": how far apart by model, and whether by one factor."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma.price import price_call

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.doubting import by_task, doubt, list_names
from trilemma_analysis.findings.finding import Effect, Verdict
from trilemma_analysis.measures import PICO
from trilemma_analysis.stats.moments import Moments
from trilemma_analysis.stats.ratios import ratio_of_sums
from trilemma_analysis.wording import say_count, say_ratio, say_share, with_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "cost_reconciliation"
QUESTIONS = ("logged_rates", "reconciled_costs", "call_shapes")
LEAST_CALLS = 20
NEAR = 0.02  # rounding, and a price that changed within the day
CONSTANT = 0.02  # spread of the log ratio below which the gap is one factor
_DAY_S = 86_400
_PROBE = 1000  # tokens: below any long-context threshold


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task where logged costs are not the list price, or cannot be compared with it."""
    foreign: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in analysis.ask("call_shapes"):
        foreign[row["task_name"]][0] += row["foreign"]
        foreign[row["task_name"]][1] += row["foreign_uncounted"]
    if not any(told for told, _ in foreign.values()):
        return []
    compared = dict(by_task(_compare(analysis)))
    found = []
    for task, (told, uncounted) in sorted(foreign.items()):
        gaps = [gap for row in compared.get(task, []) if (gap := _measure(row, analysis.options.confidence))]
        if gaps:
            found.append(_report(task, gaps, compared[task]))
        if uncounted >= LEAST_CALLS and 2 * uncounted > told:
            found.append(_report_uncounted(task, told, uncounted))
    return found


def _compare(analysis: Analysis) -> list[dict[str, Any]]:
    rates = list(_look_up_rates(analysis.ask("logged_rates")))
    if not rates:
        return []
    names = ("rate_keys", "input_rates", "cache_read_rates", "cache_write_rates", "output_rates")
    columns = dict(zip(names, (list(column) for column in zip(*rates, strict=True)), strict=True))
    compared: list[dict[str, Any]] = analysis.ask(QUESTIONS[1], **columns)
    return compared


def _look_up_rates(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, float, float, float, float]]:
    """Yield key and list prices per token (input, cache read, cache write, output) of those that the table prices."""
    for row in rows:
        names = ("provider", "request_model", "response_model", "service_tier")
        record = {**{name: row[name] for name in names if row[name]}, "batch": row["batch"], "operation": "chat"}
        day_s = float(row["day"] * _DAY_S)
        read, written, plain, output = (
            price_call({**record, "input_tokens": 0, "output_tokens": 0, **counts}, day_s).get("cost")
            for counts in (
                {"input_tokens": _PROBE, "cache_read_tokens": _PROBE},
                {"input_tokens": _PROBE, "cache_write_tokens": _PROBE},
                {"input_tokens": _PROBE},
                {"output_tokens": _PROBE},
            )
        )
        if plain is None or read is None or written is None or output is None:
            continue
        parts = (*(row[name] for name in names), str(row["batch"]).lower(), str(row["day"]))
        yield "\t".join(parts), plain / _PROBE, read / _PROBE, written / _PROBE, output / _PROBE


def _measure(row: dict[str, Any], confidence: float) -> tuple[str, Estimate, float] | None:
    """Return model, ratio of logged to listed cost, and spread of the ratio's logarithm; None where they agree."""
    if row["n"] < LEAST_CALLS:
        return None
    moments = Moments(
        row["n"], row["x"] * PICO, row["y"] * PICO, row["xx"] * PICO**2, row["yy"] * PICO**2, row["xy"] * PICO**2
    )
    ratio = to_estimate(ratio_of_sums(moments, confidence), int(row["n"]), "ratio", "delta method on the log scale")
    mean = row["log_ratio"] / row["n"]
    spread = math.sqrt(max(row["log_ratio_squares"] / row["n"] - mean**2, 0.0))
    beside = (ratio.low or 0) > 1 + NEAR or (ratio.high is not None and ratio.high < 1 - NEAR)
    return (row["request_model"], ratio, spread) if beside or spread > 5 * NEAR else None


def _report(task: str, gaps: list[tuple[str, Estimate, float]], rows: list[dict[str, Any]]) -> Finding:
    gaps = sorted(gaps, key=lambda gap: (-abs(math.log(gap[1].value or 1)), gap[0]))
    texts = [
        f"{model}: {with_interval(ratio)} "
        + (
            "by one factor"
            if spread <= CONSTANT
            else f"and not by one factor (it spreads by {say_ratio(math.exp(spread))})"
        )
        for model, ratio, spread in gaps
    ]
    constant = all(spread <= CONSTANT for *_, spread in gaps)
    near, n = sum(row["near"] for row in rows), sum(row["n"] for row in rows)
    return doubt(
        KIND,
        task,
        title=f"logged costs of {list_names([model for model, *_ in gaps], 3)} are not tokens times list price",
        what=(
            "Logged against listed, by model: "
            f"{'; '.join(texts[:6])}{f'; and {len(texts) - 6} more' if len(texts) > 6 else ''}. "
            f"Of all {say_count(n)} calls with a logged cost and a list price on their day, {say_share(near / n)} "
            "agree within 2 %."
        ),
        n=int(sum(ratio.n for _, ratio, _ in gaps)),
        unit="calls",
        questions=QUESTIONS[:2],
        doubts=("cost",),
        effects=[
            Effect(side="cost", what=f"logged to listed cost, {model}", estimate=ratio, is_level=True)
            for model, ratio, _ in gaps[:6]
        ],
        risk=(
            "A discount or a price of another day: comparisons within it hold, amounts do not hold at list price."
            if constant
            else "Tokens or costs are of a part of the calls, or of other calls: neither can be trusted until that is "
            "known."
        ),
        change=(
            "Find out which price was used, and state it; or price the calls from their tokens (no cost in the "
            "mapping)."
            if constant
            else "Find the calls, turns or cache tokens that one of the two leaves out; until then use the bill."
        ),
        verification="Compare with the provider's bill of one day.",
    )


def _report_uncounted(task: str, told: int, uncounted: int) -> Finding:
    return doubt(
        KIND,
        task,
        "uncounted",
        title="logged costs cannot be checked: tokens are not recorded",
        what=(
            f"{say_count(uncounted)} of {say_count(told)} calls whose cost the log tells lack input or output tokens: "
            "whether the "
            "cost is theirs, an average or an estimate cannot be seen."
        ),
        n=told,
        unit="calls",
        questions=QUESTIONS[2:],
        doubts=("cost",),
        verdict=Verdict.NOT_ENOUGH_DATA,
        change="Record input and output tokens of each call.",
    )
