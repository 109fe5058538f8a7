"""Own the finding "something changed at that time": success, latency and cost within one combination, over time."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trilemma_analysis.buckets import find_width
from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Verdict
from trilemma_analysis.stats.changepoint import Change, Series, find_change
from trilemma_analysis.stats.intervals import Interval
from trilemma_analysis.stats.unpaired import newcombe
from trilemma_analysis.wording import say_change, say_count, say_seconds, say_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "find", "find_drifts"]

KIND = "drift"
QUESTIONS = ("series",)
LEAST_RUNS = 40  # of a combination: a change needs 20 runs on each side


@dataclass(frozen=True)
class Drift:
    """One change found in one measure of one combination."""

    task: str
    combination: str
    side: str
    at: datetime
    until: datetime | None
    """When it went back; None for a change that lasts."""
    change: Change
    p_value: float
    effect: Estimate
    worse: bool


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each combination and side of the triangle that changed beyond chance."""
    if not analysis.measures:
        return []
    width_s = find_width(analysis)
    rows = analysis.ask("series", width_s=width_s, least_runs=LEAST_RUNS)
    labels = {one.key: one.label for one in analysis.measures}
    drifts = find_drifts(rows, width_s, analysis.options.confidence)
    return [_report(one, labels[one.task, one.combination], width_s) for one in drifts]


def find_drifts(rows: Sequence[dict[str, Any]], width_s: int, confidence: float) -> list[Drift]:
    """Return the changes in rows of sql/series.sql that stand after Holm, at a family's part of the error."""
    by_combination: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_combination[row["task_name"], row["combination"]].append(row)
    candidates = [
        (key, side, series, change, lines)
        for key, lines in by_combination.items()
        for side, series in _read_series(lines).items()
        if (change := find_change(series)) is not None
    ]
    if not candidates:
        return []
    p_values = adjust_claims([change.p_value for _, _, _, change, _ in candidates])
    drifts = []
    for (key, side, series, change, lines), p_value in zip(candidates, p_values, strict=True):
        if p_value <= 1 - confidence:
            at = datetime.fromtimestamp(lines[change.start]["bucket"] * width_s, UTC)
            until = None if change.lasts else datetime.fromtimestamp(lines[change.stop]["bucket"] * width_s, UTC)
            effect = _measure_effect(side, series, change, confidence)
            rising = change.after > change.before
            worse = rising != (side == "quality")
            drifts.append(Drift(*key, side, at, until, change, p_value, effect, worse))
    return drifts


def _read_series(lines: list[dict[str, Any]]) -> dict[str, Series]:
    """Return the series of one combination: outcomes as they are, latencies and costs as logarithms."""
    columns = {name: np.array([line[name] for line in lines], dtype=float) for name in lines[0] if name not in _LABELS}
    series = {"quality": Series.of_rates(columns["known"], columns["successes"])}
    for side, n, total, squares in (
        ("latency", "timed", "latency_log", "latency_log_squares"),
        ("cost", "costly", "cost_log", "cost_log_squares"),
    ):
        series[side] = Series.of_sums(
            columns[n], columns[total], _pooled_variance(columns[n], columns[total], columns[squares])
        )
    return series


_LABELS = ("task_name", "combination", "bucket")


def _pooled_variance(
    n: np.ndarray[Any, np.dtype[np.float64]],
    total: np.ndarray[Any, np.dtype[np.float64]],
    squares: np.ndarray[Any, np.dtype[np.float64]],
) -> float:
    """Return the variance of single runs about the mean of their bucket; 0 where it cannot be told."""
    used = n > 0
    freedom = n.sum() - used.sum()
    if freedom <= 0:
        return 0.0
    within = squares[used].sum() - (total[used] ** 2 / n[used]).sum()
    # Amounts that do not vary (a fixed cost) would make any rounding a change: half a percent is the least that counts.
    return max(float(within / freedom), 0.005**2)


def _measure_effect(side: str, series: Series, change: Change, confidence: float) -> Estimate:
    """Return the change of the success rate in points, or of the typical latency or cost as a ratio.

    The interval is that of two periods at a known time; that the time was searched for makes it somewhat too narrow.
    """
    n = int(change.n_before + change.n_after)
    if side == "quality":
        won = (change.before * change.n_before, change.after * change.n_after)
        interval = newcombe(won[0], change.n_before, won[1], change.n_after, confidence)
        return to_estimate(interval, n, "share", "Newcombe, after minus before")
    shift = change.after - change.before
    error = math.sqrt(float(series.variance) * (1 / change.n_before + 1 / change.n_after))
    reach = float(stats.norm.isf((1 - confidence) / 2)) * error
    ends = (np.asarray(math.exp(shift + by)) for by in (-reach, 0.0, reach))
    return to_estimate(Interval(*ends), n, "ratio", "ratio of geometric means, after to before")


def _report(one: Drift, label: str, width_s: int) -> Finding:
    noun = {"quality": "success rate", "latency": "typical latency", "cost": "typical cost per run"}[one.side]
    direction = "rose" if one.change.after > one.change.before else "fell"
    when = _say_time(one.at) if one.until is None else f"{_say_time(one.at)} and went back about {_say_time(one.until)}"
    rest, part = ("before", "from then on") if one.until is None else ("outside", "in that time")
    return Finding(
        id=identify(KIND, one.task, one.combination, one.side),
        kind=KIND,
        task=one.task,
        where=label,
        title=f"{one.task}: {noun} of {label} {direction} about {when}",
        what=(
            f"{part.capitalize()}, {_say(one.side, one.change.after)} over {say_count(one.change.n_after)} runs; "
            f"{rest}, {_say(one.side, one.change.before)} over {say_count(one.change.n_before)}: "
            f"{say_change(one.effect)} (p = {one.p_value:.2g}, for trying every time and adjusted for all claims of "
            f"this report). Times are known to about {_say_width(width_s)}. The combination stayed the same throughout."
        ),
        verdict=Verdict.ACT if one.worse else Verdict.DONT,
        evidence=Evidence(
            n=int(one.change.n_before + one.change.n_after), unit="runs", questions=QUESTIONS, p_value=one.p_value
        ),
        effects=(Effect(side=one.side, what=f"{noun}, change {part}", estimate=one.effect),),
        risk="The inputs may have changed rather than the provider: compare what was asked before and after.",
        change=_name_change(one),
        verification="Run the same inputs again and compare with their outcomes from before.",
    )


def _name_change(one: Drift) -> str:
    if not one.worse:
        return "Nothing: this is to the better. Figures from the other time do not hold for it."
    if one.until is not None:
        return f"Find out what was wrong from {_say_time(one.at)} to {_say_time(one.until)}, and alert on it."
    return (
        f"Find out what changed about {_say_time(one.at)}: the provider's model, the inputs, the evaluator, or your "
        "release. Figures from before no longer hold."
    )


def _say_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _say(side: str, value: float) -> str:
    if side == "quality":
        return say_share(value)
    return say_seconds(math.exp(value)) if side == "latency" else f"{math.exp(value):.3g} a run"


def _say_width(width_s: int) -> str:
    if width_s >= 86_400:
        return f"{width_s // 86_400} day(s)"
    return f"{width_s // 3600} h" if width_s >= 3600 else f"{width_s // 60} min" if width_s >= 60 else f"{width_s} s"
