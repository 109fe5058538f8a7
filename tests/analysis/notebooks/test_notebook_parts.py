"""Hold the pieces that notebooks show: days within the data, and HTML that carries no one else's markup."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from trilemma.errors import ConfigurationError
from trilemma_analysis.client import connect
from trilemma_analysis.notebook_parts import Choice, list_choices, read_days, show_finding, show_notes, show_table
from trilemma_analysis.report import build_report
from trilemma_analysis.report.tables import Cell, Row, Table, tabulate_combinations

CHOICE = Choice("support.refund", 10, date(2026, 9, 1), date(2026, 11, 10))


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, (date(2026, 10, 11), date(2026, 11, 10))),
        ("2026-10-30", None, (date(2026, 10, 30), date(2026, 11, 10))),
        (None, "2026-09-05", (date(2026, 9, 1), date(2026, 9, 5))),
        ("2020-01-01", "2030-01-01", (date(2026, 9, 1), date(2026, 11, 10))),
        ("2030-01-01", None, (date(2026, 11, 10), date(2026, 11, 10))),
        (None, "2020-01-01", (date(2026, 9, 1), date(2026, 9, 1))),
    ],
)
def test_choose_days(since: str | None, until: str | None, expected: tuple[date, date]) -> None:
    """A period lies within the days that have runs; without one it is the last 30 days of them."""
    assert CHOICE.choose_days(since, until) == expected


def test_day_that_is_none() -> None:
    """A day that is no date is an error that names the option."""
    with pytest.raises(ConfigurationError, match="--since 'yesterday' is no day"):
        CHOICE.choose_days(since="yesterday")


def test_read_days() -> None:
    """The last day belongs to the period: a report's end is excluded, so it is the day after."""
    assert read_days((date(2026, 11, 1), date(2026, 11, 2))) == {
        "since": datetime(2026, 11, 1, tzinfo=UTC),
        "until": datetime(2026, 11, 3, tzinfo=UTC),
    }


def test_list_choices(planted_address: str) -> None:
    """The tasks of a store come with their runs and days, the busiest first."""
    with connect(planted_address) as store:
        found = list_choices(store)
    assert found == [
        Choice("support.refund", 160, date(2026, 11, 2), date(2026, 11, 5)),
        Choice("support.chat", 140, date(2026, 11, 2), date(2026, 11, 4)),
    ]


def test_text_is_not_markup() -> None:
    """A name that holds markup, from whoever sent the spans, is shown and not run."""
    table = Table(heads=("a<b",), rows=(Row((Cell("<script>x</script>", "<i>"),), role='"><b>'),), numeric=(False,))
    page = show_table(table)
    assert "<script>" not in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert "<i>" not in page
    assert '"><b>' not in page


def test_what_the_report_says_is_shown(planted_address: str) -> None:
    """Table, findings and notes hold the report's own figures and words."""
    with connect(planted_address) as store:
        report = build_report(store, task="support.chat")
    (task,) = report.tasks
    table = show_table(tabulate_combinations(task))
    for one in task.combinations:
        assert f"{one.success.value * 100:.1f} %" in table if one.success.value is not None else "?" in table
    shown = "".join(show_finding(finding) for finding in report.findings)
    assert report.findings
    assert all(
        write_html(finding.title) in shown and write_html(finding.change) in shown for finding in report.findings
    )
    assert all(write_html(note.detail) in show_notes(task) for note in task.integrity)


def write_html(text: str) -> str:
    """Return text as HTML writes it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#x27;")
