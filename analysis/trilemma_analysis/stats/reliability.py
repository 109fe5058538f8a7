"""Own reliability over repeated trials: the chance that k trials of one input all succeed, not that one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from trilemma_analysis.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["mean_share", "pass_hat_k"]


def pass_hat_k(successes: ArrayLike, trials: ArrayLike, k: int, confidence: float = 0.95) -> Interval:
    """Return pass^k, the mean over inputs of C(successes, k) / C(trials, k), with its interval over inputs.

    Args:
        successes: successful trials of each input; the last axis is the sample of inputs.
        trials: trials of each input; inputs with fewer than k tell nothing of k in a row and are left out.
        k: how many trials must all succeed, >= 1.
        confidence: of the interval.

    Source: tau-bench 2406.12045, section 4: unbiased for each input, whatever its own rate. The inputs are the
    independent units, so that the interval is that of a mean over inputs. NaN where no input has k trials.
    """
    won, tried = np.broadcast_arrays(np.asarray(successes, dtype=float), np.asarray(trials, dtype=float))
    enough = tried >= k
    with np.errstate(invalid="ignore"):
        share = special.binom(won, k) / special.binom(np.maximum(tried, k), k)
    return mean_share(np.where(enough, np.where(won >= k, share, 0.0), np.nan), confidence)


def mean_share(values: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Return the mean of values in [0, 1] over the last axis, NaN left out, with an interval that stays inside.

    Wilson's interval on the number of yes-or-no values that would scatter as much (Korn and Graubard 1998), with
    Student's t. Values of which none differ tell nothing of their scatter, and count as yes-or-no values.
    """
    n = (~np.isnan(values)).sum(axis=-1).astype(float)
    counted = np.maximum(n, 1)
    mean = np.where(n > 0, np.nansum(values, axis=-1) / counted, np.nan)
    squares = np.nansum((values - mean[..., None]) ** 2, axis=-1) / np.maximum(n - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(squares > 0, np.maximum(mean * (1 - mean) / squares, 1.0) * n, n)
    z = stats.t.isf((1 - confidence) / 2, np.maximum(n - 1, 1))
    interval = wilson(mean * effective, np.maximum(effective, 1e-9), confidence, z)
    low, high = (np.where(n > 0, end, np.nan) for end in (interval.low, interval.high))
    return Interval(low, mean, high)
