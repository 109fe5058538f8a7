"""Hold the verdicts: when an effect is held, missed, stopped or open, and what the whole comes to."""

from __future__ import annotations

import pytest
from trilemma_analysis.estimate import Estimate, no_estimate
from trilemma_analysis.loop.model import LoopVerdict, Standing
from trilemma_analysis.loop.verdicts import judge, stand

from tests.analysis.loop.predicted import estimate, measured

SAME = estimate(-0.02, 0.0, 0.02)
BETTER = estimate(0.05, 0.1, 0.15)
CHEAPER = estimate(0.2, 0.3, 0.4, "ratio")
UNSURE = estimate(0.8, 1.0, 1.2, "ratio")


@pytest.mark.parametrize(
    ("predicted", "found", "expected"),
    [
        (SAME, estimate(-0.04, -0.01, 0.02), Standing.HELD),  # a loss of the margin is ruled out
        (SAME, estimate(-0.06, -0.01, 0.04), Standing.OPEN),
        (SAME, estimate(-0.3, -0.2, -0.1), Standing.STOPPED),
        (
            SAME,
            estimate(-0.045, -0.035, -0.025),
            Standing.MISSED,
        ),  # within the margin, and worse than all that was said
        (SAME, estimate(0.1, 0.2, 0.3), Standing.HELD),  # better than stated
        (None, estimate(-0.04, -0.01, 0.02), Standing.HELD),
        (None, estimate(-0.3, -0.2, -0.1), Standing.STOPPED),
        (BETTER, estimate(-0.01, 0.05, 0.1), Standing.OPEN),  # a promised gain must be sure
        (BETTER, estimate(0.01, 0.08, 0.12), Standing.HELD),
        (BETTER, estimate(-0.04, 0.0, 0.04), Standing.MISSED),
        (SAME, no_estimate("share"), Standing.OPEN),
    ],
)
def test_quality(predicted: Estimate | None, found: Estimate, expected: Standing) -> None:
    """Success is held by the margin, or by a sure gain where one was promised."""
    assert stand("quality", predicted, found, 0.05) is expected


@pytest.mark.parametrize(
    ("predicted", "found", "expected"),
    [
        (CHEAPER, estimate(0.25, 0.35, 0.5, "ratio"), Standing.HELD),
        (CHEAPER, estimate(0.1, 0.12, 0.15, "ratio"), Standing.HELD),  # saves more than stated
        (CHEAPER, estimate(0.5, 0.6, 0.7, "ratio"), Standing.MISSED),  # saves, but less than all that was stated
        (CHEAPER, estimate(0.3, 0.7, 1.4, "ratio"), Standing.OPEN),
        (UNSURE, estimate(0.9, 1.1, 1.3, "ratio"), Standing.HELD),
        (UNSURE, estimate(1.3, 1.4, 1.5, "ratio"), Standing.MISSED),
        (None, estimate(0.9, 1.1, 1.3, "ratio"), Standing.OPEN),
        (CHEAPER, estimate(None, 0.3, None, "ratio"), Standing.OPEN),
    ],
)
def test_amounts(predicted: Estimate | None, found: Estimate, expected: Standing) -> None:
    """A promised saving is held when a saving is sure, and missed when all that is measured is worse than stated."""
    assert stand("cost", predicted, found, 0.05) is expected


def whole(quality: Standing, cost: Standing, *, is_confounded: bool = False) -> LoopVerdict:
    """Return the verdict over a success that may not fall and a promised saving."""
    effects = [measured("quality", SAME, SAME, quality), measured("cost", CHEAPER, CHEAPER, cost)]
    return judge(effects, is_confounded=is_confounded)


def test_whole() -> None:
    """Held when all is; broken when stopped or when nothing promised came true; open while anything weighty is."""
    assert whole(Standing.HELD, Standing.HELD) is LoopVerdict.HELD
    assert whole(Standing.MISSED, Standing.HELD) is LoopVerdict.PARTLY
    assert whole(Standing.HELD, Standing.MISSED) is LoopVerdict.BROKEN
    assert whole(Standing.STOPPED, Standing.OPEN) is LoopVerdict.BROKEN
    assert whole(Standing.OPEN, Standing.HELD) is LoopVerdict.NOT_ENOUGH_DATA
    assert whole(Standing.HELD, Standing.OPEN) is LoopVerdict.NOT_ENOUGH_DATA


def test_confounded_is_never_settled() -> None:
    """Where the controls moved too, neither success nor failure is told."""
    assert whole(Standing.HELD, Standing.HELD, is_confounded=True) is LoopVerdict.NOT_ENOUGH_DATA
    assert whole(Standing.STOPPED, Standing.HELD, is_confounded=True) is LoopVerdict.NOT_ENOUGH_DATA


def test_what_was_not_promised_may_stay_open() -> None:
    """A latency that was not said to fall holds nothing up."""
    effects = [measured("quality", SAME, SAME, Standing.HELD), measured("latency", UNSURE, UNSURE, Standing.OPEN)]
    assert judge(effects, is_confounded=False) is LoopVerdict.HELD
