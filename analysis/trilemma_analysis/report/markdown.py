"""Own how a report reads as Markdown: for a pull request, a wiki, a chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.report.following import (
    describe_followed,
    tabulate_advice,
    tabulate_certificates,
    tabulate_changes,
)
from trilemma_analysis.report.tables import (
    describe_effect,
    describe_needed,
    describe_period,
    describe_saving,
    summarise,
    tabulate_combinations,
    tabulate_gate,
)
from trilemma_analysis.wording import say_count

if TYPE_CHECKING:
    from trilemma_analysis.findings import Finding
    from trilemma_analysis.report.model import Integrity, Report, TaskReport
    from trilemma_analysis.report.tables import Table

__all__ = ["render_markdown"]

ROWS = 40
_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]<>#|"})


def render_markdown(report: Report) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    choices = (
        f"{report.options.confidence * 100:g} % intervals; margin {report.options.margin * 100:g} points unless stated"
    )
    blocks = ["# trilemma report", f"{describe_period(report)}. {choices}."]
    blocks += _notices(report.integrity)
    if report.period is None:
        blocks.append("The store holds no runs yet.")
    else:
        blocks += _section("What changed against the period before", tabulate_changes(report))
        blocks += ["## Findings", _escape(summarise(report)), *(_finding(one) for one in report.findings)]
        blocks += _section("What our last advice did", tabulate_advice(report), describe_followed(report))
        blocks += _section("Trust certificates", tabulate_certificates(report))
        blocks += [block for task in report.tasks for block in _task(task)]
        blocks += ["## SQL behind the numbers", *_questions(report)]
    return "\n\n".join(blocks) + "\n"


def _section(title: str, table: Table | None, closing: str = "") -> list[str]:
    if table is None:
        return []
    return [f"## {title}", _table(table), *([_escape(closing)] if closing else [])]


def _finding(finding: Finding) -> str:
    lines = [f"### {finding.verdict.value}: {_escape(finding.title)}", "", _escape(finding.what), ""]
    if saving := describe_saving(finding.saving):
        lines.append(f"- **Saving:** {_escape(saving)}")
    lines += [f"- **{each.side.capitalize()}:** {_escape(describe_effect(each))}" for each in finding.effects]
    if needed := describe_needed(finding.needed):
        lines.append(f"- **Needed:** {_escape(needed)}")
    if finding.rests_on:
        lines.append(f"- **Doubted by:** {', '.join(f'`{each}`' for each in finding.rests_on)}")
    lines += [
        f"- **Change:** {_escape(finding.change)}",
        f"- **Risk:** {_escape(finding.risk)}",
        f"- **Verify:** {_escape(finding.verification)}",
        f"- **Evidence:** {say_count(finding.evidence.n)} {finding.evidence.unit}; SQL: "
        + ", ".join(f"`{name}`" for name in finding.evidence.questions)
        + f"; id `{finding.id}`",
    ]
    return "\n".join(lines)


def _task(task: TaskReport) -> list[str]:
    baseline = f"**{_escape(task.baseline or 'none')}** ({_escape(task.baseline_reason)})"
    blocks = [
        f"## {_escape(task.name)}",
        f"{say_count(task.runs)} runs; margin {task.margin * 100:g} points. Baseline: {baseline}.",
        *_notices(task.integrity),
        _table(tabulate_combinations(task, ROWS)),
    ]
    if task.gates:
        blocks += ["**Gate:** is the cheaper or faster one safe?", _table(tabulate_gate(task, ROWS))]
    return blocks


def _notices(notices: tuple[Integrity, ...]) -> list[str]:
    lines = [f"- {'**Warning:** ' if one.level == 'warning' else ''}{_escape(one.detail)}" for one in notices]
    return ["\n".join(lines)] if lines else []


def _table(table: Table) -> str:
    lines = [
        "| " + " | ".join(table.heads) + " |",
        "|" + "|".join(" ---: " if numeric else " --- " for numeric in table.numeric) + "|",
    ]
    for row in table.rows:
        cells = [_escape(cell.text + (f" ({cell.detail})" if cell.detail else "")) for cell in row.cells]
        if row.role == "baseline":
            cells[0] = f"**{cells[0]}**"
        lines.append("| " + " | ".join(cells) + " |")
    if table.left_out:
        lines += ["", f"… and {table.left_out} more; all are in the HTML report and in `--json`."]
    return "\n".join(lines)


def _questions(report: Report) -> list[str]:
    return [
        f"<details><summary><code>{name}</code></summary>\n\n```sql\n{sql.strip()}\n```\n\n</details>"
        for name, sql in report.questions.items()
    ]


def _escape(text: str) -> str:
    return text.translate(_SPECIAL)
