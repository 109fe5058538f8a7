"""Own the proof of the statistics: planted truths, replayed many times, and what must then hold of each method.

The tests run each scenario a thousand times; ``make calibrate`` runs it ten thousand times and writes the table.
"""

# ruff: noqa: PLR0917 - a scenario's own figures come first, then rng, n, replays: partial() fills them in that order

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from trilemma_analysis.stats.changepoint import Series, search_p_value
from trilemma_analysis.stats.clustered import clustered_rate, design_effect
from trilemma_analysis.stats.exact import paired_noninferiority_p, unpaired_noninferiority_p
from trilemma_analysis.stats.intervals import jeffreys, wilson
from trilemma_analysis.stats.moments import collect_moments
from trilemma_analysis.stats.multiplicity import holm
from trilemma_analysis.stats.noninferiority import pairs_needed
from trilemma_analysis.stats.paired import bonett_price, mcnemar_exact, score_interval, score_z, tango
from trilemma_analysis.stats.quantiles import quantile_ranks
from trilemma_analysis.stats.ratios import ratio_of_sums, share_of_sums
from trilemma_analysis.stats.unpaired import miettinen_nurminen, newcombe

from tests.analysis.findings.no_effect import claim_anything, claim_wrongly_safe
from tests.analysis.stats import scenarios_of_logs, scenarios_of_time
from tests.analysis.stats.scenario import ALPHA, SIZES, Scenario, cover, err

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tests.analysis.stats.scenario import Hits

__all__ = ["SCENARIOS", "SIZES", "Scenario"]

MARGIN = 0.05


