"""Hold verification on a store: advice that came true, that did not, that nobody took, and that all took at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from trilemma.errors import ConfigurationError, StoreError
from trilemma_analysis.client import connect
from trilemma_analysis.loop.calibrating import calibrate
from trilemma_analysis.loop.ledger import read_measurements, read_predictions, write_prediction
from trilemma_analysis.loop.model import LoopVerdict, Standing
from trilemma_analysis.loop.verifying import Verification, verify

from tests.analysis.loop.conftest import DAYS, SWITCH
from tests.analysis.loop.predicted import predict

if TYPE_CHECKING:
    from trilemma_analysis.client import Store
    from trilemma_analysis.loop.model import Measurement


@pytest.fixture(name="verified", scope="module")
def _verified(loop_store: str) -> Verification:
    with connect(loop_store) as opened:
        return verify(opened)


def of_task(verified: Verification, task: str) -> Measurement:
    """Return the measurement of a task's advice."""
    (found,) = [one for one in verified.measurements if one.task == task]
    return found


def test_advice_that_came_true_is_held(verified: Verification) -> None:
    """A switch with a holdout, as good as promised, is held: success, cost and latency inside what was stated."""
    found = of_task(verified, "good")
    assert (found.verdict, found.method, found.runs, found.runs_beside) == (LoopVerdict.HELD, "holdout", 1600, 800)
    effects = {one.side: one for one in found.effects}
    assert effects["quality"].standing is Standing.HELD
    assert (effects["cost"].measured.low or 0) <= 0.1 <= (effects["cost"].measured.high or 0)
    assert effects["cost"].is_inside is not None


def test_advice_that_failed_is_broken(verified: Verification) -> None:
    """A loss of far more than the margin hits the stop rule."""
    found = of_task(verified, "bad")
    assert found.verdict is LoopVerdict.BROKEN
    assert "go back" in found.reason
    effects = {one.side: one.measured for one in found.effects}
    assert (effects["quality"].low or 0) <= -0.35 <= (effects["quality"].high or 0)


def test_advice_that_all_took_at_once_is_measured_over_time(verified: Verification) -> None:
    """Without a holdout the series before and since tells, less a task that the change cannot touch."""
    found = of_task(verified, "whole")
    assert found.method == "time series"
    assert found.controls
    effects = {one.side: one.measured for one in found.effects}
    assert (effects["cost"].low or 0) <= 0.1 <= (effects["cost"].high or 0) < 0.2
    assert (effects["quality"].low or 0) <= 0 <= (effects["quality"].high or 0)


def test_advice_that_nobody_took_is_not_judged(verified: Verification) -> None:
    """Where no run used the candidate there is nothing to measure, and the reason says so."""
    found = of_task(verified, "asleep")
    assert (found.verdict, found.method, found.runs) == (LoopVerdict.NOT_ENOUGH_DATA, "", 0)
    assert "no run of asleep on gpt-mini" in found.reason


def test_early_look_says_what_is_missing(store: Store) -> None:
    """A day after the switch it is not settled, and how many more runs are needed is said."""
    (found,) = [one for one in verify(store, until=SWITCH + timedelta(days=1)).measurements if one.task == "good"]
    assert found.verdict is LoopVerdict.NOT_ENOUGH_DATA
    quality = next(one for one in found.effects if one.side == "quality")
    assert quality.needed is not None
    assert 100 < quality.needed.n < 5000


def test_runs_after_the_horizon_do_not_count(verified: Verification) -> None:
    """Each measurement ends with its horizon."""
    assert all(one.until <= SWITCH + timedelta(days=DAYS) for one in verified.measurements)


def test_same_rows_are_written_once(store: Store) -> None:
    """Looking again at the same runs adds nothing to the ledger."""
    verify(store)
    before = store.query("SELECT count() AS n FROM stored_measurements")["n"][0].as_py()
    verify(store)
    assert store.query("SELECT count() AS n FROM stored_measurements")["n"][0].as_py() == before
    assert set(read_measurements(store)) == {one.finding.id for one in read_predictions(store)}


def test_calibration_counts_effects_in_clusters(verified: Verification) -> None:
    """The share inside is over all measured effects, with findings as clusters."""
    found = verified.calibration
    assert found is not None
    inside = [one.is_inside for each in verified.measurements for one in each.effects if one.is_inside is not None]
    assert (found.effects, found.inside) == (len(inside), sum(inside))
    assert (found.share.low or 0) < (found.share.value or 0) <= 1
    assert calibrate([]) is None


def test_unknown_finding_is_named(store: Store) -> None:
    """What is not adopted cannot be measured."""
    with pytest.raises(ConfigurationError, match=r"'nope' is not adopted; adopted: model_route:"):
        verify(store, ["nope"])


def test_last_adoption_counts_and_history_stays(adopted: Store) -> None:
    """Of two rows of a finding the later one is the prediction; both are in the table."""
    write_prediction(adopted, predict(note="first"))
    write_prediction(adopted, predict(note="second"))
    assert [one.note for one in read_predictions(adopted)] == ["second"]
    assert adopted.query("SELECT count() AS n FROM stored_predictions")["n"][0].as_py() == 2


def test_ledger_of_a_newer_trilemma_is_refused(adopted: Store) -> None:
    """A document with a field that this one does not know is an error that says to upgrade."""
    write_prediction(adopted, predict())
    adopted.command(
        "INSERT INTO stored_predictions SELECT * REPLACE ('{\"new\": 1}' AS document, now64(6) + 9 AS written_at)"
        " FROM stored_predictions"
    )
    with pytest.raises(StoreError, match="pip install --upgrade trilemma"):
        read_predictions(adopted)
