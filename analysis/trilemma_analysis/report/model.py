"""Own the report as data: everything a renderer shows, computed once, and the schema of ``trilemma report --json``."""

from __future__ import annotations

from datetime import datetime

from trilemma_analysis.estimate import Estimate, Figure, Frozen
from trilemma_analysis.findings.finding import Effect, Finding
from trilemma_analysis.loop.model import Calibration, CertificateState, Measurement
from trilemma_analysis.options import Options
from trilemma_analysis.pictures.picture import Picture

__all__ = [
    "SCHEMA",
    "Advice",
    "Combination",
    "Gate",
    "Integrity",
    "Period",
    "Report",
    "Shift",
    "TaskChange",
    "TaskReport",
]

SCHEMA = "trilemma.report/1"


class Period(Frozen):
    """The time the report looks at, in UTC: nothing in it comes from the clock."""

    since: datetime
    until: datetime
    """Excluded."""
    first_at: datetime
    """Start of the oldest run in the period."""
    as_of: datetime
    """Start of the newest run in the period."""


class Combination(Frozen):
    """One combination of model, prompt, context, guardrail, route, fallback and cache, as one task used it."""

    name: str
    models: tuple[str, ...]
    axes: dict[str, str]
    is_baseline: bool
    runs: int
    inputs: int
    """Distinct inputs; a run without an input id is its own."""
    known: int
    """Runs whose outcome is known."""
    unknown: int
    unpriced: int
    errors: int
    """Runs with a failed call or span; they count in outcome, cost and latency."""
    calls: int
    success: Estimate
    """Successes among runs whose outcome is known."""
    success_if_unknown_fail: Figure
    success_if_unknown_succeed: Figure
    cost_per_run: Estimate | None
    cost_per_call: Estimate | None
    cost_per_success: Estimate | None
    """Cost of all runs, failures included, per success."""
    latency_p50: Estimate
    latency_p95: Estimate
    on_frontier: bool | None
    """Whether no other combination is as good on quality, cost and p50 latency and better on one; None if unknown."""
    frontier_probability: Figure


class Gate(Frozen):
    """The non-inferiority gate for one candidate that is cheaper or faster than the baseline."""

    candidate: str
    baseline: str
    differs_in: tuple[str, ...]
    verdict: str
    """``safe``, ``worse`` or ``not enough data``."""
    margin: float
    paired: bool
    n: int
    difference: Estimate
    """Candidate's success rate minus the baseline's."""
    cost_ratio: Estimate | None
    latency_ratio: Estimate | None
    discordance: Figure
    p_noninferior: Figure
    """Of "worse by the margin or more", adjusted for the task's candidates."""
    p_worse: Figure
    """Of "no worse", adjusted for all claims of the report."""
    needed: int | None
    """More inputs, tried by both, that would settle an open candidate if it truly is as good (power 80 %)."""
    needed_cost: Figure
    """What the candidate's runs on them would cost."""


class Integrity(Frozen):
    """What a reader must know before believing the rest."""

    level: str
    """``warning`` or ``note``."""
    task: str
    """'' for the whole store."""
    what: str
    """A short key: ``unknown_outcomes``, ``unpriced``, ``errors``, ``mixed_currency``, ``no_input_id``, ..."""
    detail: str


class TaskReport(Frozen):
    """One task: its combinations (baseline first, then by success), its gate, and what to know first."""

    name: str
    runs: int
    margin: float
    confidence: float
    currency: str
    baseline: str | None
    baseline_reason: str
    runs_per_month: Figure
    """Of the baseline: stated by the reader, or at the traffic of the period; None when less than a day was seen."""
    combinations: tuple[Combination, ...]
    gates: tuple[Gate, ...]
    integrity: tuple[Integrity, ...]


class Shift(Frozen):
    """One figure of a task, in the period before and now."""

    before: Estimate | None
    now: Estimate | None
    change: Estimate | None = None
    """Difference of success rates, or ratio, of now to before."""
    mix: Estimate | None = None
    """Part of a change of success that comes from other shares of the combinations; None with one combination."""
    within: Estimate | None = None
    """Part that comes from other rates of the same combinations."""


class TaskChange(Frozen):
    """What changed in a task against the period before, of equal length."""

    task: str
    runs_before: int
    runs: int
    success: Shift
    cost_per_run: Shift
    latency_p50: Shift
    why: tuple[str, ...]
    """Titles of findings that explain it: a drift, over both periods; other traffic or another judge, in this one."""
    explained_by: tuple[str, ...]
    """Their ids."""


class Advice(Frozen):
    """A finding that was adopted: what it promised, and what came of it as measured last."""

    finding_id: str
    task: str
    title: str
    adopted_at: datetime
    ends_at: datetime
    note: str
    predicted: tuple[Effect, ...]
    measurement: Measurement | None
    """None until `trilemma verify` has measured it."""


class Report(Frozen):
    """The whole report. Same rows, same options: the same bytes."""

    format: str = SCHEMA
    trilemma_version: str
    service: str
    period: Period | None
    """None for a store with no runs in it."""
    options: Options
    tasks: tuple[TaskReport, ...]
    findings: tuple[Finding, ...]
    integrity: tuple[Integrity, ...]
    changes: tuple[TaskChange, ...] = ()
    """Against the period before; empty where the store holds no runs of it."""
    advice: tuple[Advice, ...] = ()
    """What is adopted, as the ledger has it now."""
    calibration: Calibration | None = None
    certificates: tuple[CertificateState, ...] = ()
    """As they stand at the end of the period."""
    pictures: tuple[Picture, ...] = ()
    """By task and topic: what notebooks and the page draw beside the combinations."""
    questions: dict[str, str]
    """SQL by question name: what stands behind each number."""
    parameters: dict[str, str]
    """Values bound to the questions' parameters."""

    def to_json(self) -> str:
        """Return every number as JSON, two spaces indented, with a final newline."""
        return self.model_dump_json(indent=2) + "\n"
