"""Own the finding "answers do not fit the format asked for, and are asked for again"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.evidence.signs import QUESTIONS, Sign, find_sign

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "schema_retries"
SIGN = Sign(
    kind=KIND,
    sign="reformatted",
    noun="an answer that did not fit its format",
    change=(
        "Use the strict schema of the provider (structured outputs, strict tools) in place of asking again; simplify "
        "the schema where it still fails."
    ),
    risk="A strict schema can hold a model back from saying that it does not know: leave a place for that.",
    verification="Compare the share of failed formats, success and cost per run before and after.",
    saves=True,
)


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task in which failed formats cost success or money."""
    return find_sign(analysis, SIGN)
