"""Own adoption: a finding of today's report becomes a prediction in the ledger, to be held to later."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from trilemma.errors import ConfigurationError

from trilemma_analysis.findings import Verdict, find_all
from trilemma_analysis.loop.ledger import read_predictions, write_prediction
from trilemma_analysis.loop.model import Prediction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings import Action, Finding
    from trilemma_analysis.measures import Measures

__all__ = ["LEAST_HORIZON_S", "Adoption", "adopt", "check_adoptable", "predict"]

LEAST_HORIZON_S = 3600
_NEAR = 5  # ids shown when one is not known


class Adoption(NamedTuple):
    """A prediction, and whether it was written now."""

    prediction: Prediction
    is_new: bool


def adopt(
    analysis: Analysis,
    finding_id: str,
    *,
    adopted_at: datetime,
    horizon_s: int,
    note: str = "",
    despite_verdict: bool = False,
    again: bool = False,
) -> Adoption:
    """Write what a finding of this analysis promises into the ledger; what is there already stays, unless ``again``.

    Args:
        analysis: the look at the store whose findings are meant.
        finding_id: the finding's id.
        adopted_at: when the change went (or goes) live.
        horizon_s: within how many seconds it is to show what it is worth.
        note: words of the user's own.
        despite_verdict: adopt also what the report does not say to act on.
        again: write it anew, with new times and figures, where it is adopted already.

    Raises:
        ConfigurationError: no such finding, or one that is not to be adopted, or a horizon too short to see anything.
    """
    if horizon_s < LEAST_HORIZON_S:
        raise ConfigurationError(f"--horizon of {horizon_s} s is too short to see anything; give at least 1h")
    known = {one.finding.id: one for one in read_predictions(analysis.store)}
    if finding_id in known and not again:
        return Adoption(known[finding_id], is_new=False)
    finding = _find(find_all(analysis), finding_id)
    check_adoptable(finding, despite_verdict=despite_verdict)
    prediction = predict(analysis, finding, adopted_at=adopted_at, horizon_s=horizon_s, note=note)
    write_prediction(analysis.store, prediction)
    return Adoption(prediction, is_new=True)


def predict(
    analysis: Analysis, finding: Finding, *, adopted_at: datetime, horizon_s: int, note: str = ""
) -> Prediction:
    """Return what a finding with an action promises, and the figures of what is there today."""
    ones = {one.combination: one for one in analysis.of_task(finding.task)}
    default = analysis.baselines.get(finding.task)
    wanted = finding.action.baseline if finding.action else ""
    serving = ones.get(wanted) if wanted else default.measures if default else None
    return Prediction(
        finding=finding,
        adopted_at=adopted_at,
        horizon_s=horizon_s,
        margin=analysis.options.margin_of(finding.task),
        confidence=analysis.options.confidence,
        service=analysis.scope.service,
        since=analysis.scope.since,
        until=analysis.scope.until,
        serving=serving.combination if serving else "",
        baseline_runs=serving.runs if serving else None,
        baseline_success=serving.success if serving else None,
        baseline_cost=serving.cost_per_run if serving else None,
        baseline_latency=serving.latency_p50 if serving else None,
        models=_name_models(finding.action, serving, ones),
        note=note,
    )


def check_adoptable(finding: Finding, *, despite_verdict: bool) -> None:
    """Refuse a finding that no program can follow up, or that does not say to act."""
    if finding.action is None:
        raise ConfigurationError(
            f"finding {finding.id} has nothing to adopt: it says {finding.change!r}, which no program can follow up"
        )
    if finding.verdict is not Verdict.ACT and not despite_verdict:
        raise ConfigurationError(
            f"finding {finding.id} does not say to act (its verdict is {finding.verdict.value!r}); "
            "adopt it all the same with --anyway"
        )


def _name_models(
    action: Action | None, serving: Measures | None, ones: dict[str, Measures]
) -> dict[str, tuple[str, ...]]:
    """Return the models of each combination that the action names, also in its settings."""
    named = {serving.combination} if serving else set()
    if action is not None:
        named |= {action.baseline, action.candidate}
        for value in action.settings.values():
            named |= set(value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ())
            named |= {value} if isinstance(value, str) else set()
    return {name: ones[name].models for name in sorted(named & set(ones))}


def _find(findings: Sequence[Finding], finding_id: str) -> Finding:
    by_id = {one.id: one for one in findings}
    if finding_id in by_id:
        return by_id[finding_id]
    adoptable = [one.id for one in findings if one.action is not None]
    near = difflib.get_close_matches(finding_id, by_id, n=_NEAR, cutoff=0.5) or adoptable[:_NEAR]
    shown = f"the nearest are: {', '.join(near)}" if near else "this report has none to adopt"
    raise ConfigurationError(
        f"the report has no finding {finding_id!r}; {shown}. Ids stand in `trilemma report` (give the same --task, "
        "--since and other choices as there)"
    )
