"""Own the finding: what was seen, how sure it is, what it is worth, what to change, and how to check it."""

from __future__ import annotations

from enum import StrEnum

from trilemma_analysis.estimate import Estimate, Figure, Frozen

__all__ = ["Effect", "Evidence", "Finding", "Saving", "Verdict"]


class Verdict(StrEnum):
    """What to do about a finding."""

    ACT = "act"
    DONT = "don't"
    NOT_ENOUGH_DATA = "not enough data"


class Effect(Frozen):
    """What the change does to one side of the triangle, as a difference or a ratio of candidate to baseline."""

    side: str
    """``quality``, ``cost`` or ``latency``."""
    what: str
    estimate: Estimate


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
