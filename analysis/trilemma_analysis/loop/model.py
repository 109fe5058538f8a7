"""Own what the ledger holds: predictions, measurements and certificates, as they are written and read again."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from trilemma_analysis.estimate import Estimate, Figure, Frozen
from trilemma_analysis.findings.finding import Effect, Finding, Needed

__all__ = [
    "Calibration",
    "Certificate",
    "CertificateState",
    "LoopVerdict",
    "MeasuredEffect",
    "Measurement",
    "Prediction",
    "Standing",
]


class LoopVerdict(StrEnum):
    """What came of a prediction."""

    HELD = "held"
    BROKEN = "broken"
    """The stop rule is hit (success fell by more than the margin), or nothing that was promised came true."""
    PARTLY = "partly"
    NOT_ENOUGH_DATA = "not enough data"


class Standing(StrEnum):
    """What came of one effect of a prediction."""

    HELD = "held"
    MISSED = "missed"
    STOPPED = "stopped"
    """Success fell by more than the margin: go back."""
    OPEN = "open"


class Prediction(Frozen):
    """What was promised when a finding was adopted, and by what it will be judged."""

    format: str = "trilemma.prediction/1"
    finding: Finding
    adopted_at: datetime
    """When the change went live: runs from then on are measured."""
    horizon_s: int
    margin: float
    """The stop rule: go back when success is surely lower by more than this."""
    confidence: float
    service: str
    """'' for all."""
    since: datetime
    until: datetime
    """The period that the finding rests on, its end excluded."""
    serving: str
    """The combination that served the task then: the action's baseline, or the report's."""
    baseline_runs: int | None = None
    baseline_success: Estimate | None = None
    baseline_cost: Estimate | None = None
    baseline_latency: Estimate | None = None
    models: dict[str, tuple[str, ...]]
    """Models of the combinations that the action names."""
    note: str = ""

    @property
    def ends_at(self) -> datetime:
        """Return when the horizon ends."""
        return self.adopted_at + timedelta(seconds=self.horizon_s)

    def effect_on(self, side: str) -> Effect | None:
        """Return what is predicted of one side of the triangle, None for nothing."""
        return next((one for one in self.finding.effects if one.side == side and not one.is_level), None)


class MeasuredEffect(Frozen):
    """One side of the triangle: what was predicted of it, and what was measured."""

    side: str
    predicted: Estimate | None
    """None where nothing was; quality is measured all the same, for the stop rule."""
    measured: Estimate
    standing: Standing
    is_inside: bool | None
    """Whether the measured value lies in the predicted interval; None where one of them has no ends."""
    needed: Needed | None = None


class Measurement(Frozen):
    """What came of one prediction so far."""

    format: str = "trilemma.measurement/1"
    finding_id: str
    task: str
    title: str
    adopted_at: datetime
    until: datetime
    """Up to when runs were looked at, excluded."""
    method: str
    """``holdout``, ``time series``, or '' where nothing could be measured."""
    verdict: LoopVerdict
    reason: str
    """Why, in a sentence."""
    effects: tuple[MeasuredEffect, ...] = ()
    runs: int
    """Runs of the change since the adoption."""
    runs_beside: int
    """Runs since then that went on as before."""
    controls: tuple[str, ...] = ()
    """Series that the change cannot touch, taken off (time series only)."""
    is_confounded: bool = False
    """Whether those moved too."""


class Calibration(Frozen):
    """How our own predictions did, over all that has been measured."""

    effects: int
    inside: int
    """Effects whose measured value lies in the interval that was stated."""
    share: Estimate


class Certificate(Frozen):
    """What is vouched for a task, on which evidence, and until when."""

    format: str = "trilemma.certificate/1"
    task: str
    combination: str
    label: str
    confidence: float
    success_at_least: float
    """One-sided: with this confidence the success rate is at least so."""
    success: Estimate
    k: int
    pass_k: Estimate | None
    """The chance that k trials of one input all succeed; None where inputs do not repeat."""
    cost_per_run: Estimate | None
    latency_p95: Estimate
    runs: int
    known: int
    inputs: int
    service: str
    since: datetime
    until: datetime
    """The period of the evidence, its end excluded."""
    issued_at: datetime
    valid_until: datetime
    known_drifts: tuple[str, ...] = ()
    """Ids of drift findings that were there when it was issued."""
    broken_at: datetime | None = None
    broken_because: tuple[str, ...] = ()


class CertificateState(Frozen):
    """A certificate, and whether it still holds."""

    certificate: Certificate
    checked_at: datetime
    state: str
    """``valid``, ``expired`` (by its date) or ``broken``."""
    reasons: tuple[str, ...] = ()
    new_runs: int = 0
    """Runs of the combination with a known outcome since the evidence."""
    new_success_at_most: Figure = None
    """Upper end of the anytime-valid interval of their success rate."""
