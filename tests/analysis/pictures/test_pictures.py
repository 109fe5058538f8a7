"""Hold the pictures to what was planted: each topic has some, with figures, n and intervals as the rows have them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from trilemma.errors import ConfigurationError
from trilemma_analysis.client import connect
from trilemma_analysis.commands.notebook import list_notebooks
from trilemma_analysis.estimate import Estimate
from trilemma_analysis.findings import list_finders
from trilemma_analysis.pictures import Mark, Moment, Picture, choose_topics, list_topics
from trilemma_analysis.report import build_report
from trilemma_analysis.report.drawing import draw_picture
from trilemma_analysis.report.effects import draw_effects
from trilemma_analysis.report.style import to_svg

from tests.analysis.planted import Runs, add_runs, make_store
from tests.analysis.traced_ledger import COST, QUALITY
from tests.analysis.traced_shop import RUNS, SOURCES, TASK

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.report import Report

START = datetime(2026, 11, 2, tzinfo=UTC)


def find(report: Report, title: str) -> Picture:
    """Return the picture of a title."""
    (found,) = [one for one in report.pictures if one.title == title]
    return found


def read(report: Report, title: str) -> dict[tuple[str, str], Estimate]:
    """Return a picture's figures by name and group."""
    return {(mark.name, mark.group): mark.estimate for mark in find(report, title).marks}


def covers(estimate: Estimate, truth: float) -> bool:
    """Return whether an interval holds a planted truth."""
    return (estimate.low or 0.0) <= truth <= (float("inf") if estimate.high is None else estimate.high)


def test_every_topic_is_a_notebook_and_has_pictures(traced: Report) -> None:
    """Each topic has a notebook of its name, pictures where all is traced, and asks only questions it names."""
    assert {topic.TOPIC for topic in list_topics()} < set(list_notebooks())
    for topic in list_topics():
        drawn = [one for one in traced.pictures if one.topic == topic.TOPIC]
        assert {name for one in drawn for name in one.questions} <= set(topic.QUESTIONS), topic.TOPIC
        assert topic.TITLE
        assert topic.NEEDS.endswith(".")
    assert {one.topic for one in traced.pictures} == {topic.TOPIC for topic in list_topics()}


def test_segments_and_routes(traced: Report) -> None:
    """Success within segments is as planted, by combination, and a route's choices add up to all its decisions."""
    ends = read(traced, "Who does which segment?")
    large, small = "large · prompt=answer@v1", "small · prompt=answer@v2"
    for place, truth in {("question", large): 0.95, ("complaint", large): 0.9, ("question", small): 0.94,
                         ("complaint", small): 0.6}.items():  # fmt: skip
        assert covers(ends[place], truth), place
    assert sum(one.n for one in ends.values()) == 2 * RUNS
    assert {one.value for one in read(traced, "Where do routes lead?").values()} == {0.5}


def test_context(traced: Report) -> None:
    """Tokens per context and the share of use are those of each source, used and unused apart."""
    tokens, use = read(traced, "What fills the context?"), read(traced, "Which part is of use?")
    for source, size, share in SOURCES:
        name = f"search: {source}"
        assert covers(use[name, ""], share)
        assert use[name, ""].n == 2 * RUNS
        parts = [tokens[name, group].value or 0.0 for group in ("marked used", "marked unused")]
        assert sum(parts) == pytest.approx(size, abs=1)


def test_guardrails_and_fallback(traced: Report) -> None:
    """Stops, their precision, their part of the runs' time, and each attempt's success are as planted."""
    stopped = read(traced, "What does each guardrail stop?")
    assert covers(stopped["pii (output)", "blocked"], 0.08)
    assert covers(read(traced, "How often is a block right?")["pii (output)", ""], 0.7)
    time = read(traced, "How long does it take?")["pii (output)", ""]
    assert covers(time, 0.0202 / 1.083)  # of runs that take a second times a log-normal factor
    attempts = read(traced, "How often does each attempt of a fallback succeed?")
    assert covers(attempts["models 1: large", ""], 0.85)
    assert attempts["models 2: spare", ""].value == 1.0


def test_caching(traced: Report) -> None:
    """Longer waits see more repeats; a cache's hits and wrong hits are as planted; each call's tokens are counted."""
    repeats = [
        mark.estimate.value or 0.0
        for mark in find(traced, "How long would an exact cache have to keep its answers?").marks
    ]
    assert repeats == sorted(repeats)
    assert repeats[-1] > 0
    hits = read(traced, "How often do the app's own caches answer, and how often wrongly?")
    assert covers(hits["answers (semantic)", "hits, of lookups"], 0.3)
    assert covers(hits["answers (semantic)", "wrong, of marked hits"], 0.05)
    reads = find(traced, "What does the provider's prompt cache read?").marks
    assert sum(mark.estimate.n for mark in reads) == 2 * RUNS


def test_evaluators(traced: Report) -> None:
    """A judge that errs in one run of ten agrees with people in nine of ten, on the runs that people labelled."""
    (agreed,) = read(traced, "How often does each agree with the truth?").values()
    assert covers(agreed, 0.9)
    assert 0.1 * 2 * RUNS < agreed.n < 0.3 * 2 * RUNS


