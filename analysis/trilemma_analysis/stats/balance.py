"""Own the check that traffic was split as planned: a sample ratio mismatch says the experiment itself is broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["SampleRatio", "check_sample_ratio"]

ALARM = 0.001  # the usual level: a real mismatch is far below it, and each experiment is checked again and again
_SMALL = 30.0  # expected count below which chi-square errs more often than it says


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """How often a split as uneven as this, or more, would come by chance if the planned one held."""

    observed: NDArray[np.float64]
    expected: NDArray[np.float64]
    p_value: float

    @property
    def is_mismatch(self) -> bool:
        """Whether the split is not what was planned."""
        return self.p_value < ALARM


def check_sample_ratio(counts: ArrayLike, weights: ArrayLike) -> SampleRatio:
    """Compare how many units each variant got with the weights they were to be drawn by.

    Args:
        counts: units (users, sessions, tasks) per variant, not runs: units are what is assigned.
        weights: the planned weight of each, > 0; they need not sum to 1.

    Of two variants the exact binomial test, of more Pearson's chi-square, or 10,000 draws with a fixed seed where one
    was to get fewer than 30 units. Source: Fabijan et al. 2019, KDD, "Diagnosing sample ratio mismatch".
    Raises ValueError for weights that are not positive, or shapes that differ.
    """
    seen, planned = np.asarray(counts, dtype=float), np.asarray(weights, dtype=float)
    if seen.shape != planned.shape or not (planned > 0).all():
        raise ValueError(f"weights {planned.tolist()} must be positive, one for each of {seen.size} variants")
    share = planned / planned.sum()
    expected = seen.sum() * share
    statistic = float(((seen - expected) ** 2 / np.where(expected > 0, expected, 1)).sum())
    if not seen.sum():
        return SampleRatio(seen, expected, 1.0)
    if seen.size == 2:
        p = stats.binomtest(int(seen[0]), int(seen.sum()), float(share[0])).pvalue
        return SampleRatio(seen, expected, float(p))
    if expected.min() >= _SMALL:
        return SampleRatio(seen, expected, float(stats.chi2.sf(statistic, seen.size - 1)))
    draws = np.random.default_rng(0).multinomial(int(seen.sum()), share, size=10_000)
    drawn = ((draws - expected) ** 2 / expected).sum(axis=-1)
    return SampleRatio(seen, expected, float((1 + (drawn >= statistic - 1e-9).sum()) / 10_001))
