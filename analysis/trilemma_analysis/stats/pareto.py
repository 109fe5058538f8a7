"""Own the quality-cost-latency frontier: who is not beaten, and with what probability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["frontier", "frontier_probability"]

_CELLS_AT_ONCE = 20_000_000  # of draws x combinations x combinations, about 20 MB a step


def frontier(losses: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return who is on the frontier of losses (smaller is better), shape (..., combinations, criteria).

    A combination is off the frontier when another is as good on every criterion and better on one. A criterion that is
    unknown (NaN) for a combination neither beats nor protects it: it is compared on the others.
    """
    mine, other = losses[..., :, None, :], losses[..., None, :, :]
    known = ~(np.isnan(mine) | np.isnan(other))
    as_good = (~known | (other <= mine)).all(axis=-1)
    better = (known & (other < mine)).any(axis=-1)
    return np.asarray(~(as_good & better).any(axis=-1))


def frontier_probability(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each combination's share of bootstrap draws in which it is on the frontier.

    Args:
        draws: losses per replicate, shape (replicates, combinations, criteria).
    """
    replicates, combinations, _ = draws.shape
    step = max(1, _CELLS_AT_ONCE // max(1, combinations**2))
    on = np.zeros(combinations)
    for start in range(0, replicates, step):
        on += frontier(draws[start : start + step]).sum(axis=0)
    return np.asarray(on / replicates)
