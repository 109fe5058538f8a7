"""Own what moved a task's cost per run between two halves: which models, how many tokens, at what price."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.mix_claim import MixClaim
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Verdict
from trilemma_analysis.stats.intervals import Interval, two_sided_z
from trilemma_analysis.stats.mix import split_cost
from trilemma_analysis.wording import say_change, say_money, say_ratio

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trilemma_analysis.analysis import Analysis

__all__ = ["Cost", "claim_costs", "name_parts", "read_cost"]

KINDS = ("input", "read", "written", "output")
LEAST_PRICED = 50  # runs with a price in each half
LEAST_CHANGE = 0.05  # of the cost per run, at the honest end: less is not worth a search for its cause
# Of the change: with less than this by traffic or prices it is tokens within the same models, which drift reports.
LEAST_PART = 0.3
PRICED = 0.99  # share of calls with a price, below which their sums do not stand for the runs'
SAME_PRICE = 0.001  # prices per token that differ by less are equal but for rounding


@dataclass(frozen=True)
class Cost:
    """Cost per run of both halves, and what its change is made of.

    ``parts`` are empty where calls lack a price, and without ``price`` where costs do not say what their tokens cost:
    then ``amount`` is tokens and prices together.
    """

    before: float
    after: float
    ratio: Interval
    n: int
    p_value: float
    currency: str
    parts: dict[str, float]
    repriced: tuple[str, ...]

    @property
    def change(self) -> Estimate:
        """Return the cost per run of the last half over that of the first."""
        return to_estimate(self.ratio, self.n, "ratio", "means of both halves, delta method on the log scale")


def claim_costs(
    analysis: Analysis,
    halves: Mapping[str, Sequence[dict[str, Any]]],
    calls: Mapping[str, Sequence[dict[str, Any]]],
    kind: str,
    questions: tuple[str, ...],
) -> list[MixClaim]:
    """Return for each task the claim that its cost per run changed."""
    claims = []
    for task in sorted(halves):
        cost = read_cost(analysis, task, halves[task], calls.get(task, ()))
        if cost is not None:
            claims.append(MixClaim(cost.p_value, partial(_report, task, cost, kind, questions)))
    return claims


def read_cost(
    analysis: Analysis, task: str, rows: Sequence[dict[str, Any]], calls: Sequence[dict[str, Any]]
) -> Cost | None:
    """Return the cost per run of both halves and what moved it; None with few prices, none, or several currencies."""
    currencies = {currency for row in rows for currency in row["currencies"]}
    priced = [sum(row["priced"] for row in rows if row["is_after"] == half) for half in (False, True)]
    if min(priced) < LEAST_PRICED or len(currencies) > 1:
        return None
    totals = [sum(row["cost"] for row in rows if row["is_after"] == half) for half in (False, True)]
    squares = [sum(row["cost_squares"] for row in rows if row["is_after"] == half) for half in (False, True)]
    if not min(totals) > 0:
        return None
    ones = analysis.of_task(task)
    alike = max(sum(one.runs for one in ones) / max(sum(one.inputs for one in ones), 1), 1.0)
    means = [total / n for total, n in zip(totals, priced, strict=True)]
    variances = [
        max(square / n - mean**2, 0.0) / mean**2 / n * alike
        for square, n, mean in zip(squares, priced, means, strict=True)
    ]
    shift, error = math.log(means[1] / means[0]), math.sqrt(sum(variances))
    reach = two_sided_z(analysis.options.confidence) * error
    p_value = float(2 * stats.norm.sf(abs(shift) / error)) if error > 0 else float(abs(shift) < 1e-9)
    parts, repriced = _split(calls, priced)
    return Cost(
        before=means[0],
        after=means[1],
        ratio=Interval(*(np.asarray(math.exp(shift + by)) for by in (-reach, 0.0, reach))),
        n=sum(priced),
        p_value=p_value,
        currency=next(iter(currencies), ""),
        parts=parts,
        repriced=repriced,
    )


def _split(calls: Sequence[dict[str, Any]], runs: Sequence[int]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Split the cost per run over models and kinds of tokens: calls per run, tokens per call, price per token.

    A model or a kind that one half lacks is given the other's tokens and price: its coming is mix. Where costs have no
    parts, tokens and prices cannot be told apart, and stand together as ``amount``.
    """
    if not calls or sum(row["priced"] for row in calls) < PRICED * sum(row["calls"] for row in calls):
        return {}, ()
    cells = {(row["model"], bool(row["is_after"])): row for row in calls}
    has_parts = all(row["parts"] == row["priced"] for row in calls)
    share, amount, price, repriced = [], [], [], set()
    for model in sorted({model for model, _ in cells}):
        pair = [cells.get((model, half)) for half in (False, True)]
        for kind in (*KINDS, "other"):
            one = [_read_item(row, kind, has_parts=has_parts) for row in pair]
            known = next(item for item in one if item is not None)
            items = [item or known for item in one]
            share.append([0.0 if row is None else row["priced"] / n for row, n in zip(pair, runs, strict=True)])
            amount.append([item[0] for item in items])
            price.append([item[1] for item in _fill_prices(items)])
            old, new = price[-1]
            if has_parts and kind != "other" and old > 0 and abs(new / old - 1) > SAME_PRICE:
                repriced.add(f"{model} {kind} {say_ratio(new / old)}")
    columns = [tuple(np.array(values).T) for values in (share, amount, price)]
    parts = split_cost(*((one[0], one[1]) for one in columns))
    return {name: part for name, part in parts.items() if has_parts or name != "price"}, tuple(sorted(repriced))


