"""Own the gate that answers "is the cheaper one safe?": one-sided non-inferiority, and its power."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from scipy import stats

from trilemma_analysis.stats.exact import paired_noninferiority_p, unpaired_noninferiority_p
from trilemma_analysis.stats.intervals import two_sided_z
from trilemma_analysis.stats.paired import mcnemar_exact, score_interval, score_z
from trilemma_analysis.stats.unpaired import independent_score_z, miettinen_nurminen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trilemma_analysis.stats.intervals import Interval

__all__ = [
    "GateTest",
    "GateVerdict",
    "PairTable",
    "compare_paired",
    "compare_unpaired",
    "more_pairs_needed",
    "pairs_needed",
    "power_of",
]

# The exact sum costs time in n. Beyond this many inputs the score test serves: the largest size found for it over 300
# discordances at n = 3,000 to 5,000 was 5.4 % (margin 1 point) and 5.2 % (margin 5 points) of nominal 5 %.
EXACT_LIMIT = 20_000
_MOST_PAIRS = 100_000_000


class GateVerdict(StrEnum):
    """What the gate says of a candidate."""

    SAFE = "safe"
    WORSE = "worse"
    NOT_ENOUGH_DATA = "not enough data"


@dataclass(frozen=True, slots=True)
class PairTable:
    """Inputs that both combinations tried: the distinct differences B minus A per input, and the inputs with each.

    ``single`` says that each input was tried once by each: then the differences are -1, 0 and 1 and tests are exact.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.float64]
    single: bool

    @property
    def n(self) -> int:
        """Return the number of inputs."""
        return int(self.counts.sum())

    @property
    def discordance(self) -> float:
        """Return the mean squared difference: with single trials, the share of inputs whose outcomes differ."""
        return float(self.counts @ self.values**2 / self.n) if self.n else math.nan

    def count_of(self, value: float) -> int:
        """Return the number of inputs with one difference."""
        return int(self.counts[self.values == value].sum())


@dataclass(frozen=True, slots=True)
class GateTest:
    """One candidate against the baseline: the difference in success rate, and the p-values of the two claims."""

    difference: Interval
    n: int
    p_noninferior: float  # of "B is worse by the margin or more": small allows the claim "safe"
    p_worse: float  # of "B is no worse": small allows the claim "worse"
    p_better: float  # of "B is no better": small allows the claim "better"
    discordance: float


def compare_paired(pairs: PairTable, margin: float, confidence: float = 0.95) -> GateTest:
    """Test a candidate on the inputs it shares with the baseline, at least one.

    Single trials: exact unconditional test in the order of Nam's score (stats.exact) and exact McNemar. Repeated
    trials: score tests over inputs (stats.paired.score_z) with Student's t.
    """
    n = pairs.n
    freedom = max(n - 1, 1)
    if pairs.single and n <= EXACT_LIMIT:
        gains, losses = pairs.count_of(1.0), pairs.count_of(-1.0)
        p_noninferior = paired_noninferiority_p(gains, losses, n, margin)
        p_worse, p_better = float(mcnemar_exact(gains, losses)), float(mcnemar_exact(losses, gains))
    else:
        p_noninferior = float(stats.t.sf(score_z(pairs.values, pairs.counts, -margin), freedom))
        z = float(score_z(pairs.values, pairs.counts, 0.0))
        p_worse, p_better = float(stats.t.cdf(z, freedom)), float(stats.t.sf(z, freedom))
    critical = two_sided_z(confidence) if pairs.single else float(stats.t.isf((1 - confidence) / 2, freedom))
    interval = score_interval(pairs.values, pairs.counts, confidence, critical)
    return GateTest(interval, n, p_noninferior, p_worse, p_better, pairs.discordance)


def compare_unpaired(
    baseline: tuple[float, float], candidate: tuple[float, float], margin: float, confidence: float = 0.95
) -> GateTest:
    """Test a candidate on other inputs than the baseline's, each given as (successes, runs).

    Runs may be effective sample sizes (stats.clustered), which are rounded down. The exact test goes in the order of
    the score of Miettinen and Nurminen. ``discordance`` is that of independent pairs with these rates.
    """
    (won_a, n_a), (won_b, n_b) = (_round_down(*side) for side in (baseline, candidate))
    if max(n_a, n_b) <= EXACT_LIMIT:
        p_noninferior = unpaired_noninferiority_p(won_a, n_a, won_b, n_b, margin)
        # "B is worse" is "A is better": at margin 0 the roles change.
        p_worse = unpaired_noninferiority_p(won_b, n_b, won_a, n_a, 0.0)
        p_better = unpaired_noninferiority_p(won_a, n_a, won_b, n_b, 0.0)
    else:
        p_noninferior = float(stats.norm.sf(independent_score_z(won_a, n_a, won_b, n_b, -margin)))
        z = float(independent_score_z(won_a, n_a, won_b, n_b, 0.0))
        p_worse, p_better = float(stats.norm.cdf(z)), float(stats.norm.sf(z))
    rate_a, rate_b = baseline[0] / baseline[1], candidate[0] / candidate[1]
    discordance = rate_a * (1 - rate_b) + rate_b * (1 - rate_a)
    interval = miettinen_nurminen(*baseline, *candidate, confidence)
    return GateTest(interval, min(n_a, n_b), p_noninferior, p_worse, p_better, discordance)


def pairs_needed(
    margin: float, discordance: float, alpha: float = 0.05, power: float = 0.8, difference: float = 0.0
) -> int:
    """Return the inputs both must try so that a candidate with this true difference is called safe with this power.

    n = (z_alpha + z_beta)^2 (discordance - difference^2) / (margin + difference)^2; source: Nam 1997, eq. 7, in its
    large-sample form. ``difference`` is B minus A and must exceed -margin.
    """
    if difference <= -margin:
        raise ValueError(
            f"a candidate {difference} from the baseline is not within the margin {margin}: no n shows it is"
        )
    z = stats.norm.isf(alpha) + stats.norm.isf(1 - power)
    return math.ceil(float(z) ** 2 * (discordance - difference**2) / (margin + difference) ** 2)


def more_pairs_needed(
    margin: float, discordance: float, n: int, difference: float, *, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Return how many inputs more would call a candidate safe with this power, if on those it truly is as good.

    Conditional power given what was seen (Lan and Wittes 1988): of n inputs with a mean ``difference`` and m more with
    a mean of 0, the score (n difference + (n + m) margin) / sqrt((n + m) discordance) must exceed z_alpha with the
    power asked for. With n = 0 this is pairs_needed. None where more than a hundred million would be needed.
    """
    z_alpha, z_power = float(stats.norm.isf(alpha)), float(stats.norm.isf(1 - power))

    def suffices(more: int) -> bool:
        total = n + more
        spread = z_alpha * math.sqrt(total * discordance) + z_power * math.sqrt(more * discordance)
        return n * difference + total * margin >= spread

    low, high = 0, 1
    while not suffices(high):
        low, high = high, high * 2
        if high > _MOST_PAIRS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def power_of(n: int, margin: float, discordance: float, alpha: float = 0.05, difference: float = 0.0) -> float:
    """Return the probability that n inputs call such a candidate safe; arguments as in pairs_needed."""
    spread = math.sqrt(discordance - difference**2)
    return float(stats.norm.cdf((margin + difference) * math.sqrt(n) / spread - stats.norm.isf(alpha)))


def _round_down(successes: float, runs: float) -> tuple[int, int]:
    """Return whole counts with the same rate, never more runs than there were."""
    whole = max(1, math.floor(runs + 1e-9))
    return round(successes / runs * whole), whole
