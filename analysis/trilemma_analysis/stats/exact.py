"""Own the exact p-values of non-inferiority: no nuisance parameter, small count or skew can push them below the truth.

The score statistic orders the outcomes; the p-value is the largest probability, over the nuisance parameter, of an
outcome at least as extreme (Barnard 1947; for pairs Hsueh, Liu, Chen 2001). The nuisance parameter is sought in a
confidence set whose error is added to the p-value (Berger and Boos 1994). The statistic is monotone in each count
(Barnard convexity), so each row of outcomes has one threshold and the sum has n terms, not n squared.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from trilemma_analysis.stats.unpaired import independent_score_z

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["paired_noninferiority_p", "unpaired_noninferiority_p"]

_NUISANCE_ERROR = 1e-6
_NUISANCE_POINTS = 50  # a grid of 800 changed no p-value tried in its third digit
_TIE = 1e-9
_LEFT_OUT = 1e-10  # probability of counts that are not summed


@lru_cache(maxsize=100_000)
def paired_noninferiority_p(gains: int, losses: int, n: int, margin: float) -> float:
    """Return the exact p-value of "on the same inputs, B's success rate is lower than A's by ``margin`` or more".

    Args:
        gains: inputs where B succeeds and A fails.
        losses: inputs where A succeeds and B fails.
        n: inputs in all, > 0.
        margin: in (0, 1).
    """
    seen = float(_paired_z(np.asarray(gains), np.asarray(losses), n, margin))
    low, high = _nuisance_range(gains + losses, n)
    low, high = max(low, margin), min(max(high, margin * (1 + 1e-9)), 1.0)
    discordance = np.geomspace(low, high, _NUISANCE_POINTS)[:, None]
    p_loss, p_gain = (discordance + margin) / 2, (discordance - margin) / 2
    lost = _likely_counts(n, (low + margin) / 2, (high + margin) / 2)
    least = _least_extreme(lambda gained: _paired_z(gained, lost, n, margin) >= seen - _TIE, n - lost)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_gain_else = np.where(p_loss < 1, p_gain / (1 - p_loss), 0.0)
    return _bound(stats.binom.pmf(lost, n, p_loss) * _upper_tail(least, n - lost, np.clip(p_gain_else, 0, 1)))


@lru_cache(maxsize=100_000)
def unpaired_noninferiority_p(successes_a: int, n_a: int, successes_b: int, n_b: int, margin: float) -> float:
    """Return the exact p-value of "B's success rate is lower than A's by ``margin`` or more" for independent runs.

    ``margin`` is in [0, 1); at 0 the p-value is that of "B's rate is no higher".
    """
    seen = float(independent_score_z(successes_a, n_a, successes_b, n_b, -margin))
    low, high = _nuisance_range(successes_a, n_a)
    low, high = max(low, margin), max(high, margin)
    rate_a = np.linspace(low, high, _NUISANCE_POINTS)[:, None]
    a = _likely_counts(n_a, low, high)
    least = _least_extreme(lambda b: independent_score_z(a, n_a, b, n_b, -margin) >= seen - _TIE, np.full_like(a, n_b))
    return _bound(stats.binom.pmf(a, n_a, rate_a) * _upper_tail(least, np.full_like(a, n_b), rate_a - margin))


def _bound(probabilities: NDArray[np.float64]) -> float:
    """Return the largest sum over the nuisance grid (rows), and what was left out, as a p-value."""
    return float(min(1.0, probabilities.sum(axis=1).max() + _NUISANCE_ERROR + 2 * _LEFT_OUT))


def _likely_counts(n: int, low: float, high: float) -> NDArray[np.int64]:
    """Return the counts that a binomial has, but for a negligible part, at any rate between low and high."""
    first, last = stats.binom.ppf(_LEFT_OUT, n, low), stats.binom.isf(_LEFT_OUT, n, high)
    return np.arange(max(0, int(first)), min(n, int(last)) + 1)


def _upper_tail(least: NDArray[np.int64], n: NDArray[np.int64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability that a binomial count is at least ``least``."""
    return np.asarray(special.bdtrc(least - 1.0, n, p))


def _paired_z(gains: NDArray[np.int64], losses: NDArray[np.int64], n: int, margin: float) -> NDArray[np.float64]:
    """Return Nam's score statistic at -margin in closed form (Nam 1997); stats.paired.score_z gives the same."""
    gap = gains - losses
    half = (2 * n + gap) * margin - (losses + gains)
    p_gain = (np.sqrt(half**2 + 8 * n * gains * margin * (1 - margin)) - half) / (4 * n)
    variance = n * (2 * p_gain + margin * (1 - margin))
    return np.asarray((gap + n * margin) / np.sqrt(variance))


def _least_extreme(
    is_extreme: Callable[[NDArray[np.int64]], NDArray[np.bool_]], most: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return per row the least count that is extreme, or ``most + 1`` where none is."""
    low, high = np.full_like(most, -1), most + 1
    while bool((high - low > 1).any()):
        middle = (low + high) // 2
        extreme = is_extreme(np.clip(middle, 0, most)) & (middle >= 0)
        open_ = high - low > 1
        low, high = np.where(open_ & ~extreme, middle, low), np.where(open_ & extreme, middle, high)
    return high


def _nuisance_range(count: int, n: int) -> tuple[float, float]:
    """Return the exact interval of a proportion (Clopper and Pearson 1934) with the nuisance error."""
    low = float(stats.beta.ppf(_NUISANCE_ERROR / 2, count, n - count + 1)) if count else 0.0
    high = float(stats.beta.isf(_NUISANCE_ERROR / 2, count + 1, n - count)) if count < n else 1.0
    return low, high
