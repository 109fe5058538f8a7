"""Own the measurement of a change that everyone got at once: the series before and since, less what it cannot touch.

An interval of a series is for one look, so the looks are fixed beforehand: at half and at the end of the horizon, each
with half of the error. Between them the last one stands, however often one asks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.estimate import Estimate, no_estimate, to_estimate
from trilemma_analysis.stats.interrupted import MIN_BUCKETS, measure_interruption
from trilemma_analysis.stats.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from trilemma_analysis.client import Store
    from trilemma_analysis.loop.model import Prediction
    from trilemma_analysis.stats.interrupted import Interruption

__all__ = ["LOOKS", "Timeline", "choose_width", "find_look", "follow", "measure_series"]

LOOKS = (0.5, 1.0)
MOST_CONTROLS = 3
LEAST_CONTROL = 0.5  # of the runs that the change touches: a thinner series would add more noise than it takes off
THIN = 0.25  # of the median bucket's runs: what has fewer (a night) shows chance, and is left out
MOST_BUCKETS_BEFORE = 400
DAY_S = 86_400
WIDTHS_S = (30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY_S)  # each goes into a day

_Series = dict[tuple[str, str], dict[int, dict[str, Any]]]


@dataclass(frozen=True)
class Timeline:
    """What was measured of each side at the last look, and what was taken off."""

    until: datetime
    effects: dict[str, Estimate]
    controls: tuple[str, ...]
    is_confounded: bool


def choose_width(horizon_s: int) -> int:
    """Return the widest bucket, in seconds, of which the first look has enough."""
    fitting = [width for width in WIDTHS_S if horizon_s * LOOKS[0] / width >= MIN_BUCKETS]
    return fitting[-1] if fitting else WIDTHS_S[0]


def find_look(prediction: Prediction, until: datetime) -> datetime | None:
    """Return the last of the fixed looks up to whose last bucket there are runs, None before the first."""
    late = timedelta(seconds=choose_width(prediction.horizon_s))
    passed = [
        at
        for look in LOOKS
        if (at := prediction.adopted_at + timedelta(seconds=prediction.horizon_s * look)) <= until + late
    ]
    return passed[-1] if passed else None


def follow(store: Store, prediction: Prediction, look: datetime, touched: Sequence[str]) -> Timeline:
    """Measure each side at a look; tasks in ``touched`` were changed too, and are no controls."""
    width_s = choose_width(prediction.horizon_s)
    rows = store.ask("adopted_series", **_bind(prediction, look, width_s)).to_pylist()
    series: _Series = defaultdict(dict)
    for row in rows:
        if row["series_task"] not in touched:
            series[row["series_task"], row["series_combination"]][row["bucket"]] = row
    confidence = 1 - (1 - prediction.confidence) / len(LOOKS)
    effects, controls, moved = {}, {}, False
    for side in ("quality", "cost", "latency"):
        found = measure_series(side, series, width_s, confidence, prediction.confidence)
        effects[side], names, is_confounded = found
        controls.update(dict.fromkeys(names))
        moved |= is_confounded
    return Timeline(look, effects, tuple(controls), moved)


def measure_series(
    side: str,
    series: Mapping[tuple[str, str], Mapping[int, Mapping[str, Any]]],
    width_s: int,
    confidence: float,
    single: float,
) -> tuple[Estimate, tuple[str, ...], bool]:
    """Return the effect on one side, its controls' names, and whether they moved at the time of the change.

    Args:
        side: of the triangle.
        series: rows of sql/adopted_series.sql by series and bucket; the one that the change touches is ('', '').
        width_s: of the buckets.
        confidence: of the interval.
        single: of the check of the controls, which every look makes anew.
    """
    unit = "share" if side == "quality" else "ratio"
    own = _keep_full(side, series.get(("", ""), {}))
    buckets = sorted(own)
    start = sum(bucket < 0 for bucket in buckets)
    if min(start, len(buckets) - start) < MIN_BUCKETS:
        return no_estimate(unit), (), False
    controls = _choose_controls(side, series, buckets)
    values = np.array([own[bucket] for bucket in buckets])
    beside = np.array(list(controls.values())) if controls else None
    season = _find_season(buckets, start, width_s)
    made, checked = (
        measure_interruption(values, start, beside, season=season, confidence=level) for level in (confidence, single)
    )
    method = f"interrupted time series, {len(controls)} control(s)"
    n = sum(series["", ""][bucket][_COUNTS[side]] for bucket in buckets)
    return _to_effect(side, made, n, method), tuple(controls), checked.is_confounded


_COUNTS = {"quality": "known", "cost": "priced", "latency": "timed"}


def _bind(prediction: Prediction, look: datetime, width_s: int) -> dict[str, Any]:
    action = prediction.finding.action
    before, after = (action.baseline, action.candidate or action.baseline) if action else ("", "")
    seen = prediction.adopted_at - prediction.since
    back = max(timedelta(seconds=prediction.horizon_s), seen)
    return {
        "task": prediction.finding.task,
        "service": prediction.service,
        "since": prediction.adopted_at - min(back, timedelta(seconds=width_s * MOST_BUCKETS_BEFORE)),
        "adopted_at": prediction.adopted_at,
        "until": look,
        "before": before,
        "after": after,
        "width_us": width_s * 1_000_000,
    }


def _read(side: str, row: Mapping[str, Any]) -> float | None:
    """Return a bucket's value: the success rate, or the logarithm of the mean cost or of the typical latency."""
    if not row[_COUNTS[side]]:
        return None
    if side == "quality":
        return float(row["successes"] / row["known"])
    if side == "latency":
        return float(row["latency"] / row["timed"])
    return float(np.log(row["spent"] / row["priced"])) if row["spent"] > 0 else None


