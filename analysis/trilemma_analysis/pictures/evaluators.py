"""Own the pictures of evaluators: how far each agrees with what is true, and how far people agree with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma_analysis.buckets import find_width
from trilemma_analysis.estimate import to_estimate
from trilemma_analysis.evidence.people import measure_ceiling
from trilemma_analysis.evidence.verdicts import AGGREGATED, read_judges, to_codes
from trilemma_analysis.findings.evaluator_audit import MOST_VERDICTS
from trilemma_analysis.pictures.marks import share_of
from trilemma_analysis.pictures.picture import Frame, Mark, Picture
from trilemma_analysis.wording import say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.evidence.verdicts import Judge, Truth

__all__ = ["ASKS", "KINDS", "NEEDS", "QUESTIONS", "TITLE", "TOPIC", "make"]

TOPIC = "evaluators"
TITLE = "Evaluators"
ASKS = "Which evaluators can be believed, and how far do people agree with each other?"
NEEDS = "Verdicts are told with `trilemma evaluate`; labels of people with `trilemma label` say what is true."
KINDS = ("evaluator_audit",)
QUESTIONS = ("verdict_pairs", "human_verdicts")


def make(analysis: Analysis) -> list[Picture]:
    """Return the pictures of each task that has evaluators."""
    asked = analysis.ask("verdict_pairs", width_s=find_width(analysis), most_verdicts=MOST_VERDICTS)
    if not asked:
        return []
    people = analysis.ask("human_verdicts", left_out=list(AGGREGATED))
    judges = read_judges(asked, [])
    return [
        picture
        for task in sorted({judge.task for judge in judges})
        for picture in (*_draw_judges(analysis, task, judges), *_draw_people(analysis, task, people))
    ]


def _draw_judges(analysis: Analysis, task: str, judges: list[Judge]) -> list[Picture]:
    level = analysis.options.confidence
    held = [(one, truth) for one in judges if one.task == task and (truth := one.choose_truth()) is not None]
    agreed = [_mark_agreement(judge, truth, level) for judge, truth in held]
    errors = [mark for judge, truth in held if judge.is_polar for mark in _mark_errors(judge, truth, level)]
    drawn = (
        ("How often does each agree with the truth?", "share of runs judged as they truly are", agreed),
        ("What does each pass, and what does it stop?", "share", errors),
    )
    frame = Frame(TOPIC, task, level)
    return [frame.draw(title, axis, marks, question="verdict_pairs") for title, axis, marks in drawn if marks]


def _draw_people(analysis: Analysis, task: str, people: list[dict[str, Any]]) -> list[Picture]:
    """Return how far people agree with each other: the ceiling of any judge. None where no two were asked the same."""
    ceiling = measure_ceiling(people, task, analysis.options.confidence)
    if ceiling is None:
        return []
    alpha = to_estimate(ceiling.alpha, ceiling.items, "alpha", "Krippendorff's alpha, bootstrap over runs")
    name = f"{ceiling.people} people, agreeing in {say_share(ceiling.agreement)} of pairs"
    axis = "Krippendorff's alpha (1: always, 0: as by chance)"
    mark = Mark(name=name, estimate=alpha)
    frame = Frame(TOPIC, task, analysis.options.confidence)
    return [frame.draw("How far do people agree with each other?", axis, [mark], question="human_verdicts")]


def _mark_agreement(judge: Judge, truth: Truth, level: float) -> Mark:
    told, said, _ = to_codes(truth, polar=judge.is_polar)
    return Mark(name=_name(judge, truth), estimate=share_of(int((told == said).sum()), len(told), level))


def _mark_errors(judge: Judge, truth: Truth, level: float) -> list[Mark]:
    """Return which part of what is right it passes, and which part of what is wrong it stops."""
    told, said, _ = to_codes(truth, polar=True)
    passed, stopped = said[told == 1] == 1, said[told == 0] == 0
    return [
        Mark(name=_name(judge, truth), group=group, estimate=share_of(int(hits.sum()), len(hits), level))
        for group, hits in (("passed, of what is right", passed), ("stopped, of what is wrong", stopped))
        if len(hits)
    ]


def _name(judge: Judge, truth: Truth) -> str:
    return f"{judge.name}, by {truth.label}"
