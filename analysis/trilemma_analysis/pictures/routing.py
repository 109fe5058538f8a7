"""Own the pictures of routing: how combinations do within segments, and where the routes there are lead."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from trilemma_analysis.pictures.marks import by_task, choose_most, share_of, width_of
from trilemma_analysis.pictures.picture import Frame, Mark, Picture

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["ASKS", "KINDS", "NEEDS", "QUESTIONS", "TITLE", "TOPIC", "make"]

TOPIC = "routing"
TITLE = "Routing"
ASKS = "Which model may do which part of the work, and how do the routes there are do?"
NEEDS = "Segments are told with `trilemma.task(segment=...)`, routes are traced with `trilemma.route`."
KINDS = ("model_route", "segment_route", "cascade", "policy_value", "effort", "service_tier")
QUESTIONS = ("traffic", "route_choices")
MOST = 5  # combinations in one picture, those with the most runs


def make(analysis: Analysis) -> list[Picture]:
    """Return the pictures of each task."""
    width_s = width_of(analysis)
    traffic = by_task(analysis.ask("traffic", width_s=width_s))
    choices = by_task(analysis.ask("route_choices"))
    segments = [_draw_segments(analysis, task, rows) for task, rows in traffic.items()]
    routes = [_draw_routes(analysis, task, rows) for task, rows in choices.items()]
    return [picture for pictures in segments + routes for picture in pictures]


def _draw_routes(analysis: Analysis, task: str, rows: list[dict[str, Any]]) -> list[Picture]:
    level = analysis.options.confidence
    total: Counter[str] = Counter()
    for row in rows:
        total[_route(row)] += row["decisions"]
    leads = [Mark(name=_way(row), estimate=share_of(row["decisions"], total[_route(row)], level)) for row in rows]
    ends = [Mark(name=_way(row), estimate=share_of(row["successes"], row["known"], level)) for row in rows]
    frame, question = Frame(TOPIC, task, level), "route_choices"
    return [
        frame.draw("Where do routes lead?", "share of the route's decisions", leads, question=question),
        frame.draw("How do routed runs end?", "success rate", ends, question=question),
    ]


def _draw_segments(analysis: Analysis, task: str, rows: list[dict[str, Any]]) -> list[Picture]:
    """Return success by segment and combination; nothing for a task without segments or outcomes."""
    known: Counter[tuple[str, str]] = Counter()
    won: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["known"]:
            known[row["segment"], row["combination"]] += row["known"]
            won[row["segment"], row["combination"]] += row["successes"]
    if not any(segment for segment, _ in known):
        return []
    ones = {one.combination: one for one in analysis.of_task(task)}
    most = choose_most({name: one.runs for name, one in ones.items()}, MOST)
    segments = sorted({segment for segment, _ in known})
    level = analysis.options.confidence
    marks = [
        Mark(name=segment or "no segment", group=ones[name].label, estimate=share_of(won[place], known[place], level))
        for segment in segments
        for name in most
        if known[place := (segment, name)]
    ]
    frame = Frame(TOPIC, task, level)
    return [frame.draw("Who does which segment?", "success rate", marks, question="traffic")]


def _route(row: dict[str, Any]) -> str:
    return f"{row['route']} {row['policy_version']}".strip()


def _way(row: dict[str, Any]) -> str:
    return f"{_route(row)} → {row['chosen']}"
