"""Own the finding "try the cheap one first": a fallback on signals that a runtime sees, replayed on shared inputs."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trilemma_analysis.evidence.effects import list_effects
from trilemma_analysis.evidence.routed import (
    Routed,
    adjust_safe,
    best_plain_ratio,
    find_paired,
    plan_inputs,
    say_need,
    value_policy,
)
from trilemma_analysis.evidence.savings import identify, save_by_ratio
from trilemma_analysis.findings.finding import Action, Evidence, Finding, Verdict
from trilemma_analysis.stats.noninferiority import GateVerdict, PairTable
from trilemma_analysis.wording import say_change, say_count, say_points, say_ratio, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.gates import GateResult

__all__ = ["KIND", "QUESTIONS", "Cascade", "decide", "find"]

KIND = "cascade"
QUESTIONS = ("inline_scores", "cascades")
VERSUS = "policy to baseline"
SIGNS = ("error", "truncated", "refused", "filtered", "blocked", "invalid", "tool_error")
LEAST_FIRED = 10  # inputs on which the signal fires; with fewer, nothing is known of what it tells
LEAST_SCORED = 0.9  # of the runs of the cheap combination: an evaluator that is seldom asked is no signal
TELLS = 0.01  # one-sided error of "where the signal fires, the dear combination gains more than elsewhere"


@dataclass(frozen=True)
class Cascade:
    """One cascade: which combinations, which signal, and what it would have given."""

    plain: GateResult
    evaluator: str
    threshold: float
    routed: Routed
    pairs: PairTable
    row: dict[str, Any]

    @property
    def tells(self) -> bool:
        """Return whether the dear combination surely gains more where the signal fires than elsewhere (Welch)."""
        row, pairs = self.row, self.pairs
        fired, rest = int(row["gain_n"]), int(pairs.n - row["gain_n"])
        if min(fired, rest) < LEAST_FIRED:
            return False
        elsewhere = -float(pairs.counts @ pairs.values)
        gap = row["gain_sum"] / fired - elsewhere / rest
        spread = _square_error(fired, row["gain_sum"], row["gain_squares"]) + _square_error(
            rest, elsewhere, float(pairs.counts @ pairs.values**2)
        )
        return bool(gap > 0 and gap >= float(stats.norm.isf(TELLS)) * math.sqrt(spread))

    @property
    def is_outcome(self) -> bool:
        """Return whether the evaluator says just what the outcome says: then it is likely to be the outcome."""
        return bool(self.evaluator) and self.row["failed_fired"] == self.row["fired"] == self.row["failed"]

    @property
    def order(self) -> tuple[float, str, str, float]:
        """Return the cheapest first; of equals, by name."""
        return self.routed.cost, self.plain.comparison.candidate.combination, self.evaluator, self.threshold


def find(analysis: Analysis) -> list[Finding]:
    """Return per task the cheapest cascade that is safe, else the one nearest to being shown so."""
    plains = find_paired(analysis)
    if not plains:
        return []
    by_task: dict[str, list[Cascade]] = defaultdict(list)
    for one in _replay(analysis, plains):
        by_task[one.plain.comparison.baseline.task].append(one)
    found = []
    for task, cascades in sorted(by_task.items()):
        best, p_value, is_safe = decide(cascades, analysis.alpha, best_plain_ratio(analysis, task))
        if best is not None and is_safe:
            found.append(_report_safe(analysis, best, p_value))
        elif best is not None and (more := plan_inputs(best.routed, analysis.alpha)) is not None:
            found += [_report_open(analysis, best, p_value, more)] if _is_nearer(more, best.plain) else []
    return found


def decide(cascades: list[Cascade], alpha: float, plain_ratio: float) -> tuple[Cascade | None, float, bool]:
    """Return the cascade of a task to speak of, its p-value by Holm over all that were tried, and whether it is safe.

    Only those whose signal tells, that surely save, and save more than the best safe plain route.
    """
    p_values = adjust_safe([one.routed for one in cascades], alpha)
    useful = [
        (one, p)
        for one, p in zip(cascades, p_values, strict=True)
        if one.tells and not one.is_outcome and one.routed.saves and one.routed.cost < plain_ratio
    ]
    if safe := [(one, p) for one, p in useful if p <= alpha]:
        best, p_value = min(safe, key=lambda pair: pair[0].order)
        return best, p_value, True
    if not useful:
        return None, 1.0, False
    best, p_value = min(useful, key=lambda pair: (pair[1], pair[0].order))
    return best, p_value, False


def _is_nearer(more: int, plain: GateResult) -> bool:
    """Return whether the cascade takes fewer inputs than its cheap combination alone, of which `model_route` speaks."""
    return plain.verdict is GateVerdict.WORSE or plain.needed is None or more < plain.needed


def _replay(analysis: Analysis, plains: list[GateResult]) -> list[Cascade]:
    """Ask for the replay of each cheap combination with each signal that its runs have."""
    policies = [(plain, "", 0.0) for plain in plains] + _list_scored(analysis, plains)
    pairs = [plain.comparison for plain, _, _ in policies]
    rows = analysis.ask(
        "cascades",
        policy_tasks=[pair.baseline.task for pair in pairs],
        policy_baselines=[pair.baseline.combination for pair in pairs],
        policy_candidates=[pair.candidate.combination for pair in pairs],
        policy_evaluators=[evaluator for _, evaluator, _ in policies],
        policy_thresholds=[threshold for _, _, threshold in policies],
        policy_costs=[_mean_cost(plain) for plain, _, _ in policies],
    )
    cascades = []
    for row in rows:
        plain, evaluator, threshold = policies[row["policy"] - 1]
        table = PairTable(
            values=np.array(row["differences"], dtype=float) / 1e4,
            counts=np.array(row["counts"], dtype=float),
            single=row["most_trials"] == 1,
        )
        routed = value_policy(table, row, plain.comparison.margin, analysis.options.confidence)
        cascades.append(Cascade(plain, evaluator, threshold, routed, table, row))
    return cascades


def _list_scored(analysis: Analysis, plains: list[GateResult]) -> list[tuple[GateResult, str, float]]:
    """Return the cheap combinations with an evaluator that scored nearly all their runs in time, at each threshold."""
    by_key = {plain.comparison.candidate.key: plain for plain in plains}
    rows = analysis.ask(
        "inline_scores",
        run_tasks=[task for task, _ in by_key],
        run_combinations=[combination for _, combination in by_key],
    )
    return [
        (plain, row["evaluation_name"], threshold)
        for row in rows
        for plain in (by_key[row["task_name"], row["combination"]],)
        if row["scored"] >= LEAST_SCORED * plain.comparison.candidate.runs
        for threshold in row["thresholds"]
        if threshold < row["highest"]
    ]


def _square_error(n: int, total: float, squares: float) -> float:
    """Return the squared standard error of a mean, from sums."""
    return max(squares - total**2 / n, 0.0) / (n - 1) / n


def _mean_cost(plain: GateResult) -> int:
    price = plain.comparison.candidate.cost_per_run
    return 0 if price is None or price.value is None else round(price.value * 1e12)


def _report_safe(analysis: Analysis, one: Cascade, p_value: float) -> Finding:
    made, routed = one.plain.comparison, one.routed
    task, first, then = made.baseline.task, made.candidate, made.baseline
    return Finding(
        id=identify(KIND, task, then.combination, first.combination, one.evaluator),
        kind=KIND,
        task=task,
        where=then.label,
        title=f"Try {first.label} first for {task}, and {then.label} where {_name_signal(one)}",
        what=(
            f"{_say_replay(one)} Success would differ by {say_change(routed.difference)} from {then.label} alone: not "
            f"worse by the margin of {routed.margin * 100:g} points or more (p = {p_value:.2g}, Holm over the cascades "
            f"tried for the task). {_say_oracle(one)}"
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=routed.test.n, unit="inputs tried by both", questions=QUESTIONS, p_value=p_value),
        effects=list_effects(routed, VERSUS),
        saving=save_by_ratio(analysis, then, routed.cost_ratio),
        risk=_name_risk(one),
        change=f"Send {task} to {first.label}; where {_name_signal(one)}, send the same input to {then.label}.",
        verification=(
            "Keep a tenth of the traffic on the present combination and compare success on it after "
            f"{say_count(max(routed.test.n, 200))} runs; watch that the share that falls back stays near "
            f"{say_share(_share_fired(one))}."
        ),
        action=Action(kind="cascade", baseline=then.combination, settings=_list_settings(one)),
    )


def _report_open(analysis: Analysis, one: Cascade, p_value: float, more: int) -> Finding:
    made, routed = one.plain.comparison, one.routed
    task, first, then = made.baseline.task, made.candidate, made.baseline
    text, needed = say_need(more, one.plain)
    return Finding(
        id=identify(KIND, task, then.combination, "open"),
        kind=KIND,
        task=task,
        where=then.label,
        title=f"Not settled for {task}: {first.label} first, and {then.label} where {_name_signal(one)}",
        what=(
            f"{_say_replay(one)} Success would differ by {say_change(routed.difference)} from {then.label} alone, "
            f"which does not rule out a loss of {routed.margin * 100:g} points. {_say_oracle(one)}"
        ),
        verdict=Verdict.NOT_ENOUGH_DATA,
        evidence=Evidence(n=routed.test.n, unit="inputs tried by both", questions=QUESTIONS, p_value=p_value),
        effects=list_effects(routed, VERSUS),
        saving=save_by_ratio(analysis, then, routed.cost_ratio),
        risk="Switching now would be a guess.",
        change=f"Collect data: {text}, would settle it with 80 % power if the cascade truly is as good.",
        verification="Run the report again on the longer period.",
        needed=needed,
    )


def _say_replay(one: Cascade) -> str:
    """Say what the replay rests on: how often the signal fires, and what it is worth."""
    fired, failed = one.row["fired"], one.row["failed"]
    caught = one.row["failed_fired"] / failed if failed else 0.0
    first = one.plain.comparison.candidate.label
    return (
        f"Replayed on {say_count(one.routed.test.n)} inputs tried by both, with the errors of the two as alike as "
        f"they are: {_name_signal(one)} in {say_share(_share_fired(one))} of runs of {first}, "
        f"which catches {say_share(caught)} of its failures; {say_share(1 - one.row['failed_fired'] / fired)} of those "
        f"that fall back had succeeded."
    )


def _say_oracle(one: Cascade) -> str:
    ratio = one.row["oracle_cost"] / one.row["cost_y"] if one.row["cost_y"] else None
    return (
        "Who fell back exactly where the cheap one fails would reach "
        f"{say_points(one.row['oracle'] / one.row['inputs'])} and {say_ratio(ratio)} of cost: a bound, partly luck, "
        "that no signal can reach."
    )


def _name_signal(one: Cascade) -> str:
    if not one.evaluator:
        return "a call fails, is cut or refused, or does not fit its schema"
    return f"a call fails or {one.evaluator} scores it {one.threshold:g} or lower"


def _name_risk(one: Cascade) -> str:
    low = one.routed.difference.low or 0.0
    risks = ["Success is not lower." if low >= 0 else f"Success may be up to {say_points(-low).lstrip('+')} lower."]
    if one.routed.latency_ratio is not None:
        risks.append(f"Latency, with both runs where it falls back: {say_change(one.routed.latency_ratio)}.")
    if unpriced := one.row["unpriced"]:
        risks.append(f"{say_count(unpriced)} run(s) of the cheap one have no price and count as its mean.")
    risks.append("Steps that write (a payment, a mail) must not run twice.")
    return " ".join(risks)


def _share_fired(one: Cascade) -> float:
    return float(one.row["fired"] / one.row["inputs"])


def _list_settings(one: Cascade) -> dict[str, str | float | int | bool | tuple[str, ...] | dict[str, str]]:
    made = one.plain.comparison
    settings: dict[str, str | float | int | bool | tuple[str, ...] | dict[str, str]] = {
        "first": made.candidate.combination,
        "then": made.baseline.combination,
        "models": (*made.candidate.models, *made.baseline.models),
        "signals": SIGNS,
    }
    return settings | ({"evaluator": one.evaluator, "score_at_most": one.threshold} if one.evaluator else {})
