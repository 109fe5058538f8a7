"""Own the finding "answers are refused, filtered or blocked, and the runs fail for it"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.evidence.signs import QUESTIONS, Sign, find_sign

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "refusals"
SIGN = Sign(
    kind=KIND,
    sign="refused",
    noun="an answer that was refused, filtered or blocked",
    change=(
        "Read some of these requests. Where they are harmless, say in the prompt what the task is for, or send what is "
        "refused to another model; where they are not, tell the user so and do not pay for a second try."
    ),
    risk="What was refused rightly must stay refused.",
    verification="Compare the share of refusals, and success, before and after, on the same inputs.",
    saves=False,
)


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task in which refusals cost success."""
    return find_sign(analysis, SIGN)
