"""Hold adoption: what may be adopted, that it is written once, and what `trilemma adopt` and `verify` say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from trilemma.cli import main
from trilemma.errors import ConfigurationError
from trilemma_analysis.client import connect
from trilemma_analysis.findings import Verdict
from trilemma_analysis.loop.adopting import check_adoptable
from trilemma_analysis.loop.ledger import read_predictions, write_prediction

from tests.analysis.loop.conftest import HORIZON_S, SWITCH
from tests.analysis.loop.predicted import find, predict
from tests.analysis.planted import Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

AT = SWITCH.isoformat()
BEFORE = ["--task", "good", "--until", AT, "--at", AT, "--horizon", "16d"]


@pytest.fixture(name="adopted_id")
def _adopted_id(loop_store: str) -> str:
    with connect(loop_store) as store:
        return next(one.finding.id for one in read_predictions(store) if one.finding.task == "good")


def test_adopting_twice_writes_once(loop_store: str, adopted_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is adopted stays as it is; --again writes it anew, with what the report now says."""
    assert main(["adopt", adopted_id, "--store", loop_store, *BEFORE, "--note", "no"]) == 0
    assert "adopted already, nothing written" in capsys.readouterr().out
    assert main(["adopt", adopted_id, "--store", loop_store, *BEFORE, "--note", "yes", "--again"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("adopted: Route good to gpt-mini\n")
    assert "go back    when success is surely lower by more than 5.0 points" in said.out
    (doubted,) = said.err.splitlines()  # the planted runs are spaced evenly, and nothing else is said of them
    assert "made_up_times" in doubted
    with connect(loop_store) as store:
        (one,) = [one for one in read_predictions(store) if one.finding.id == adopted_id]
    assert (one.note, one.adopted_at, one.horizon_s) == ("yes", SWITCH, HORIZON_S)
    assert one.models == {"gpt-large": ("gpt-large",), "gpt-mini": ("gpt-mini",)}
    assert one.baseline_success is not None


def test_evidence_that_is_measured_on_too_is_said(
    loop_store: str, adopted_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prediction made of the runs that it will be measured on is told as such."""
    words = ["--task", "good", "--until", AT, "--at", "2026-06-01", "--horizon", "28d", "--again"]
    assert main(["adopt", adopted_id, "--store", loop_store, *words]) == 0
    assert "those between count twice" in capsys.readouterr().err
    assert main(["adopt", adopted_id, "--store", loop_store, *BEFORE, "--again"]) == 0


def test_unknown_id_names_the_nearest(loop_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that is nearly one is answered with that one."""
    assert main(["adopt", "model_route:good:0000", "--store", loop_store, *BEFORE]) == 1
    assert "no finding 'model_route:good:0000'; the nearest are: model_route:good:" in capsys.readouterr().err


def test_what_no_program_can_do_is_refused() -> None:
    """A finding without an action cannot be adopted, whatever its verdict."""
    with pytest.raises(ConfigurationError, match="has nothing to adopt"):
        check_adoptable(find(change="Look at it.").model_copy(update={"action": None}), despite_verdict=True)


def test_what_is_not_to_act_on_needs_anyway() -> None:
    """A finding that is open or against is adopted with --anyway alone."""
    one = find(verdict=Verdict.NOT_ENOUGH_DATA)
    with pytest.raises(ConfigurationError, match=r"its verdict is 'not enough data'.*--anyway"):
        check_adoptable(one, despite_verdict=False)
    check_adoptable(one, despite_verdict=True)


def test_doubted_data_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Advice that rests on doubted figures says whose doubt it is."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(10))
        write_prediction(store, predict(find(rests_on=("duplicates:t:2",))))
    assert main(["adopt", "model_route:t:1", "--store", f"chdb://{tmp_path}"]) == 0
    assert "rests on figures that other findings doubt: duplicates:t:2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["adopt", "x", "--at", "soon"], "--at 'soon' is not a time"),
        (["adopt", "x", "--horizon", "long"], "--horizon 'long' is not a length: write one like 14d"),
        (["adopt", "x", "--horizon", "5m"], "--horizon of 300 s is too short"),
        (["adopt", "x", "--task", "nope"], "the store holds no task 'nope'"),
        (["adopt", "x", "--since", "2020-01-01", "--until", "2020-02-01"], "holds no runs in this period"),
        (["verify", "nope"], "finding 'nope' is not adopted; adopted: model_route:"),
        (["verify", "--until", "soon"], "--until 'soon' is not a time"),
    ],
)
def test_refusals_name_the_value(
    loop_store: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each bad choice is refused with exit code 1 and a sentence that names it."""
    assert main([*words, "--store", loop_store]) == 1
    assert said in capsys.readouterr().err


def test_verify_says_and_fails_when_broken(loop_store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken promise is exit code 3; the words say what to do and how predictions do; --json has every number."""
    assert main(["verify", "--store", loop_store]) == 3
    said = capsys.readouterr().out
    assert "[broken] Route bad" in said
    assert "surely a loss of more than 5.0 points: go back" in said
    assert "Our predictions so far:" in said
    assert main(["verify", "--store", loop_store, "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["format"] == "trilemma.verify/1"
    assert {one["verdict"] for one in found["measurements"]} >= {"held", "broken", "not enough data"}
    assert 0 < found["calibration"]["share"]["value"] <= 1


def test_verify_of_what_held_is_fine(loop_store: str, adopted_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Asked for one finding that held, verify ends with 0 and says nothing of others."""
    assert main(["verify", adopted_id, "--store", loop_store]) == 0
    assert capsys.readouterr().out.startswith("[held] Route good to gpt-mini")


def test_empty_ledger_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With nothing adopted, verify says how to begin."""
    make_store(tmp_path).close()
    assert main(["verify", "--store", f"chdb://{tmp_path}"]) == 0
    assert "nothing is adopted yet" in capsys.readouterr().out
