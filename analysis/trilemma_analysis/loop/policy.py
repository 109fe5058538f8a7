"""Own the policy that follows from advice: a rule per adopted finding, its evidence, and what is left out and why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from trilemma_analysis.estimate import Frozen
from trilemma_analysis.findings import Verdict
from trilemma_analysis.findings.finding import Action
from trilemma_analysis.loop.adopting import predict
from trilemma_analysis.loop.model import LoopVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings import Finding
    from trilemma_analysis.loop.model import Measurement, Prediction

__all__ = ["LeftOut", "Policy", "Rule", "build_policy", "foresee"]


class Rule(Frozen):
    """One change to make at run time, and the finding that says so."""

    finding_id: str
    task: str
    title: str
    action: Action
    serving: str
    """The combination that served the task when it was said."""
    models: dict[str, tuple[str, ...]]
    """Models of the combinations that the action names."""
    adopted_at: datetime | None
    """None for advice that nobody has adopted yet."""
    result: str
    """What was measured of it: held, partly, not enough data; '' for nothing yet."""


class LeftOut(Frozen):
    """Advice that the policy does not follow."""

    finding_id: str
    task: str
    why: str


class Policy(Frozen):
    """All rules, by task."""

    format: str = "trilemma.policy/1"
    rules: tuple[Rule, ...]
    left_out: tuple[LeftOut, ...]


def build_policy(predictions: Iterable[Prediction], measurements: Mapping[str, Measurement]) -> Policy:
    """Return the policy of what is adopted; what broke is left out, and of two rules for the same the later one counts.

    Args:
        predictions: from the ledger.
        measurements: the last one of each finding, by its id.
    """
    rules: dict[tuple[str, str, str], Rule] = {}
    left_out = []
    for one in sorted(predictions, key=lambda each: (each.adopted_at, each.finding.id)):
        made = measurements.get(one.finding.id)
        if made is not None and made.verdict is LoopVerdict.BROKEN:
            left_out.append(LeftOut(finding_id=one.finding.id, task=one.finding.task, why=f"broken: {made.reason}"))
        elif (rule := _write_rule(one, one.adopted_at, made.verdict.value if made else "")) is not None:
            _put(rules, left_out, rule)
    return _collect(rules, left_out)


def foresee(analysis: Analysis, findings: Sequence[Finding]) -> Policy:
    """Return the policy that follows if all that the report says to act on is adopted; of two, the first counts."""
    rules: dict[tuple[str, str, str], Rule] = {}
    left_out: list[LeftOut] = []
    for one in reversed(findings):
        if one.verdict is Verdict.ACT and one.action is not None:
            prediction = predict(analysis, one, adopted_at=analysis.scope.until, horizon_s=0)
            if (rule := _write_rule(prediction, None, "")) is not None:
                _put(rules, left_out, rule)
    return _collect(rules, left_out)


def _write_rule(one: Prediction, adopted_at: datetime | None, result: str) -> Rule | None:
    if one.finding.action is None:
        return None
    return Rule(
        finding_id=one.finding.id,
        task=one.finding.task,
        title=one.finding.title,
        action=one.finding.action,
        serving=one.serving,
        models=one.models,
        adopted_at=adopted_at,
        result=result,
    )


def _put(rules: dict[tuple[str, str, str], Rule], left_out: list[LeftOut], rule: Rule) -> None:
    """Put a rule in place of an earlier one for the same runs."""
    key = rule.task, rule.action.kind, rule.action.baseline
    if (before := rules.get(key)) is not None:
        why = f"{rule.finding_id} says something else of the same runs"
        left_out.append(LeftOut(finding_id=before.finding_id, task=before.task, why=why))
    rules[key] = rule


def _collect(rules: dict[tuple[str, str, str], Rule], left_out: list[LeftOut]) -> Policy:
    return Policy(
        rules=tuple(rules[key] for key in sorted(rules)),
        left_out=tuple(sorted(left_out, key=lambda one: (one.task, one.finding_id))),
    )
