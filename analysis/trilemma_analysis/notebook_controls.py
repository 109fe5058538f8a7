"""Own what all notebooks share: the controls, the report they ask for, and how its parts are laid out on a page."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import marimo as mo
from trilemma.errors import TrilemmaError

from trilemma_analysis.client import DEFAULT_STORE, connect
from trilemma_analysis.notebook_parts import list_choices, read_days, show_finding, show_notes
from trilemma_analysis.pictures import choose_topics
from trilemma_analysis.report import build_report
from trilemma_analysis.report.drawing import draw_picture
from trilemma_analysis.report.effects import draw_effects
from trilemma_analysis.report.tables import describe_period
from trilemma_analysis.wording import say_count, with_interval

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from trilemma_analysis.notebook_parts import Choice
    from trilemma_analysis.report import Report

__all__ = [
    "Choices",
    "ask_report",
    "list_tasks",
    "offer_choices",
    "offer_period",
    "offer_store",
    "show_effects",
    "show_findings",
    "show_pictures",
    "show_sql",
    "show_summary",
]

_KINDS: dict[str, Literal["success", "warn", "info"]] = {"act": "success", "don't": "warn", "not enough data": "info"}
_NO_RUNS = "The store holds no task runs yet: trace some, or load a log with `trilemma import`."


class Choices(NamedTuple):
    """The controls of a page that do not depend on each other."""

    task: mo.ui.dropdown
    margin_points: mo.ui.slider
    confidence: mo.ui.dropdown


def offer_store(given: Mapping[str, Any]) -> mo.ui.text:
    """Return the control for the store: as given on the command line, by TRILEMMA_STORE, or the usual one."""
    address = given.get("store") or os.environ.get("TRILEMMA_STORE") or DEFAULT_STORE
    return mo.ui.text(value=str(address), label="Store", full_width=True)


def list_tasks(address: str) -> dict[str, Choice]:
    """Return the tasks of a store by name; a page stops here with the reason where there are none."""
    problem = _NO_RUNS
    try:
        with connect(address) as store:
            choices = {choice.task: choice for choice in list_choices(store)}
    except TrilemmaError as error:
        choices, problem = {}, _explain(error)
    mo.stop(not choices, mo.callout(problem, kind="danger"))
    return choices


def offer_choices(tasks: Mapping[str, Choice], given: Mapping[str, Any]) -> Choices:
    """Return the controls for task, margin and confidence."""
    names = {f"{choice.task} ({choice.runs:,} runs)": choice.task for choice in tasks.values()}
    wanted = given.get("task")
    level = float(given.get("confidence") or 0.95)
    return Choices(
        mo.ui.dropdown(
            options=names,
            value=next((shown for shown, name in names.items() if name == wanted), next(iter(names))),
            label="Task",
        ),
        mo.ui.slider(
            start=0.5,
            stop=20,
            step=0.5,
            value=float(given.get("margin") or 0.05) * 100,
            label="Margin (points of success rate)",
            show_value=True,
            debounce=True,
        ),
        mo.ui.dropdown(
            options={f"{one * 100:g} %": one for one in sorted({0.9, 0.95, 0.99, level})},
            value=f"{level * 100:g} %",
            label="Confidence",
        ),
    )


def offer_period(choice: Choice, given: Mapping[str, Any]) -> mo.ui.date_range:
    """Return the control for the period, within the days of the task's runs."""
    days = choice.choose_days(given.get("since"), given.get("until"))
    return mo.ui.date_range(start=choice.first, stop=choice.last, value=days, label="Period (days, UTC)")


def ask_report(
    address: str, topic: str | None, *, task: str, margin_points: float, confidence: float, days: tuple[date, date]
) -> Report:
    """Return the report on one task and topic; a page stops here with the reason where there is none.

    Without a topic it has the findings of all of them, and no pictures.
    """
    problem, (since, until) = "The task has no runs in this period.", read_days(days).values()
    try:
        with mo.status.spinner("Asking the store ..."), connect(address) as store:
            report = build_report(
                store,
                task=task,
                topic=topic,
                pictures=topic is not None,
                margin=margin_points / 100,
                confidence=confidence,
                since=since,
                until=until,
            )
    except TrilemmaError as error:
        report, problem = None, _explain(error)
    mo.stop(report is None or not report.tasks, mo.callout(problem, kind="danger"))
    assert report is not None  # mo.stop raises
    return report


def show_summary(report: Report) -> mo.Html:
    """Return what the page is about: task, period, runs, the baseline's success, and the gate's verdicts."""
    task = report.tasks[0]
    baseline = next((one for one in task.combinations if one.is_baseline), None)
    verdicts = [gate.verdict for gate in task.gates]
    stats = [
        mo.stat(say_count(task.runs), label="Runs", caption=f"{len(task.combinations)} combinations"),
        mo.stat(
            with_interval(baseline.success) if baseline else "?",
            label="Success of the baseline",
            caption=task.baseline or task.baseline_reason,
        ),
        mo.stat(
            " / ".join(str(verdicts.count(kind)) for kind in ("safe", "worse", "not enough data")),
            label="Candidates: safe / worse / not enough data",
            caption=f"margin {task.margin * 100:g} points, {task.confidence * 100:g} % confidence",
        ),
    ]
    return mo.vstack([mo.md(f"## {task.name}\n{describe_period(report)}"), mo.hstack(stats, widths="equal", gap=1)])


def show_pictures(report: Report, topic: str) -> mo.Html:
    """Return the pictures of the topic, or what has to be traced for there to be some."""
    pictures: list[object] = [draw_picture(one) for one in report.pictures if one.topic == topic]
    nothing = mo.callout(mo.md(f"Nothing to draw was traced in this period. {choose_topics(topic)[0].NEEDS}"))
    return mo.vstack([mo.md("## The data"), *(pictures or [nothing])])


def show_effects(report: Report) -> mo.Html:
    """Return what each finding says a change does, or that nothing was found."""
    chart = draw_effects(report.findings, confidence=report.options.confidence)
    return mo.vstack([mo.md("## Effects"), chart or mo.md("No finding in this period has an effect to draw.")])


def show_findings(report: Report) -> mo.Html:
    """Return the findings, and what to know before believing them."""
    notes = show_notes(report.tasks[0])
    found: list[object] = [mo.callout(mo.Html(show_finding(one)), kind=_KINDS[one.verdict]) for one in report.findings]
    return mo.vstack(
        [
            mo.md("## Findings\nClick one for what was seen, what it does, what to change and how to check it."),
            *(found or [mo.md("Nothing to change was found in this period.")]),
            *([mo.accordion({"Before you believe the figures": mo.Html(notes)})] if notes else []),
        ]
    )


def show_sql(report: Report) -> mo.Html:
    """Return the SQL behind the figures, closed until it is asked for."""
    questions = [mo.md(f"**{name}**\n```sql\n{sql}\n```") for name, sql in report.questions.items()]
    return mo.accordion({"The SQL behind the figures": mo.vstack(questions)})


def _explain(error: TrilemmaError) -> str:
    """Return an error's words for a page; a notebook that runs as a script fails with it."""
    if mo.app_meta().mode == "script":
        raise error
    return str(error)
