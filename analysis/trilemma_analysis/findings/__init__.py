"""Own the findings: one file each; an analysis in, findings out. A new one is a file here and a line below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.findings.drift import find as find_drift
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Saving, Verdict
from trilemma_analysis.findings.model_route import find as find_model_routes
from trilemma_analysis.findings.prompt_version import find as find_prompt_versions
from trilemma_analysis.findings.repeated_requests import find as find_repeated_requests

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["Effect", "Evidence", "Finding", "Saving", "Verdict", "find_all"]

_FINDERS = (find_model_routes, find_prompt_versions, find_repeated_requests, find_drift)
_ORDER = (Verdict.ACT, Verdict.DONT, Verdict.NOT_ENOUGH_DATA)


def find_all(analysis: Analysis) -> list[Finding]:
    """Return all findings: what to act on first, by monthly saving; then what not to do; then what is open."""
    found = [finding for find in _FINDERS for finding in find(analysis)]
    return sorted(found, key=lambda one: (_ORDER.index(one.verdict), -_worth(one), one.kind, one.task, one.where))


def _worth(finding: Finding) -> float:
    if finding.saving is None:
        return 0.0
    monthly = finding.saving.per_month or finding.saving.per_1000_runs
    return monthly.value or 0.0
