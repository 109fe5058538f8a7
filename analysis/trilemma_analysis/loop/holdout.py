"""Own the comparison of a change with what went on as before at the same time, valid however often one looks.

Time since the adoption is cut into slices whose length the horizon sets, so that it does not depend on when one looks.
Slices are put together until both sides have runs; each such block gives one difference. Who got the change may vary
over time, and so may success: within a block both sides had the same time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.comparisons import PAIRING_GAIN
from trilemma_analysis.estimate import Estimate, no_estimate, to_estimate
from trilemma_analysis.stats.intervals import Interval
from trilemma_analysis.stats.sequences import asymptotic_sequence, betting_sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trilemma_analysis.client import Store
    from trilemma_analysis.loop.model import Prediction

__all__ = ["SIDES", "SLICES", "Beside", "Blocks", "compare_beside", "cut_blocks", "measure_blocks"]

SLICES = 2000  # of the horizon
SIDES = {"quality": "outcome", "cost": "cost", "latency": "latency"}
_SCALES = {"quality": 1e-6, "cost": 1e-12, "latency": 1e-6}


@dataclass(frozen=True)
class Blocks:
    """Means of both sides in blocks of time, in the order of time, and the units behind them."""

    after: NDArray[np.float64]
    before: NDArray[np.float64]
    units: int
    is_paired: bool

    @property
    def difference(self) -> NDArray[np.float64]:
        """Return the change's mean less the other side's, block by block."""
        return self.after - self.before


@dataclass(frozen=True)
class Beside:
    """What ran on the change since it was adopted, what ran beside it, and both block by block."""

    runs: int
    runs_beside: int
    blocks: dict[str, Blocks]


def compare_beside(store: Store, prediction: Prediction, until: Any) -> Beside:
    """Ask for the runs since the adoption, and cut them into blocks for each side of the triangle."""
    action = prediction.finding.action
    before, after = (action.baseline, action.candidate) if action else ("", "")
    rows = store.ask(
        "adopted_slices",
        task=prediction.finding.task,
        service=prediction.service,
        since=prediction.adopted_at,
        until=until,
        before=before,
        after=after,
        width_us=max(1, prediction.horizon_s * 1_000_000 // SLICES),
    ).to_pylist()
    return Beside(
        runs=sum(row["after_runs"] for row in rows),
        runs_beside=sum(row["before_runs"] for row in rows),
        blocks={side: cut_blocks(rows, side) for side in SIDES},
    )


def cut_blocks(rows: Sequence[dict[str, Any]], side: str) -> Blocks:
    """Return the blocks of one side: pairs where shared inputs tell more, else slices put together."""
    name, scale = SIDES[side], _SCALES[side]
    units = {key: sum(row[f"{name}_{key}_n"] for row in rows) for key in ("after", "before", "pairs")}
    if units["pairs"] and units["pairs"] * PAIRING_GAIN >= min(units["after"], units["before"]):
        found = [
            tuple(row[f"{name}_pairs_{key}"] * scale / row[f"{name}_pairs_n"] for key in ("after", "before"))
            for row in rows
            if row[f"{name}_pairs_n"]
        ]
        return _collect(found, units["pairs"], is_paired=True)
    found, n, total = [], [0, 0], [0.0, 0.0]
    for row in rows:
        for at, key in enumerate(("after", "before")):
            n[at] += row[f"{name}_{key}_n"]
            total[at] += row[f"{name}_{key}"] * scale
        if all(n):
            found.append((total[0] / n[0], total[1] / n[1]))
            n, total = [0, 0], [0.0, 0.0]
    return _collect(found, min(units["after"], units["before"]), is_paired=False)


def measure_blocks(side: str, blocks: Blocks, confidence: float) -> Estimate:
    """Return the effect on one side: a difference of success rates, or a ratio of mean costs or typical latencies.

    Success by betting, exact at any number of blocks; the others by asymptotic sequences, which say nothing before
    their hundredth block. The ratio of costs is that of the means, linearised (Deng 2018), on the log scale.
    """
    unit = "share" if side == "quality" else "ratio"
    if not blocks.after.size:
        return no_estimate(unit)
    pairs = "paired by input" if blocks.is_paired else "concurrent"
    if side == "quality":
        ends = betting_sequence(np.clip(blocks.difference, -1, 1), -1, 1, confidence)
        return to_estimate(_last(ends), blocks.units, unit, f"{pairs}, betting sequence over blocks of time")
    if side == "cost":
        before, after = float(blocks.before.mean()), float(blocks.after.mean())
        if before <= 0 or after <= 0:
            return no_estimate(unit)
        ratio = after / before
        lines = (blocks.after - ratio * blocks.before) / after
        middle = math.log(ratio)
    else:
        lines, middle = blocks.difference, 0.0
    ends = _last(asymptotic_sequence(lines, confidence=confidence))
    shifted = (np.exp(middle + end) for end in (ends.low, ends.estimate, ends.high))
    return to_estimate(_open_zero(Interval(*shifted)), blocks.units, unit, f"{pairs}, asymptotic sequence")


def _open_zero(interval: Interval) -> Interval:
    """Return an interval whose lower end of 0, which says nothing of a ratio, is no end."""
    low = float(interval.low)
    return Interval(np.asarray(low if low > 0 else -np.inf), interval.estimate, interval.high)


def _last(interval: Interval) -> Interval:
    return Interval(*(np.asarray(end[-1]) for end in (interval.low, interval.estimate, interval.high)))


def _collect(found: Sequence[tuple[float, ...]], units: int, *, is_paired: bool) -> Blocks:
    values = np.array(found, dtype=float).reshape(-1, 2)
    return Blocks(values[:, 0], values[:, 1], units, is_paired)
