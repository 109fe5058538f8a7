"""Own the finding "these values are no measurements": averages over rows, zeros for unknown, limits that censor."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from statistics import median_low
from typing import TYPE_CHECKING, Any

from scipy import stats

from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.evidence.doubting import by_task, doubt, label_of, list_names
from trilemma_analysis.wording import say_count, say_money, say_seconds, say_share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find", "is_piled_up"]

KIND = "sentinels"
QUESTIONS = ("run_shapes", "call_shapes")
LEAST_RUNS = 30
FEW_VALUES = 20  # runs per distinct value, in nanoseconds: what is measured does not repeat that often
FINE_E12 = 10_000_000  # a cost with digits beyond the fifth
LEAST_FREE = 20
FREE_SHARE = 0.01
# A limit: values within 3 % of the largest, against those in the quarter below. Under a density that falls, as tails
# of cost and time do, the top has at most 3 parts of 25. The largest itself chose the window and is not counted.
TOP, BELOW = 0.97, 0.75
TOP_SHARE = (1 - TOP) / (1 - BELOW)
LEAST_TOP = 4
# A limit cuts a tail, which a second kind of run does not have: at most twice what lies in the half below is beyond it.
TAIL, BEYOND = 0.5, 2
LONG_ANSWER = 50  # tokens: shorter answers (a label, a word) are often of one length
DIFFERENT = 1.1
FAR, FAR_SHARE = 20, 0.1  # times p95, of all the time: a log-normal length gets there once in 50,000
LONG_S = 60.0
LEAST_SPEED = 3.0  # tokens a second, of answers that took 10 s and more; hosted models give 10 to 300


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task and thing that is no measurement: latency, cost, length."""
    found = []
    for task, rows in by_task(analysis.ask("run_shapes")):
        found += [
            one
            for one in (
                _find_constants(analysis, task, rows, "latency"),
                _find_constants(analysis, task, rows, "cost"),
                _find_outliers(analysis, task, rows),
            )
            if one is not None
        ]
    found += _find_limits(analysis)
    for task, rows in by_task(analysis.ask("call_shapes")):
        found += [one for make in (_find_free, _find_lengths, _find_slow) if (one := make(task, rows)) is not None]
    return found


def is_piled_up(top: Sequence[float], total: float, n: int) -> float | None:
    """Return the p-value of "the density falls up to the largest value", or None where that cannot be asked.

    Args:
        top: the largest values, falling; at most some hundred.
        total: the sum of all values. Where the mean is over half of the largest, a falling tail is not to be expected.
        n: the number of all values.
    """
    if n < LEAST_RUNS or not top or top[0] <= 0 or total / n > top[0] / 2:
        return None
    counts = Counter(value for value in top if value >= BELOW * top[0])
    # Rows that were published several times repeat every value: a pile is more than what others repeat.
    copies = median_low([*Counter(top).values()])
    near = sum(count for value, count in counts.items() if value >= TOP * top[0]) // copies - 1
    below = sum(count for value, count in counts.items() if value < TOP * top[0]) // copies
    tail = sum(TAIL * top[0] <= value < TOP * top[0] for value in top) // copies
    if near < LEAST_TOP or near > BEYOND * tail:
        return 1.0
    return float(stats.binom.sf(near - 1, near + below, TOP_SHARE))


def _find_constants(analysis: Analysis, task: str, rows: list[dict[str, Any]], side: str) -> Finding | None:
    """Find combinations whose latency, or cost, has hardly more than one value."""
    is_constant = _is_constant_latency if side == "latency" else _is_constant_cost
    flat = [row for row in rows if is_constant(row)]
    values = {
        row["latencies"] if row["latencies"] > 1 else row["top_latencies_ns"][0] for row in flat if side == "latency"
    }
    if not flat or (side == "latency" and len(values) == 1 and len(flat) == len(rows) and not _has_detail(flat)):
        return None  # one round value everywhere is a placeholder, which compares nothing
    runs, places = sum(row["runs"] for row in flat), [label_of(analysis, row) for row in flat]
    noun = "length" if side == "latency" else "cost"
    return doubt(
        KIND,
        task,
        f"constant {side}",
        title=f"the {noun} of {say_count(runs)} runs is one value, spread over them",
        what=(
            f"{say_count(len(flat))} of {say_count(len(rows))} combinations have a {noun} that hardly ever differs "
            "from run to "
            f"run ({say_count(runs)} runs): {list_names(places)}. "
            + (
                "What is measured differs in its last digits: this is an average of a batch, written to each of its "
                "rows."
                if side == "latency"
                else "Their tokens differ or are unknown, so this is a total shared out over rows, or a price by the "
                "call."
            )
        ),
        n=int(runs),
        unit="runs",
        questions=QUESTIONS,
        doubts=(side,),
        risk=(
            "The mean may be right; p50, p95 and their intervals are not, and no difference between inputs can be seen."
            if side == "latency"
            else "The mean may be right; its interval is far too narrow, and cost per input or per success means "
            "nothing."
        ),
        change=f"Record the {noun} of each run; until then compare means only, and by batch.",
    )


