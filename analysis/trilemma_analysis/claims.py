"""Own the error that a report as a whole may make, and how the claims of its findings share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from trilemma_analysis.stats.multiplicity import holm

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CLAIM_FAMILIES", "FAMILIES", "adjust_claims"]

# What a report claims by a test comes in families, each of which may err with its part of the report's error, so that
# the whole report claims nothing false with the confidence asked for. What is stated with an interval, and asks only
# whether it is worth the trouble, is no claim of this kind.
FAMILIES: Final = {  # by the module that tests
    "routes": "gates",
    "prompt versions": "findings.prompt_version",
    "drift": "findings.drift",
    "segments": "findings.segment_route",
    "effort": "findings.effort",
    "policies": "findings.policy_value",
    "judges": "evidence.judge_drift",
    "mix": "findings.mix_change",
    "limits": "findings.integrity.sentinels",
    "unknown outcomes": "findings.integrity.missing_outcomes",
    "odd segments": "findings.integrity.odd_segments",
}
CLAIM_FAMILIES: Final = len(FAMILIES)


def adjust_claims(p_values: Sequence[float]) -> list[float]:
    """Return the p-values of one family, adjusted by Holm within it and for the number of families."""
    if not p_values:
        return []
    return [min(1.0, float(p) * CLAIM_FAMILIES) for p in holm([min(1.0, p) for p in p_values])]
