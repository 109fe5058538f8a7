"""Own what changed against the period before, of equal length: how much, how sure, and what explains it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.comparisons import divide_estimates
from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.findings import drift
from trilemma_analysis.measures import PICO, measure_combinations, read_moments
from trilemma_analysis.report.model import Shift, TaskChange
from trilemma_analysis.stats.clustered import clustered_rate, design_effect
from trilemma_analysis.stats.mix import Groups, split_change
from trilemma_analysis.stats.quantiles import quantile_ranks
from trilemma_analysis.stats.ratios import ratio_of_sums
from trilemma_analysis.stats.unpaired import newcombe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings import Finding

__all__ = ["CHANGE_QUESTIONS", "find_changes"]

CHANGE_QUESTIONS = ("period_totals", "period_latencies", "period_mix")
# Findings that say why a figure moved: something drifted, other traffic came, or the judge changed.
WHY = ("drift", "mix_change", "evaluator_changes")

_Row = dict[str, Any]


def find_changes(analysis: Analysis, findings: Sequence[Finding]) -> tuple[TaskChange, ...]:
    """Return what changed in each task; nothing where the store holds no runs of the period before."""
    scope, store = analysis.scope, analysis.store
    held = store.ask("period", tasks=list(scope.tasks), service=scope.service, until=scope.since).to_pylist()[0]
    if not held["runs"] or held["last_at"] < scope.before:
        return ()
    bound = {**scope.parameters, "since": scope.before, "split": scope.since}
    rows = {(row["task_name"], row["is_now"]): row for row in store.ask("period_totals", **bound).to_pylist()}
    p50 = _measure_p50(analysis, rows, bound)
    mixes: dict[str, list[_Row]] = {}
    for row in store.ask("period_mix", **bound).to_pylist():
        mixes.setdefault(row["task_name"], []).append(row)
    changes: list[TaskChange] = []
    for task in sorted({task for task, _ in rows}):
        old, new = rows.get((task, 0)), rows.get((task, 1))
        changes.append(
            TaskChange(
                task=task,
                runs_before=old["runs"] if old else 0,
                runs=new["runs"] if new else 0,
                success=_shift_success(old, new, mixes.get(task, []), analysis.options.confidence),
                cost_per_run=_shift_ratio(*(_estimate_cost(row, analysis.options.confidence) for row in (old, new))),
                latency_p50=_shift_ratio(p50.get((task, 0)), p50.get((task, 1))),
                why=(),
                explained_by=(),
            )
        )
    moved = tuple(one.task for one in changes if any(map(_is_sure, (one.success, one.cost_per_run, one.latency_p50))))
    drifts = _find_drifts(analysis, moved) if moved else []
    known = [*drifts, *(one for one in findings if one.kind in WHY and one.id not in {each.id for each in drifts})]
    return tuple(_explain(one, known) for one in changes)


def _find_drifts(analysis: Analysis, tasks: tuple[str, ...]) -> list[Finding]:
    """Return the drifts over both periods together, of tasks in which something surely changed."""
    scope = replace(analysis.scope, tasks=tasks, since=analysis.scope.before)
    measures = tuple(measure_combinations(analysis.store, scope, analysis.options.confidence))
    return drift.find(replace(analysis, scope=scope, measures=measures))


def _explain(one: TaskChange, findings: Sequence[Finding]) -> TaskChange:
    known = [each for each in findings if each.task in {one.task, ""}]
    texts = tuple(each.title for each in known)
    return one.model_copy(update={"why": texts, "explained_by": tuple(each.id for each in known)})


def _is_sure(one: Shift) -> bool:
    """Return whether a change is more than chance: its interval leaves out no change."""
    if one.change is None or one.change.low is None or one.change.high is None:
        return False
    same = 0.0 if one.change.unit == "share" else 1.0
    return not one.change.low <= same <= one.change.high


def _shift_success(old: _Row | None, new: _Row | None, mix: Sequence[_Row], confidence: float) -> Shift:
    sides = [_estimate_rate(row, confidence) for row in (old, new)]
    (before, n_before), (now, n_now) = sides
    if before is None or now is None:
        return Shift(before=before, now=now)
    interval = newcombe((before.value or 0) * n_before, n_before, (now.value or 0) * n_now, n_now, confidence)
    method = "Newcombe, now minus before, on the effective sample sizes"
    change = to_estimate(interval, min(before.n, now.n), "share", method)
    return Shift(before=before, now=now, change=change, **_split(mix, confidence))


def _split(mix: Sequence[_Row], confidence: float) -> dict[str, Estimate]:
    """Return the parts of a change that come from other combinations, and from other rates of the same ones."""
    if len(mix) < 2:
        return {}
    names = ("known_before", "successes_before", "known", "successes")
    columns = {name: np.array([row[name] for row in mix], dtype=float) for name in names}
    if not columns["known"].sum() or not columns["known_before"].sum():
        return {}
    groups = (
        Groups.of_rates(columns["known_before"], columns["successes_before"]),
        Groups.of_rates(columns["known"], columns["successes"]),
    )
    made = split_change(*groups, confidence)
    n = int(columns["known"].sum())
    return {
        "mix": to_estimate(made.mix, n, "share", "Kitagawa, over combinations"),
        "within": to_estimate(made.rate, n, "share", "Kitagawa, over combinations"),
    }


def _shift_ratio(before: Estimate | None, now: Estimate | None) -> Shift:
    is_same = before is not None and now is not None and before.unit == now.unit
    change = divide_estimates(now, before) if is_same and before is not None and now is not None else None
    return Shift(before=before, now=now, change=change)


def _estimate_rate(row: _Row | None, confidence: float) -> tuple[Estimate | None, float]:
    if row is None or not row["outcome_y"]:
        return None, 0.0
    rate = clustered_rate(read_moments(row, "outcome"), confidence)
    method = "Wilson" if row["outcome_y"] == row["outcome_n"] else "Wilson on the effective sample size (inputs repeat)"
    return to_estimate(rate.interval, int(row["outcome_n"]), "share", method), float(rate.effective_n)


def _estimate_cost(row: _Row | None, confidence: float) -> Estimate | None:
    if row is None or not row["run_cost_n"] or len(row["currencies"]) != 1:
        return None
    interval = ratio_of_sums(read_moments(row, "run_cost", x_scale=PICO), confidence)
    return to_estimate(
        interval, int(row["run_cost_n"]), row["currencies"][0], "delta method on the log scale, over inputs"
    )


def _measure_p50(
    analysis: Analysis, rows: dict[tuple[str, int], _Row], bound: dict[str, Any]
) -> dict[tuple[str, int], Estimate]:
    ranks = {}
    for key, row in rows.items():
        if row["timed"]:
            repeated = row["timed"] > row["p50_n"]
            effect = float(design_effect(read_moments(row, "p50"))) if repeated else 1.0
            ranks[key] = quantile_ranks(row["timed"], 0.5, analysis.options.confidence, effect)
    if not ranks:
        return {}
    answer = analysis.store.ask(
        "period_latencies",
        **bound,
        rank_tasks=[task for task, _ in ranks],
        rank_nows=[now for _, now in ranks],
        ranks=[[rank or 0 for rank in wanted] for wanted in ranks.values()],
    )
    found = {}
    for row in answer.to_pylist():
        key = row["task_name"], row["is_now"]
        low, value, high = (ns / 1e9 for ns in row["latencies_ns"])
        found[key] = Estimate(
            value=value,
            low=low if ranks[key].low else None,
            high=high if ranks[key].high else None,
            n=rows[key]["timed"],
            unit="s",
            method="order statistics",
        )
    return found