def _is_constant_latency(row: dict[str, Any]) -> bool:
    timed = row["answered"]
    if timed < LEAST_RUNS or not row["latencies"]:
        return False
    return bool(row["latencies"] == 1 or (row["latencies"] * FEW_VALUES <= timed and row["fine_latencies"] * 2 > timed))


def _is_constant_cost(row: dict[str, Any]) -> bool:
    """Tell costs shared out from equal ones: equal tokens cost the same, and 0 is looked at elsewhere."""
    if row["priced"] < LEAST_RUNS or not row["cost_e12"] or row["costs"] * FEW_VALUES > row["priced"]:
        return False
    if row["input_tokens"] + row["output_tokens"] > 0:
        return bool(row["token_counts"] > FEW_VALUES * row["costs"])
    return any(value % FINE_E12 for value in row["top_costs_e12"])  # a price by the call is a round one


def _has_detail(rows: list[dict[str, Any]]) -> bool:
    return any(row["fine_latencies"] or row["token_counts"] > 1 for row in rows)


def _find_limits(analysis: Analysis) -> list[Finding]:
    """Find combinations whose largest values pile up: a limit ended the runs."""
    tried = [
        (side, row, p_value)
        for row in analysis.ask("run_shapes")
        for side, (top, total, count, _) in _READ.items()
        if (p_value := is_piled_up(row[top], row[total], row[count])) is not None
    ]
    piled: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for (side, row, _), p_value in zip(tried, adjust_claims([p_value for *_, p_value in tried]), strict=True):
        if p_value <= analysis.alpha:
            piled[row["task_name"], side].append(row)
    return [_report_limit(analysis, task, side, rows) for (task, side), rows in piled.items()]


def _report_limit(analysis: Analysis, task: str, side: str, rows: list[dict[str, Any]]) -> Finding:
    name, _, _, say = _READ[side]
    tops = [(row, [value for value in row[name] if value >= TOP * row[name][0]]) for row in rows]
    row, values = max(tops, key=lambda one: (len(one[1]), one[0]["combination"]))
    limit, n = values[-1], sum(len(each) for _, each in tops)
    noun = "cost" if side == "cost" else "length"
    return doubt(
        KIND,
        task,
        f"limit {side}",
        title=f"the {noun} of {say_count(n)} runs ends at a limit of about {say(limit)}",
        what=(
            f"In {label_of(analysis, row)}, {say_count(len(values))} runs lie within 3 % of the largest {noun} (from "
            f"{say(limit)} on) and "
            f"hardly any just below: a limit ended them. What they would have taken is not known, only that it is more."
        ),
        n=int(row["runs"]),
        unit="runs",
        questions=QUESTIONS,
        doubts=(side,),
        risk=f"The mean {noun} is too low, and those runs may have failed because they were ended.",
        change=(
            "Take these runs as censored: compare medians, or the share that ends within the limit, not the mean "
            f"{noun}."
        ),
    )


_READ: dict[str, tuple[str, str, str, Callable[[float], str]]] = {
    "cost": ("top_costs_e12", "cost_e12", "priced", lambda value: say_money(value / 1e12, "USD")),
    "latency": ("top_latencies_ns", "latency_ns", "timed", lambda value: say_seconds(value / 1e9)),
}


def _find_outliers(analysis: Analysis, task: str, rows: list[dict[str, Any]]) -> Finding | None:
    """Find runs that took so long that they make up much of the mean: stalled, or retried by a client in silence."""
    stalled = []
    for row in rows:
        far = FAR * row["answered_s"][1] * 1e9
        values = [value for value in row["top_latencies_ns"] if value >= max(far, LONG_S * 1e9)]
        if values and row["timed"] >= LEAST_RUNS and sum(values) >= FAR_SHARE * row["latency_ns"]:
            stalled.append((row, len(values), sum(values) / row["latency_ns"]))
    if not stalled:
        return None
    row, _, share = max(stalled, key=lambda one: (one[2], one[0]["combination"]))
    n = sum(count for _, count, _ in stalled)
    return doubt(
        KIND,
        task,
        "outliers",
        title=f"{say_count(n)} {'run' if n == 1 else 'runs'} took {FAR} times as long as p95 and longer",
        what=(
            f"In {label_of(analysis, row)} they are {say_share(share)} of all the time (longest: "
            f"{say_seconds(row['top_latencies_ns'][0] / 1e9)}, p95 {say_seconds(row['answered_s'][1])}). Such lengths "
            "are those of "
            "waits and silent retries of the client, not of an answer."
        ),
        n=int(sum(one["runs"] for one, _, _ in stalled)),
        unit="runs",
        questions=QUESTIONS,
        doubts=("latency",),
        risk="A mean, and a difference of means, rests on a few runs.",
        change="Compare quantiles, not means; set a time-out, and record retries (retry_count) apart from the answer.",
    )


