"""Own the logs of one choice: cells of runs by segment, option and probability, and what each option is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trilemma_analysis.estimate import Estimate, is_surely_less, known_ratio, to_estimate
from trilemma_analysis.measures import PICO
from trilemma_analysis.stats.intervals import Interval
from trilemma_analysis.stats.off_policy import Logs, check_overlap, value_contrast, value_doubly_robust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Arm", "LoggedChoice", "read_choice"]

MOST_UNITS = 200_000  # beyond it cells are thinned alike, which only widens intervals
WELL_PRICED = 0.95  # of the runs: where fewer have a price, the rest may cost otherwise
POWER_Z = 0.84
METHOD = "off-policy, doubly robust"


@dataclass(frozen=True)
class Arm:
    """One option, as if it had always been chosen, against the choices as logged."""

    name: str
    share: float
    combination: str
    """What its runs ran as, where that is one combination."""
    effective_n: float
    refusal: str
    difference: Estimate | None = None
    safe_low: float = -1.0
    """Lower end at the level of the claim "safe" over all options."""
    claim_low: float = -1.0
    cost_ratio: Estimate | None = None
    latency_ratio: Estimate | None = None
    safe_z: float = 0.0
    n: int = 0

    def is_safe(self, margin: float) -> bool:
        """Return whether a loss of the margin is ruled out."""
        return not self.refusal and self.safe_low > -margin

    @property
    def is_better(self) -> bool:
        """Return whether it surely succeeds more often."""
        return not self.refusal and self.claim_low > 0

    @property
    def saves(self) -> bool:
        """Return whether it surely costs less."""
        return is_surely_less(self.cost_ratio)

    @property
    def cost(self) -> float:
        """Return its cost as a ratio; infinite where unknown."""
        return known_ratio(self.cost_ratio)

    @property
    def gain(self) -> float:
        """Return the difference in success; 0 where unknown."""
        return 0.0 if self.difference is None else self.difference.value or 0.0

    def count_more(self, margin: float) -> int | None:
        """Return how many units more would rule out a loss of the margin with 80 % power, were it truly as good."""
        if self.difference is None or self.gain <= -margin or self.is_safe(margin):
            return None
        error = (self.gain - self.safe_low) / self.safe_z
        return max(1, math.ceil(self.n * (((self.safe_z + POWER_Z) * error / margin) ** 2 - 1)))


@dataclass(frozen=True)
class LoggedChoice:
    """The logs of one choice in one task."""

    task: str
    kind: str
    name: str
    rows: tuple[dict[str, Any], ...]

    @cached_property
    def actions(self) -> list[str]:
        """Return the options that were chosen."""
        return sorted({row["chosen"] for row in self.rows})

    @property
    def units(self) -> int:
        """Return the units (runs, users) whose success is known."""
        return int(sum(row["quality_n"] for row in self.rows))

    @property
    def runs(self) -> int:
        """Return their runs."""
        return int(sum(row["runs"] for row in self.rows))

    @property
    def unit_name(self) -> str:
        """Return what is counted."""
        unit = next((row["unit"] for row in self.rows if row["unit"]), "")
        return f"{unit}s" if unit in {"user", "session", "customer"} else "runs"

    @property
    def currency(self) -> str | None:
        """Return the currency of the costs; None where there is none, or several."""
        found = {currency for row in self.rows for currency in row["currencies"]}
        return found.pop() if len(found) == 1 else None

    @property
    def mean_cost(self) -> float:
        """Return what a unit costs on average, as logged."""
        return float(sum(row["cost_sum"] for row in self.rows) * PICO / max(sum(row["cost_n"] for row in self.rows), 1))

    def value_arms(self, confidence: float, *, safe_level: float, claim_level: float) -> list[Arm]:
        """Value each option as if it had always been chosen."""
        return [self._value_arm(name, confidence, safe_level, claim_level) for name in self.actions]

    def _value_arm(self, name: str, confidence: float, safe_level: float, claim_level: float) -> Arm:
        logs = self._build_logs("quality", name)
        overlap = check_overlap(logs)
        own = [row for row in self.rows if row["chosen"] == name]
        combinations = sorted({one for row in own for one in row["combinations"]})
        share = sum(row["quality_n"] for row in own) / max(self.units, 1)
        combination = combinations[0] if len(combinations) == 1 else ""
        arm = Arm(name, share, combination, overlap.effective_n, overlap.refusal)
        if arm.refusal:
            return arm
        wide, safe, claim = (_contrast(logs, level) for level in (confidence, safe_level, claim_level))
        return Arm(
            name, share, combination, overlap.effective_n, "",
            difference=to_estimate(wide, self.units, "share", METHOD),
            safe_low=float(safe.low),
            claim_low=float(claim.low),
            cost_ratio=self._compare_costs(name, confidence),
            latency_ratio=self._compare_latencies(name, confidence),
            safe_z=float(stats.norm.isf((1 - safe_level) / 2)),
            n=self.units,
        )  # fmt: skip

    def _compare_costs(self, name: str, confidence: float) -> Estimate | None:
        """Return the ratio of mean costs, by the delta method on the scores of both."""
        priced = sum(row["cost_n"] for row in self.rows)
        if self.currency is None or priced < WELL_PRICED * sum(row["units"] for row in self.rows):
            return None
        logs = self._build_logs("cost", name)
        mean, valued = float(logs.reward.mean()), value_doubly_robust(logs, confidence).interval
        if valued is None or mean <= 0:
            return None
        ratio = float(valued.estimate) / mean
        around = value_contrast(logs, confidence, factor=ratio).interval
        if around is None:
            return None
        reach = float(around.high - around.estimate) / mean
        return to_estimate(Interval.around(ratio, reach), int(priced), "ratio", METHOD)

    def _compare_latencies(self, name: str, confidence: float) -> Estimate | None:
        timed = sum(row["latency_n"] for row in self.rows)
        if timed < WELL_PRICED * sum(row["units"] for row in self.rows):
            return None
        found = value_contrast(self._build_logs("latency", name), confidence).interval
        if found is None:
            return None
        ends = (np.asarray(np.exp(end)) for end in (found.low, found.estimate, found.high))
        return to_estimate(Interval(*ends), int(timed), "ratio", f"{METHOD}, of logarithms")

    def _build_logs(self, side: str, name: str) -> Logs:
        """Return a row per unit, with the mean and the spread of its cell: all that the estimates use of rewards."""
        total = sum(row[f"{side}_n"] for row in self.rows)
        thin = max(1.0, total / MOST_UNITS)
        cells = [(row, max(1, round(row[f"{side}_n"] / thin))) for row in self.rows if row[f"{side}_n"]]
        segments = sorted({row["segment"] for row, _ in cells})
        scale = PICO if side == "cost" else 1.0
        reward = np.concatenate([_spread(row, side, n) for row, n in cells]) * scale
        counts = [n for _, n in cells]
        target = np.zeros((reward.size, len(self.actions)))
        target[:, self.actions.index(name)] = 1.0
        return Logs.of(
            reward,
            np.repeat([self.actions.index(row["chosen"]) for row, _ in cells], counts),
            np.repeat([row["probability"] for row, _ in cells], counts),
            target,
            np.repeat([segments.index(row["segment"]) for row, _ in cells], counts),
        )


def read_choice(key: tuple[str, str, str], rows: Sequence[dict[str, Any]]) -> LoggedChoice | None:
    """Return the rows of sql/logged_policies.sql for one choice; None where nobody knows how its runs went."""
    known = any(row["quality_n"] for row in rows)
    return LoggedChoice(*key, tuple(rows)) if known else None


def _contrast(logs: Logs, level: float) -> Interval:
    found = value_contrast(logs, level).interval
    if found is None:
        raise ValueError("the logs refuse: check the overlap first")
    return found


def _spread(row: dict[str, Any], side: str, n: int) -> NDArray[np.float64]:
    """Return n values with the mean and the variance of a cell: half above, half below, one between if n is odd."""
    seen = row[f"{side}_n"]
    mean = row[f"{side}_sum"] / seen
    variance = max(row[f"{side}_squares"] / seen - mean**2, 0.0)
    signs = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    if n % 2:
        signs[-1] = 0.0
    even = n - n % 2
    return np.asarray(mean + signs * math.sqrt(variance * n / even)) if even else np.array([mean])
