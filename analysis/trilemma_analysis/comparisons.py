"""Own the comparison of a candidate with a baseline: paired on shared inputs where they suffice, unpaired else."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.intervals import two_sided_z
from trilemma_analysis.stats.noninferiority import GateTest, PairTable, compare_paired, compare_unpaired
from trilemma_analysis.stats.ratios import geometric_ratio, ratio_of_sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trilemma_analysis.client import Store
    from trilemma_analysis.measures import Measures
    from trilemma_analysis.scope import Scope

__all__ = ["PAIRING_GAIN", "Changes", "Comparison", "compare", "divide_estimates"]

# Pairing saves this factor of the inputs (statistics.md of the project, SWE-bench Verified): with fewer shared inputs
# than this fraction of the smaller side, the unshared ones tell more.
PAIRING_GAIN = 3.4


class Changes(NamedTuple):
    """What a candidate does to each side: the difference in success rate, the ratios of cost and latency."""

    difference: Estimate
    cost_ratio: Estimate | None
    latency_ratio: Estimate | None


@dataclass(frozen=True)
class Comparison:
    """One candidate against one baseline in one task: the gate's test, and what it does to cost and latency."""

    baseline: Measures
    candidate: Measures
    margin: float
    paired: bool
    shared_inputs: int
    test: GateTest
    difference: Estimate
    cost_ratio: Estimate | None
    latency_ratio: Estimate | None
    at_once: Changes | None = None
    """The three changes with intervals that hold for all comparisons of the task at once."""

    @property
    def stated(self) -> Changes:
        """Return the changes as a finding may state them, which names this candidate because of how it came out.

        The best (or worst) of many looks better (or worse) than it is: an interval of its own level would miss the
        truth more often than it says.
        """
        return self.at_once or Changes(self.difference, self.cost_ratio, self.latency_ratio)

    @property
    def differs_in(self) -> tuple[str, ...]:
        """Return the axes on which the two differ, ``models`` first."""
        models = ("models",) if self.baseline.models != self.candidate.models else ()
        ours, theirs = self.baseline.axes, self.candidate.axes
        return models + tuple(axis for axis in {**ours, **theirs} if ours.get(axis) != theirs.get(axis))


def compare(
    store: Store,
    scope: Scope,
    pairs: Sequence[tuple[Measures, Measures]],
    margins: Mapping[str, float],
    confidence: float,
) -> list[Comparison]:
    """Compare (baseline, candidate) pairs; those with no known outcome on one side are left out.

    Args:
        store: the store.
        scope: what to look at.
        pairs: baselines and candidates, each of one task.
        margins: the margin of each task.
        confidence: level of the two-sided intervals.
    """
    known = [(baseline, candidate) for baseline, candidate in pairs if baseline.known and candidate.known]
    if not known:
        return []
    wanted = {
        "pair_tasks": [baseline.task for baseline, _ in known],
        "pair_baselines": [baseline.combination for baseline, _ in known],
        "pair_candidates": [candidate.combination for _, candidate in known],
    }
    outcomes: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in store.ask("pair_outcomes", **scope.parameters, **wanted).to_pylist():
        outcomes[_key(row)].append(row)
    amounts = {_key(row): row for row in store.ask("pair_amounts", **scope.parameters, **wanted).to_pylist()}
    tried = Counter(baseline.task for baseline, _ in known)
    return [
        _compare_one(
            pair, margins[pair[0].task], (confidence, tried[pair[0].task]), outcomes.get(key, []), amounts.get(key)
        )
        for pair in known
        for key in [(pair[0].task, pair[0].combination, pair[1].combination)]
    ]


def _compare_one(
    pair: tuple[Measures, Measures],
    margin: float,
    confidence_and_tried: tuple[float, int],
    outcomes: list[dict[str, Any]],
    amounts: dict[str, Any] | None,
) -> Comparison:
    (baseline, candidate), (confidence, tried) = pair, confidence_and_tried
    shared = sum(row["inputs"] for row in outcomes)
    paired = shared > 0 and shared * PAIRING_GAIN >= min(baseline.success.n, candidate.success.n)
    pairs, used = (_read_pairs(outcomes), amounts) if paired else (None, None)
    test, changes = _measure_changes(pair, margin, confidence, pairs, used)
    at_once = None
    if tried > 1:
        at_once = _hold_at_once(_measure_changes(pair, margin, 1 - (1 - confidence) / tried, pairs, used)[1], tried)
        if not paired:
            at_once = _widen_ratios(at_once, two_sided_z(1 - (1 - confidence) / tried) / two_sided_z(confidence))
    return Comparison(baseline, candidate, margin, paired, shared, test, *changes, at_once)


