"""Own how a report reads in a terminal: findings first, then each task's tables, cut to what a screen holds."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from trilemma_analysis.report.following import (
    describe_followed,
    tabulate_advice,
    tabulate_certificates,
    tabulate_changes,
)
from trilemma_analysis.report.tables import (
    describe_needed,
    describe_period,
    describe_saving,
    summarise,
    tabulate_combinations,
    tabulate_gate,
)
from trilemma_analysis.wording import say_count

if TYPE_CHECKING:
    from rich.console import RenderableType

    from trilemma_analysis.findings import Finding
    from trilemma_analysis.report.model import Integrity, Report, TaskReport
    from trilemma_analysis.report.tables import Cell, Table

__all__ = ["lay_out", "render_terminal"]

ROWS = 12
STYLES = {
    "act": "bold green",
    "don't": "bold red",
    "not enough data": "bold yellow",
    "safe": "green",
    "worse": "red",
    "baseline": "bold",
    "frontier": "cyan",
    "": "",
}


def render_terminal(report: Report, width: int = 140) -> str:
    """Return the report as plain text of a given width."""
    console = Console(file=StringIO(), width=width, force_terminal=False, no_color=True, legacy_windows=False)
    console.print(lay_out(report))
    text = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO given above
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def lay_out(report: Report) -> Group:
    """Return the report as something rich can print, in colour where the terminal has it."""
    parts: list[RenderableType] = [
        Text(f"trilemma report · {describe_period(report)}", style="bold"),
        Text(
            f"{report.options.confidence * 100:g} % intervals · margin {report.options.margin * 100:g} points unless "
            "stated · (low to high) after each figure",
            style="dim",
        ),
        Text(),
    ]
    parts += [_lay_out_notice(one) for one in report.integrity]
    if report.period is None:
        parts.append(
            Text("The store holds no runs yet. Trace an app with `trilemma run`, or load logs with `trilemma import`.")
        )
        return Group(*parts)
    parts += _lay_out_section("What changed against the period before", tabulate_changes(report))
    parts += [Text(summarise(report), style="bold"), Text()]
    parts += [part for finding in report.findings for part in _lay_out_finding(finding)]
    parts += _lay_out_section("What our last advice did", tabulate_advice(report), describe_followed(report))
    parts += _lay_out_section("Trust certificates", tabulate_certificates(report))
    parts += [part for task in report.tasks for part in _lay_out_task(task)]
    return Group(*parts)


def _lay_out_section(title: str, table: Table | None, closing: str = "") -> list[RenderableType]:
    if table is None:
        return []
    parts: list[RenderableType] = [Text(title, style="bold"), _lay_out_table(table)]
    return [*parts, *([Text(closing, style="dim")] if closing else []), Text()]


def _lay_out_finding(finding: Finding) -> list[RenderableType]:
    lines = [escape(finding.what)]
    if saving := describe_saving(finding.saving):
        lines.append(f"Saving: {escape(saving)}.")
    if needed := describe_needed(finding.needed):
        lines.append(f"Needed: {escape(needed)}.")
    if finding.rests_on:
        lines.append(f"Doubted by: {escape(', '.join(finding.rests_on))}.")
    lines += [f"Change: {escape(finding.change)}", f"Risk: {escape(finding.risk)}"]
    head = Text.assemble((f"[{finding.verdict.value}] ", STYLES[finding.verdict.value]), (finding.title, "bold"))
    return [head, Padding("\n".join(lines), (0, 0, 1, 2))]


def _lay_out_task(task: TaskReport) -> list[RenderableType]:
    parts: list[RenderableType] = [
        Text(),
        Text.assemble(
            (f"Task {task.name}", "bold underline"),
            f" · {say_count(task.runs)} runs · margin {task.margin * 100:g} points",
        ),
        Text(f"Baseline: {task.baseline or 'none'} ({task.baseline_reason}).", style="dim"),
    ]
    parts += [_lay_out_notice(one) for one in task.integrity]
    parts.append(_lay_out_table(tabulate_combinations(task, ROWS)))
    if task.gates:
        parts += [
            Text("Gate: is the cheaper or faster one safe?", style="bold"),
            _lay_out_table(tabulate_gate(task, ROWS)),
        ]
    return parts


def _lay_out_notice(one: Integrity) -> RenderableType:
    sign, style = ("!", "yellow") if one.level == "warning" else ("·", "dim")
    return Text(f"{sign} {one.detail[0].upper()}{one.detail[1:]}", style=style)


def _lay_out_cell(cell: Cell) -> str:
    return escape(cell.text) + (f"\n[dim]{escape(cell.detail)}[/dim]" if cell.detail else "")


def _lay_out_table(table: Table) -> RenderableType:
    laid_out = RichTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head, numeric in zip(table.heads, table.numeric, strict=True):
        laid_out.add_column(head, justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        laid_out.add_row(*(_lay_out_cell(cell) for cell in row.cells), style=STYLES[row.role])
    if not table.left_out:
        return laid_out
    return Group(laid_out, Text(f"… and {table.left_out} more (--format html, or --json)", style="dim"))
