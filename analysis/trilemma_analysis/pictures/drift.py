"""Own the pictures of drift: success, latency and cost over time, when they changed, and what work came when."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.buckets import find_width
from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.halves import read_calls, read_halves, split_by_source, split_by_traffic
from trilemma_analysis.evidence.mix_cost import name_parts, read_cost
from trilemma_analysis.findings.drift import LEAST_RUNS, find_drifts
from trilemma_analysis.pictures.marks import by_task, choose_most, read_time, share_of, width_of
from trilemma_analysis.pictures.picture import Frame, Mark, Moment, Picture
from trilemma_analysis.stats.intervals import Interval, two_sided_z

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.evidence.mix_cost import Cost
    from trilemma_analysis.evidence.mixes import Shift

__all__ = ["ASKS", "KINDS", "NEEDS", "QUESTIONS", "TITLE", "TOPIC", "make"]

TOPIC = "drift"
TITLE = "Drift and mix"
ASKS = "Did success, latency or cost change at some time, and did the same work come in as before?"
NEEDS = (
    "A change needs 20 runs before and after it; segments of the traffic are told with `trilemma.task(segment=...)`."
)
KINDS = ("drift", "mix_change")
QUESTIONS = ("series", "traffic", "mix_halves", "call_amounts")
MOST = 4  # lines in one picture, those with the most runs
COLUMNS = (
    "known",
    "successes",
    "timed",
    "latency_log",
    "latency_log_squares",
    "costly",
    "cost_log",
    "cost_log_squares",
)
SIDES = {
    "quality": ("Success over time", "success rate"),
    "latency": ("Latency over time", "seconds per run (geometric mean)"),
    "cost": ("Cost over time", "cost per run ({}, geometric mean)"),
}


def make(analysis: Analysis) -> list[Picture]:
    """Return the pictures of each task."""
    return [*_draw_series(analysis), *_draw_mix(analysis), *_draw_movers(analysis)]


def _draw_series(analysis: Analysis) -> list[Picture]:
    """Return the three sides over time, with the changes that the finding sees in its own finer buckets."""
    level = analysis.options.confidence
    fine_s, wide_s = find_width(analysis), width_of(analysis)
    rows = analysis.ask("series", width_s=fine_s, least_runs=LEAST_RUNS)
    labels = {one.key: one.label for one in analysis.measures}
    moments = _find_moments(rows, fine_s, level, labels)
    pictures = []
    for task, lines in by_task(rows).items():
        ones = analysis.of_task(task)
        shown = choose_most({one.combination: one.runs for one in ones}, MOST)
        sums = _widen([row for row in lines if row["combination"] in shown], wide_s // fine_s)
        unit = _find_unit(sorted({currency for one in ones for currency in one.currencies}))
        for side, (title, axis) in SIDES.items():
            marks = [
                Mark(name=labels[task, combination], at=read_time(bucket, wide_s), estimate=estimate)
                for (combination, bucket), row in sorted(sums.items())
                if (estimate := _read(side, row, level, unit)) is not None
            ]
            if marks:
                pictures.append(
                    Frame(TOPIC, task, level).draw(
                        title,
                        axis.format(unit or "currency not stated"),
                        marks,
                        question="series",
                        form="lines",
                        moments=moments[task, side],
                    )
                )
    return pictures


def _find_moments(
    rows: list[dict[str, Any]], width_s: int, level: float, labels: dict[tuple[str, str], str]
) -> dict[tuple[str, str], list[Moment]]:
    """Return when something changed, by task and side."""
    moments: dict[tuple[str, str], list[Moment]] = defaultdict(list)
    for one in find_drifts(rows, width_s, level):
        label, place = labels[one.task, one.combination], moments[one.task, one.side]
        place.append(Moment(at=one.at, line=label, name="changed"))
        if one.until is not None:
            place.append(Moment(at=one.until, line=label, name="went back"))
    return moments


def _widen(rows: list[dict[str, Any]], factor: int) -> dict[tuple[str, int], dict[str, float]]:
    """Return the sums of so many buckets each, by combination and wide bucket."""
    sums: dict[tuple[str, int], dict[str, float]] = {}
    for row in rows:
        into = sums.setdefault((row["combination"], row["bucket"] // factor), dict.fromkeys(COLUMNS, 0.0))
        for name in COLUMNS:
            into[name] += row[name]
    return sums


def _find_unit(currencies: Sequence[str]) -> str | None:
    """Return the currency of all costs; '' where none is stated, None where there are several."""
    return None if len(currencies) > 1 else next(iter(currencies), "")


def _read(side: str, row: dict[str, float], level: float, unit: str | None) -> Estimate | None:
    """Return the figure of one side in one bucket; None where there is none."""
    if side == "quality":
        return share_of(int(row["successes"]), int(row["known"]), level) if row["known"] else None
    if side == "latency":
        return _average(int(row["timed"]), row["latency_log"], row["latency_log_squares"], level, "s")
    if unit is None:
        return None
    return _average(int(row["costly"]), row["cost_log"], row["cost_log_squares"], level, unit)


def _average(n: int, total: float, squares: float, level: float, unit: str) -> Estimate | None:
    """Return the geometric mean of amounts whose logarithms were summed; None where there are none."""
    if not n:
        return None
    mean = total / n
    if n == 1:
        return Estimate(value=math.exp(mean), low=None, high=None, n=n, unit=unit, method="one run")
    reach = two_sided_z(level) * math.sqrt(max(squares - total * mean, 0.0) / (n - 1) / n)
    ends = (np.asarray(math.exp(mean + by)) for by in (-reach, 0.0, reach))
    return to_estimate(Interval(*ends), n, unit, "normal on the log scale")


def _draw_mix(analysis: Analysis) -> list[Picture]:
    """Return the shares of combinations and of segments in the runs of each bucket, where there are several."""
    width_s = width_of(analysis)
    rows = analysis.ask("traffic", width_s=width_s)
    labels = {one.key: one.label for one in analysis.measures}
    pictures = []
    for task, lines in by_task(rows).items():
        done_by: Counter[tuple[str, int]] = Counter()
        came_in: Counter[tuple[str, int]] = Counter()
        for row in lines:
            done_by[labels[task, row["combination"]], row["bucket"]] += row["runs"]
            came_in[row["segment"] or "no segment", row["bucket"]] += row["runs"]
        for title, axis, counts in (
            ("Who did the work?", "share of runs", done_by),
            ("What work came in?", "share of runs, by segment", came_in),
        ):
            if len({name for name, _ in counts}) > 1:
                marks = _mark_shares(counts, width_s, analysis)
                frame = Frame(TOPIC, task, analysis.options.confidence)
                pictures.append(frame.draw(title, axis, marks, question="traffic", form="lines"))
    return pictures


def _draw_movers(analysis: Analysis) -> list[Picture]:
    """Return what moved success, and cost, from the first half of each task's time to the last."""
    if not analysis.measures:
        return []
    halves, calls = read_halves(analysis), read_calls(analysis)
    pictures = []
    for task, rows in halves.items():
        frame = Frame(TOPIC, task, analysis.options.confidence)
        marks = _mark_success(split_by_traffic(analysis, task, rows), split_by_source(analysis, task, rows))
        if marks:
            axis = "change of the success rate, last half of the time minus first"
            title = "What moved success?"
            pictures.append(frame.draw(title, axis, marks, question="mix_halves", is_change=True))
        cost = read_cost(analysis, task, rows, calls.get(task, ()))
        if cost is not None and cost.parts:
            axis = "cost per run, last half of the time to first (1: no change)"
            title = "What moved the cost?"
            pictures.append(frame.draw(title, axis, _mark_cost(cost), question="call_amounts", is_change=True))
    return pictures


