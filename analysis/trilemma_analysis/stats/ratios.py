"""Own means and ratios of skewed amounts, from moments alone: cost per run, cost per success, cost of B over A."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from trilemma_analysis.stats.intervals import Interval
from trilemma_analysis.stats.moments import Moments

__all__ = ["geometric_ratio", "ratio_of_sums", "share_of_sums"]


def geometric_ratio(n: float, log_sum: float, log_squares: float, confidence: float = 0.95) -> Interval:
    """Return the geometric mean of ratios from the sums of their logarithms, with Student's t; n is at least 2."""
    error = math.sqrt(max(log_squares - log_sum**2 / n, 0.0) / (n - 1) / n)
    reach = float(stats.t.isf((1 - confidence) / 2, n - 1)) * error
    return Interval(*(np.asarray(math.exp(log_sum / n + shift)) for shift in (-reach, 0.0, reach)))


def ratio_of_sums(moments: Moments, confidence: float = 0.95) -> Interval:
    """Return sum(x) / sum(y) of amounts >= 0, with the delta-method interval on the log scale.

    Source: Deng, Knoblich, Lu 2018 (1803.06336), section 3, with Student's t on n - 1 degrees of freedom. On the log
    scale the interval stays positive and follows the skew of costs. Where y sums to 0 the ratio is infinite; where
    nothing was spent it is 0; where fewer than two units were seen the interval is the whole half line.
    """
    n, x, y = (np.asarray(value, dtype=float) for value in (moments.n, moments.x, moments.y))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = x / y
        # Sum of squares of x - ratio * y, whose mean is 0, to the standard error of log(ratio).
        squares = moments.xx - 2 * ratio * moments.xy + ratio**2 * moments.yy
        error = np.sqrt(np.maximum(squares, 0) * n / (n - 1)) / x
        reach = stats.t.isf((1 - confidence) / 2, np.maximum(n - 1, 1)) * error
        low, high = ratio * np.exp(-reach), ratio * np.exp(reach)
    known, free = (n >= 2) & (x > 0) & (y > 0), (x == 0) & (y > 0)
    estimate = np.where(y > 0, ratio, np.inf)
    return Interval(np.where(known, low, 0.0), estimate, np.where(known, high, np.where(free, 0.0, np.inf)))


def share_of_sums(moments: Moments, confidence: float = 0.95) -> Interval:
    """Return sum(x) / sum(y) where x is a part of y in every unit, with an interval that stays within 0 and 1.

    The delta method on the logit scale: the interval of ratio_of_sums for the odds x / (y - x), turned into shares.
    Where the share is 0 or 1 its other end is that of as many single trials (Clopper and Pearson 1934).
    """
    rest = Moments(
        n=moments.n,
        x=moments.x,
        y=moments.y - moments.x,
        xx=moments.xx,
        yy=moments.yy - 2 * moments.xy + moments.xx,
        xy=moments.xy - moments.xx,
    )
    odds = ratio_of_sums(rest, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = (odds.low, odds.estimate, odds.high)
        low, estimate, high = (np.where(np.isinf(end), 1.0, end / (1 + end)) for end in ends)
    far = (1 - confidence) / 2
    high = np.where(moments.x <= 0, 1 - far ** (1 / np.maximum(moments.n, 1)), high)
    low = np.where(moments.x >= moments.y, far ** (1 / np.maximum(moments.n, 1)), low)
    return Interval(low, np.where(moments.y > 0, estimate, np.nan), high)
