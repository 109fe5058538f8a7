"""Own the search for the time at which a mean changed, with the error of trying every time paid for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Change", "Series", "find_change", "find_changes", "split_p_values"]

MIN_BUCKETS = 3  # on each side of a change: fewer cannot show how much buckets scatter
MIN_RUNS = 20  # on each side of a change: fewer say little of a mean
RARE = 100  # with fewer successes or failures than this the normal approximation is held to the exact test


@dataclass(frozen=True, slots=True)
class Series:
    """Runs and their sum per bucket, in order of time, shape (..., buckets), and the variance of a single run.

    ``binary`` says that a run counts 0 or 1.
    """

    n: NDArray[np.float64]
    total: NDArray[np.float64]
    variance: NDArray[np.float64]
    binary: bool = False

    @classmethod
    def of_rates(cls, n: ArrayLike, successes: ArrayLike) -> Series:
        """Return the series of a success rate; its variance is p (1 - p)."""
        runs, won = np.asarray(n, dtype=float), np.asarray(successes, dtype=float)
        with np.errstate(invalid="ignore"):
            rate = won.sum(axis=-1) / runs.sum(axis=-1)
        return cls(runs, won, np.asarray(rate * (1 - rate)), binary=True)

    @classmethod
    def of_sums(cls, n: ArrayLike, total: ArrayLike, variance: ArrayLike) -> Series:
        """Return the series of a mean whose single runs have this variance."""
        runs, sums, unit = (np.asarray(value, dtype=float) for value in (n, total, variance))
        return cls(runs, sums, unit)

    def part(self, start: int, stop: int) -> Series:
        """Return the buckets from start until stop, with the variance of the whole."""
        return replace(self, n=self.n[..., start:stop], total=self.total[..., start:stop])


@dataclass(frozen=True, slots=True)
class Change:
    """A change of mean: buckets before ``index`` have one mean, buckets from it on another."""

    index: int
    before: float
    after: float
    n_before: float
    n_after: float
    p_value: float


def find_change(series: Series) -> Change | None:
    """Return the likeliest single change of one series, with the p-value of "there is none"; None if it is too short.

    The p-value of the best split is multiplied by the number of splits (Bonferroni), so that it holds for the search.
    """
    p_values = split_p_values(series)
    if p_values.size == 0 or np.isnan(p_values).all():
        return None
    at = int(np.nanargmin(p_values)) + 1
    n_before, n_after = series.n[:at].sum(), series.n[at:].sum()
    return Change(
        index=at,
        before=float(series.total[:at].sum() / n_before),
        after=float(series.total[at:].sum() / n_after),
        n_before=float(n_before),
        n_after=float(n_after),
        p_value=float(min(1.0, np.nanmin(p_values) * np.sum(~np.isnan(p_values)))),
    )


def find_changes(series: Series, alpha: float = 0.05) -> list[Change]:
    """Return all changes whose p-value is at most alpha, by binary segmentation (Scott and Knott 1974), in order.

    The series is split at its likeliest change, then each part is searched in turn. Where nothing changes, anything at
    all is returned with probability at most alpha.
    """
    change = find_change(series)
    if change is None or change.p_value > alpha:
        return []
    at = change.index
    earlier = find_changes(series.part(0, at), alpha)
    later = find_changes(series.part(at, series.n.size), alpha)
    return [*earlier, change, *(replace(found, index=found.index + at) for found in later)]


def split_p_values(series: Series) -> NDArray[np.float64]:
    """Return the two-sided p-value of each split, unadjusted; shape (..., buckets - 1), NaN where too short.

    The difference of the two means is divided by its error, widened by the scatter of buckets beyond chance (quasi-
    likelihood, McCullagh and Nelder 1989, section 4.5): traffic that varies from day to day is not a change. The
    dispersion is estimated on each side of the split and costs two degrees of freedom of Student's t. Rare outcomes are
    held to Fisher's exact test as well, and the larger p-value counts.
    """
    counts, unit = series.n, series.variance[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.where(counts > 0, series.total**2 / counts, 0.0)
    left_n, right_n = _running(counts)
    left_sum, right_sum = _running(series.total)
    left_used, right_used = _running((counts > 0).astype(float))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = right_sum / right_n - left_sum / left_n
        within = squares.sum(axis=-1, keepdims=True) - left_sum**2 / left_n - right_sum**2 / right_n
        freedom = left_used + right_used - 2
        dispersion = np.maximum(1.0, within / unit / freedom)
        p = 2 * stats.t.sf(np.abs(gap) / np.sqrt(unit * dispersion * (1 / left_n + 1 / right_n)), freedom)
    if series.binary:
        p = np.maximum(p, _fisher_if_rare(left_n, left_sum, left_n + right_n, left_sum + right_sum))
    enough = (np.minimum(left_used, right_used) >= MIN_BUCKETS) & (np.minimum(left_n, right_n) >= MIN_RUNS)
    return np.where(enough & (unit > 0), p, np.nan)


def _running(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums before and after each inner boundary."""
    before = np.cumsum(values, axis=-1)[..., :-1]
    return before, values.sum(axis=-1, keepdims=True) - before


def _fisher_if_rare(
    left_n: NDArray[np.float64], left_sum: NDArray[np.float64], n: NDArray[np.float64], total: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return twice the smaller tail of the hypergeometric distribution, and 0 where outcomes are not rare."""
    p = np.zeros_like(left_sum)
    rare = np.minimum(total, n - total) < RARE
    args = (n[rare], total[rare], left_n[rare])
    lower, upper = stats.hypergeom.cdf(left_sum[rare], *args), stats.hypergeom.sf(left_sum[rare] - 1, *args)
    p[rare] = np.minimum(1.0, 2 * np.minimum(lower, upper))
    return p
