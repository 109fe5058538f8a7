"""Own the finding "the model asks for the same tools again and again, and such runs fail or cost more"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.evidence.signs import QUESTIONS, Sign, find_sign

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "tool_loops"
SIGN = Sign(
    kind=KIND,
    sign="looped",
    noun="a loop of calls for the same tools",
    change=(
        "Limit the calls in a row for the same tools, and let the tool say what to do instead when it has no more to "
        "tell; stop the run at the limit rather than pay for the rest."
    ),
    risk="A limit that is too low stops runs that would have got there: look at how long good runs loop.",
    verification="Compare success and cost per run before and after; count the runs that reach the limit.",
    saves=True,
)


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task in which loops cost success or money."""
    return find_sign(analysis, SIGN)
