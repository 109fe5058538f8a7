"""Own the search for the time at which a mean changed, with the error of trying every time paid for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Change", "Series", "find_change", "find_changes", "search_p_value", "window_p_values"]

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
    """A change of mean: buckets from ``start`` until ``stop`` have another mean than the rest.

    Where ``stop`` is the number of buckets the change lasts, and the rest is what came before it.
    """

    start: int
    stop: int
    lasts: bool
    before: float
    after: float
    n_before: float
    n_after: float
    p_value: float


def find_change(series: Series) -> Change | None:
    """Return the likeliest change of one series, with the p-value of "there is none"; None if it is too short.

    Lasting changes and temporary ones are tried, each kind at half of the error and each place paid for (Bonferroni).
    """
    p = window_p_values(series)
    tried = ~np.isnan(p)
    if not tried.any():
        return None
    adjusted = np.where(tried, p * _count_tried(tried), np.inf)
    start, stop = (int(at) for at in np.unravel_index(np.argmin(adjusted), adjusted.shape))
    inside = np.zeros(series.n.size, bool)
    inside[start:stop] = True
    n_after, n_before = series.n[inside].sum(), series.n[~inside].sum()
    return Change(
        start=start,
        stop=stop,
        lasts=stop == series.n.size,
        before=float(series.total[~inside].sum() / n_before),
        after=float(series.total[inside].sum() / n_after),
        n_before=float(n_before),
        n_after=float(n_after),
        p_value=float(min(1.0, adjusted[start, stop])),
    )


def find_changes(series: Series, alpha: float = 0.05) -> list[Change]:
    """Return all changes whose p-value is at most alpha, by circular binary segmentation, in order.

    The series is cut at its likeliest change, then each part is searched in turn (Scott and Knott 1974; with windows,
    Olshen et al. 2004). Where nothing changes, anything at all is returned with probability at most alpha.
    """
    change = find_change(series)
    if change is None or change.p_value > alpha:
        return []
    found = [change]
    for first, last in ((0, change.start), (change.start, change.stop), (change.stop, series.n.size)):
        if first < last:
            parts = find_changes(series.part(first, last), alpha)
            found += [replace(part, start=part.start + first, stop=part.stop + first) for part in parts]
    return sorted(found, key=lambda one: (one.start, one.stop))


def search_p_value(series: Series) -> NDArray[np.float64]:
    """Return the p-value of "no change" of each of many series, as find_change does for one; 1 where too short."""
    p = window_p_values(series)
    tried = ~np.isnan(p)
    adjusted = np.where(tried, p * _count_tried(tried), 1.0)
    return np.asarray(np.minimum(1.0, adjusted.min(axis=(-2, -1))))


def window_p_values(series: Series) -> NDArray[np.float64]:
    """Return the two-sided p-value of each window [start, stop), unadjusted; NaN where it cannot be tried.

    The shape is (..., buckets, buckets + 1). Windows that end with the series are lasting changes; windows that begin
    with it are the same and left out. The difference of the means inside and outside is divided by its error, widened
    by the scatter of buckets beyond chance (quasi-likelihood, McCullagh and Nelder 1989, section 4.5): traffic that
    varies from day to day is not a change. The dispersion is that within the two groups and costs two degrees of
    freedom of Student's t. Rare outcomes are held to Fisher's exact test as well, and the larger p-value counts.
    """
    unit = series.variance[..., None, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = np.where(series.n > 0, series.total**2 / series.n, 0.0).sum(axis=-1)[..., None, None]
    in_n, out_n = _windows(series.n)
    in_sum, out_sum = _windows(series.total)
    in_used, out_used = _windows((series.n > 0).astype(float))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = in_sum / in_n - out_sum / out_n
        within = squares - in_sum**2 / in_n - out_sum**2 / out_n
        freedom = in_used + out_used - 2
        dispersion = np.maximum(1.0, within / unit / freedom)
        p = 2 * stats.t.sf(np.abs(gap) / np.sqrt(unit * dispersion * (1 / in_n + 1 / out_n)), freedom)
    starts, stops = np.arange(series.n.shape[-1])[:, None], np.arange(series.n.shape[-1] + 1)[None, :]
    enough = (np.minimum(in_used, out_used) >= MIN_BUCKETS) & (np.minimum(in_n, out_n) >= MIN_RUNS)
    tried = enough & (unit > 0) & (starts > 0) & (stops > starts)
    if series.binary:
        p = np.maximum(p, _fisher_if_rare(in_n, in_sum, in_n + out_n, in_sum + out_sum, tried))
    return np.where(tried, p, np.nan)


def _count_tried(tried: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return by how much to multiply each window's p-value: twice the windows tried of its kind."""
    lasting = tried[..., -1].sum(axis=-1)[..., None, None]
    temporary = tried[..., :-1].sum(axis=(-2, -1))[..., None, None]
    is_lasting = np.arange(tried.shape[-1]) == tried.shape[-1] - 1
    return np.asarray(np.where(is_lasting, 2.0 * lasting, 2.0 * temporary))


def _windows(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums inside and outside each window [start, stop)."""
    running = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    inside = running[..., None, :] - running[..., :-1, None]
    return inside, running[..., -1:, None] - inside


def _fisher_if_rare(
    in_n: NDArray[np.float64],
    in_sum: NDArray[np.float64],
    n: NDArray[np.float64],
    total: NDArray[np.float64],
    tried: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return twice the smaller tail of the hypergeometric distribution, and 0 where outcomes are not rare."""
    p = np.zeros_like(in_sum)
    rare = tried & (np.minimum(total, n - total) < RARE)
    args = (n[rare], total[rare], in_n[rare])
    lower, upper = stats.hypergeom.cdf(in_sum[rare], *args), stats.hypergeom.sf(in_sum[rare] - 1, *args)
    p[rare] = np.minimum(1.0, 2 * np.minimum(lower, upper))
    return p
