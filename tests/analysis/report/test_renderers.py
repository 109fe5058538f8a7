"""Hold the renderers: they show what the model holds, escape what users named, and load nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from trilemma_analysis.estimate import Estimate
from trilemma_analysis.report import build_report
from trilemma_analysis.report.charts import draw_gate, draw_latency, draw_tradeoff
from trilemma_analysis.report.html import render_html
from trilemma_analysis.report.markdown import render_markdown
from trilemma_analysis.report.style import LIGHT, to_svg
from trilemma_analysis.report.tables import summarise, tabulate_combinations
from trilemma_analysis.report.terminal import render_terminal
from trilemma_analysis.wording import (
    say_change,
    say_money,
    say_points,
    say_ratio,
    say_seconds,
    say_share,
    with_interval,
)

from tests.analysis.planted import Runs, add_runs, make_store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trilemma_analysis.report import Report

RENDERERS = (render_terminal, render_markdown, render_html)
VOID = {"meta", "br", "link", "img", "input", "hr", "path", "rect", "line"}


class Page(HTMLParser):
    """Read a page: the elements that are open, ids, links within the page, and addresses that would be loaded."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.loaded: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        named = dict(attrs)
        if "id" in named and "clip" not in str(named["id"]):
            self.ids.append(str(named["id"]))
        if tag == "a" and str(named.get("href")).startswith("#"):
            self.anchors.append(str(named["href"])[1:])
        self.loaded += [
            str(v) for k, v in attrs if k in {"src", "data", "action"} or (k == "href" and not str(v).startswith("#"))
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last; another one would be an error of nesting."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what a reader sees."""
        self.text.append(data)


@pytest.mark.parametrize("render", RENDERERS)
def test_findings_and_tables_are_shown(report: Report, page_text: str, render: Callable[[Report], str]) -> None:
    """Each task, each combination and each verdict is in every rendering."""
    rendered = page_text if render is render_html else render(report)
    text = re.sub(r"\s+", " ", rendered.replace("\\", ""))
    for task in report.tasks:
        assert task.name in text
    for word in ("act", "don't", "safe", "worse"):
        assert word in text or word.replace("'", "&#39;") in text
    for finding in report.findings:
        assert finding.evidence.n


@pytest.mark.parametrize("render", RENDERERS)
def test_same_report_same_text(report: Report, page_text: str, render: Callable[[Report], str]) -> None:
    """A report is rendered to the same bytes each time."""
    assert render(report) == (page_text if render is render_html else render(report))


def test_page_is_well_formed_and_whole(report: Report, page_text: str) -> None:
    """Elements nest, ids are distinct, each link within the page leads somewhere, each chart is there."""
    text, page = page_text, Page(page_text)
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.anchors) <= set(page.ids)
    charts = sum(draw(task) is not None for task in report.tasks for draw in (draw_tradeoff, draw_gate, draw_latency))
    effects = sum(any(one.task == task.name and one.effects for one in report.findings) for task in report.tasks)
    assert text.count("<svg ") == charts + effects + len(report.pictures)


def test_page_loads_nothing(page_text: str) -> None:
    """No script, no address to fetch: the page opens without a network."""
    assert Page(page_text).loaded == []
    assert "<script" not in page_text
    assert "@import" not in page_text
    assert not re.search(r"url\((?!#)", page_text)


def test_page_shows_the_sql(report: Report, page_text: str) -> None:
    """The SQL behind the numbers can be read in the page."""
    seen = "".join(Page(page_text).text)
    for sql in report.questions.values():
        assert sql.strip() in seen


def test_names_are_escaped(tmp_path: Path) -> None:
    """A model named like markup is shown as its name, not as markup."""
    hostile = "<script>alert(1)</script>|*_[x](y)"
    with make_store(tmp_path) as store:
        add_runs(store, Runs(40, model=[hostile] * 20 + ["b"] * 20, task="a<b>&c"))
        report = build_report(store)
    page = render_html(report)
    assert "<script" not in page
    assert Page(page).open == []
    assert hostile in "".join(Page(page).text)
    lines = [line for line in render_markdown(report).splitlines() if line.startswith("| ") and "alert" in line]
    assert lines
    assert all(line.count("|") - line.count("\\|") == 9 for line in lines)
    assert hostile.split("|", maxsplit=1)[0] in render_terminal(report, 400)


