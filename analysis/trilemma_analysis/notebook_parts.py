"""Own the pieces that notebooks show: what a reader may choose from, and tables, findings and notes as HTML."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from trilemma.errors import ConfigurationError

from trilemma_analysis.report.tables import describe_effect, describe_needed, describe_saving

if TYPE_CHECKING:
    from trilemma_analysis.client import Store
    from trilemma_analysis.findings import Finding
    from trilemma_analysis.report.model import TaskReport

from trilemma_analysis.report.tables import Cell, Row, Table

__all__ = ["Choice", "list_choices", "read_days", "show_finding", "show_notes", "show_table"]

_DEFAULT_DAYS = 30
_STYLE = """<style>
.tri { font-variant-numeric: tabular-nums; font-size: .86rem; border-collapse: collapse; width: 100%; }
.tri th { text-align: left; font-weight: 600; padding: .3rem .6rem; border-bottom: 2px solid rgba(128, 128, 128, .45); }
.tri td { padding: .3rem .6rem; border-bottom: 1px solid rgba(128, 128, 128, .25); vertical-align: top; }
.tri .n { text-align: right; white-space: nowrap; }
.tri small { display: block; opacity: .7; }
.tri tr.baseline td { background: rgba(128, 128, 128, .12); font-weight: 600; }
.tri tr.frontier td:first-child { border-left: 3px solid #0a6aa6; }
.tri td.safe { color: #00795a; font-weight: 600; }
.tri td.worse { color: #c2500a; font-weight: 600; }
.tri-wide { overflow-x: auto; }
.tri-finding summary { cursor: pointer; }
.tri-finding p, .tri-finding ul { margin: .5rem 0 0 1.1rem; font-size: .92rem; }
.tri-finding li { margin: .15rem 0; }
</style>"""


class Choice(NamedTuple):
    """A task that the store holds: its name, its runs, and the first and last day of them (UTC)."""

    task: str
    runs: int
    first: date
    last: date

    def choose_days(self, since: object = None, until: object = None) -> tuple[date, date]:
        """Return the days from `since` to `until` (ISO dates), within those of the runs; the last 30 without them.

        Raises:
            ConfigurationError: one of them is no date.
        """
        last = min(_read_day("until", until), self.last) if until else self.last
        first = _read_day("since", since) if since else last - timedelta(days=_DEFAULT_DAYS)
        return min(max(self.first, first), max(last, self.first)), max(last, self.first)


def list_choices(store: Store) -> list[Choice]:
    """Return the tasks of a store, the one with the most runs first."""
    choices = [
        Choice(row["task_name"], row["runs"], row["first_at"].date(), row["last_at"].date())
        for row in store.ask("task_names").to_pylist()
    ]
    return sorted(choices, key=lambda choice: (-choice.runs, choice.task))


def read_days(days: tuple[date, date]) -> dict[str, datetime]:
    """Return the begin of the first day and the end of the last one, as ``since`` and ``until`` of a report."""
    since, until = (datetime.combine(day, time(), tzinfo=UTC) for day in days)
    return {"since": since, "until": until + timedelta(days=1)}


def show_table(table: Table) -> str:
    """Return a report's table as HTML: each figure with its interval in small below it."""
    heads = "".join(f'<th class="{_align(numeric)}">{escape(head)}</th>'
                    for head, numeric in zip(table.heads, table.numeric, strict=True))  # fmt: skip
    rows = "".join(_show_row(row, table.numeric) for row in table.rows)
    more = f"<p>{table.left_out} more are left out.</p>" if table.left_out else ""
    return f'{_STYLE}<div class="tri-wide"><table class="tri"><tr>{heads}</tr>{rows}</table></div>{more}'


def show_finding(finding: Finding) -> str:
    """Return a finding as HTML: verdict and title, then what was seen, what it does, what to change, and the risk."""
    parts = {
        "Effect": "; ".join(map(describe_effect, finding.effects)),
        "Saving": describe_saving(finding.saving),
        "Needed": describe_needed(finding.needed),
        "Doubted by": ", ".join(finding.rests_on),
        "Change": finding.change,
        "Risk": finding.risk,
        "Verify": finding.verification,
    }
    details = "".join(f"<li><b>{name}:</b> {escape(text)}</li>" for name, text in parts.items() if text)
    summary = f"<summary><b>{escape(finding.verdict)}</b> · {escape(finding.title)}</summary>"
    body = f"<p>{escape(finding.what)}</p><ul>{details}</ul>"
    return f"{_STYLE}<details class='tri-finding'>{summary}{body}</details>"


def show_notes(task: TaskReport) -> str:
    """Return what a reader must know before believing the figures, as HTML; '' where there is nothing."""
    return "".join(f"<p>{'⚠ ' if note.level == 'warning' else ''}{escape(note.detail)}</p>" for note in task.integrity)


def _read_day(name: str, value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ConfigurationError(f"--{name} {value!r} is no day; write one like 2026-11-24") from error


def _show_row(row: Row, numeric: tuple[bool, ...]) -> str:
    cells = "".join(_show_cell(cell, row.role, is_number) for cell, is_number in zip(row.cells, numeric, strict=True))
    return f'<tr class="{escape(row.role)}">{cells}</tr>'


def _show_cell(cell: Cell, role: str, is_number: bool) -> str:
    verdict = role if cell.text == role else ""
    detail = f"<small>{escape(cell.detail)}</small>" if cell.detail else ""
    return f'<td class="{_align(is_number)} {escape(verdict)}">{escape(cell.text)}{detail}</td>'


def _align(is_number: bool) -> str:
    return "n" if is_number else ""
