"""Own a world in which nothing differs and nothing changes, and what the report's decisions claim of it.

Everything between the rows and the findings is the real thing: choice of baseline, tests, corrections, change points.
Only the rows of SQL are replaced by their counts, and intervals, on which no decision hangs, are left out.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from trilemma_analysis.comparisons import Comparison
from trilemma_analysis.estimate import Estimate
from trilemma_analysis.findings.drift import find_drifts
from trilemma_analysis.findings.prompt_version import adjust_two_sided
from trilemma_analysis.gates import choose_baselines, find_candidates, run_gates
from trilemma_analysis.measures import Measures
from trilemma_analysis.stats.exact import paired_noninferiority_p
from trilemma_analysis.stats.intervals import Interval
from trilemma_analysis.stats.noninferiority import GateTest, GateVerdict
from trilemma_analysis.stats.paired import mcnemar_exact

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "ALPHA",
    "MARGIN",
    "claim_anything",
    "claim_wrongly_safe",
    "compare_outcomes",
    "decide_on_outcomes",
    "measure_outcomes",
]

TASKS, COMBINATIONS, BUCKETS = 2, 6, 20
MARGIN, ALPHA = 0.05, 0.05
NOWHERE = Interval(np.asarray(-1.0), np.asarray(0.0), np.asarray(1.0))


def claim_anything(rng: np.random.Generator, n: int, replays: int) -> NDArray[np.bool_]:
    """Return where a report over two tasks of six equal combinations claims a worse one, a version, or a drift."""
    return np.array([_claims_of_one_report(rng, n) for _ in range(replays)])


def claim_wrongly_safe(rng: np.random.Generator, n: int, replays: int) -> NDArray[np.bool_]:
    """Return where a task's gate calls any of five candidates safe that are all worse by exactly the margin."""
    hits = []
    for _ in range(replays):
        outcomes = _draw_outcomes(rng, n, np.array([0.9, *[0.9 - MARGIN] * (COMBINATIONS - 1)]))
        ones = measure_outcomes("task", outcomes)
        named = {"task": "combination 0"}
        baselines = choose_baselines(ones, named)
        comparisons = [compare_outcomes(a, b, outcomes) for a, b in find_candidates(ones, baselines)]
        results = run_gates(comparisons, baselines, ALPHA)
        hits.append(any(result.verdict is GateVerdict.SAFE for result in results))
    return np.array(hits)


def decide_on_outcomes(
    outcomes: NDArray[np.bool_], costs: NDArray[np.float64]
) -> tuple[int, list[tuple[int, GateVerdict]]]:
    """Run the gate on outcomes of shape (inputs, combinations); return the baseline and each candidate's verdict."""
    ones = [_measure_one("task", i, outcomes[:, i], cost) for i, cost in enumerate(costs)]
    baselines = choose_baselines(ones, {})
    pairs = find_candidates(ones, baselines)
    results = run_gates([compare_outcomes(a, b, outcomes) for a, b in pairs], baselines, ALPHA)
    verdicts = [(_index(result.comparison.candidate), result.verdict) for result in results]
    return _index(baselines["task"].measures), verdicts


def _index(one: Measures) -> int:
    return int(one.combination.rpartition(" ")[2])


def _claims_of_one_report(rng: np.random.Generator, n: int) -> bool:
    drawn = {f"task {i}": _draw_outcomes(rng, n, np.full(COMBINATIONS, 0.9)) for i in range(TASKS)}
    ones = [one for task, outcomes in drawn.items() for one in measure_outcomes(task, outcomes)]
    baselines = choose_baselines(ones, {})
    comparisons = [compare_outcomes(a, b, drawn[a.task]) for a, b in find_candidates(ones, baselines)]
    worse = any(result.verdict is GateVerdict.WORSE for result in run_gates(comparisons, baselines, ALPHA))
    versions = [compare_outcomes(a, b, drawn[a.task]) for a, b in itertools.pairwise(ones) if a.task == b.task]
    version = any(p <= ALPHA for p in adjust_two_sided(versions))
    rows = [row for task, outcomes in drawn.items() for row in _series(rng, task, outcomes)]
    return worse or version or bool(find_drifts(rows, 3600, 1 - ALPHA))


