"""Own what is measured of each combination: rows of counts and moments in, estimates with intervals out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.estimate import Estimate, no_estimate, to_estimate
from trilemma_analysis.stats.clustered import clustered_rate, design_effect
from trilemma_analysis.stats.moments import Moments
from trilemma_analysis.stats.quantiles import QuantileRanks, quantile_ranks
from trilemma_analysis.stats.ratios import ratio_of_sums

if TYPE_CHECKING:
    from trilemma_analysis.client import Store
    from trilemma_analysis.scope import Scope

__all__ = ["AXES", "PICO", "Measures", "measure_combinations", "read_moments"]

AXES = (
    "prompt_name",
    "prompt_version",
    "variant_context",
    "variant_guardrail",
    "variant_route",
    "variant_fallback",
    "variant_cache",
    "variant",
)
PICO = 1e-12  # costs come as integers of 1e-12 of the currency, so that sums do not depend on the order of rows
NO_CALL = "(no LLM call)"
LEVELS = (0.5, 0.95)


@dataclass(frozen=True)
class Measures:
    """One combination of one task: counts, estimates, and the moments that comparisons need again."""

    task: str
    combination: str
    models: tuple[str, ...]
    axes: dict[str, str]
    first_us: int
    last_us: int
    runs: int
    inputs: int
    known: int
    successes: int
    errors: int
    unpriced: int
    calls: int
    timed: int
    has_input_ids: bool
    currencies: tuple[str, ...]
    effective_n: float
    success: Estimate
    cost_per_run: Estimate | None
    cost_per_call: Estimate | None
    cost_per_success: Estimate | None
    latency_p50: Estimate
    latency_p95: Estimate

    @property
    def key(self) -> tuple[str, str]:
        """Return what tells it from others."""
        return self.task, self.combination

    @property
    def label(self) -> str:
        """Return its name for people; a run that made no call (a cache answered, say) has no model in its name."""
        if self.models:
            return self.combination
        return f"{NO_CALL} · {self.combination}" if self.combination else NO_CALL


def measure_combinations(store: Store, scope: Scope, confidence: float) -> list[Measures]:
    """Ask how each combination of each task did, sorted by task and combination."""
    rows = store.ask("combinations", **scope.parameters).to_pylist()
    latencies = _measure_latencies(store, scope, rows, confidence)
    return [_measure_one(row, latencies.get(_key(row)), confidence) for row in rows]


def _measure_one(row: dict[str, Any], latencies: tuple[Estimate, Estimate] | None, confidence: float) -> Measures:
    unit = row["currencies"][0] if row["currencies"] else ""
    success, effective_n = _estimate_success(row, confidence)
    p50, p95 = latencies or (no_estimate("s"), no_estimate("s"))
    return Measures(
        task=row["task_name"],
        combination=row["combination"],
        models=tuple(row["models"]),
        axes={axis: row[axis] for axis in AXES if row[axis]},
        first_us=row["first_at"],
        last_us=row["last_at"],
        **{
            name: int(row[name])
            for name in ("runs", "inputs", "known", "successes", "errors", "unpriced", "calls", "timed")
        },
        has_input_ids=row["named"] > 0,
        currencies=tuple(row["currencies"]),
        effective_n=effective_n,
        success=success,
        cost_per_run=_estimate_cost(row, "run_cost", unit, confidence),
        cost_per_call=_estimate_cost(row, "call_cost", unit, confidence),
        cost_per_success=_estimate_cost(row, "success_cost", unit, confidence),
        latency_p50=p50,
        latency_p95=p95,
    )


def _estimate_success(row: dict[str, Any], confidence: float) -> tuple[Estimate, float]:
    if not row["known"]:
        return no_estimate("share"), 0.0
    rate = clustered_rate(read_moments(row, "outcome"), confidence)
    repeated = row["known"] > row["outcome_n"]
    method = "Wilson" if not repeated else "Wilson on the effective sample size (inputs repeat)"
    return to_estimate(rate.interval, int(row["outcome_n"]), "share", method), float(rate.effective_n)


def _estimate_cost(row: dict[str, Any], prefix: str, unit: str, confidence: float) -> Estimate | None:
    """Return a cost estimate, or None where there is no price, or prices in several currencies."""
    if not row[f"{prefix}_n"] or len(row["currencies"]) > 1:
        return None
    interval = ratio_of_sums(read_moments(row, prefix, x_scale=PICO), confidence)
    return to_estimate(interval, int(row[f"{prefix}_n"]), unit, "delta method on the log scale, over inputs")


def _measure_latencies(
    store: Store, scope: Scope, rows: list[dict[str, Any]], confidence: float
) -> dict[tuple[str, str], tuple[Estimate, Estimate]]:
    """Ask for the order statistics that estimate and bound p50 and p95 of each combination."""
    timed = [row for row in rows if row["timed"]]
    if not timed:
        return {}
    effects = _find_latency_effects(store, scope) if any(row["runs"] > row["inputs"] for row in timed) else {}
    ranks = {
        _key(row): [
            quantile_ranks(row["timed"], level, confidence, effect)
            for level, effect in zip(LEVELS, effects.get(_key(row), (1.0, 1.0)), strict=True)
        ]
        for row in timed
    }
    answer = store.ask(
        "latency_at_ranks",
        **scope.parameters,
        rank_tasks=[task for task, _ in ranks],
        rank_combinations=[combination for _, combination in ranks],
        ranks=[[rank or 0 for wanted in both for rank in wanted] for both in ranks.values()],
    )
    counts = {_key(row): row["timed"] for row in timed}
    return {
        _key(row): (
            _estimate_latency(row["latencies_ns"][:3], ranks[_key(row)][0], counts[_key(row)]),
            _estimate_latency(row["latencies_ns"][3:], ranks[_key(row)][1], counts[_key(row)]),
        )
        for row in answer.to_pylist()
    }


def _find_latency_effects(store: Store, scope: Scope) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the design effects of p50 and p95, of the runs of an input being alike."""
    rows = store.ask("latency_clusters", **scope.parameters).to_pylist()
    return {_key(row): (_latency_effect(row, "p50"), _latency_effect(row, "p95")) for row in rows}


def _latency_effect(row: dict[str, Any], level: str) -> float:
    values = (row["n"], row[f"{level}_x"], row["y"], row[f"{level}_xx"], row["yy"], row[f"{level}_xy"])
    return float(design_effect(Moments(*(np.asarray(value, dtype=float) for value in values))))


def _estimate_latency(latencies_ns: list[int], ranks: QuantileRanks, n: int) -> Estimate:
    low, value, high = (ns / 1e9 for ns in latencies_ns)
    return Estimate(
        value=value,
        low=low if ranks.low else None,
        high=high if ranks.high else None,
        n=n,
        unit="s",
        method="order statistics",
    )


def read_moments(row: dict[str, Any], prefix: str, x_scale: float = 1.0, y_scale: float = 1.0) -> Moments:
    """Return the moments that stand in a row under a prefix, with x and y in other units."""
    n, x, y, xx, yy, xy = (
        np.asarray(row[f"{prefix}_{name}"], dtype=float) for name in ("n", "x", "y", "xx", "yy", "xy")
    )
    return Moments(n, x * x_scale, y * y_scale, xx * x_scale**2, yy * y_scale**2, xy * x_scale * y_scale)


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["task_name"], row["combination"]
