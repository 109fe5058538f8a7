"""Own the planted truths of what is read out of logs: judges, policies, winners, reliability, mixes, splits."""

# ruff: noqa: PLR0917 - a scenario's own figures come first, then rng, n, replays: partial() fills them in that order

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import special
from trilemma_analysis.stats.agreement import cohen_kappa, flip_rate, krippendorff_alpha
from trilemma_analysis.stats.balance import check_sample_ratio
from trilemma_analysis.stats.mix import Groups, split_change, standardise
from trilemma_analysis.stats.off_policy import Logs, value_doubly_robust, value_ips, value_snips
from trilemma_analysis.stats.prediction_powered import mean_with_judge
from trilemma_analysis.stats.reliability import pass_hat_k
from trilemma_analysis.stats.selection import shrink, split_winner

from tests.analysis.stats.scenario import ALPHA, Scenario, cover, err

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from trilemma_analysis.stats.off_policy import PolicyValue

    from tests.analysis.stats.scenario import Hits

__all__ = ["SCENARIOS"]


def passed(k: int, trials: int, size: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover pass^k of inputs whose own success rates are Beta(4 size, size)."""
    ease = rng.beta(4 * size, size, (replays, n))
    truth = np.exp(special.betaln(4 * size + k, size) - special.betaln(4 * size, size))
    return pass_hat_k(rng.binomial(trials, ease), trials, k).covers(truth)


def judged(quality: float, bias: float, labelled: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover a success rate of 0.8 by n labels and a judge of all other runs, right so often, and kind by ``bias``."""
    hits = np.empty(replays, bool)
    for at in range(replays):
        truth = rng.random(int(n / labelled)) < 0.8
        right = rng.random(truth.size) < quality
        judge = np.where(right, truth, ~truth) | (rng.random(truth.size) < bias)
        hits[at] = bool(mean_with_judge(truth[:n], judge[:n], judge[n:]).interval.covers(0.8))
    return hits


def useless_judge(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Find a use in a judge that knows nothing."""
    drawn = ((rng.random(n) < 0.8, rng.random(n) < 0.7, rng.random(4 * n) < 0.7) for _ in range(replays))
    return np.array([mean_with_judge(*one).is_useful for one in drawn])


RATES = np.array([[0.9, 0.7, 0.5], [0.6, 0.8, 0.7]])  # success by context and action
TARGET = np.array([[0.8, 0.1, 0.1], [0.1, 0.6, 0.3]])


def draw_logs(logging: NDArray[np.float64], rng: np.random.Generator, n: int) -> Logs:
    """Draw runs of two contexts, whose actions were chosen with these probabilities."""
    context = (rng.random(n) < 0.4).astype(np.intp)
    action = (rng.random((n, 1)) > logging[context].cumsum(axis=1)).sum(axis=1).clip(0, 2)
    reward = (rng.random(n) < RATES[context, action]).astype(float)
    return Logs.of(reward, action, logging[context, action], TARGET[context], context)


def valued(
    method: Callable[[Logs], PolicyValue], logging: NDArray[np.float64], rng: np.random.Generator, n: int, replays: int
) -> Hits:
    """Cover the value of a policy that was not in use, or refuse."""
    truth = float((np.array([0.6, 0.4]) * (TARGET * RATES).sum(axis=1)).sum())
    hits = []
    for _ in range(replays):
        interval = method(draw_logs(logging, rng, n)).interval
        hits.append(interval is None or bool(interval.covers(truth)))
    return np.array(hits)


def naive_value(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover it by the mean of the runs in which the policy's first choice happened to be made, as is often done."""
    truth = float((np.array([0.6, 0.4]) * (TARGET * RATES).sum(axis=1)).sum())
    hits = []
    for _ in range(replays):
        logs = draw_logs(SKEWED, rng, n)
        rewards = logs.reward[logs.action == logs.target.argmax(axis=1)]
        reach = 1.96 * rewards.std(ddof=1) / np.sqrt(rewards.size)
        hits.append(bool(abs(rewards.mean() - truth) <= reach))
    return np.array(hits)


UNIFORM = np.full((2, 3), 1 / 3)
SKEWED = np.array([[0.2, 0.3, 0.5], [0.5, 0.3, 0.2]])


def winner(gap: float, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the success rate of the one of 24 that looked best on half of the inputs."""
    rates = 0.7 + gap * np.linspace(-1, 1, 24)
    first = np.arange(n) % 2 == 0
    hits = []
    for _ in range(replays):
        won = split_winner(rng.random((n, 24)) < rates, first)
        hits.append(bool(won.interval.covers(rates[won.index])))
    return np.array(hits)


def shrunk(spread: float, who: str, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the true means of 24 candidates, or of the one that looks best, whose true means vary by ``spread``."""
    truth = rng.normal(0, spread, (replays, 24))
    error = np.broadcast_to(rng.uniform(0.5, 1.5, 24) / np.sqrt(n), truth.shape)
    seen = rng.normal(truth, error)
    hits = shrink(seen, error).covers(truth)
    if who == "all":
        return hits.mean(axis=1) > rng.random(replays)  # a share as hits, which have the same mean
    return np.asarray(np.take_along_axis(hits, seen.argmax(axis=1)[:, None], axis=1)[:, 0])


def split(part: str, rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the part of a change that is mix, or rate, over four groups."""
    w0, w1 = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.2, 0.3, 0.2, 0.3])
    r0, r1 = np.array([0.9, 0.8, 0.7, 0.5]), np.array([0.9, 0.75, 0.72, 0.45])
    truth = {"mix": ((w1 - w0) * (r0 + r1) / 2).sum(), "rate": ((r1 - r0) * (w0 + w1) / 2).sum()}
    runs0, runs1 = (rng.multinomial(4 * n, w, size=replays) for w in (w0, w1))
    change = split_change(
        Groups.of_rates(runs0, rng.binomial(runs0, r0)), Groups.of_rates(runs1, rng.binomial(runs1, r1))
    )
    return getattr(change, part).covers(truth[part])  # type: ignore[no-any-return]


def standardised(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the rate at a fixed mix that is not that of the runs."""
    runs = rng.multinomial(4 * n, [0.4, 0.3, 0.2, 0.1], size=replays)
    rates, mix = np.array([0.9, 0.8, 0.7, 0.5]), np.array([0.25, 0.25, 0.25, 0.25])
    return standardise(Groups.of_rates(runs, rng.binomial(runs, rates)), mix).covers((rates * mix).sum())


def mismatch(weights: tuple[float, ...], rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Call a split as planned a mismatch, at 5 % instead of the usual 0.1 % so that it shows."""
    share = np.array(weights) / sum(weights)
    counts = rng.multinomial(n, share, size=replays)
    return np.array([check_sample_ratio(one, weights).p_value <= ALPHA for one in counts])


def kappa(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the kappa of two evaluators who each follow a common truth 85 % of the time, else toss a coin."""
    hits = []
    for _ in range(replays):
        truth = rng.integers(0, 2, n)
        a, b = (np.where(rng.random(n) < 0.85, truth, rng.integers(0, 2, n)) for _ in range(2))
        hits.append(bool(cohen_kappa(a, b).covers(0.85**2)))
    return np.array(hits)


def alpha(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover the alpha of three such evaluators, of whom each has seen four items in five."""
    hits = []
    for _ in range(replays):
        truth = rng.integers(0, 2, (n, 1))
        labels = np.where(rng.random((n, 3)) < 0.85, truth, rng.integers(0, 2, (n, 3)))
        hits.append(bool(krippendorff_alpha(np.where(rng.random((n, 3)) < 0.8, labels, -1)).covers(0.85**2)))
    return np.array(hits)


def flips(rng: np.random.Generator, n: int, replays: int) -> Hits:
    """Cover how often a judge turns with the order, which is a quarter of the time."""
    hits = []
    for _ in range(replays):
        first = rng.choice([1, -1], n)
        hits.append(bool(flip_rate(first, np.where(rng.random(n) < 0.25, -first, first)).covers(0.25)))
    return np.array(hits)


SCENARIOS: tuple[Scenario, ...] = (
    *(
        cover(f"pass^{k}", f"{t} trials, input rates Beta({4 * s:g}, {s:g})", partial(passed, k, t, s))
        for k, t, s in ((2, 4, 1.0), (4, 8, 0.5), (1, 4, 1.0))
    ),
    *(
        cover("PPI++ mean", f"judge right {q:.0%}, kind by {b:.0%}, {s:.0%} labelled", partial(judged, q, b, s))
        for q, b, s in ((0.95, 0.0, 0.2), (0.8, 0.1, 0.2), (0.5, 0.0, 0.5))
    ),
    err("PPI++ mean", "a judge that knows nothing", useless_judge, "called useful"),
    *(
        cover(f"off-policy, {name}", f"logged {how}", partial(valued, method, logging), sparse=True)
        for name, method in (("IPS", value_ips), ("SNIPS", value_snips), ("doubly robust", value_doubly_robust))
        for how, logging in (("uniformly", UNIFORM), ("the other way round", SKEWED))
    ),
    Scenario("naive mean of matching runs", "logged the other way round", 0.0, 1.0, naive_value),
    *(cover("winner, split sample", f"24 candidates, {g:g} either way", partial(winner, g)) for g in (0.0, 0.1)),
    *(
        cover("winner, shrunk", f"24 candidates, true spread {s:g}, {who}", partial(shrunk, s, who), sparse=True)
        for s, who in ((0.1, "all"), (0.1, "the best"), (0.5, "the best"))
    ),
    cover("mix and rate", "the mix part, 4 groups", partial(split, "mix")),
    cover("mix and rate", "the rate part, 4 groups", partial(split, "rate")),
    cover("mix and rate", "standardised to equal groups", standardised),
    *(
        err("sample ratio", f"as planned, {':'.join(map(str, w))}", partial(mismatch, w), "false mismatch")
        for w in ((1, 1), (9, 1), (2, 1, 1))
    ),
    cover("Cohen's kappa, bootstrap", "kappa 0.72", kappa),
    cover("Krippendorff's alpha, bootstrap", "alpha 0.72, three evaluators, gaps", alpha),
    cover("flip rate", "a quarter turns", flips),
)
