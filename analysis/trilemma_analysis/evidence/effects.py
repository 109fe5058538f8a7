"""Own the effects of a change on the three sides, as its action predicts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from trilemma_analysis.findings.finding import Effect

if TYPE_CHECKING:
    from trilemma_analysis.estimate import Estimate

__all__ = ["list_effects"]


class Compared(Protocol):
    """What was compared: success by its difference, cost and latency by their ratios; None where unknown."""

    @property
    def difference(self) -> Estimate | None:
        """Return the difference of success rates."""

    @property
    def cost_ratio(self) -> Estimate | None:
        """Return the ratio of mean costs per run."""

    @property
    def latency_ratio(self) -> Estimate | None:
        """Return the ratio of typical latencies."""


def list_effects(one: Compared, versus: str, quality: str = "difference in success rate") -> tuple[Effect, ...]:
    """Return the effects that are known; `versus` says what is compared with what: ``candidate to baseline``."""
    named = (
        ("quality", quality, one.difference),
        ("cost", f"cost per run, {versus}", one.cost_ratio),
        ("latency", f"latency, {versus}", one.latency_ratio),
    )
    return tuple(Effect(side=side, what=what, estimate=known) for side, what, known in named if known is not None)
