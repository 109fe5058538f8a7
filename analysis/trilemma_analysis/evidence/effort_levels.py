"""Own the comparison of levels of effort: rows by level, and by pair of levels on shared inputs, in; pairs out."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.comparisons import PAIRING_GAIN, divide_estimates
from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.clustered import clustered_rate
from trilemma_analysis.stats.intervals import Interval, two_sided_z
from trilemma_analysis.stats.noninferiority import PairTable, compare_paired, compare_unpaired
from trilemma_analysis.stats.ratios import geometric_ratio, ratio_of_sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trilemma_analysis.stats.noninferiority import GateTest

__all__ = ["Level", "Pair", "read_pairs"]

LEAST_KNOWN = 30  # runs with a known outcome, of a level: with fewer it was tried by mistake, or has just begun
ALONE = "(all)"


@dataclass(frozen=True)
class Level:
    """The runs of one combination at one level."""

    task: str
    combination: str
    name: str
    known: int
    runs: int
    share: float
    """Of the combination's runs."""
    cost_share: float
    output_tokens: float
    reasoning_tokens: float
    reasoning_cost: float
    cost_per_run: Estimate | None
    row: dict[str, Any]

    @property
    def place(self) -> tuple[str, str]:
        """Return the task and the combination."""
        return self.task, self.combination

    @property
    def label(self) -> str:
        """Return its name for people."""
        return self.name or "(the default)"


@dataclass(frozen=True)
class Pair:
    """A cheaper level against the one in use most."""

    base: Level
    other: Level
    margin: float
    paired: bool
    test: GateTest
    difference: Estimate
    cost_ratio: Estimate | None
    latency_ratio: Estimate | None


def read_pairs(rows: Sequence[dict[str, Any]], margins: Mapping[str, float], confidence: float) -> list[Pair]:
    """Return, per combination, each level beside the one with most runs, from the rows of sql/effort_runs.sql."""
    alone: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    shared: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for row in rows:
        place = row["task_name"], row["combination"]
        if row["other_level"] == ALONE:
            alone[place].append(row)
        else:
            shared[*place, row["level"], row["other_level"]] = row
    pairs = []
    for place, own in sorted(alone.items()):
        levels = [one for one in _read_levels(own, confidence) if one.known >= LEAST_KNOWN]
        if len(levels) < 2:
            continue
        base = min(levels, key=lambda one: (-one.runs, one.name))
        pairs += [
            _compare(base, one, shared.get((*place, one.name, base.name)), margins[place[0]], confidence)
            for one in levels
            if one is not base
        ]
    return pairs


def _read_levels(rows: list[dict[str, Any]], confidence: float) -> list[Level]:
    runs, cost = sum(row["runs"] for row in rows), sum(row["cost_x"] for row in rows)
    return [
        Level(
            task=row["task_name"],
            combination=row["combination"],
            name=row["level"],
            known=int(row["known"]),
            runs=int(row["runs"]),
            share=row["runs"] / runs,
            cost_share=row["cost_x"] / cost if cost else 0.0,
            output_tokens=row["output_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
            reasoning_cost=row["reasoning_cost"],
            cost_per_run=_estimate_cost(row, confidence),
            row=row,
        )
        for row in rows
    ]


def _estimate_cost(row: dict[str, Any], confidence: float) -> Estimate | None:
    if not row["cost_n"] or len(row["currencies"]) != 1:
        return None
    interval = ratio_of_sums(read_moments(row, "cost", x_scale=PICO), confidence)
    return to_estimate(interval, int(row["cost_n"]), row["currencies"][0], "delta method on the log scale, over inputs")


def _compare(base: Level, other: Level, row: dict[str, Any] | None, margin: float, confidence: float) -> Pair:
    smaller = min(base.row["outcome_n"], other.row["outcome_n"])
    if row is not None and row["inputs"] * PAIRING_GAIN >= smaller:
        table = PairTable(
            values=np.array(row["differences"], dtype=float) / 1e4,
            counts=np.array(row["counts"], dtype=float),
            single=row["most_trials"] == 1,
        )
        test, method = compare_paired(table, margin, confidence), "paired by input, score"
        cost, latency = _ratio_paired(row, confidence)
        cost = None if base.cost_per_run is None or other.cost_per_run is None else cost
    else:
        row = None
        test = compare_unpaired(_effective(base), _effective(other), margin, confidence)
        method = "unpaired, Miettinen-Nurminen"
        ours, theirs = base.cost_per_run, other.cost_per_run
        cost = None if ours is None or theirs is None else divide_estimates(theirs, ours)
        latency = _ratio_unpaired(base.row, other.row, confidence)
    difference = to_estimate(test.difference, test.n, "share", method)
    return Pair(base, other, margin, row is not None, test, difference, cost, latency)


def _effective(level: Level) -> tuple[float, float]:
    """Return (successes, runs) as independent runs would have them, which repeated inputs are not."""
    rate = clustered_rate(read_moments(level.row, "outcome"))
    runs = float(rate.effective_n)
    return float(rate.interval.estimate) * runs, runs


def _ratio_paired(row: dict[str, Any], confidence: float) -> tuple[Estimate | None, Estimate | None]:
    cost = latency = None
    if row["cost_n"] >= 2 and row["cost_y"] > 0:
        interval = ratio_of_sums(read_moments(row, "cost", PICO, PICO), confidence)
        cost = to_estimate(interval, int(row["cost_n"]), "ratio", "paired by input, delta method on the log scale")
    if (n := row["latency_n"]) >= 2:
        interval = geometric_ratio(n, row["latency_sum"], row["latency_squares"], confidence)
        latency = to_estimate(interval, int(n), "ratio", "paired by input, geometric mean")
    return cost, latency


def _ratio_unpaired(base: dict[str, Any], other: dict[str, Any], confidence: float) -> Estimate | None:
    """Return the ratio of geometric means of two independent samples of inputs."""
    if min(base["latency_n"], other["latency_n"]) < 2:
        return None
    means, errors = zip(*(_mean_log(row) for row in (other, base)), strict=True)
    reach = two_sided_z(confidence) * math.hypot(*errors)
    ends = (np.asarray(math.exp(means[0] - means[1] + shift)) for shift in (-reach, 0.0, reach))
    n = int(min(base["latency_n"], other["latency_n"]))
    return to_estimate(Interval(*ends), n, "ratio", "unpaired, ratio of geometric means")


def _mean_log(row: dict[str, Any]) -> tuple[float, float]:
    n, total, squares = row["latency_n"], row["latency_sum"], row["latency_squares"]
    return total / n, math.sqrt(max(squares - total**2 / n, 0.0) / (n - 1) / n)
