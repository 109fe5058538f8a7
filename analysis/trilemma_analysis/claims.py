"""Own the error that a report as a whole may make, and how the claims of its findings share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.stats.multiplicity import holm

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CLAIM_FAMILIES", "adjust_claims"]

# What a report claims by a test comes in families, each of which may err with its part of the report's error, so that
# the whole report claims nothing false with the confidence asked for. What is stated with an interval, and asks only
# whether it is worth the trouble, is no claim of this kind.
CLAIM_FAMILIES = 8  # routes, prompt versions, drift, segments, effort, judges, mix, integrity


def adjust_claims(p_values: Sequence[float]) -> list[float]:
    """Return the p-values of one family, adjusted by Holm within it and for the number of families."""
    if not p_values:
        return []
    return [min(1.0, float(p) * CLAIM_FAMILIES) for p in holm([min(1.0, p) for p in p_values])]
