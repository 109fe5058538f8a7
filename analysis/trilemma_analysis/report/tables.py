"""Own the tables of a report as text cells, which the terminal, Markdown and HTML lay out each in their way."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from trilemma_analysis.integrity import MUCH_UNKNOWN
from trilemma_analysis.wording import (
    say_change,
    say_count,
    say_money,
    say_points,
    say_range,
    say_ratio,
    say_seconds,
    say_share,
    with_interval,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from trilemma_analysis.estimate import Estimate
    from trilemma_analysis.findings import Effect, Needed, Saving
    from trilemma_analysis.report.model import Combination, Gate, Report, TaskReport

__all__ = [
    "Cell",
    "Row",
    "Table",
    "describe_effect",
    "describe_needed",
    "describe_period",
    "describe_saving",
    "summarise",
    "tabulate_combinations",
    "tabulate_gate",
]


class Cell(NamedTuple):
    """A figure, and in small what belongs to it: its interval, or a count."""

    text: str
    detail: str = ""


@dataclass(frozen=True)
class Row:
    """Cells of one line, and its role: ``baseline``, ``frontier``, a verdict, or ''."""

    cells: tuple[Cell, ...]
    role: str


@dataclass(frozen=True)
class Table:
    """Column heads, lines, which columns hold figures, and how many lines were left out."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    numeric: tuple[bool, ...]
    left_out: int = 0


def tabulate_combinations(task: TaskReport, most: int | None = None) -> Table:
    """Return the combinations of a task: baseline first, then the frontier and the rest by success."""
    ones = sorted(task.combinations, key=_rank) if most else list(task.combinations)
    chained = any(one.calls != one.runs for one in ones)
    heads = ["combination", "runs", "success", "cost / run", "cost / success", "p50", "p95", "on frontier"]
    if chained:
        heads.insert(4, "cost / call")
    shown = ones[:most]
    return Table(
        heads=tuple(heads),
        rows=tuple(Row(_cells(one, task.currency, chained=chained), _role(one)) for one in shown),
        numeric=(False, *[True] * (len(heads) - 1)),
        left_out=len(ones) - len(shown),
    )


def tabulate_gate(task: TaskReport, most: int | None = None) -> Table:
    """Return the gate: safe candidates first, then the open ones, then the worse."""
    shown = task.gates[:most]
    return Table(
        heads=("candidate", "verdict", "success vs baseline", "n", "cost", "latency", "p", "to settle it"),
        rows=tuple(Row(_gate_cells(one, task.currency), one.verdict) for one in shown),
        numeric=(False, False, True, True, True, True, True, False),
        left_out=len(task.gates) - len(shown),
    )


def describe_period(report: Report) -> str:
    """Say what time the report looks at."""
    if report.period is None:
        return "no runs"
    first, last = report.period.first_at, report.period.as_of
    asked = report.period.until - report.period.since
    return f"runs from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, of the {asked.days} days asked for"


def summarise(report: Report) -> str:
    """Say in a sentence how many findings there are of each verdict, and what acting on them saves a month."""
    counts = Counter(finding.verdict.value for finding in report.findings)
    if not counts:
        return "No findings: nothing here to act on, and nothing half-seen."
    said = {"act": "to act on", "don't": "against a change", "not enough data": "not settled"}
    parts = [f"{counts[verdict]} {words}" for verdict, words in said.items() if counts[verdict]]
    largest: dict[tuple[str, str], float] = defaultdict(float)
    for finding in report.findings:
        if finding.verdict.value == "act" and finding.saving and finding.saving.per_month:
            place = finding.saving.per_month.unit, finding.task
            largest[place] = max(largest[place], finding.saving.per_month.value or 0)
    sums: dict[str, float] = defaultdict(float)
    for (unit, _), amount in sorted(largest.items()):
        sums[unit] += amount
    savings = " and ".join(say_money(amount, unit) for unit, amount in sorted(sums.items()) if amount > 0)
    total = f"; the largest saving of each task comes to {savings} a month" if savings else ""
    return f"{len(report.findings)} finding(s): {', '.join(parts)}{total}."


