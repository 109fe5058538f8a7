"""Own the finding: what was seen, how sure it is, what it is worth, what to change, and how to check it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from trilemma_analysis.estimate import Estimate, Figure, Frozen

__all__ = ["Action", "Effect", "Evidence", "Finding", "Needed", "Saving", "Verdict"]


class Verdict(StrEnum):
    """What to do about a finding."""

    ACT = "act"
    DONT = "don't"
    NOT_ENOUGH_DATA = "not enough data"


class Effect(Frozen):
    """What the change does to one side of the triangle, as a difference or a ratio of candidate to baseline.

    Where the finding has an action, this is what adopting it is predicted to do to the runs of `Action.baseline`:
    quality as the difference of success rates (``share``), cost as the ratio of mean costs per run, latency as the
    ratio of typical latencies (``ratio``), each of after to before. `trilemma verify` measures just these.
    """

    side: str
    """``quality``, ``cost`` or ``latency``."""
    what: str
    estimate: Estimate
    is_level: bool = False
    """Whether it is an amount or a share as it stands, not a change; such an effect predicts nothing."""


class Evidence(Frozen):
    """What a finding rests on."""

    n: int
    unit: str
    """What n counts: ``paired inputs``, ``runs``, ``requests``."""
    questions: tuple[str, ...]
    """Names of the SQL questions whose rows it was computed from."""
    p_value: Figure = None
    """Adjusted for all claims of its family in this report; None where nothing is tested."""


class Saving(Frozen):
    """What the change saves, at a stated traffic. Negative: it costs more."""

    per_1000_runs: Estimate
    runs_per_month: Figure
    """Runs in 30 days at the traffic of the period; None when less than a day was seen and nobody said."""
    per_month: Estimate | None


class Action(Frozen):
    """The change to make, as a program can make it: what a policy is exported from, and what the ledger follows."""

    kind: str
    """``route``, ``segment_route``, ``cascade``, ``fallback``, ``cache``, ``prompt``, ``context``, ``guardrail``,
    ``timeout``, ``retry``, ``effort``, ``batch``, ``tier``, ``parallel`` or ``judge``."""
    baseline: str = ""
    """The combination (as in the column) whose runs it changes; '' for all runs of the task."""
    candidate: str = ""
    """The combination that they run as afterwards; '' where the runs will not be told apart by their combination."""
    settings: dict[str, str | float | int | bool | tuple[str, ...] | dict[str, str]] = Field(default_factory=dict)
    """What else it takes: models in order, seconds to live, thresholds, a combination by segment; names have units."""


class Needed(Frozen):
    """What would settle an open finding."""

    n: int
    unit: str
    """What n counts: ``inputs tried by both``, ``labelled runs``, ``runs``."""
    cost: Figure = None
    currency: str = ""


class Finding(Frozen):
    """One thing found (or, honestly, not yet settled) in the data of one task."""

    id: str
    """The same for the same kind, place and change, whatever the data: for the ledger."""
    kind: str
    task: str
    where: str
    title: str
    what: str
    verdict: Verdict
    evidence: Evidence
    effects: tuple[Effect, ...] = ()
    saving: Saving | None = None
    risk: str
    change: str
    verification: str
    action: Action | None = None
    """None where nothing is to be adopted."""
    needed: Needed | None = None
    """Of a finding that is not settled; None also where no amount of data would settle it."""
    doubts: tuple[str, ...] = ()
    """Of a finding about the data: the sides (``quality``, ``cost``, ``latency``) whose figures it puts in doubt."""
    rests_on: tuple[str, ...] = ()
    """Ids of findings that doubt figures which this one rests on."""
