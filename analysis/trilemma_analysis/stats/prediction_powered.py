"""Own the mean of a truth that few runs have, helped by a judge that all runs have and that may be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from trilemma_analysis.stats.intervals import Interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["JudgedMean", "mean_with_judge"]

_FITTED = 3  # what the labels are used for: the mean, the weight, and whether to use the judge
MIN_LABELLED = 20  # fewer cannot show whether a judge knows anything


@dataclass(frozen=True, slots=True)
class JudgedMean:
    """The mean of the truth, and what the judge added to it.

    Attributes:
        interval: with the judge's help, where it is of any.
        without_judge: from the labelled runs alone.
        weight: how far the judge was trusted, 0 to 1.
        correlation: between judge and truth on the labelled runs.
        saved: share of the labels that the judge stands for; 0 where it is of no use.
        is_useful: whether it carries information at all (one-sided 5 %); if not, do not use it here.
        bias: of the judge, mean of judge minus truth, with its interval.
    """

    interval: Interval
    without_judge: Interval
    weight: float
    correlation: float
    saved: float
    is_useful: bool
    bias: Interval


def mean_with_judge(
    truth: ArrayLike, judged: ArrayLike, judged_only: ArrayLike, confidence: float = 0.95
) -> JudgedMean:
    """Return the mean of the truth by prediction-powered inference with a tuned weight (PPI++).

    Args:
        truth: of the labelled runs, shape (n,): a random sample of all runs, or the answer is about the sample only.
        judged: the judge's score of the same runs, shape (n,).
        judged_only: its score of the runs without a label, shape (N,).
        confidence: of the interval.

    Source: Angelopoulos, Duchi, Zrnic 2023 (2311.01453), section 6.1 for the weight, with Student's t on the labelled
    runs. Never wider than the labels alone but for noise, however bad the judge. Raises ValueError for fewer than two
    labels or shapes that differ.
    """
    y, f, rest = (np.asarray(value, dtype=float) for value in (truth, judged, judged_only))
    if y.shape != f.shape or y.size < 2:
        raise ValueError(f"{y.size} labels and {f.size} judgements of them: two or more of each are needed")
    n, more = y.size, rest.size
    both = np.cov(y, f) if n > 1 else np.zeros((2, 2))
    spread = float(np.concatenate([f, rest]).var(ddof=1))
    t = float(stats.t.isf((1 - confidence) / 2, n - 1))
    alone = Interval.around(float(y.mean()), t * float(np.sqrt(both[0, 0] / n)))
    bias = Interval.around(float((f - y).mean()), t * float(np.std(f - y, ddof=1) / np.sqrt(n)))
    known = bool(both[0, 0] > 0 and both[1, 1] > 0)
    correlation = float(both[0, 1] / np.sqrt(both[0, 0] * both[1, 1])) if known else 0.0
    is_useful = n >= MIN_LABELLED and known and _correlation_p(y, f, correlation) <= 0.05
    if not is_useful or not more or spread <= 0:
        return JudgedMean(alone, alone, 0.0, correlation, 0.0, is_useful=False, bias=bias)
    weight = float(np.clip(both[0, 1] / ((1 + n / more) * spread), 0, 1))
    mean = float(y.mean()) + weight * float(rest.mean() - f.mean())
    variance = float(np.var(y - weight * f, ddof=_FITTED)) / n + weight**2 * float(rest.var()) / more
    helped = Interval.around(mean, t * float(np.sqrt(variance)))
    saved = max(0.0, 1 - variance * n / float(both[0, 0]))
    return JudgedMean(helped, alone, weight, correlation, saved, is_useful=True, bias=bias)


def _correlation_p(y: NDArray[np.float64], f: NDArray[np.float64], correlation: float) -> float:
    """Return the one-sided p-value of "no correlation": Fisher's exact one for yes or no, else Student's."""
    n = y.size
    if np.isin(y, (0, 1)).all() and np.isin(f, (0, 1)).all():
        return float(stats.hypergeom.sf((y * f).sum() - 1, n, y.sum(), f.sum()))
    if correlation >= 1:
        return 0.0
    return float(stats.t.sf(correlation * np.sqrt((n - 2) / (1 - correlation**2)), n - 2))
