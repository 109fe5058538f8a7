"""Own the finding "answers are cut at their limit of tokens, and the runs fail for it"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.evidence.signs import QUESTIONS, Sign, find_sign

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "truncated_outputs"
SIGN = Sign(
    kind=KIND,
    sign="truncated",
    noun="an answer that was cut at its limit of tokens",
    change=(
        "Raise max_tokens for this task, or ask for shorter answers; where reasoning uses the limit up, lower the "
        "effort. Treat the finish reason as an error: a cut answer is not an answer."
    ),
    risk="A higher limit costs the tokens of answers that run on.",
    verification="Compare the share of cut answers, and success, before and after.",
    saves=False,
)


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task in which cut answers cost success."""
    return find_sign(analysis, SIGN)
