"""Own the quality-cost-latency frontier of each task's combinations, and how sure membership is."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trilemma_analysis.measures import PICO
from trilemma_analysis.stats.intervals import two_sided_z
from trilemma_analysis.stats.pareto import frontier, frontier_probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trilemma_analysis.client import Store
    from trilemma_analysis.estimate import Estimate
    from trilemma_analysis.measures import Measures
    from trilemma_analysis.scope import Scope

__all__ = ["REPLICATES", "FrontierPlace", "place_on_frontier"]

REPLICATES = 400  # the error of a membership probability is then at most 2.5 points
RUNS_IN_BOOTSTRAP = 400_000  # with more runs, every k-th input is resampled and the spread shrunk to the whole's
UNBOUNDED_LOG_SPREAD = (
    0.5  # of a latency whose sample is too small to bound it: within a factor of 2.7, 95 % of the time
)


class FrontierPlace(NamedTuple):
    """Whether the estimates put a combination on the frontier, and in what share of resamplings it is there."""

    on_frontier: bool
    probability: float


def place_on_frontier(
    store: Store, scope: Scope, measures: Sequence[Measures], *, confidence: float, seed: int
) -> dict[tuple[str, str], FrontierPlace]:
    """Place the combinations whose outcome is known; keys are (task, combination).

    Quality and cost are resampled by input, together for all combinations of a task (sql/frontier_bootstrap.sql); a
    Gamma(1/2) weight of one success and one failure each (Jeffreys' prior) keeps 3 successes of 3 from being certain.
    The p50 latency is drawn log-normal with the width of its interval, apart from the others.
    """
    by_task: dict[str, list[Measures]] = defaultdict(list)
    for one in measures:
        if one.known:
            by_task[one.task].append(one)
    if not by_task:
        return {}
    stride = max(1, math.ceil(sum(one.runs for one in measures) / RUNS_IN_BOOTSTRAP))
    rows = store.ask(
        "frontier_bootstrap", **scope.parameters, replicates=REPLICATES, seed=seed, stride=stride
    ).to_pylist()
    resampled = {(row["task_name"], row["combination"]): row for row in rows}
    rng = np.random.default_rng(seed)
    places: dict[tuple[str, str], FrontierPlace] = {}
    for ones in by_task.values():
        draws = np.stack([_draw_losses(one, resampled.get(one.key), stride, confidence, rng) for one in ones], axis=1)
        now = np.array([[_losses_now(one) for one in ones]])
        for one, on, probability in zip(ones, frontier(now)[0], frontier_probability(draws), strict=True):
            places[one.key] = FrontierPlace(bool(on), float(probability))
    return places


def _losses_now(one: Measures) -> tuple[float, float, float]:
    cost = one.cost_per_run.value if one.cost_per_run else None
    return 1 - _or_nan(one.success.value), _or_nan(cost), _or_nan(one.latency_p50.value)


def _draw_losses(
    one: Measures, row: dict[str, Any] | None, stride: int, confidence: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return draws of (failure rate, cost per run, p50 latency), shape (replicates, 3)."""
    failure, cost, latency = _losses_now(one)
    prior = rng.gamma(0.5, size=(2, REPLICATES))
    noise = rng.standard_normal(REPLICATES)
    failures, costs = np.full(REPLICATES, failure), np.full(REPLICATES, cost)
    if row is not None:
        known, won, priced = (np.array(row[name], dtype=float) for name in ("known", "successes", "priced"))
        failures = _shrink((known - won + prior[0]) / (known + prior.sum(axis=0)), failure, stride)
        with np.errstate(divide="ignore", invalid="ignore"):
            spent = np.array(row["cost"]) * PICO / priced
        costs = _shrink(np.where(priced > 0, spent, cost), cost, stride)
    latencies = latency * np.exp(noise * _log_spread(one.latency_p50, confidence))
    return np.column_stack([failures, costs, latencies])


def _shrink(draws: NDArray[np.float64], estimate: float, stride: int) -> NDArray[np.float64]:
    """Give draws of a sample the spread, and the middle, of all inputs."""
    return draws if stride == 1 else estimate + (draws - draws.mean()) / math.sqrt(stride)


def _log_spread(latency: Estimate, confidence: float) -> float:
    if not latency.low or not latency.high:
        return UNBOUNDED_LOG_SPREAD
    return math.log(latency.high / latency.low) / (2 * two_sided_z(confidence))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