def _measure_changes(
    pair: tuple[Measures, Measures],
    margin: float,
    confidence: float,
    pairs: PairTable | None,
    amounts: dict[str, Any] | None,
) -> tuple[GateTest, Changes]:
    """Return the gate's test and the three changes, on shared inputs where `pairs` are given."""
    if pairs is not None:
        test = compare_paired(pairs, margin, confidence)
        method = "paired by input, Tango" if pairs.single else "paired by input, score over inputs (inputs repeat)"
    else:
        test = compare_unpaired(_effective(pair[0]), _effective(pair[1]), margin, confidence)
        method = "unpaired, Miettinen-Nurminen"
    difference = to_estimate(test.difference, test.n, "share", method)
    return test, Changes(
        difference, _compare_costs(pair, amounts, confidence), _compare_latencies(pair, amounts, confidence)
    )


def _hold_at_once(changes: Changes, tried: int) -> Changes:
    """Say of intervals at 1 - alpha / tried that they hold for so many comparisons at once (Bonferroni)."""

    def say(one: Estimate) -> Estimate:
        return one.model_copy(update={"method": f"{one.method}; for {tried} comparisons at once"})

    cost, latency = changes.cost_ratio, changes.latency_ratio
    return Changes(
        say(changes.difference), None if cost is None else say(cost), None if latency is None else say(latency)
    )


def _widen_ratios(changes: Changes, factor: float) -> Changes:
    """Widen ratios of independent estimates, whose intervals were made before it was known how many are compared."""

    def widen(one: Estimate | None) -> Estimate | None:
        if one is None or not one.value:
            return one
        low, high = (None if not end else one.value * (end / one.value) ** factor for end in (one.low, one.high))
        return one.model_copy(update={"low": low, "high": high})

    return Changes(changes.difference, widen(changes.cost_ratio), widen(changes.latency_ratio))


def _read_pairs(rows: list[dict[str, Any]]) -> PairTable:
    return PairTable(
        values=np.array([row["difference"] for row in rows], dtype=float),
        counts=np.array([row["inputs"] for row in rows], dtype=float),
        single=all(row["most_trials"] == 1 for row in rows),
    )


def _effective(measures: Measures) -> tuple[float, float]:
    """Return (successes, runs) as independent runs would have them, which repeated inputs are not."""
    return (measures.success.value or 0.0) * measures.effective_n, measures.effective_n


def _compare_costs(
    pair: tuple[Measures, Measures], amounts: dict[str, Any] | None, confidence: float
) -> Estimate | None:
    """Return the ratio of mean costs, or None where one is unknown, free, or in another currency."""
    ours, theirs = pair[0].cost_per_run, pair[1].cost_per_run
    if ours is None or theirs is None or ours.unit != theirs.unit or not ours.value or theirs.value is None:
        return None
    if amounts is not None and amounts["cost_n"] >= 2:
        interval = ratio_of_sums(read_moments(amounts, "cost", PICO, PICO), confidence)
        return to_estimate(interval, int(amounts["cost_n"]), "ratio", "paired by input, delta method on the log scale")
    return divide_estimates(theirs, ours)


def _compare_latencies(
    pair: tuple[Measures, Measures], amounts: dict[str, Any] | None, confidence: float
) -> Estimate | None:
    """Return the typical ratio of latencies: paired, the geometric mean over inputs; unpaired, the ratio of medians."""
    if amounts is not None and amounts["latency_n"] >= 2:
        n = amounts["latency_n"]
        interval = geometric_ratio(n, amounts["latency_sum"], amounts["latency_squares"], confidence)
        return to_estimate(interval, int(n), "ratio", "paired by input, geometric mean")
    return divide_estimates(pair[1].latency_p50, pair[0].latency_p50)


def divide_estimates(numerator: Estimate, denominator: Estimate) -> Estimate | None:
    """Return the ratio of two independent positive estimates, by their distances on the log scale.

    Source: MOVER for ratios, Donner and Zou 2012, on logarithms.
    """
    if not numerator.value or not denominator.value:
        return None
    ratio = numerator.value / denominator.value

    def reach(up: float | None, down: float | None) -> float | None:
        if not up or not down or not numerator.value or not denominator.value:
            return None
        return math.exp(math.hypot(math.log(up / numerator.value), math.log(down / denominator.value)))

    below, above = reach(numerator.low, denominator.high), reach(numerator.high, denominator.low)
    return Estimate(
        value=ratio,
        low=None if below is None else ratio / below,
        high=None if above is None else ratio * above,
        n=min(numerator.n, denominator.n),
        unit="ratio",
        method="unpaired, log distances of the two intervals",
    )


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["task_name"], row["baseline"], row["candidate"]
