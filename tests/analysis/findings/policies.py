"""Own worlds of inputs that a cheap and a dear model tried, and what SQL would say of a cascade on a sample of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from trilemma_analysis.evidence.routed import value_policy
from trilemma_analysis.evidence.segments import split_inputs
from trilemma_analysis.findings.cascade import Cascade
from trilemma_analysis.gates import GateResult
from trilemma_analysis.stats.moments import collect_moments
from trilemma_analysis.stats.noninferiority import GateVerdict, PairTable

from tests.analysis.findings.no_effect import MARGIN, compare_outcomes, measure_outcomes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from trilemma_analysis.evidence.segments import Split

__all__ = ["make_gate", "replay_cascade", "split_by_segment", "sum_amounts"]


@cache
def make_gate() -> GateResult:
    """Return a gate of a cheap model that is worse: nobody routes to it alone. Only its names and margin are used."""
    outcomes = np.array([[True, True], [True, False]])
    ones = measure_outcomes("task", outcomes)
    return GateResult(compare_outcomes(ones[0], ones[1], outcomes), GateVerdict.WORSE, 1.0, 0.0, None, None)


def sum_amounts(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> dict[str, Any]:
    """Return the moments of costs as SQL gives them, x theirs and y ours, and of latencies that are alike."""
    moments = collect_moments(theirs * 1e12, ours * 1e12)
    sums = {f"cost_{name}": getattr(moments, name) for name in ("n", "x", "y", "xx", "yy", "xy")}
    return {**sums, "latency_n": 0, "latency_sum": 0.0, "latency_squares": 0.0}


def replay_cascade(
    outcomes: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    costs: tuple[NDArray[np.float64], NDArray[np.float64]],
    fires: NDArray[np.bool_],
    evaluator: str = "",
) -> Cascade:
    """Return the cascade with one signal; outcomes and costs are those of the dear and of the cheap model."""
    dear, cheap = outcomes
    difference = np.where(fires, 0, cheap.astype(int) - dear.astype(int))
    gain = (dear.astype(int) - cheap.astype(int))[fires]
    values, counts = np.unique(difference, return_counts=True)
    row = {
        "fired": float(fires.sum()), "failed": float((~cheap).sum()), "failed_fired": float((~cheap & fires).sum()),
        "gain_n": gain.size, "gain_sum": float(gain.sum()), "gain_squares": float((gain**2).sum()),
        **sum_amounts(costs[0], costs[1] + np.where(fires, costs[0], 0.0)),
    }  # fmt: skip
    pairs = PairTable(values.astype(float), counts.astype(float), single=True)
    return Cascade(make_gate(), evaluator, 0.5, value_policy(pairs, row, MARGIN, 0.95), pairs, row)


def split_by_segment(
    cell: NDArray[np.int64],
    dear: tuple[NDArray[np.bool_], NDArray[np.float64]],
    cheap: list[tuple[NDArray[np.bool_], NDArray[np.float64]]],
) -> Split | None:
    """Return the split of inputs as SQL would: a cell is twice the segment plus the half; outcomes and costs follow."""
    rows: list[dict[str, Any]] = []
    for number, (won, cost) in enumerate(cheap):
        for one in np.unique(cell):
            where = cell == one
            difference = (won[where].astype(int) - dear[0][where]) * 10_000
            values, counts = np.unique(difference, return_counts=True)
            rows.append({
                "feature": "segment", "segment": f"s{one // 2}", "candidate": f"c{number}", "half": int(one % 2),
                "inputs": int(where.sum()), "most_trials": 1, "differences": values.tolist(), "counts": counts.tolist(),
                **sum_amounts(dear[1][where], cost[where]),
            })  # fmt: skip
    return split_inputs(rows, MARGIN, 0.95)
