"""Own the claim that one test makes about a total, before the claims of all tests are adjusted for each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from trilemma_analysis.findings.finding import Finding

__all__ = ["MixClaim"]


@dataclass(frozen=True)
class MixClaim:
    """A p-value, and the finding to report with it once it is adjusted; None where the effect is not worth a word."""

    p_value: float
    report: Callable[[float], Finding | None]
