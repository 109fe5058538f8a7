"""Own the winner's curse: what the best of many is worth, which is less than it looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from trilemma_analysis.stats.intervals import Interval, two_sided_z

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Winner", "shrink", "split_winner"]

_MIN_FAMILY = 4  # fewer candidates cannot show how much candidates differ


@dataclass(frozen=True, slots=True)
class Winner:
    """Which candidate looked best on the choosing half, and what it is worth by the other half."""

    index: int
    apparent: float
    """Its mean on the half that chose it: too high."""
    interval: Interval


def split_winner(values: ArrayLike, in_first: ArrayLike, confidence: float = 0.95) -> Winner:
    """Choose the candidate with the highest mean on one half of the inputs, and measure it on the other.

    Args:
        values: a value of each candidate on each input, shape (inputs, candidates); higher is better.
        in_first: which inputs choose, shape (inputs,): by a hash of the input's id, so that it does not change.
        confidence: of the interval.

    The interval is free of the winner's curse, as the measuring half took no part in the choice (Cox 1975); its price
    is half of the data. Student's t over inputs.
    """
    table, first = np.asarray(values, dtype=float), np.asarray(in_first, dtype=bool)
    means = table[first].mean(axis=0)
    index = int(np.argmax(means))
    held = table[~first, index]
    error = held.std(ddof=1) / np.sqrt(held.size)
    reach = stats.t.isf((1 - confidence) / 2, held.size - 1) * error
    mean = float(held.mean())
    return Winner(index, float(means[index]), Interval.around(mean, reach))


def shrink(estimates: ArrayLike, errors: ArrayLike, confidence: float = 0.95) -> Interval:
    """Shrink the estimates of many like candidates towards their mean, each by how uncertain it is.

    Args:
        estimates: one per candidate, shape (..., candidates); at least four, or they stay as they are.
        errors: their standard errors, of the same shape.
        confidence: of the interval.

    Source: empirical Bayes with the correction of Morris 1983 (JASA 78, section 4) for the candidates' spread being
    itself estimated: on average over candidates the interval covers what it says, also for the one that looks best.
    """
    seen, error = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
    count = seen.shape[-1]
    z = two_sided_z(confidence)
    if count < _MIN_FAMILY:
        return Interval.around(seen, z * error)
    spread = _estimate_spread(seen, error)[..., None]
    weights = 1 / (spread + error**2)
    centre = (weights * seen).sum(axis=-1, keepdims=True) / weights.sum(axis=-1, keepdims=True)
    pull = (count - 3) / (count - 1) * error**2 / (spread + error**2)
    shrunk = seen - pull * (seen - centre)
    of_centre = weights / weights.sum(axis=-1, keepdims=True)
    usual = (weights * error**2).sum(axis=-1, keepdims=True) / weights.sum(axis=-1, keepdims=True)
    of_spread = 2 / (count - 3) * pull**2 * (usual + spread) / (error**2 + spread) * (seen - centre) ** 2
    variance = error**2 * (1 - (1 - of_centre) * pull) + of_spread
    reach = z * np.sqrt(variance)
    return Interval.around(shrunk, reach)


def _estimate_spread(seen: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance of the true values between candidates, by moments (DerSimonian and Laird 1986), >= 0."""
    weights = 1 / error**2
    total = weights.sum(axis=-1)
    centre = (weights * seen).sum(axis=-1) / total
    q = (weights * (seen - centre[..., None]) ** 2).sum(axis=-1)
    scale = total - (weights**2).sum(axis=-1) / total
    return np.asarray(np.maximum((q - (seen.shape[-1] - 1)) / scale, 0.0))