def test_ledger(traced: Report) -> None:
    """What was predicted stands beside what was measured, their calibration is counted, and a certificate is shown."""
    name = "quality: route to small"
    success = read(traced, "Did success do what was predicted?")
    assert (success[name, "predicted"], success[name, "measured"]) == QUALITY
    ratios = read(traced, "Did cost and latency do what was predicted?")
    assert (ratios["cost: route to small", "predicted"], ratios["cost: route to small", "measured"]) == COST
    assert [mark.name for mark in find(traced, "May predictions be believed?").marks] == ["1 of 2 effects"]
    vouched = find(traced, "What is vouched for?")
    assert vouched.marks[0].name == "valid, until 2026-07-31: large"
    assert "at least 92.0 %" in vouched.axis


def test_change_is_marked_where_it_was_planted(report: Report) -> None:
    """The shop's summaries got worse on day 12: a line across the picture says so, and no other picture has one."""
    marked = [one for one in report.pictures if one.moments]
    assert [(one.task, one.title) for one in marked] == [("support.summary", "Success over time")]
    (moment,) = marked[0].moments
    planted = min(mark.at for mark in marked[0].marks if mark.at is not None) + timedelta(days=12)
    assert abs(moment.at - planted) < timedelta(days=1)


def test_pictures_count_every_run(report: Report) -> None:
    """The buckets of a picture over time add up to the runs whose outcome is known."""
    (summary,) = [task for task in report.tasks if task.name == "support.summary"]
    (success,) = [one for one in report.pictures if (one.task, one.title) == ("support.summary", "Success over time")]
    assert sum(mark.estimate.n for mark in success.marks) == sum(one.known for one in summary.combinations)


def test_parts_add_up_to_what_moved(report: Report) -> None:
    """What moved success and cost between the halves of each task's time adds up to how far they went."""
    moved = [one for one in report.pictures if one.title.startswith("What moved ")]
    assert {one.task for one in moved} >= {"support.refund", "support.reply", "support.summary", "support.triage"}
    assert {one.title for one in moved} == {"What moved success?", "What moved the cost?"}
    for picture in moved:
        none = 1.0 if picture.marks[0].estimate.unit == "ratio" else 0.0
        whole, *parts = [(one.estimate.value or 0.0) - none for one in picture.marks]
        assert whole == pytest.approx(sum(parts), abs=1e-9)


def test_nothing_traced_nothing_drawn(tmp_path: Path) -> None:
    """Runs without hashes, prompts, segments, decisions or verdicts have no pictures beside those over time."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(60, extra={}))
        report = build_report(store)
    assert {one.topic for one in report.pictures} == {"drift"}


def test_one_topic_alone(report: Report, shop: str) -> None:
    """A report of one topic has its findings and pictures, as in the whole report, and its questions."""
    with connect(shop) as store:
        alone = build_report(store, topic="caching")
        without = build_report(store, pictures=False)
    assert alone.pictures == tuple(one for one in report.pictures if one.topic == "caching")
    assert {one.kind for one in alone.findings} == {"repeated_requests"}
    assert all(one in report.findings for one in alone.findings)
    assert "series" not in alone.questions
    assert without.pictures == ()
    assert without.findings == report.findings


def test_unknown_topic() -> None:
    """A topic that is not there is an error that lists those there are."""
    with pytest.raises(ConfigurationError, match="there is no topic 'cashing'; there are: caching, context"):
        choose_topics("cashing")


@pytest.mark.parametrize("form", ["dots", "bars", "lines"])
def test_drawing_states_n_interval_and_unit(form: str) -> None:
    """However it is drawn, a picture says its title, the level of its intervals, its n and its axis."""
    picture = make_picture(form, lines=1)
    svg = to_svg(draw_picture(picture))
    for words in ("A title", "90 % intervals", "an axis in tokens", "n = 7" if form == "lines" else "n 7"):
        assert words in svg, words
    assert svg == to_svg(draw_picture(picture))


def test_many_lines_get_a_panel_each() -> None:
    """Three lines with bands would hide each other: each has its panel, and a change is marked in its own."""
    picture = make_picture("lines", lines=3)
    moved = picture.model_copy(update={"moments": (Moment(at=START, line="line 1", name="changed"),)})
    svg = to_svg(draw_picture(moved))
    assert all(f">line {i}<" in svg for i in range(3))
    assert svg.count(">changed<") == 1


def test_effects_of_findings(report: Report) -> None:
    """Each effect of each finding is in the chart, with interval and n; without findings there is no chart."""
    found = [one for one in report.findings if one.task == "support.refund"]
    chart = draw_effects(found)
    assert chart is not None
    svg = to_svg(chart)
    assert len(re.findall(r">[^<>]* · n [\d,]+</text>", svg)) == sum(len(one.effects) for one in found)
    assert "95 % intervals" in svg
    assert draw_effects([]) is None


def test_kinds_belong_to_one_topic() -> None:
    """No kind of finding is shown in two notebooks of one question each."""
    kinds = [kind for topic in list_topics() for kind in topic.KINDS]
    assert len(kinds) == len(set(kinds))
    assert {"model_route", "prompt_version", "repeated_requests", "drift"} <= set(kinds) & {
        finder.KIND for finder in list_finders()
    }


def make_picture(form: str, lines: int) -> Picture:
    """Return a picture of three points per line, seven units each."""
    estimate = Estimate(value=2000.0, low=1000.0, high=None, n=7, unit="tokens", method="planted")
    marks = tuple(
        Mark(name=f"line {i}", group="a", at=START + timedelta(days=day), estimate=estimate)
        for i in range(lines)
        for day in range(3)
    )
    return Picture.model_validate(
        {"topic": "drift", "task": TASK, "title": "A title", "form": form, "axis": "an axis in tokens", "marks": marks,
         "confidence": 0.9, "questions": ("series",)}
    )  # fmt: skip
