"""Own what is decided of a policy made of several combinations: its gate, its amounts, and what it must beat.

A cascade and a route by segment are judged like a candidate of the gate: inputs that the baseline tried too, exact
non-inferiority, Holm over the policies of a task. They are only worth their complication where no safe plain route
saves as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import is_surely_less, known_ratio, to_estimate
from trilemma_analysis.findings.finding import Needed
from trilemma_analysis.gates import POWER
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.multiplicity import holm
from trilemma_analysis.stats.noninferiority import GateVerdict, compare_paired, more_pairs_needed
from trilemma_analysis.stats.ratios import geometric_ratio, ratio_of_sums
from trilemma_analysis.wording import say_count, say_money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.estimate import Estimate
    from trilemma_analysis.gates import GateResult
    from trilemma_analysis.stats.noninferiority import GateTest, PairTable

__all__ = [
    "Routed",
    "adjust_safe",
    "best_plain_ratio",
    "can_show",
    "find_paired",
    "plan_inputs",
    "say_need",
    "value_policy",
]


@dataclass(frozen=True)
class Routed:
    """What a policy does to success, cost and latency, on inputs that the baseline tried too."""

    margin: float
    test: GateTest
    difference: Estimate
    cost_ratio: Estimate | None
    latency_ratio: Estimate | None

    @property
    def saves(self) -> bool:
        """Return whether it surely costs less."""
        return is_surely_less(self.cost_ratio)

    @property
    def cost(self) -> float:
        """Return its cost as a ratio to the baseline's; infinite where unknown."""
        return known_ratio(self.cost_ratio)


def value_policy(pairs: PairTable, amounts: dict[str, Any], margin: float, confidence: float) -> Routed:
    """Judge a policy from its differences per input, and the moments ``cost_*`` and ``latency_*``."""
    test = compare_paired(pairs, margin, confidence)
    method = "paired by input, Tango" if pairs.single else "paired by input, score over inputs (inputs repeat)"
    cost = latency = None
    if amounts["cost_n"] >= 2 and amounts["cost_y"] > 0:
        interval = ratio_of_sums(read_moments(amounts, "cost", PICO, PICO), confidence)
        cost = to_estimate(interval, int(amounts["cost_n"]), "ratio", "paired by input, delta method on the log scale")
    if (n := amounts["latency_n"]) >= 2:
        interval = geometric_ratio(n, amounts["latency_sum"], amounts["latency_squares"], confidence)
        latency = to_estimate(interval, int(n), "ratio", "paired by input, geometric mean")
    return Routed(margin, test, to_estimate(test.difference, test.n, "share", method), cost, latency)


def find_paired(analysis: Analysis, *, cheaper: bool = True) -> list[GateResult]:
    """Return the gates of other models against the task's baseline, on enough shared inputs to show anything."""
    return [
        one
        for one in analysis.gates
        if analysis.is_candidate(one)
        and one.comparison.paired
        and "models" in one.comparison.differs_in
        and can_show(one.comparison.shared_inputs, one.comparison.margin, analysis.alpha)
        and (not cheaper or _cost(one) < 1)
    ]


def can_show(inputs: int, margin: float, alpha: float) -> bool:
    """Return whether so many inputs could show a policy safe at all: were none lost, (1 - margin)^n <= alpha."""
    return inputs * -math.log1p(-margin) >= -math.log(alpha)


def adjust_safe(policies: Sequence[Routed], alpha: float) -> list[float]:
    """Return the p-values of non-inferiority of one task's policies, by Holm; 1 for those too small to show it."""
    able = [index for index, one in enumerate(policies) if can_show(one.test.n, one.margin, alpha)]
    adjusted = [1.0] * len(policies)
    if able:
        for index, p in zip(able, holm([policies[index].test.p_noninferior for index in able]), strict=True):
            adjusted[index] = float(p)
    return adjusted


def best_plain_ratio(analysis: Analysis, task: str) -> float:
    """Return the least cost, as a ratio, of the task's safe plain routes; 1 where there is none: staying."""
    safe = (one for one in analysis.gates if one.verdict is GateVerdict.SAFE and analysis.is_candidate(one))
    return min((_cost(one) for one in safe if one.comparison.baseline.task == task), default=1.0)


def plan_inputs(one: Routed, alpha: float) -> int | None:
    """Return how many more shared inputs would call the policy safe with 80 % power, if it truly is as good.

    None where it looks worse by the margin already: then nobody should pay for more.
    """
    if (one.difference.value or 0.0) <= -one.margin:
        return None
    discordance = (one.test.discordance * one.test.n + 1) / (one.test.n + 2)
    difference = one.difference.value or 0.0
    return more_pairs_needed(one.margin, discordance, one.test.n, difference, alpha=alpha, power=POWER)


def say_need(n: int, plain: GateResult) -> tuple[str, Needed]:
    """Return what would settle a policy, in words and as data: inputs, and what its cheap combination costs on them."""
    price = plain.comparison.candidate.cost_per_run
    needed = Needed(n=n, unit="inputs tried by both")
    if price is None or price.value is None:
        return f"{say_count(n)} more inputs tried by both", needed
    cost = n * price.value
    text = f"{say_count(n)} more inputs tried by both, about {say_money(cost, price.unit)}"
    return text, needed.model_copy(update={"cost": cost, "currency": price.unit})


def _cost(result: GateResult) -> float:
    return known_ratio(result.comparison.cost_ratio)