def _draw_outcomes(rng: np.random.Generator, n: int, rates: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Draw outcomes of n inputs under each combination, shape (n, combinations); hard inputs are hard for all."""
    ease = rng.beta(4, 1, n)[:, None]  # mean 0.8
    lift = (rates - 0.8) / 0.2  # share of failures that a combination turns to success, to reach its rate
    return rng.random((n, rates.size)) < ease + (1 - ease) * lift


def measure_outcomes(task: str, outcomes: NDArray[np.bool_]) -> list[Measures]:
    """Describe the combinations of a task by their outcomes, shape (inputs, combinations)."""
    return [_measure_one(task, i, outcomes[:, i]) for i in range(outcomes.shape[1])]


def _measure_one(task: str, index: int, won: NDArray[np.bool_], price: float | None = None) -> Measures:
    """Describe a combination; without a price, one is cheaper the later it comes, and another faster: all are tried."""
    n, successes = won.size, int(won.sum())
    estimate = Estimate(value=successes / n, low=0, high=1, n=n, unit="share", method="")
    cost = Estimate(value=1 - index / 100 if price is None else price, low=0, high=1, n=n, unit="USD", method="")
    seconds = 1.0 if price is not None else 1.0 + abs(index - COMBINATIONS / 2)
    latency = Estimate(value=seconds, low=0, high=1, n=n, unit="s", method="")
    counts = {
        "runs": n,
        "inputs": n,
        "known": n,
        "successes": successes,
        "calls": n,
        "timed": n,
        "errors": 0,
        "unpriced": 0,
    }
    return Measures(
        task=task,
        combination=f"combination {index}",
        models=(f"model {index}",),
        axes={},
        first_us=0,
        last_us=1,
        **counts,
        has_input_ids=True,
        currencies=("USD",),
        effective_n=float(n),
        success=estimate,
        cost_per_run=cost,
        cost_per_call=cost,
        cost_per_success=cost,
        latency_p50=latency,
        latency_p95=latency,
    )


def compare_outcomes(baseline: Measures, candidate: Measures, outcomes: NDArray[np.bool_]) -> Comparison:
    """Compare two combinations of a task on the same inputs."""
    ours, theirs = (outcomes[:, _index(one)] for one in (baseline, candidate))
    gains, losses, n = int((theirs & ~ours).sum()), int((ours & ~theirs).sum()), ours.size
    test = GateTest(
        difference=NOWHERE,
        n=n,
        p_noninferior=paired_noninferiority_p(gains, losses, n, MARGIN),
        p_worse=float(mcnemar_exact(gains, losses)),
        p_better=float(mcnemar_exact(losses, gains)),
        discordance=(gains + losses) / n,
    )
    nothing = Estimate(value=0, low=-1, high=1, n=n, unit="share", method="")
    return Comparison(baseline, candidate, MARGIN, True, n, test, nothing, None, None)


def _series(rng: np.random.Generator, task: str, outcomes: NDArray[np.bool_]) -> list[dict[str, object]]:
    """Return rows as sql/series.sql gives them, the inputs falling into buckets at random."""
    bucket = rng.integers(0, BUCKETS, outcomes.shape[0])
    runs = np.bincount(bucket, minlength=BUCKETS)
    rows: list[dict[str, object]] = []
    for i in range(outcomes.shape[1]):
        won = np.bincount(bucket, weights=outcomes[:, i], minlength=BUCKETS)
        logs = rng.normal(0, 0.5, (2, outcomes.shape[0]))
        sums = [np.bincount(bucket, weights=log, minlength=BUCKETS) for log in logs]
        squares = [np.bincount(bucket, weights=log**2, minlength=BUCKETS) for log in logs]
        rows += [
            {
                "task_name": task,
                "combination": f"combination {i}",
                "bucket": b,
                "known": runs[b],
                "successes": won[b],
                "timed": runs[b],
                "latency_log": sums[0][b],
                "latency_log_squares": squares[0][b],
                "costly": runs[b],
                "cost_log": sums[1][b],
                "cost_log_squares": squares[1][b],
            }
            for b in range(BUCKETS)
            if runs[b]
        ]
    return rows
