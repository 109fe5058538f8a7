"""Own what comes of a prediction: how each effect stands, and what the whole comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.loop.model import LoopVerdict, Standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.estimate import Estimate
    from trilemma_analysis.loop.model import MeasuredEffect

__all__ = ["is_promised", "judge", "stand"]


def is_promised(side: str, predicted: Estimate | None) -> bool:
    """Return whether a prediction promises a gain: its whole interval is on the good side."""
    if predicted is None:
        return False
    if side == "quality":
        return predicted.low is not None and predicted.low > 0
    return predicted.high is not None and predicted.high < 1


def stand(side: str, predicted: Estimate | None, measured: Estimate, margin: float) -> Standing:
    """Return how one effect stands.

    A promised gain is held when a gain is sure, and missed when all that is measured is worse than all that was stated.
    Success is held, where no gain was promised, when a loss of the margin is ruled out; where the loss is surely larger
    than that, the change is stopped. Better than stated is held.
    """
    if measured.low is None and measured.high is None:
        return Standing.OPEN
    if side == "quality":
        return _stand_quality(predicted, measured, margin)
    if predicted is None:
        return Standing.OPEN
    if predicted.high is not None and measured.low is not None and measured.low > predicted.high:
        return Standing.MISSED
    if is_promised(side, predicted):
        return Standing.HELD if measured.high is not None and measured.high < 1 else Standing.OPEN
    inside = predicted.high is None or (measured.value is not None and measured.value <= predicted.high)
    return Standing.HELD if inside and measured.high is not None else Standing.OPEN


def _stand_quality(predicted: Estimate | None, measured: Estimate, margin: float) -> Standing:
    low, high = measured.low if measured.low is not None else -1.0, measured.high if measured.high is not None else 1.0
    if high < -margin:
        return Standing.STOPPED
    if predicted is not None and predicted.low is not None and high < predicted.low:
        return Standing.MISSED
    least = 0.0 if is_promised("quality", predicted) else -margin
    return Standing.HELD if low > least else Standing.OPEN


def judge(effects: Sequence[MeasuredEffect], *, is_confounded: bool) -> LoopVerdict:
    """Return what a prediction comes to: all that was promised, and success, must be settled; the rest may be open.

    Where the controls moved too, something else happened at that time, and nothing is settled.
    """
    if not is_confounded and any(one.standing is Standing.STOPPED for one in effects):
        return LoopVerdict.BROKEN
    weighty = [one for one in effects if one.side == "quality" or is_promised(one.side, one.predicted)]
    if is_confounded or not weighty or any(one.standing is Standing.OPEN for one in weighty):
        return LoopVerdict.NOT_ENOUGH_DATA
    missed = [one for one in effects if one.standing is Standing.MISSED]
    promised = [one for one in weighty if is_promised(one.side, one.predicted)]
    if promised and all(one.standing is Standing.MISSED for one in promised):
        return LoopVerdict.BROKEN
    return LoopVerdict.PARTLY if missed else LoopVerdict.HELD