def describe_effect(effect: Effect) -> str:
    """Say an effect with its interval: a change with its sign, an amount as it stands."""
    say = with_interval if effect.is_level or effect.estimate.unit not in {"share", "ratio"} else say_change
    return f"{effect.what}: {say(effect.estimate)}, n = {say_count(effect.estimate.n)}"


def describe_needed(needed: Needed | None) -> str:
    """Say how many more would settle it, and at what cost; '' where nothing is open."""
    if needed is None:
        return ""
    cost = "" if needed.cost is None else f", costing about {say_money(needed.cost, needed.currency)}"
    return f"{say_count(needed.n)} more {needed.unit}{cost}"


def describe_saving(saving: Saving | None) -> str:
    """Say a saving per month at its traffic, or per 1,000 runs where the traffic is not known; '' for none."""
    if saving is None:
        return ""
    if saving.per_month is not None:
        return f"{with_interval(saving.per_month)} a month at {say_count(saving.runs_per_month)} runs a month"
    return f"{with_interval(saving.per_1000_runs)} per 1,000 runs"


def _rank(one: Combination) -> tuple[bool, bool, float]:
    return not one.is_baseline, not one.on_frontier, -(one.success.value or 0.0)


def _role(one: Combination) -> str:
    return "baseline" if one.is_baseline else "frontier" if one.on_frontier else ""


def _cells(one: Combination, currency: str, *, chained: bool) -> tuple[Cell, ...]:
    def money(value: float | None) -> str:
        return say_money(value, currency)

    probability = "?" if one.frontier_probability is None else f"{one.frontier_probability * 100:.0f} %"
    return (
        Cell(one.name),
        Cell(say_count(one.runs), f"{say_count(one.unknown)} unknown" if one.unknown else ""),
        _bound(_measure(one.success, say_share), one),
        _measure(one.cost_per_run, money),
        *((_measure(one.cost_per_call, money),) if chained else ()),
        _measure(one.cost_per_success, money),
        _measure(one.latency_p50, say_seconds),
        _measure(one.latency_p95, say_seconds),
        Cell(probability),
    )


def _bound(cell: Cell, one: Combination) -> Cell:
    """Add to a success rate what it would be if all unknown outcomes were failures, or successes, where many are."""
    if one.unknown < MUCH_UNKNOWN * one.runs or not one.known:
        return cell
    worst, best = (
        say_share(share).removesuffix(" %") for share in (one.success_if_unknown_fail, one.success_if_unknown_succeed)
    )
    return Cell(cell.text, f"{cell.detail}; with unknown {worst} to {best}")


def _gate_cells(one: Gate, currency: str) -> tuple[Cell, ...]:
    p_value = one.p_worse if one.verdict == "worse" else one.p_noninferior
    return (
        Cell(one.candidate),
        Cell(one.verdict),
        _measure(one.difference, say_points),
        Cell(say_count(one.n), "inputs of both" if one.paired else "unpaired"),
        _measure(one.cost_ratio, say_ratio),
        _measure(one.latency_ratio, say_ratio),
        Cell("?" if p_value is None else f"{p_value:.2g}"),
        Cell(_say_needed(one, currency)),
    )


def _say_needed(one: Gate, currency: str) -> str:
    if one.verdict != "not enough data":
        return ""
    if one.needed is None:
        return "no number will, if the difference seen is true"
    cost = f", costing {say_money(one.needed_cost, currency)}" if one.needed_cost is not None else ""
    return f"{say_count(one.needed)} more inputs{cost}"


def _measure(estimate: Estimate | None, say: Callable[[float | None], str]) -> Cell:
    """Say a value and its interval; a value without bound is infinite."""
    if estimate is None or (estimate.value is None and not estimate.n):
        return Cell("?")
    return Cell("∞" if estimate.value is None else say(estimate.value), say_range(estimate, say))
