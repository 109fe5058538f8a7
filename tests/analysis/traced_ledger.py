"""Own a ledger for the shop that traces everything: one prediction, what was measured of it, and a certificate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from trilemma_analysis.loop.ledger import write_certificate, write_measurement, write_prediction
from trilemma_analysis.loop.model import Certificate, LoopVerdict, Measurement, Standing

from tests.analysis.loop.predicted import estimate, find, measured, predict

if TYPE_CHECKING:
    from trilemma_analysis.client import Store

__all__ = ["COST", "QUALITY", "fill_ledger"]

ADOPTED_AT = datetime(2026, 6, 1, tzinfo=UTC)
QUALITY = estimate(-0.02, 0.0, 0.02), estimate(-0.03, -0.01, 0.01)  # predicted, measured
COST = estimate(0.08, 0.1, 0.12, "ratio"), estimate(0.3, 0.35, 0.4, "ratio")


def fill_ledger(store: Store, task: str) -> None:
    """Add to the ledger: the success came as predicted, the cost did not."""
    finding = find(
        [("quality", QUALITY[0]), ("cost", COST[0])],
        id=f"model_route:{task}:1",
        task=task,
        title=f"{task}: route to small",
    )
    write_prediction(store, predict(finding, adopted_at=ADOPTED_AT))
    effects = (
        measured("quality", *QUALITY, Standing.HELD, is_inside=True),
        measured("cost", *COST, Standing.MISSED, is_inside=False),
    )
    write_measurement(
        store,
        Measurement(
            finding_id=finding.id, task=task, title=finding.title, adopted_at=ADOPTED_AT,
            until=ADOPTED_AT + timedelta(days=7), method="holdout", verdict=LoopVerdict.PARTLY, reason="planted",
            effects=effects, runs=100, runs_beside=100,
        ),
    )  # fmt: skip
    write_certificate(
        store,
        Certificate(
            task=task, combination="a", label="large", confidence=0.95, success_at_least=0.92,
            success=estimate(0.91, 0.94, 0.96), k=3, pass_k=estimate(0.7, 0.8, 0.9), cost_per_run=None,
            latency_p95=estimate(1.0, 1.1, 1.2, "s"), runs=400, known=400, inputs=400, service="",
            since=ADOPTED_AT - timedelta(days=30), until=ADOPTED_AT, issued_at=ADOPTED_AT,
            valid_until=ADOPTED_AT + timedelta(days=60),
        ),
    )  # fmt: skip
