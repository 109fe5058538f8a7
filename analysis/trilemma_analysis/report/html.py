"""Own how a report becomes one HTML file: inline SVG and style, no script, nothing loaded; it opens offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trilemma_analysis.questions import load_question
from trilemma_analysis.report.charts import CSS, draw_gate, draw_latency, draw_tradeoff, to_svg
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
    from trilemma_analysis.report.model import Report, TaskReport

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
        combinations={task.name: tabulate_combinations(task) for task in report.tasks},
        changes=tabulate_changes(report),
        advice=tabulate_advice(report),
        followed=describe_followed(report),
        certificates=tabulate_certificates(report),
        gates={task.name: tabulate_gate(task) for task in report.tasks},
        questions={name: load_question(name) for name in report.questions},
    )


def _draw(task: TaskReport) -> list[tuple[str, Markup]]:
    """Return the charts of a task, each as a label for those who do not see it and an SVG."""
    drawn = []
    for _, draw, label in CHARTS:
        chart = draw(task, CSS)
        if chart is not None:
            svg = to_svg(chart).replace("<svg ", '<svg role="img" aria-hidden="true" ', 1)
            drawn.append((f"{task.name}: {label}", Markup(svg)))  # noqa: S704  # made by vl-convert, which escapes texts
    return drawn
