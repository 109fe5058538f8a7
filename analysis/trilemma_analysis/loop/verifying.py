"""Own verification: each adopted prediction is measured on the runs since, and the ledger told what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from trilemma.errors import ConfigurationError

from trilemma_analysis.estimate import Estimate, no_estimate
from trilemma_analysis.findings.finding import Needed
from trilemma_analysis.loop.calibrating import calibrate
from trilemma_analysis.loop.holdout import SIDES, compare_beside, measure_blocks
from trilemma_analysis.loop.ledger import read_measurements, read_predictions, write_measurement
from trilemma_analysis.loop.model import LoopVerdict, MeasuredEffect, Measurement, Standing
from trilemma_analysis.loop.timeline import LOOKS, find_look, follow
from trilemma_analysis.loop.verdicts import is_promised, judge, stand
from trilemma_analysis.stats.sequences import units_needed
from trilemma_analysis.wording import say_change, say_count, say_points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trilemma_analysis.client import Store
    from trilemma_analysis.loop.holdout import Beside, Blocks
    from trilemma_analysis.loop.model import Calibration, Prediction

__all__ = ["Verification", "measure", "verify"]

LEAST_BLOCKS = 30  # fewer, and what still runs as before is no holdout but the end of the old
_FOREVER = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Verification:
    """What came of the predictions asked for, and how all that were ever measured did."""

    measurements: tuple[Measurement, ...]
    calibration: Calibration | None


def verify(store: Store, finding_ids: Sequence[str] = (), *, until: datetime | None = None) -> Verification:
    """Measure what is adopted and write it into the ledger, where it differs from what was measured last.

    Args:
        store: the store.
        finding_ids: of adopted findings; none means all.
        until: leave out runs from then on.

    Raises:
        ConfigurationError: a finding is not adopted.
    """
    predictions = read_predictions(store)
    _check(predictions, finding_ids)
    last = read_measurements(store)
    made = []
    for one in predictions:
        if not finding_ids or one.finding.id in finding_ids:
            measured = measure(store, one, until or _FOREVER, predictions)
            known = last.get(one.finding.id)
            if known is None or known.model_dump_json() != measured.model_dump_json():
                write_measurement(store, measured)
            last[one.finding.id] = measured
            made.append(measured)
    return Verification(tuple(made), calibrate(last.values()))


def measure(store: Store, prediction: Prediction, until: datetime, others: Sequence[Prediction] = ()) -> Measurement:
    """Measure one prediction: beside what went on as before where enough did, else against the time before."""
    task = prediction.finding.task
    seen = store.ask("period", tasks=[task], service=prediction.service, until=until).to_pylist()[0]
    end = min(until, prediction.ends_at)
    if seen["runs"]:
        end = min(end, seen["end_at"].astimezone(UTC) + timedelta(microseconds=1))
    end = max(end, prediction.adopted_at)
    beside = compare_beside(store, prediction, end)
    action = prediction.finding.action
    if action is not None and action.candidate:
        if not beside.runs:
            return _say_nothing(prediction, beside, end, f"no run of {task} on {action.candidate} since the adoption")
        if beside.blocks["quality"].after.size >= LEAST_BLOCKS:
            return _measure_beside(prediction, beside, end)
    look = find_look(prediction, end)
    if look is None and beside.blocks["quality"].after.size and action is not None and action.candidate:
        return _measure_beside(prediction, beside, end)
    if look is None:
        first = timedelta(seconds=prediction.horizon_s * LOOKS[0])
        return _say_nothing(
            prediction, beside, end, f"nothing runs beside it, and the first look at the time series is after {first}"
        )
    return _measure_over_time(store, prediction, beside, look, others)


def _measure_beside(prediction: Prediction, beside: Beside, until: datetime) -> Measurement:
    effects = []
    for side in SIDES:
        predicted = prediction.effect_on(side)
        if predicted is not None or side == "quality":
            blocks = beside.blocks[side]
            measured = measure_blocks(side, blocks, prediction.confidence)
            stated = predicted.estimate if predicted else None
            effect = _compare(prediction, side, stated, measured)
            if effect.standing is Standing.OPEN:
                effect = effect.model_copy(update={"needed": _need_beside(prediction, effect, blocks, beside)})
            effects.append(effect)
    return _write(prediction, beside, until, "holdout", effects=effects)


def _measure_over_time(
    store: Store, prediction: Prediction, beside: Beside, look: datetime, others: Sequence[Prediction]
) -> Measurement:
    touched = [
        one.finding.task
        for one in others
        if one.finding.task != prediction.finding.task and prediction.since <= one.adopted_at < look
    ]
    seen = follow(store, prediction, look, touched)
    effects = []
    for side in SIDES:
        predicted = prediction.effect_on(side)
        if predicted is not None or side == "quality":
            effect = _compare(prediction, side, predicted.estimate if predicted else None, seen.effects[side])
            if effect.standing is Standing.OPEN:
                effect = effect.model_copy(update={"needed": _need_over_time(prediction, look)})
            effects.append(effect)
    return _write(
        prediction,
        beside,
        look,
        "time series",
        effects=effects,
        controls=seen.controls,
        is_confounded=seen.is_confounded,
    )


def _compare(prediction: Prediction, side: str, predicted: Estimate | None, measured: Estimate) -> MeasuredEffect:
    bounded = measured.low is not None and measured.high is not None and measured.value is not None
    inside = None
    if predicted is not None and predicted.low is not None and predicted.high is not None and bounded:
        inside = predicted.low <= (measured.value or 0.0) <= predicted.high
    return MeasuredEffect(
        side=side,
        predicted=predicted,
        measured=measured,
        standing=stand(side, predicted, measured, prediction.margin),
        is_inside=inside,
    )


def _need_beside(prediction: Prediction, effect: MeasuredEffect, blocks: Blocks, beside: Beside) -> Needed | None:
    """Say how many more runs would settle an open effect if it is what was predicted, else if it is what was seen."""
    side, lines = effect.side, blocks.difference
    if blocks.after.size < 2:
        return None
    seen = [one.value for one in (effect.predicted, effect.measured) if one is not None and one.value is not None]
    if side == "quality":
        least = 0.0 if is_promised(side, effect.predicted) else -prediction.margin
        distances = [value - least for value in seen]
    else:
        distances = [-math.log(value) for value in seen if value > 0]
        if side == "cost" and blocks.before.mean() > 0 and blocks.after.mean() > 0:
            lines = blocks.after / blocks.after.mean() - blocks.before / blocks.before.mean()
    variance, have = float(lines.var(ddof=1)), blocks.after.size
    plans = [units_needed(variance, each, confidence=prediction.confidence) for each in distances if each > 0]
    wanted = next((each for each in plans if each is not None and each > have), None)
    if wanted is None:
        return None
    per_block = (beside.runs + beside.runs_beside) / have
    return Needed(n=math.ceil((wanted - have) * per_block), unit="runs, with the change and beside it")


def _need_over_time(prediction: Prediction, look: datetime) -> Needed | None:
    """Say how long until the next look; None after the last one."""
    for part in LOOKS:
        at = prediction.adopted_at + timedelta(seconds=prediction.horizon_s * part)
        if at > look:
            hours = (at - look) / timedelta(hours=1)
            return Needed(n=math.ceil(hours / 24 if hours >= 48 else hours), unit="days" if hours >= 48 else "hours")
    return None


def _say_nothing(prediction: Prediction, beside: Beside, until: datetime, reason: str) -> Measurement:
    """Return a measurement of nothing yet, and why."""
    predicted = [one for side in SIDES if (one := prediction.effect_on(side)) is not None]
    effects = [_compare(prediction, one.side, one.estimate, no_estimate(one.estimate.unit)) for one in predicted]
    return _write(prediction, beside, until, "", effects=effects, reason=reason)


def _write(
    prediction: Prediction,
    beside: Beside,
    until: datetime,
    method: str,
    *,
    effects: Sequence[MeasuredEffect],
    controls: tuple[str, ...] = (),
    is_confounded: bool = False,
    reason: str = "",
) -> Measurement:
    verdict = judge(effects, is_confounded=is_confounded) if method else LoopVerdict.NOT_ENOUGH_DATA
    action = prediction.finding.action
    told_apart = action is not None and bool(action.candidate)
    return Measurement(
        finding_id=prediction.finding.id,
        task=prediction.finding.task,
        title=prediction.finding.title,
        adopted_at=prediction.adopted_at,
        until=until,
        method=method,
        verdict=verdict,
        reason=reason or _explain(prediction, verdict, {one.side: one for one in effects}, is_confounded=is_confounded),
        effects=tuple(effects),
        runs=beside.runs if told_apart else beside.runs + beside.runs_beside,
        runs_beside=beside.runs_beside if told_apart else 0,
        controls=controls,
        is_confounded=is_confounded,
    )


def _explain(
    prediction: Prediction, verdict: LoopVerdict, effects: Mapping[str, MeasuredEffect], *, is_confounded: bool
) -> str:
    if is_confounded:
        return "what the change cannot touch moved at the same time: something else happened, and only a holdout tells"
    quality = effects["quality"]
    if quality.standing is Standing.STOPPED:
        return (
            f"success changed by {say_change(quality.measured)}, surely a loss of more than "
            f"{say_points(prediction.margin).lstrip('+')}: go back"
        )
    if verdict is LoopVerdict.NOT_ENOUGH_DATA:
        open_ = [one for one in effects.values() if one.standing is Standing.OPEN]
        return "not settled: " + ", ".join(f"{one.side}{_say_need(one)}" for one in open_)
    missed = [one.side for one in effects.values() if one.standing is Standing.MISSED]
    return f"missed: {', '.join(missed)}" if missed else "all that was promised came true, within the margin"


def _say_need(one: MeasuredEffect) -> str:
    if one.measured.n == 0:
        return " (not known of any run)"
    return f" ({say_count(one.needed.n)} more {one.needed.unit})" if one.needed else ""


def _check(predictions: Sequence[Prediction], finding_ids: Sequence[str]) -> None:
    adopted = [one.finding.id for one in predictions]
    if missing := [each for each in finding_ids if each not in adopted]:
        shown = ", ".join(adopted) or "nothing at all"
        raise ConfigurationError(f"finding {missing[0]!r} is not adopted; adopted: {shown}. See `trilemma adopt`")