def rate(method: Callable[..., object], p: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a single success rate."""
    return method(rng.binomial(n, p, replays), n).covers(p)  # type: ignore[attr-defined, no-any-return]


def pairs(rng: np.random.Generator, n: int, replays: int, gain: float, loss: float) -> NDArray[np.int64]:
    """Draw (gains, losses) of n paired inputs."""
    return rng.multinomial(n, [gain, loss, 1 - gain - loss], size=replays)[:, :2]


def paired(
    method: Callable[..., object], gain: float, loss: float, rng: np.random.Generator, n: int, replays: int
) -> Hits:
    """Cover a paired difference."""
    drawn = pairs(rng, n, replays, gain, loss)
    return method(drawn[:, 0], drawn[:, 1], n).covers(gain - loss)  # type: ignore[attr-defined, no-any-return]


def unpaired(
    method: Callable[..., object], a: float, b: float, share: float, rng: np.random.Generator, n: int, replays: int
) -> Hits:
    """Cover an unpaired difference; the candidate has ``share`` times the runs of the baseline."""
    m = int(n * share)
    interval = method(rng.binomial(n, a, replays), n, rng.binomial(m, b, replays), m)
    return interval.covers(b - a)  # type: ignore[attr-defined, no-any-return]


def trials(
    rng: np.random.Generator, n: int, replays: int, rates: tuple[float, float], alike: float, k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw successes of two combinations in k trials of each of n inputs; ``alike`` is the intra-input correlation.

    Inputs that are hard for one are hard for the other (correlation 0.7 of their latent ease).
    """
    if alike == 0:
        return rng.binomial(k, rates[0], (replays, n)), rng.binomial(k, rates[1], (replays, n))
    shared = rng.standard_normal((replays, n))
    ease = [stats.norm.cdf(np.sqrt(0.7) * shared + np.sqrt(0.3) * rng.standard_normal((replays, n))) for _ in rates]
    size = 1 / alike - 1
    grid = np.linspace(0, 1, 20_001)  # beta quantiles by table: computing each would take most of the time
    a, b = (
        np.interp(u, grid, stats.beta.ppf(grid, p * size, (1 - p) * size)) for u, p in zip(ease, rates, strict=True)
    )
    return rng.binomial(k, a), rng.binomial(k, b)


def clustered(p: float, alike: float, k: int, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a success rate over inputs that were tried k times each."""
    won, _ = trials(rng, n, replays, (p, p), alike, k)
    moments = collect_moments(won.astype(float), np.full(won.shape, float(k)))
    return clustered_rate(moments).interval.covers(p)


def uneven(p: float, alike: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a success rate over inputs of which some were tried once and some ten times."""
    k = rng.choice([1, 2, 10], size=(replays, n), p=[0.6, 0.3, 0.1])
    size = 1 / alike - 1
    won = rng.binomial(k, rng.beta(p * size, (1 - p) * size, (replays, n)))
    return clustered_rate(collect_moments(won.astype(float), k.astype(float))).interval.covers(p)


def table(a: NDArray[np.int64], b: NDArray[np.int64], k: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct differences per input and how many inputs have each."""
    steps = np.arange(-k, k + 1)
    return steps / k, np.stack([(b - a == step).sum(axis=-1) for step in steps], axis=-1)


def repeated(rates: tuple[float, float], alike: float, k: int, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a paired difference over inputs that both tried k times."""
    values, counts = table(*trials(rng, n, replays, rates, alike, k), k)
    critical = stats.t.isf(0.025, n - 1)
    return score_interval(values, counts, 0.95, critical).covers(rates[1] - rates[0])


def false_safe_repeated(
    rates: tuple[float, float], alike: float, k: int, rng: np.random.Generator, n: int, replays: int
) -> Hits:
    """Call a candidate safe that is worse by exactly the margin, on repeated trials."""
    values, counts = table(*trials(rng, n, replays, rates, alike, k), k)
    return stats.t.sf(score_z(values, counts, -MARGIN), n - 1) <= ALPHA  # type: ignore[no-any-return]


def safe_paired(gain: float, loss: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Call a candidate safe on single trials of shared inputs."""
    drawn = pairs(rng, n, replays, gain, loss)
    return np.array([paired_noninferiority_p(int(g), int(s), n, MARGIN) <= ALPHA for g, s in drawn])


def safe_unpaired(a: float, b: float, share: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Call a candidate safe on other inputs than the baseline's."""
    m = int(n * share)
    drawn = zip(rng.binomial(n, a, replays), rng.binomial(m, b, replays), strict=True)
    return np.array([unpaired_noninferiority_p(int(x), n, int(y), m, MARGIN) <= ALPHA for x, y in drawn])


def any_safe(candidates: int, discordance: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Call any of several candidates safe, all worse by exactly the margin (Holm)."""
    gain, loss = (discordance - MARGIN) / 2, (discordance + MARGIN) / 2
    drawn = pairs(rng, n, replays * candidates, gain, loss)
    p = np.array([paired_noninferiority_p(int(g), int(s), n, MARGIN) for g, s in drawn])
    return (holm(p.reshape(replays, candidates)) <= ALPHA).any(axis=-1)


def naive_safe(candidates: int, discordance: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Do what the naive rule does on the same data: call safe what does not differ significantly (McNemar, 5 %)."""
    gain, loss = (discordance - MARGIN) / 2, (discordance + MARGIN) / 2
    drawn = pairs(rng, n, replays * candidates, gain, loss)
    p = 2 * mcnemar_exact(drawn[:, 0], drawn[:, 1])
    return (p.reshape(replays, candidates) > ALPHA).any(axis=-1)


def planned_power(discordance: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Call an equally good candidate safe on as many pairs as were planned for 80 % power (n is not used)."""
    return safe_paired(discordance / 2, discordance / 2, rng, pairs_needed(MARGIN, discordance), replays)


def false_worse(gain: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Call an equally good candidate worse (exact McNemar)."""
    drawn = pairs(rng, n, replays, gain, gain)
    return mcnemar_exact(drawn[:, 0], drawn[:, 1]) <= ALPHA


def mean_cost(spread: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the mean of log-normal costs."""
    cost = rng.lognormal(0, spread, (replays, n))
    return ratio_of_sums(collect_moments(cost, np.ones_like(cost))).covers(np.exp(spread**2 / 2))


def cost_per_success(p: float, spread: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover cost per success; failures cost twice as much (they ran into retries)."""
    won = rng.random((replays, n)) < p
    cost = rng.lognormal(0, spread, (replays, n)) * np.where(won, 1, 2)
    truth = np.exp(spread**2 / 2) * (p + 2 * (1 - p)) / p
    return ratio_of_sums(collect_moments(cost, won.astype(float))).covers(truth)


def clustered_cost(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover cost per success over inputs of 1 to 5 trials whose costs and successes are alike."""
    k = rng.integers(1, 6, (replays, n))
    ease = rng.beta(4, 1, (replays, n))
    won = rng.binomial(k, ease)
    cost = k * rng.lognormal(0, 0.5, (replays, n)) * (2 - ease)
    # E[cost] / E[won] with k independent of ease: E[2 - ease] E[lognormal] / E[ease], ease ~ Beta(4, 1).
    truth = (2 - 0.8) * np.exp(0.125) / 0.8
    return ratio_of_sums(collect_moments(cost, won.astype(float))).covers(truth)


def repeated_share(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the share of requests that repeat an earlier one, over n distinct requests sent 1 to about 10 times."""
    sent = rng.geometric(0.6, (replays, n)).astype(float)
    return share_of_sums(collect_moments(sent - 1, sent)).covers(0.4)


def paired_cost_ratio(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the cost of B over A on the same inputs, where long inputs are dear for both."""
    length = rng.lognormal(0, 0.8, (replays, n))
    a, b = (length * scale * rng.lognormal(0, 0.3, (replays, n)) for scale in (1.0, 0.1))
    return ratio_of_sums(collect_moments(b, a)).covers(0.1)


def quantile(level: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a latency quantile; an end that the sample cannot bound covers everything on its side."""
    latency = np.sort(rng.lognormal(0, 0.7, (replays, n)), axis=-1)
    return within_ranks(latency, level, 1.0, np.exp(0.7 * stats.norm.ppf(level)))


def clustered_quantile(level: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a latency quantile where each input ran four times at like latencies."""
    k, within, between = 4, 0.3, 0.6
    latency = np.exp(rng.normal(0, between, (replays, n, 1)) + rng.normal(0, within, (replays, n, k)))
    flat = np.sort(latency.reshape(replays, -1), axis=-1)
    truth = np.exp(np.hypot(within, between) * stats.norm.ppf(level))
    hits = []
    for one, ordered in zip(latency, flat, strict=True):
        estimate = ordered[quantile_ranks(n * k, level).estimate - 1]
        below = (one <= estimate).sum(axis=-1).astype(float)
        effect = float(design_effect(collect_moments(below, np.full(n, float(k)))))
        hits.append(within_ranks(ordered[None], level, effect, truth)[0])
    return np.array(hits)


def within_ranks(ordered: NDArray[np.float64], level: float, effect: float, truth: float) -> Hits:
    """Return where the truth lies between the bounding order statistics."""
    ranks = quantile_ranks(ordered.shape[-1], level, 0.95, effect)
    above = np.ones(len(ordered), bool) if ranks.low is None else ordered[:, ranks.low - 1] <= truth
    below = np.ones(len(ordered), bool) if ranks.high is None else truth <= ordered[:, ranks.high - 1]
    return above & below


def false_change(p: float, buckets: int, scatter: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """See a change in a success rate that has none; ``scatter`` is the s.d. of the rate between buckets."""
    runs = rng.multinomial(n, np.full(buckets, 1 / buckets), size=replays)
    rates = np.full(runs.shape, p)
    if scatter:
        size = p * (1 - p) / scatter**2 - 1
        rates = rng.beta(p * size, (1 - p) * size, runs.shape)
    return searched(Series.of_rates(runs, rng.binomial(runs, rates)))


def true_change(p: float, drop: float, window: tuple[int, int], rng: np.random.Generator, n: int, replays: int) -> Hits:
    """See a drop within a window of 30 buckets."""
    runs = rng.multinomial(n, np.full(30, 1 / 30), size=replays)
    days = np.arange(30)
    rates = np.where((days >= window[0]) & (days < window[1]), p - drop, p)
    return searched(Series.of_rates(runs, rng.binomial(runs, rates)))


def false_shift(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """See a change in log-normal latencies that have a daily rhythm and no change."""
    runs = rng.multinomial(n, np.full(28, 1 / 28), size=replays).astype(float)
    rhythm = 0.15 * np.sin(np.arange(28) * 2 * np.pi / 7)
    totals = rng.normal(runs * rhythm, np.sqrt(runs) * 0.6)
    return searched(Series.of_sums(runs, totals, np.full(replays, 0.36)))


def searched(series: Series) -> Hits:
    """Return where a change is claimed."""
    return search_p_value(series) <= ALPHA


SCENARIOS: tuple[Scenario, ...] = (
    *(cover("Wilson", f"p = {p}", partial(rate, wilson, p)) for p in (0.5, 0.8, 0.9)),
    *(cover("Jeffreys", f"p = {p}", partial(rate, jeffreys, p)) for p in (0.5, 0.8, 0.9)),
    cover("Wilson", "p = 0.98", partial(rate, wilson, 0.98), sizes=(200, 1000)),
    *(
        cover(name, f"gain {g}, loss {s}", partial(paired, method, g, s))
        for name, method in (("Tango", tango), ("Bonett-Price", bonett_price))
        for g, s in ((0.1, 0.1), (0.1, 0.2), (0.25, 0.25))
    ),
    *(
        cover(name, "gain 0.03, loss 0.08", partial(paired, method, 0.03, 0.08), sparse=True)
        for name, method in (("Tango", tango), ("Bonett-Price", bonett_price))
    ),
    *(
        cover(name, f"rates {a} and {b}, {share:g} times the runs", partial(unpaired, method, a, b, share))
        for name, method in (("Miettinen-Nurminen", miettinen_nurminen), ("Newcombe", newcombe))
        for a, b, share in ((0.9, 0.85, 1), (0.6, 0.5, 1), (0.8, 0.8, 0.4))
    ),
    *(
        cover("Wilson, clustered", f"p = {p}, {k} trials, correlation {alike}", partial(clustered, p, alike, k))
        for p, alike, k in ((0.8, 0.0, 4), (0.8, 0.5, 4), (0.7, 0.9, 4), (0.85, 0.5, 10))
    ),
    cover("Wilson, clustered", "p = 0.8, 1, 2 or 10 trials, correlation 0.5", partial(uneven, 0.8, 0.5)),
    # The known limit: a tenth of the inputs have half of the runs, and all runs of an input go alike.
    Scenario("Wilson, clustered", "p = 0.8, 1, 2 or 10 trials, correlation 0.9", 0.88, 0.97, partial(uneven, 0.8, 0.9)),
    *(
        cover(
            "score over inputs",
            f"rates {r[0]} and {r[1]}, {k} trials, correlation {alike}",
            partial(repeated, r, alike, k),
            sparse=sparse,
        )
        for r, alike, k, sparse in (
            ((0.8, 0.8), 0.5, 2, False),
            ((0.8, 0.75), 0.5, 4, False),
            ((0.7, 0.7), 0.0, 4, False),
            ((0.9, 0.85), 0.5, 4, True),
            ((0.8, 0.8), 0.5, 10, True),
        )
    ),
    *(cover("ratio, delta on log", f"mean cost, log-normal {s}", partial(mean_cost, s)) for s in (0.3, 0.6)),
    # The known limit: costs so skewed that a sample of 50 often misses the few runs that make the mean.
    Scenario("ratio, delta on log", "mean cost, log-normal 1.2", 0.88, 0.97, partial(mean_cost, 1.2)),
    *(
        cover("ratio, delta on log", f"cost per success, p = {p}, log-normal {s}", partial(cost_per_success, p, s))
        for p, s in ((0.9, 0.5), (0.5, 0.5))
    ),
    cover("ratio, delta on log", "cost per success, inputs of 1 to 5 trials", clustered_cost),
    cover("ratio, delta on log", "cost of B over A, same inputs", paired_cost_ratio),
    cover("share, delta on logit", "repeats among requests, 40 %", repeated_share),
    cover("order statistics", "p50, log-normal", partial(quantile, 0.5)),
    cover("order statistics", "p95, log-normal", partial(quantile, 0.95), sparse=True),
    cover("order statistics, clustered", "p50, 4 runs an input, alike", partial(clustered_quantile, 0.5)),
    cover("order statistics, clustered", "p95, 4 runs an input, alike", partial(clustered_quantile, 0.95), sparse=True),
    *(
        err(
            "gate, paired exact",
            f"worse by the margin, discordance {d}",
            partial(safe_paired, (d - 0.05) / 2, (d + 0.05) / 2),
            "false safe",
        )
        for d in (0.05, 0.11, 0.2, 0.4)
    ),
    *(
        err(
            "gate, unpaired exact",
            f"rates {a} and {b}, {share:g} times the runs",
            partial(safe_unpaired, a, b, share),
            "false safe",
        )
        for a, b, share in ((0.95, 0.9, 1), (0.8, 0.75, 1), (0.7, 0.65, 0.3))
    ),
    *(
        err(
            "gate, repeated trials",
            f"rates {r[0]} and {r[1]}, {k} trials, correlation {alike}",
            partial(false_safe_repeated, r, alike, k),
            "false safe",
        )
        for r, alike, k in (((0.9, 0.85), 0.5, 2), ((0.8, 0.75), 0.5, 4), ((0.95, 0.9), 0.3, 4), ((0.85, 0.8), 0.9, 10))
    ),
    err(
        "gate, Holm over 24", "all worse by the margin, discordance 0.11", partial(any_safe, 24, 0.11), "any false safe"
    ),
    Scenario(
        "naive: not significant", "the same 24 candidates", 0.0, 1.0, partial(naive_safe, 24, 0.11), "any false safe"
    ),
    *(
        Scenario(
            "gate, power", f"planned pairs, discordance {d}", 0.75, 0.85, partial(planned_power, d), "called safe", (0,)
        )
        for d in (0.11, 0.2)
    ),
    *(
        err("McNemar, exact", f"equal, discordance {2 * g}", partial(false_worse, g), "false worse")
        for g in (0.03, 0.1, 0.25)
    ),
    *(
        err("change point", f"rate {p}, {b} buckets, scatter {s:g}", partial(false_change, p, b, s), "false change")
        for p, b, s in ((0.9, 30, 0.0), (0.99, 30, 0.0), (0.8, 12, 0.0), (0.9, 30, 0.05), (0.8, 14, 0.1))
    ),
    err("change point", "log latency with a weekly rhythm", false_shift, "false change"),
    *(
        Scenario("change point", truth, 0.8, 1.0, partial(true_change, 0.9, 0.15, window), "change seen", (1000,))
        for truth, window in (
            ("rate 0.9 falls by 0.15 in the middle, for good", (15, 30)),
            ("rate 0.9 falls by 0.15 for a third of the time", (10, 20)),
        )
    ),
    Scenario(
        "whole report",
        "2 tasks of 6 equal combinations",
        0.0,
        0.05,
        claim_anything,
        "any false claim",
        (200, 1000),
        quick=100,
    ),
    err("whole report", "5 candidates worse by the margin", claim_wrongly_safe, "any false safe", (200, 1000)),
    *scenarios_of_logs.SCENARIOS,
    *scenarios_of_time.SCENARIOS,
)
