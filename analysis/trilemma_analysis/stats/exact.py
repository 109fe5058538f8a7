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
from scipy import stats

from trilemma_analysis.stats.unpaired import independent_score_z

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["paired_noninferiority_p", "unpaired_noninferiority_p"]

_NUISANCE_ERROR = 1e-6
_NUISANCE_POINTS = 50  # a grid of 800 changed no p-value tried in its third digit
_TIE = 1e-9


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
    lost = np.arange(n + 1)
    least = _least_extreme(lambda gained: _paired_z(gained, lost, n, margin) >= seen - _TIE, n - lost)
    low, high = _nuisance_range(gains + losses, n)
    discordance = np.geomspace(max(low, margin), min(max(high, margin * (1 + 1e-9)), 1.0), _NUISANCE_POINTS)[:, None]
    p_loss, p_gain = (discordance + margin) / 2, (discordance - margin) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        p_gain_else = np.where(p_loss < 1, p_gain / (1 - p_loss), 0.0)
    tail = stats.binom.sf(least - 1, n - lost, np.clip(p_gain_else, 0, 1))
    worst = (stats.binom.pmf(lost, n, p_loss) * tail).sum(axis=1).max()
    return float(min(1.0, worst + _NUISANCE_ERROR))


@lru_cache(maxsize=100_000)
def unpaired_noninferiority_p(successes_a: int, n_a: int, successes_b: int, n_b: int, margin: float) -> float:
    """Return the exact p-value of "B's success rate is lower than A's by ``margin`` or more" for independent runs."""
    seen = float(independent_score_z(successes_a, n_a, successes_b, n_b, -margin))
    a = np.arange(n_a + 1)
    least = _least_extreme(lambda b: independent_score_z(a, n_a, b, n_b, -margin) >= seen - _TIE, np.full(n_a + 1, n_b))
    low, high = _nuisance_range(successes_a, n_a)
    rate_a = np.linspace(max(low, margin), max(high, margin), _NUISANCE_POINTS)[:, None]
    tail = stats.binom.sf(least - 1, n_b, rate_a - margin)
    worst = (stats.binom.pmf(a, n_a, rate_a) * tail).sum(axis=1).max()
    return float(min(1.0, worst + _NUISANCE_ERROR))


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