def _mark_success(traffic: Shift | None, sources: Shift | None) -> list[Mark]:
    """Return the change of the rate, and its parts."""
    marks = []
    if traffic is not None:
        marks += [
            Mark(name="in all", estimate=traffic.estimate(traffic.split.total)),
            Mark(name=f"by other {traffic.by}", estimate=traffic.estimate(traffic.split.mix)),
            Mark(name=f"by the same {traffic.by} doing otherwise", estimate=traffic.estimate(traffic.split.rate)),
        ]
    if sources is not None:
        marks.append(Mark(name="by who told the outcomes", estimate=sources.estimate(sources.split.mix)))
    return marks


def _mark_cost(cost: Cost) -> list[Mark]:
    """Return the cost per run as a ratio to the first half's, and what each part of the change alone would make it."""
    marks = [Mark(name="in all", estimate=cost.change)]
    for part, name in name_parts(cost).items():
        ratio = 1 + cost.parts[part] / cost.before  # arithmetic on what was spent, which has no error of its own
        exact = Estimate(value=ratio, low=ratio, high=ratio, n=cost.n, unit="ratio", method="Shapley value, exact")
        marks.append(Mark(name=f"by {name}", estimate=exact))
    return marks


def _mark_shares(counts: Counter[tuple[str, int]], width_s: int, analysis: Analysis) -> list[Mark]:
    sums: Counter[str] = Counter()
    totals: Counter[int] = Counter()
    for (name, bucket), runs in counts.items():
        sums[name] += runs
        totals[bucket] += runs
    return [
        Mark(
            name=name,
            at=read_time(bucket, width_s),
            estimate=share_of(counts[name, bucket], totals[bucket], analysis.options.confidence),
        )
        for name in choose_most(sums, MOST)
        for bucket in sorted(totals)
    ]
