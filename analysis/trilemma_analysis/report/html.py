"""Own how a report becomes one HTML file: inline SVG and style, no script, nothing loaded; it opens offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trilemma_analysis.pictures import list_topics
from trilemma_analysis.questions import load_question
from trilemma_analysis.report.charts import draw_gate, draw_latency, draw_tradeoff
from trilemma_analysis.report.drawing import draw_picture
from trilemma_analysis.report.effects import draw_effects
from trilemma_analysis.report.following import (
    describe_followed,
    tabulate_advice,
    tabulate_certificates,
    tabulate_changes,
)
from trilemma_analysis.report.style import CSS, to_svg
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
    from trilemma_analysis.report.model import Report, TaskReport
    from trilemma_analysis.report.style import Drawing

__all__ = ["render_html"]

CHARTS = (
    ("tradeoff", draw_tradeoff, "Success rate against cost per run of each combination, with intervals"),
    ("gate", draw_gate, "Difference in success rate of each candidate from the baseline, with the margin"),
    ("latency", draw_latency, "p50 and p95 latency of each combination, with intervals"),
)


def render_html(report: Report) -> str:
    """Return the report as one self-contained HTML page."""
    environment = Environment(
        loader=PackageLoader("trilemma_analysis", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(count=say_count, saving=describe_saving, effect=describe_effect, needed=describe_needed)
    template = environment.get_template("report.html.j2")
    return template.render(
        report=report,
        period=describe_period(report),
        summary=summarise(report),
        charts={task.name: _draw(task) for task in report.tasks},
        effects={task.name: _draw_effects(report, task) for task in report.tasks},
        sections={task.name: _draw_topics(report, task) for task in report.tasks},
        combinations={task.name: tabulate_combinations(task) for task in report.tasks},
        changes=tabulate_changes(report),
        advice=tabulate_advice(report),
        followed=describe_followed(report),
        certificates=tabulate_certificates(report),
        gates={task.name: tabulate_gate(task) for task in report.tasks},
        questions={name: load_question(name) for name in report.questions},
    )


class Section(NamedTuple):
    """What a topic has to show of one task: its name and question, charts with labels, and the SQL behind them."""

    title: str
    asks: str
    is_open: bool
    """Whether something was found, so that the reader need not click first."""
    charts: list[tuple[str, Markup]]
    questions: tuple[str, ...]


def _draw(task: TaskReport) -> list[tuple[str, Markup]]:
    """Return the charts of a task, each as a label for those who do not see it and an SVG."""
    drawn = [(label, draw(task, CSS)) for _, draw, label in CHARTS]
    return [(f"{task.name}: {label}", _inline(chart)) for label, chart in drawn if chart is not None]


def _draw_effects(report: Report, task: TaskReport) -> Markup | None:
    """Return the effects of a task's findings; None where they have none."""
    chart = draw_effects([one for one in report.findings if one.task == task.name], CSS, task.confidence)
    return None if chart is None else _inline(chart)


def _draw_topics(report: Report, task: TaskReport) -> list[Section]:
    """Return a section for each topic that has pictures of a task."""
    sections = []
    for topic in list_topics():
        pictures = [one for one in report.pictures if (one.topic, one.task) == (topic.TOPIC, task.name)]
        charts = [(f"{task.name}: {one.title} {one.axis}", _inline(draw_picture(one, CSS))) for one in pictures]
        questions = tuple(dict.fromkeys(name for one in pictures for name in one.questions))
        found = any(one.task == task.name and one.kind in topic.KINDS for one in report.findings)
        sections += [Section(topic.TITLE, topic.ASKS, found, charts, questions)] if charts else []
    return sections


def _inline(chart: Drawing) -> Markup:
    svg = to_svg(chart).replace("<svg ", '<svg role="img" aria-hidden="true" ', 1)
    return Markup(svg)  # noqa: S704  # made by vl-convert, which escapes texts
