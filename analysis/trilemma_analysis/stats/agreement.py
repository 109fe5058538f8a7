"""Own how far evaluators agree: with each other beyond chance, with the truth, and with themselves when asked again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trilemma_analysis.stats.intervals import Interval, jeffreys

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Accuracy", "cohen_kappa", "flip_rate", "judge_accuracy", "krippendorff_alpha"]

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often a judge says yes to what is right, and no to what is wrong."""

    true_positive: Interval
    true_negative: Interval

    @property
    def youden(self) -> float:
        """True positive rate plus true negative rate minus 1: 0 for a judge that tosses a coin of any kind."""
        return float(self.true_positive.estimate + self.true_negative.estimate - 1)


def cohen_kappa(first: ArrayLike, second: ArrayLike, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Return the agreement of two evaluators on the same items beyond chance, with a bootstrap interval over items.

    Args:
        first: labels, as whole numbers from 0, shape (items,).
        second: the other's, of the same shape.
        confidence: of the interval.
        seed: of the resampling.

    Source: Cohen 1960. NaN where both always say the same one label: then there is nothing to agree on beyond chance.
    The interval is that of the percentile bootstrap on Fisher's z, with Student's correction of the spread.
    """
    a, b = np.asarray(first, dtype=np.intp), np.asarray(second, dtype=np.intp)
    size = int(max(a.max(), b.max())) + 1
    table = np.bincount(a * size + b, minlength=size * size).astype(float).reshape(size, size)
    draws = np.random.default_rng(seed).multinomial(a.size, table.ravel() / a.size, size=_DRAWS)
    return _bootstrap(_kappa(table), _kappa(draws.reshape(_DRAWS, size, size).astype(float)), a.size, confidence)


def krippendorff_alpha(labels: ArrayLike, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Return the agreement of any number of evaluators, some of whom may not have seen some items.

    Args:
        labels: whole numbers from 0, and -1 for "not seen", shape (items, evaluators); nominal.
        confidence: of the interval.
        seed: of the resampling.

    Source: Krippendorff 2011, "Computing Krippendorff's alpha-reliability". Items with fewer than two labels are left
    out. The interval is a bootstrap over items. NaN where all labels are one.
    """
    table = np.asarray(labels, dtype=np.intp)
    size = max(int(table.max()) + 1, 1)
    counts = np.stack([(table == label).sum(axis=1) for label in range(size)], axis=1).astype(float)
    counts = counts[counts.sum(axis=1) >= 2]
    kinds, index = np.unique(counts, axis=0, return_inverse=True)
    seen = np.bincount(index.ravel(), minlength=len(kinds)).astype(float)
    draws = np.random.default_rng(seed).multinomial(len(counts), seen / seen.sum(), size=_DRAWS).astype(float)
    return _bootstrap(_alpha(kinds, seen), _alpha(kinds, draws), len(counts), confidence)


def judge_accuracy(truth: ArrayLike, judged: ArrayLike, confidence: float = 0.95) -> Accuracy:
    """Return how often a yes-or-no judge is right about what is right, and about what is wrong (Jeffreys intervals)."""
    right, said = np.asarray(truth, dtype=bool), np.asarray(judged, dtype=bool)
    positive = jeffreys(float((right & said).sum()), max(float(right.sum()), 1e-9), confidence)
    negative = jeffreys(float((~right & ~said).sum()), max(float((~right).sum()), 1e-9), confidence)
    return Accuracy(positive, negative)


def flip_rate(first_order: ArrayLike, second_order: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return how often a pairwise judge's verdict hangs on the order in which it was shown the two.

    Args:
        first_order: who won when A was shown first: 1 for A, -1 for B, 0 for a tie; shape (pairs,).
        second_order: who won when B was shown first, in the same terms.
        confidence: of the interval.

    A judge without a preference for places never flips (Zheng et al. 2023, 2306.05685, section 3.3).
    """
    flipped = np.asarray(first_order) != np.asarray(second_order)
    return jeffreys(float(flipped.sum()), float(flipped.size), confidence)


def _kappa(table: NDArray[np.float64]) -> NDArray[np.float64]:
    total = table.sum(axis=(-2, -1))
    agreed = np.trace(table, axis1=-2, axis2=-1) / total
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / total**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(by_chance < 1 - 1e-12, (agreed - by_chance) / (1 - by_chance), np.nan)


def _alpha(kinds: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return alpha of items of these kinds (labels counted per item), each seen so often, by the last axis."""
    raters = kinds.sum(axis=1)
    pairs = (raters**2 - (kinds**2).sum(axis=1)) / (raters - 1)  # of differing labels, per item
    labels = seen @ kinds
    total = labels.sum(axis=-1)
    observed = seen @ pairs / total
    expected = (total**2 - (labels**2).sum(axis=-1)) / (total * (total - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(expected > 0, 1 - observed / expected, np.nan))


def _bootstrap(estimate: NDArray[np.float64], draws: NDArray[np.float64], items: int, confidence: float) -> Interval:
    known = draws[~np.isnan(draws)]
    if np.isnan(estimate) or known.size < _DRAWS // 2:
        return Interval(np.asarray(np.nan), estimate, np.asarray(np.nan))
    tail = (1 - confidence) / 2 * 100
    low, high = np.percentile(known, [tail, 100 - tail])
    widen = np.sqrt(items / max(items - 1, 1))
    centre = float(estimate)
    return Interval(
        np.asarray(max(centre - (centre - low) * widen, -1.0)),
        estimate,
        np.asarray(min(centre + (high - centre) * widen, 1.0)),
    )
