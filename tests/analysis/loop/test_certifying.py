"""Hold the trust certificate: what it vouches for, each way in which it ends, and that CI fails then."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from trilemma.cli import main
from trilemma_analysis.client import connect
from trilemma_analysis.loop.certifying import Floors, check, list_unmet
from trilemma_analysis.loop.ledger import read_certificates
from trilemma_analysis.stats.intervals import wilson

from tests.analysis.loop.conftest import DAYS, SWITCH, add_days
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from trilemma_analysis.loop.model import Certificate, CertificateState

LATER = SWITCH + timedelta(days=DAYS)


@pytest.fixture(scope="module", name="certified")
def _certified(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a store with certificates as of the switch, and runs of all kinds since."""
    directory = tmp_path_factory.mktemp("certified") / "store"
    with make_store(directory) as store:
        for task in ("holds", "fails", "moves"):
            add_days(store, task, "gpt-mini", 0.95, 300, since=0, days=DAYS, prefix=f"{task}0")
        repeated = Runs(
            500,
            task="repeats",
            model="gpt-mini",
            input_id=np.char.add("i", (np.arange(500) % 100).astype(str)),
            outcome=np.where(
                np.arange(500) % 100 < 80, "success", np.where(np.arange(500) // 100 % 2, "success", "failure")
            ),
            started_ns=START_NS + np.linspace(0, DAYS * 24 * HOUR_NS, 500, endpoint=False).astype(np.int64),
        )
        add_runs(store, repeated, prefix="repeats")
        add_days(store, "holds", "gpt-mini", 0.95, 300, since=DAYS, days=DAYS, prefix="holds1")
        add_days(store, "fails", "gpt-mini", 0.6, 300, since=DAYS, days=DAYS, prefix="fails1")
        add_days(store, "moves", "gpt-large", 0.95, 100, since=DAYS, days=DAYS, prefix="moves1")
    address = f"chdb://{directory}"
    for task in ("holds", "fails", "moves", "repeats"):
        words = ["--store", address, "--task", task, "--until", SWITCH.isoformat(), "--at", SWITCH.isoformat()]
        assert main(["certificate", "issue", *words]) == 0
    return address


def read(address: str, task: str) -> Certificate:
    """Return a task's certificate."""
    with connect(address) as store:
        (one,) = read_certificates(store, [task])
    return one


def look(address: str, task: str, days: float = DAYS) -> CertificateState:
    """Return its state so many days after the issue, without a note of it in the ledger."""
    with connect(address) as store:
        (one,) = read_certificates(store, [task])
        return check(store, one, SWITCH + timedelta(days=days))


def test_it_states_the_one_sided_bound(certified: str) -> None:
    """Success at least p is the lower end that errs in one of twenty on that side alone."""
    one = read(certified, "holds")
    won = round((one.success.value or 0) * one.known)
    assert one.success_at_least == pytest.approx(float(wilson(won, one.known, 0.9).low), abs=1e-9)
    assert (one.success.low or 0) < one.success_at_least < (one.success.value or 0)
    assert (one.runs, one.pass_k) == (300, None)


def test_repeated_inputs_are_the_units_and_give_pass_k(certified: str) -> None:
    """Of 100 inputs tried five times, those 80 that always succeed and those 20 that vary give pass^3 and the bound."""
    one = read(certified, "repeats")
    assert one.pass_k is not None
    assert (one.pass_k.n, one.inputs) == (100, 100)
    assert (one.pass_k.value or 0) < (one.success.value or 0)
    assert one.success_at_least < float(wilson((one.success.value or 0) * 500, 500, 0.9).low)


def test_it_holds_while_nothing_changes(certified: str) -> None:
    """As many runs like those of the evidence leave it valid, with their own bound beside it."""
    state = look(certified, "holds")
    assert (state.state, state.reasons, state.new_runs) == ("valid", (), 300)
    assert (state.new_success_at_most or 0) > state.certificate.success_at_least


def test_it_ends_on_its_date(certified: str) -> None:
    """A day after its last one it has expired."""
    state = look(certified, "holds", 31)
    assert state.state == "expired"
    assert "issue it anew" in state.reasons[0]


def test_new_runs_and_drift_break_it(certified: str) -> None:
    """Runs that rule out its rate break it, and so does the drift finding on its combination."""
    state = look(certified, "fails")
    assert state.state == "broken"
    assert any("rule it out: success is at most" in reason for reason in state.reasons)
    assert any("it drifted: drift:fails:" in reason for reason in state.reasons)
    assert look(certified, "fails", 0.1).state == "valid"


def test_another_combination_breaks_it(certified: str) -> None:
    """Once most of the newest runs use another combination it vouches for nothing."""
    state = look(certified, "moves")
    assert state.state == "broken"
    assert "served by another combination now: gpt-large" in state.reasons[0]


def test_floors_take_the_honest_end(certified: str) -> None:
    """What it must vouch for is held to the bound of success, and to the upper ends of cost and p95."""
    one = read(certified, "holds")
    assert one.cost_per_run is not None
    assert list_unmet(one, Floors(one.success_at_least, one.cost_per_run.high, one.latency_p95.high)) == []
    unmet = list_unmet(one, Floors(one.success.value, one.cost_per_run.value, one.latency_p95.value))
    assert [text.split(" ")[0] for text in unmet] == ["success", "cost", "p95"]


def test_check_is_for_ci(certified: str, capsys: pytest.CaptureFixture[str]) -> None:
    """0 while it holds, 3 when it is broken or not enough; once broken it stays so, and the ledger says since when."""
    words = ["certificate", "check", "--store", certified, "--at", LATER.isoformat(), "--task"]
    assert main([*words, "holds"]) == 0
    assert "valid until" in capsys.readouterr().out
    assert main([*words, "holds", "--min-success", "0.99"]) == 3
    assert "not enough for what is asked: success is sure to be at least" in capsys.readouterr().out
    assert main([*words, "fails", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)["certificates"][0]
    assert (found["state"], found["unmet"]) == ("broken", [])
    assert read(certified, "fails").broken_at == LATER
    later = (LATER + timedelta(days=1)).isoformat()
    assert main(["certificate", "check", "--store", certified, "--task", "fails", "--at", later]) == 3
    assert look(certified, "fails", 0.1).state == "valid"


def test_list_shows_all_and_never_fails(certified: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The list has each task's certificate with its state, and ends with 0."""
    assert main(["certificate", "list", "--store", certified, "--at", LATER.isoformat()]) == 0
    said = capsys.readouterr().out
    assert all(task in said for task in ("holds", "fails", "moves", "repeats"))
    assert "broken: " in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "`trilemma certificate check` needs the --task"),
        (["check", "--task", "other"], "task 'other' has no certificate; `trilemma certificate issue --task other`"),
        (["issue", "--task", "other"], "the store holds no task 'other'"),
        (["issue", "--task", "holds", "--combination", "x"], "'x' is no combination of task 'holds'"),
        (["issue", "--task", "holds", "--since", "6h"], "known outcome in this period; a certificate needs 30"),
        (["issue", "--task", "fails"], "changed in this period (drift:fails:"),
        (["issue", "--task", "holds", "--min-success", "0.999"], "success is sure to be at least"),
        (["issue", "--task", "holds", "-k", "0"], "-k 0 is no number of trials"),
        (["check", "--task", "holds", "--min-success", "90"], "--min-success 90 is not a share"),
        (["check", "--task", "holds", "--max-cost", "-1"], "--max-cost -1 is no amount"),
        (["check", "--task", "holds", "--max-p95", "fast"], "--max-p95 'fast' is not a length"),
        (["issue", "--task", "holds", "--valid", "long"], "--valid 'long' is not a length"),
    ],
)
def test_refusals_name_the_value(
    certified: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each bad choice is refused with exit code 1 and a sentence that names it."""
    assert main(["certificate", *words, "--store", certified]) == 1
    assert said in capsys.readouterr().err
