"""Own how the loop stands in a report as tables: what changed, what our last advice did, and what is vouched for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.loop.saying import say_calibration
from trilemma_analysis.report.tables import Cell, Row, Table
from trilemma_analysis.wording import (
    say_change,
    say_count,
    say_money,
    say_points,
    say_range,
    say_ratio,
    say_seconds,
    say_share,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from trilemma_analysis.loop.model import CertificateState, MeasuredEffect
    from trilemma_analysis.report.model import Advice, Report, Shift, TaskChange

__all__ = ["describe_followed", "tabulate_advice", "tabulate_certificates", "tabulate_changes"]

_ROLES = {"held": "safe", "valid": "safe", "broken": "worse", "expired": "worse"}


def tabulate_changes(report: Report) -> Table | None:
    """Return each task against the period before; None where there was none."""
    if not report.changes:
        return None
    return Table(
        heads=("task", "runs", "success", "cost / run", "p50", "why"),
        rows=tuple(Row(_change_cells(one), "") for one in report.changes),
        numeric=(False, True, True, True, True, False),
    )


def tabulate_advice(report: Report) -> Table | None:
    """Return what is adopted, what it promised and what came of it; None where nothing is."""
    if not report.advice:
        return None
    return Table(
        heads=("advice", "since", "success", "cost", "latency", "result"),
        rows=tuple(
            Row(_advice_cells(one), _ROLES.get(one.measurement.verdict.value if one.measurement else "", ""))
            for one in report.advice
        ),
        numeric=(False, False, True, True, True, False),
    )


def tabulate_certificates(report: Report) -> Table | None:
    """Return the certificates and whether they hold at the end of the period; None where there are none."""
    if not report.certificates:
        return None
    return Table(
        heads=("task", "success at least", "k in a row", "cost / run", "p95", "state"),
        rows=tuple(Row(_certificate_cells(one), _ROLES[one.state]) for one in report.certificates),
        numeric=(False, True, True, True, True, False),
    )


def describe_followed(report: Report) -> str:
    """Say how our predictions did so far; '' where nothing is adopted."""
    return say_calibration(report.calibration) if report.advice else ""


def _change_cells(one: TaskChange) -> tuple[Cell, ...]:
    unit = one.cost_per_run.now.unit if one.cost_per_run.now else ""
    return (
        Cell(one.task),
        Cell(say_count(one.runs), f"{say_count(one.runs_before)} before"),
        _shift(one.success, say_share, say_points),
        _shift(one.cost_per_run, lambda value: say_money(value, unit), say_ratio),
        _shift(one.latency_p50, say_seconds, say_ratio),
        Cell(_say_why(one)),
    )


def _shift(one: Shift, say: Callable[[float | None], str], say_by: Callable[[float | None], str]) -> Cell:
    values = [None if each is None else each.value for each in (one.before, one.now)]
    text = f"{say(values[0])} → {say(values[1])}"
    return Cell(text, f"{say_by(one.change.value)}, {say_range(one.change, say_by)}" if one.change else "")


def _say_why(one: TaskChange) -> str:
    parts = []
    if one.success.mix is not None and one.success.within is not None:
        parts.append(
            f"success by other combinations {say_change(one.success.mix)}, within them {say_change(one.success.within)}"
        )
    parts += one.why
    return "; ".join(parts) if parts else "no finding explains it"


def _advice_cells(one: Advice) -> tuple[Cell, ...]:
    sides = {each.side: each for each in one.measurement.effects} if one.measurement else {}
    predicted = {each.side: each.estimate for each in one.predicted}
    cells = []
    for side in ("quality", "cost", "latency"):
        stated = f"predicted {say_change(predicted[side])}" if side in predicted else "not predicted"
        cells.append(Cell(_say_found(sides.get(side)), stated))
    result = one.measurement.verdict.value if one.measurement else "not measured"
    reason = one.measurement.reason if one.measurement else "trilemma verify measures it"
    return (Cell(one.title, one.finding_id), Cell(f"{one.adopted_at:%Y-%m-%d}"), *cells, Cell(result, reason))


def _say_found(one: MeasuredEffect | None) -> str:
    return "?" if one is None or one.measured.value is None else say_change(one.measured)


def _certificate_cells(one: CertificateState) -> tuple[Cell, ...]:
    made = one.certificate
    unit = made.cost_per_run.unit if made.cost_per_run else ""
    cost, k = made.cost_per_run, made.pass_k
    return (
        Cell(made.task, made.label),
        Cell(say_share(made.success_at_least), f"{made.confidence * 100:g} % sure, n = {say_count(made.known)}"),
        Cell(say_share(k.value), f"k = {made.k}, {say_range(k, say_share)}")
        if k
        else Cell("?", "inputs do not repeat"),
        Cell(say_money(cost.value, unit), say_range(cost, lambda value: say_money(value, unit))) if cost else Cell("?"),
        Cell(say_seconds(made.latency_p95.value), say_range(made.latency_p95, say_seconds)),
        Cell(one.state, "; ".join(one.reasons) or f"until {made.valid_until:%Y-%m-%d}"),
    )
