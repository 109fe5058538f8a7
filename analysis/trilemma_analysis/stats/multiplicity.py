"""Own corrections for many tests: Holm where a decision hangs on each, Benjamini-Hochberg to screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["benjamini_hochberg", "holm"]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted by Holm 1979: rejecting those <= alpha errs at all with probability <= alpha.

    Holds under any dependence. The last axis is the family; leading axes are separate families.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, axis=-1, kind="stable")
    count = p.shape[-1]
    stepped = np.take_along_axis(p, order, axis=-1) * np.arange(count, 0, -1)
    return _restore(np.minimum(np.maximum.accumulate(stepped, axis=-1), 1), order)


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted by Benjamini and Hochberg 1995: of those <= q, a share <= q is false on average.

    Holds for independent and positively dependent tests. The last axis is the family.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, axis=-1, kind="stable")
    count = p.shape[-1]
    stepped = np.take_along_axis(p, order, axis=-1) * count / np.arange(1, count + 1)
    lowest = np.minimum.accumulate(stepped[..., ::-1], axis=-1)[..., ::-1]
    return _restore(np.minimum(lowest, 1), order)


def _restore(values: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    """Put values sorted by ``order`` back into their places."""
    restored = np.empty_like(values)
    np.put_along_axis(restored, order, values, axis=-1)
    return restored