def _keep_full(side: str, rows: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    """Return the values of the buckets that have about as many runs as others."""
    values = {bucket: value for bucket, row in rows.items() if (value := _read(side, row)) is not None}
    least = THIN * float(np.median([rows[bucket][_COUNTS[side]] for bucket in values] or [0]))
    return {bucket: value for bucket, value in values.items() if rows[bucket][_COUNTS[side]] >= least}


def _choose_controls(
    side: str, series: Mapping[tuple[str, str], Mapping[int, Mapping[str, Any]]], buckets: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Return the largest series that the change cannot touch and that have runs in each bucket."""
    least = LEAST_CONTROL * sum(series["", ""][bucket][_COUNTS[side]] for bucket in buckets)
    found = []
    for (task, combination), rows in series.items():
        values = [_read(side, rows[bucket]) if bucket in rows else None for bucket in buckets]
        n = sum(rows[bucket][_COUNTS[side]] for bucket in buckets if bucket in rows)
        if task and n >= least and None not in values:
            found.append((-n, f"{task} ({combination})" if combination else task, np.array(values, dtype=float)))
    return {name: values for _, name, values in sorted(found, key=lambda one: one[:2])[:MOST_CONTROLS]}


def _find_season(buckets: Sequence[int], start: int, width_s: int) -> int:
    """Return how many buckets make a day (a week, of days), 0 where some are missing or too few to tell."""
    season = 7 if width_s == DAY_S else DAY_S // width_s
    is_whole = buckets[-1] - buckets[0] + 1 == len(buckets)
    return season if is_whole and 2 * season <= start and 4 * season <= len(buckets) else 0


def _to_effect(side: str, made: Interruption, n: int, method: str) -> Estimate:
    ends = (made.effect.low, made.effect.estimate, made.effect.high)
    if side == "quality":
        return to_estimate(Interval(*(np.clip(end, -1, 1) for end in ends)), n, "share", method)
    return to_estimate(Interval(*(np.exp(end) for end in ends)), n, "ratio", method)