def _read_item(row: dict[str, Any] | None, kind: str, *, has_parts: bool) -> tuple[float, float] | None:
    """Return tokens per call and price per token; where costs have no parts, the whole cost as an amount at price 1."""
    if row is None or not row["priced"]:
        return None
    calls = row["priced"]
    if kind == "other" or not has_parts:
        whole = sum(row[f"{each}_cost"] for each in (*KINDS, "other")) if not has_parts else row["other_cost"]
        return (whole / calls if has_parts or kind == "other" else 0.0), 1.0
    tokens, cost = row[f"{kind}_tokens"], row[f"{kind}_cost"]
    return (tokens / calls, cost / tokens) if tokens else (0.0, math.nan)


def _fill_prices(items: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Give a half without tokens of a kind the other half's price for them."""
    known = [price for _, price in items if not math.isnan(price)]
    return [(amount, price if not math.isnan(price) else known[0] if known else 0.0) for amount, price in items]


def _report(task: str, one: Cost, kind: str, questions: tuple[str, ...], p_value: float) -> Finding | None:
    ratio = one.change
    change = one.after - one.before
    away = (ratio.low or 0) >= 1 + LEAST_CHANGE or (ratio.high or math.inf) <= 1 - LEAST_CHANGE
    explained = abs(one.parts.get("mix", 0.0)) + abs(one.parts.get("price", 0.0))
    if not away or not one.parts or explained < LEAST_PART * abs(change):
        return None
    verb = "rose" if change > 0 else "fell"
    name, largest = max(
        (("other models or more calls", one.parts["mix"]), ("other prices", one.parts.get("price", 0.0))),
        key=lambda part: part[1] * change,
    )
    return Finding(
        id=identify(kind, task, "cost"),
        kind=kind,
        task=task,
        where=task,
        title=f"{task}: cost per run {verb} by {say_ratio(ratio.value).lstrip('+−')}, most by {name}"
        if largest * change > 0.5 * change**2
        else f"{task}: cost per run {verb} by {say_ratio(ratio.value).lstrip('+−')}, in part by {name}",
        what=(
            f"From the first to the last half of the time a run went from {say_money(one.before, one.currency)} to "
            f"{say_money(one.after, one.currency)}, {say_change(ratio)} (p = {p_value:.2g}, adjusted for all claims of "
            f"this report). Of the difference {_say_parts(one)}."
            + (f" Prices that changed: {'; '.join(one.repriced[:3])}." if one.repriced else "")
        ),
        verdict=Verdict.ACT if change > 0 else Verdict.DONT,
        evidence=Evidence(n=one.n, unit="priced runs", questions=questions, p_value=p_value),
        effects=(
            Effect(side="cost", what="cost per run, last half to first", estimate=ratio),
            *(_part(one, name, f"of the change, by {what}") for name, what in name_parts(one).items()),
        ),
        risk="The parts are arithmetic on what was spent, and have no error of their own; which inputs came is chance.",
        change=(
            "Decide whether the dearer models or prices are wanted; compare cost per run at the same mix of models."
            if change > 0
            else "Nothing: figures of cost from the first half no longer hold."
        ),
        verification="The same split of the next weeks.",
    )


def name_parts(one: Cost) -> dict[str, str]:
    """Return what each part of the change is, in words."""
    amount = "other tokens per call" if "price" in one.parts else "other tokens per call or prices"
    names = {"mix": "other models or more calls", "amount": amount, "price": "other prices"}
    return {part: name for part, name in names.items() if part in one.parts}


def _say_parts(one: Cost) -> str:
    *first, last = [f"{say_money(one.parts[part], one.currency)} is {name}" for part, name in name_parts(one).items()]
    return f"{', '.join(first)} and {last}"


def _part(one: Cost, name: str, what: str) -> Effect:
    value = one.parts[name]
    estimate = Estimate(
        value=value, low=value, high=value, n=one.n, unit=one.currency, method="Shapley value of the change, exact"
    )
    return Effect(side="cost", what=what, estimate=estimate, is_level=True)