def _find_free(task: str, rows: list[dict[str, Any]]) -> Finding | None:
    """Find answers with tokens and a cost of just 0."""
    free, calls = sum(row["free"] for row in rows), sum(row["calls"] for row in rows)
    if free < LEAST_FREE or free < FREE_SHARE * calls:
        return None
    models = sorted({row["request_model"] for row in rows if row["free"]})
    return doubt(
        KIND,
        task,
        "free",
        title=f"{say_share(free / calls)} of the calls cost just 0 although they gave tokens",
        what=(
            f"{say_count(free)} of {say_count(calls)} calls have output tokens and a cost of exactly 0 "
            f"({list_names(models)}). Unless the model is your own and free, 0 stands for unknown."
        ),
        n=int(calls),
        unit="calls",
        questions=QUESTIONS,
        doubts=("cost",),
        risk="A model whose cost is unknown wins every comparison on cost.",
        change=(
            "Leave an unknown cost out (null_if = 0 in a mapping, no trilemma.cost.total in a span): it is then "
            "counted as unpriced."
        ),
    )


def _find_lengths(task: str, rows: list[dict[str, Any]]) -> Finding | None:
    """Find combinations whose answers are as long as some limit lets them be, each another one."""
    capped = [row for row in rows if _is_capped(row)]
    lengths = [row["typical_length"] for row in capped]
    if len(capped) < 2 or max(lengths) < DIFFERENT * min(lengths):
        return None
    texts = [
        f"{say_count(row['typical_length'])} ({_name(row)})"
        for row in sorted(capped, key=lambda row: (row["typical_length"], _name(row)))
    ]
    return doubt(
        KIND,
        task,
        "lengths",
        title="answers end at a limit, which differs between models",
        what=(
            f"In {say_count(len(capped))} of {say_count(len(rows))} models at least half of the answers have just the "
            "same "
            f"number of tokens, at the top of their range: {list_names(texts, 8)}. A limit ended them, not the model."
        ),
        n=int(sum(row["answers"] for row in capped)),
        unit="calls",
        questions=QUESTIONS,
        doubts=("cost", "latency"),
        risk="Times and costs of whole answers compare the limits; a longer answer takes longer at the same speed.",
        change="Compare time per token and time to the first token, or set one limit that no answer reaches.",
    )


def _is_capped(row: dict[str, Any]) -> bool:
    return bool(
        row["answers"] >= LEAST_RUNS
        and row["longest"] >= LONG_ANSWER
        and row["typical_length"] >= TOP * row["longest"]
        and row["lengths"] * 2 < row["answers"]
        and not _is_average(row)
    )


def _is_average(row: dict[str, Any]) -> bool:
    """Tell rows that carry the average of a batch, whose tokens say as little as their length."""
    return bool(row["latencies"] and row["latencies"] * FEW_VALUES <= row["answers"])


def _name(row: dict[str, Any]) -> str:
    return f"{row['request_model']} {row['variant']}".strip()


def _find_slow(task: str, rows: list[dict[str, Any]]) -> Finding | None:
    """Find answers that took long for very few tokens: the count is of a part of what was written."""
    slow = [
        row
        for row in rows
        if row["slow"] >= LEAST_RUNS
        and row["slow"] * 2 > row["answers"]
        and not math.isnan(row["tokens_per_s"])
        and row["tokens_per_s"] < LEAST_SPEED
        and not _is_average(row)
    ]
    if not slow:
        return None
    worst = min(slow, key=lambda row: (row["tokens_per_s"], _name(row)))
    return doubt(
        KIND,
        task,
        "slow",
        title="output tokens are too few for the time they took",
        what=(
            f"In {list_names([_name(row) for row in slow])} an answer typically took {say_seconds(worst['slow_s'])} "
            "and has "
            f"{worst['tokens_per_s']:.2g} output tokens a second, where models give 10 and more. The count may be of "
            "a part "
            "only (the last event of a stream, one turn of many), or the time holds other work (tools)."
        ),
        n=int(sum(row["slow"] for row in slow)),
        unit="calls",
        questions=QUESTIONS,
        doubts=("cost", "latency"),
        risk="Costs computed from these tokens are too low; time per token is too high.",
        change="Count the tokens of every turn and of the whole stream; record tool time apart (one span per call).",
    )
