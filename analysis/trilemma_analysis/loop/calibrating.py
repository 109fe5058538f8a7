"""Own the calibration of our own predictions: how often what was measured lies in what was stated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trilemma_analysis.estimate import to_estimate
from trilemma_analysis.loop.model import Calibration
from trilemma_analysis.stats.clustered import clustered_rate
from trilemma_analysis.stats.moments import collect_moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trilemma_analysis.loop.model import Measurement

__all__ = ["calibrate"]


def calibrate(measurements: Iterable[Measurement], confidence: float = 0.95) -> Calibration | None:
    """Return how many measured effects lay in their stated intervals; None before the first.

    Effects of one finding are one cluster. What was measured has an error of its own, so that fewer lie inside than
    the stated confidence, even of predictions that are just right.
    """
    counts = [
        (sum(bool(one.is_inside) for one in effects), len(effects))
        for measured in sorted(measurements, key=lambda one: one.finding_id)
        if (effects := [one for one in measured.effects if one.is_inside is not None])
    ]
    if not counts:
        return None
    inside, known = (np.array(column, dtype=float) for column in zip(*counts, strict=True))
    rate = clustered_rate(collect_moments(inside, known), confidence)
    method = "Wilson on the effective sample size (effects of a finding are alike)"
    total = int(known.sum())
    return Calibration(
        effects=total, inside=int(inside.sum()), share=to_estimate(rate.interval, total, "share", method)
    )
