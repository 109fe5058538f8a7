"""Own predictions and measurements made by hand, for tests that need no store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Verdict
from trilemma_analysis.loop.model import MeasuredEffect, Prediction, Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ADOPTED_AT", "estimate", "find", "measured", "predict"]

ADOPTED_AT = datetime(2026, 6, 1, tzinfo=UTC)


def estimate(low: float | None, value: float | None, high: float | None, unit: str = "share", n: int = 100) -> Estimate:
    """Return an estimate."""
    return Estimate(value=value, low=low, high=high, n=n, unit=unit, method="by hand")


def find(effects: Sequence[tuple[str, Estimate]] = (), action: Action | None = None, **changes: Any) -> Finding:
    """Return a finding to act on."""
    facts: dict[str, Any] = {
        "id": "model_route:t:1",
        "kind": "model_route",
        "task": "t",
        "where": "a",
        "title": "Route t to b",
        "what": "",
        "verdict": Verdict.ACT,
        "evidence": Evidence(n=100, unit="runs", questions=("combinations",)),
        "effects": tuple(Effect(side=side, what=side, estimate=one) for side, one in effects),
        "risk": "",
        "change": "",
        "verification": "",
        "action": action or Action(kind="route", baseline="a", candidate="b"),
    }
    return Finding(**{**facts, **changes})


def predict(finding: Finding | None = None, **changes: Any) -> Prediction:
    """Return a prediction."""
    facts: dict[str, Any] = {
        "finding": finding or find(),
        "adopted_at": ADOPTED_AT,
        "horizon_s": 14 * 86_400,
        "margin": 0.05,
        "confidence": 0.95,
        "service": "",
        "since": ADOPTED_AT - timedelta(days=30),
        "until": ADOPTED_AT,
        "serving": "a",
        "models": {"a": ("large",), "b": ("mini",)},
    }
    return Prediction(**{**facts, **changes})


def measured(
    side: str, predicted: Estimate | None, found: Estimate, standing: Standing, *, is_inside: bool | None = None
) -> MeasuredEffect:
    """Return a measured effect."""
    return MeasuredEffect(side=side, predicted=predicted, measured=found, standing=standing, is_inside=is_inside)
