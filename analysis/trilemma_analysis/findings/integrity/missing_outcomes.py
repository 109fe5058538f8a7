"""Own the finding "outcomes are missing for a reason": unknown more often in some runs than in others."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.estimate import Estimate
from trilemma_analysis.evidence.doubting import by_task, compare_shares, doubt, label_of
from trilemma_analysis.findings.finding import Effect, Needed, Verdict
from trilemma_analysis.wording import say_count, say_points, say_seconds, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "missing_outcomes"
QUESTIONS = ("missing_outcomes",)
LEAST_UNKNOWN = 20
LEAST_REACH = 0.01  # worst-case bounds narrower than a point change no decision


@dataclass(frozen=True)
class _Reason:
    """One thing that outcomes may hang on: how likely by chance, and in words."""

    p_value: float
    text: str


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task whose unknown outcomes hang on combination, error, day or latency."""
    gaps: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in analysis.measures:
        gaps[one.task][0] += one.runs
        gaps[one.task][1] += one.known
    tasks = [
        task
        for task, (runs, known) in sorted(gaps.items())
        if known and runs - known >= max(LEAST_UNKNOWN, LEAST_REACH * runs)
    ]
    if not tasks:
        return []
    rows = analysis.ask(QUESTIONS[0], chosen_tasks=tasks)
    reasons = [(task, reason) for task, ones in by_task(rows) for reason in _find_reasons(analysis, ones)]
    found: dict[str, list[_Reason]] = {}
    for (task, reason), p_value in zip(reasons, adjust_claims([one.p_value for _, one in reasons]), strict=True):
        if p_value <= analysis.alpha:
            found.setdefault(task, []).append(_Reason(p_value, reason.text))
    return [_report(analysis, task, why) for task, why in found.items()]


def _find_reasons(analysis: Analysis, rows: list[dict[str, Any]]) -> list[_Reason]:
    reasons = []
    for name, say in (("combination", _say_combination(analysis)), ("is_error", _say_error), ("day", _say_day)):
        groups: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
        first: dict[Any, dict[str, Any]] = {}
        for row in rows:
            first.setdefault(row[name], row)
            groups[row[name]][0] += row["known"]
            groups[row[name]][1] += row["runs"] - row["known"]
        keys = sorted(groups)
        p_value = compare_shares([groups[key] for key in keys])
        worst = max(keys, key=lambda key: (_share(groups[key]), keys.index(key)))
        text = f"{say(first[worst])}: {say_share(_share(groups[worst]))} unknown of {say_count(sum(groups[worst]))}"
        reasons.append(_Reason(p_value, text))
    return [*reasons, *_compare_latencies(rows)]


def _share(counts: list[int]) -> float:
    return counts[1] / sum(counts)


def _say_combination(analysis: Analysis) -> Any:
    return lambda row: label_of(analysis, row)


def _say_error(row: dict[str, Any]) -> str:
    return "runs with an error" if row["is_error"] else "runs without an error"


def _say_day(row: dict[str, Any]) -> str:
    return f"on {np.datetime64(int(row['day']), 'D')}"


def _compare_latencies(rows: list[dict[str, Any]]) -> list[_Reason]:
    """Return Welch's test of the log latency of runs with and without an outcome, within each combination pooled."""
    known, unknown = np.zeros(3), np.zeros(3)
    for row in rows:
        all_of_it = np.array([row["timed"], row["latency_log"], row["latency_log_squares"]])
        part = np.array([row["timed_known"], row["known_log"], row["known_log_squares"]])
        known, unknown = known + part, unknown + all_of_it - part
    if min(known[0], unknown[0]) < LEAST_UNKNOWN:
        return []
    means = known[1] / known[0], unknown[1] / unknown[0]
    spreads = [
        np.sqrt(max(squares / n - mean**2, 0) * n / (n - 1))
        for (n, _, squares), mean in zip((known, unknown), means, strict=True)
    ]
    if not any(spreads):
        return []
    test = stats.ttest_ind_from_stats(means[0], spreads[0], known[0], means[1], spreads[1], unknown[0], equal_var=False)
    without, with_one = (say_seconds(np.exp(mean)) for mean in reversed(means))
    text = f"runs without an outcome typically took {without}, those with one {with_one}"
    return [_Reason(float(test.pvalue), text)]


def _report(analysis: Analysis, task: str, reasons: list[_Reason]) -> Finding:
    ones = analysis.of_task(task)
    runs, known = sum(one.runs for one in ones), sum(one.known for one in ones)
    successes = sum(one.successes for one in ones)
    low, high = successes / runs, (successes + runs - known) / runs
    bounds = Estimate(
        value=successes / known,
        low=low,
        high=high,
        n=runs,
        unit="share",
        method="worst case: all unknown fail or succeed",
    )
    return doubt(
        KIND,
        task,
        title=f"outcomes are missing, and not by chance ({say_share((runs - known) / runs)} of runs)",
        what=(
            f"{say_count(runs - known)} of {say_count(runs)} runs have no outcome, unevenly: "
            f"{'; '.join(one.text for one in reasons)}. If they all failed, success is {say_share(low)}, if they all "
            f"succeeded {say_share(high)}; of the known it is {say_share(bounds.value)}."
        ),
        n=runs,
        unit="runs",
        questions=QUESTIONS,
        doubts=("quality",),
        verdict=Verdict.NOT_ENOUGH_DATA if high - low > analysis.options.margin_of(task) else Verdict.ACT,
        needed=Needed(n=runs - known, unit="outcomes of runs that have none"),
        effects=[Effect(side="quality", what="success rate, worst case either way", estimate=bounds, is_level=True)],
        p_value=min(one.p_value for one in reasons),
        risk=(
            "The rates compare runs that were judged; the others may differ by up to "
            f"{say_points(high - low).lstrip('+')}."
        ),
        change=(
            "Judge a sample of the runs without an outcome, and tell an outcome where errors and time-outs end a run."
        ),
        verification=(
            "The share of unknown outcomes no longer differs between combinations, days, errors and latencies."
        ),
    )