def test_empty_report_says_so(tmp_path: Path) -> None:
    """Without runs every rendering says that there are none and what to do."""
    with make_store(tmp_path) as store:
        report = build_report(store)
    for render in RENDERERS:
        assert "no runs yet" in render(report)


def test_calls_without_any_task_say_so(tmp_path: Path) -> None:
    """A store that holds calls but no tasks says how many there are, and how to make tasks of them."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(7, task="", ids=[""] * 7))
        report = build_report(store)
    for render in RENDERERS:
        assert "7 of 7 calls belong to no task" in render(report)


def test_long_tables_say_what_was_left_out(tmp_path: Path) -> None:
    """A terminal shows twelve combinations and says how many more there are; the page shows all."""
    n = 20 * 30
    with make_store(tmp_path) as store:
        add_runs(store, Runs(n, model=[f"model-{i % 30:02d}" for i in range(n)]))
        report = build_report(store)
    assert "and 18 more" in render_terminal(report)
    page = render_html(report)
    assert all(f"model-{i:02d}" in page for i in range(30))
    assert "24 of 30 combinations" in page


def test_charts_state_n_interval_and_unit(report: Report) -> None:
    """Every chart says how many it shows, the level of its intervals, and the unit of its axis."""
    (task,) = [task for task in report.tasks if task.name == "support.refund"]
    for draw, unit in (
        (draw_tradeoff, "USD"),
        (draw_gate, "candidate minus baseline"),
        (draw_latency, "(s, log scale)"),
    ):
        chart = draw(task, LIGHT)
        assert chart is not None
        svg = to_svg(chart)
        assert "95 % intervals" in svg
        assert unit in svg
        assert re.search(r"\d+ (combination|candidate)", svg)


def test_svg_is_the_same_each_time(report: Report) -> None:
    """A chart gives the same SVG each time."""
    task = next(task for task in report.tasks if task.gates)
    assert to_svg(draw_gate(task)) == to_svg(draw_gate(task))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (say_share(0.9134), "91.3 %"),
        (say_points(-0.0131), "−1.3 points"),
        (say_points(0.0), "±0.0 points"),
        (say_ratio(0.42), "−58 %"),
        (say_ratio(1.034), "+3.4 %"),
        (say_ratio(14.5), "× 14.5"),
        (say_money(1234.5, "USD"), "$1,234"),
        (say_money(12.3, "EUR"), "€12.30"),
        (say_money(0.0042, "USD"), "$0.00420"),
        (say_money(-0.5, "CHF"), "−0.500 CHF"),
        (say_money(0.0, "USD"), "$0"),
        (say_money(None, "USD"), "?"),
        (say_seconds(0.0123), "12.3 ms"),
        (say_seconds(1.234), "1.23 s"),
        (say_seconds(312), "5.2 min"),
    ],
)
def test_figures_read_well(said: str, expected: str) -> None:
    """Figures have their unit, a real minus, and as many digits as they deserve."""
    assert said == expected


def test_intervals_do_not_repeat_units() -> None:
    """A change is said with its interval, the unit once; an end without bound is an ellipsis."""
    change = Estimate(value=-0.013, low=-0.024, high=None, n=10, unit="share", method="")
    assert say_change(change) == "−1.3 points (−2.4 to …)"
    assert with_interval(change.model_copy(update={"value": 0.5, "low": 0.4, "high": 0.6})) == "50.0 % (40.0 to 60.0)"


def test_summary_counts_and_adds_up(report: Report) -> None:
    """The first sentence counts the findings by verdict and adds up what acting saves, per currency."""
    said = summarise(report)
    acts = [one for one in report.findings if one.verdict.value == "act"]
    assert said.startswith(f"{len(report.findings)} finding(s): {len(acts)} to act on, 1 against a change")
    total = sum((one.saving.per_month.value or 0) for one in acts if one.saving and one.saving.per_month)
    assert say_money(total, "USD") in said


def test_many_unknown_outcomes_show_their_bounds(tmp_path: Path) -> None:
    """With a fifth of the outcomes unknown, the rate stands beside what they could make of it."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(100, outcome=["success"] * 60 + ["failure"] * 20 + [""] * 20))
        (task,) = build_report(store).tasks
    cell = tabulate_combinations(task).rows[0].cells[2]
    assert cell.text == "75.0 %"
    assert cell.detail.endswith("; with unknown 60.0 to 80.0")
