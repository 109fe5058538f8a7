"""Own the pictures of the loop: what was predicted beside what came of it, and what is vouched for."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trilemma_analysis.loop.calibrating import calibrate
from trilemma_analysis.loop.ledger import read_certificates, read_measurements, read_predictions
from trilemma_analysis.pictures.picture import Frame, Mark, Picture
from trilemma_analysis.wording import say_share

if TYPE_CHECKING:
    from datetime import datetime

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.loop.model import Certificate, Measurement, Prediction

__all__ = ["ASKS", "KINDS", "NEEDS", "QUESTIONS", "TITLE", "TOPIC", "make"]

TOPIC = "loop"
TITLE = "Loop and ledger"
ASKS = "Did what was adopted do what was predicted of it, and what is vouched for today?"
NEEDS = "Findings are adopted with `trilemma adopt`, measured with `trilemma verify`; `trilemma certificate` vouches."
KINDS: tuple[str, ...] = ()
QUESTIONS = ("ledger_predictions", "ledger_measurements", "ledger_certificates")
SIDES = ("quality", "cost", "latency")


def make(analysis: Analysis) -> list[Picture]:
    """Return the pictures of each task that the ledger knows, whatever the period."""
    tasks = list(analysis.scope.tasks)
    measured = read_measurements(analysis.store, tasks)
    by_task: dict[str, list[Prediction]] = defaultdict(list)
    for prediction in read_predictions(analysis.store, tasks):
        by_task[prediction.finding.task].append(prediction)
    vouched = {one.task: one for one in read_certificates(analysis.store, tasks)}
    return [
        picture
        for task in sorted({one.task for one in analysis.measures})
        for picture in (
            *_draw_predictions(Frame(TOPIC, task, analysis.options.confidence), by_task.get(task, []), measured),
            *_draw_certificate(
                Frame(TOPIC, task, analysis.options.confidence), vouched.get(task), analysis.scope.until
            ),
        )
    ]


def _draw_predictions(frame: Frame, ones: list[Prediction], measured: dict[str, Measurement]) -> list[Picture]:
    rates = [mark for one in ones for mark in _mark_effects(one, measured.get(one.finding.id), "share")]
    ratios = [mark for one in ones for mark in _mark_effects(one, measured.get(one.finding.id), "ratio")]
    pictures = [
        frame.draw(title, axis, marks, question="ledger_predictions", is_change=True)
        for title, axis, marks in (
            ("Did success do what was predicted?", "success rate, after minus before", rates),
            ("Did cost and latency do what was predicted?", "after over before (1: the same)", ratios),
        )
        if marks
    ]
    calibration = calibrate([measured[one.finding.id] for one in ones if one.finding.id in measured], frame.confidence)
    if calibration is not None:
        axis = "share of effects measured inside the interval that was stated"
        mark = Mark(name=f"{calibration.inside} of {calibration.effects} effects", estimate=calibration.share)
        pictures.append(frame.draw("May predictions be believed?", axis, [mark], question="ledger_measurements"))
    return pictures


def _mark_effects(one: Prediction, found: Measurement | None, unit: str) -> list[Mark]:
    """Return what was predicted of each side and, beside it, what was measured so far."""
    marks = []
    for side in SIDES:
        predicted = one.effect_on(side)
        name = f"{side}: {one.finding.title.removeprefix(f'{one.finding.task}: ')}"
        if predicted is not None and predicted.estimate.unit == unit:
            marks.append(Mark(name=name, group="predicted", estimate=predicted.estimate))
        marks += [
            Mark(name=name, group="measured", estimate=effect.measured)
            for effect in (found.effects if found else ())
            if effect.side == side and effect.measured.unit == unit
        ]
    return marks


def _draw_certificate(frame: Frame, one: Certificate | None, now: datetime) -> list[Picture]:
    if one is None:
        return []
    state = "broken" if one.broken_at else "expired" if one.valid_until <= now else "valid"
    until = one.valid_until.strftime("%Y-%m-%d")
    name = f"{state}, until {until}: {one.label}"
    marks = [Mark(name=name, group="success", estimate=one.success)]
    if one.pass_k is not None:
        marks.append(Mark(name=name, group=f"all of {one.k} trials of an input", estimate=one.pass_k))
    axis = f"share of runs; vouched for: at least {say_share(one.success_at_least)}"
    return [frame.draw("What is vouched for?", axis, marks, question="ledger_certificates")]
