"""Own the planted truths of what goes on in time: peeking, open ends, interruptions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from trilemma_analysis.stats.interrupted import measure_interruption
from trilemma_analysis.stats.sequences import asymptotic_sequence, betting_sequence
from trilemma_analysis.stats.survival import kaplan_meier, restricted_mean, survival_at, survival_quantile

from tests.analysis.stats.scenario import Scenario, cover, err

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.analysis.stats.scenario import Hits

__all__ = ["SCENARIOS"]


def peeked_bets(p: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Leave the truth out at any of n looks at a success rate."""
    return np.array([not betting_sequence(rng.random(n) < p).covers(p).all() for _ in range(replays)])


def peeked(skew: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Leave the truth out at any look at a mean of log-normal costs."""
    costs = rng.lognormal(0, skew, (replays, n))
    return np.asarray(~asymptotic_sequence(costs, best_at=n / 2).covers(np.exp(skew**2 / 2)).all(axis=-1))


def peeked_naively(p: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Leave the truth out at any look after the thirtieth with the interval for one look."""
    seen = (rng.random((replays, n)) < p).cumsum(axis=1) / np.arange(1, n + 1)
    reach = 1.96 * np.sqrt(seen * (1 - seen) / np.arange(1, n + 1))
    return np.asarray((abs(seen - p) > reach)[:, 30:].any(axis=1))


def censored(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draw exponential times of mean 1, of which a third are no longer seen at a time of their own."""
    time, leave = rng.exponential(1, n), rng.exponential(2, n)
    return np.minimum(time, leave), time <= leave


def survived(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the share still open after a time of 1."""
    curves = (kaplan_meier(*censored(rng, n)) for _ in range(replays))
    return np.array([bool(survival_at(curve, 1.0).covers(np.exp(-1))) for curve in curves])


def median_time(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the median time."""
    curves = (kaplan_meier(*censored(rng, n)) for _ in range(replays))
    return np.array([bool(survival_quantile(curve, 0.5).covers(np.log(2))) for curve in curves])


def mean_time(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the mean time up to 1; what is open then counts as 1."""
    curves = (kaplan_meier(*censored(rng, n)) for _ in range(replays))
    return np.array([bool(restricted_mean(curve, 1.0).covers(1 - np.exp(-1))) for curve in curves])


def naive_time(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover it by the mean of those seen to end, as latency tables do."""
    hits = []
    for _ in range(replays):
        time, ended = censored(rng, n)
        seen = np.minimum(time[ended], 1.0)
        hits.append(abs(seen.mean() - (1 - np.exp(-1))) <= 1.96 * seen.std(ddof=1) / np.sqrt(seen.size))
    return np.array(hits)


def drifting(rng: np.random.Generator, shape: tuple[int, ...], alike: float) -> NDArray[np.float64]:
    """Draw series of variance 1 whose neighbouring buckets are alike."""
    noise = rng.standard_normal(shape)
    series = np.empty(shape)
    series[..., 0] = noise[..., 0]
    for at in range(1, shape[-1]):
        series[..., at] = alike * series[..., at - 1] + np.sqrt(1 - alike**2) * noise[..., at]
    return series


def interrupted(alike: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a step of 1 in a series with a trend, a weekly rhythm and neighbours that are alike."""
    at = np.arange(n)
    step, rhythm = at >= n // 2, np.sin(at * 2 * np.pi / 7)
    series = drifting(rng, (replays, n), alike) + step + rhythm + 2 * at / n
    return np.array([bool(measure_interruption(one, n // 2, season=7).effect.covers(1)) for one in series])


def controlled(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a step of 1 while something else moves the series and its two controls by 2 alike."""
    step = (np.arange(n) >= n // 2).astype(float)
    series = drifting(rng, (replays, 3, n), 0.3) + 2 * step
    series[:, 0] += step
    return np.array([bool(measure_interruption(one[0], n // 2, one[1:]).effect.covers(1)) for one in series])


def confounded(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Call controls moved that did not move."""
    series = drifting(rng, (replays, 3, n), 0.3)
    return np.array([measure_interruption(one[0], n // 2, one[1:]).is_confounded for one in series])


SCENARIOS: tuple[Scenario, ...] = (
    *(
        err("betting sequence", f"rate {p}, looked at each time", partial(peeked_bets, p), "left out")
        for p in (0.5, 0.9)
    ),
    *(
        err(
            "asymptotic sequence",
            f"log-normal {s} costs, looked at each time",
            partial(peeked, s),
            "left out",
            (200, 1000),
        )
        for s in (0.3, 0.6)
    ),
    Scenario("naive: one interval, many looks", "rate 0.5", 0.0, 1.0, partial(peeked_naively, 0.5), "left out"),
    cover("Kaplan-Meier", "share open after the mean time, a third censored", survived),
    cover("Kaplan-Meier", "median, a third censored", median_time),
    cover("restricted mean", "up to the mean time, a third censored", mean_time),
    Scenario("naive mean of those that ended", "the same", 0.0, 1.0, naive_time),
    *(
        cover("interrupted series", f"step, trend, week, neighbours alike {a:g}", partial(interrupted, a), sparse=True)
        for a in (0.0, 0.3)
    ),
    cover("interrupted series", "two controls moved by the same", controlled),
    err("interrupted series", "controls that did not move", confounded, "called moved"),
)
