"""Hold `trilemma evaluate` and `trilemma label`: whom they judge, what they write, and how they refuse."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from trilemma.cli import main
from trilemma_analysis.client import connect

from tests.analysis.planted import START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = {"role": "user", "parts": [{"type": "text", "content": "Where is order 7?"}]}
ANSWER = {"role": "assistant", "parts": [{"type": "text", "content": "It ships today."}]}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of a store with ten runs of a task, content captured, and evaluators beside it."""
    with make_store(tmp_path / "store") as opened:
        content = {"gen_ai.input.messages": json.dumps([MESSAGE]), "gen_ai.output.messages": json.dumps([ANSWER])}
        add_runs(opened, Runs(10, started_ns=[START_NS + n * 10**9 for n in range(10)], extra=content))
        add_runs(opened, Runs(3, task="other"), prefix="o")
    (tmp_path / "judges.py").write_text(
        "import trilemma\n"
        "@trilemma.evaluator('ships')\n"
        "def ships(run):\n    return 'ships' in run.output\n"
        "def length(run):\n    return len(run.input)\n"
        "def odd(run):\n    if run.task_id == 'r3':\n        raise ValueError('odd')\n    return None\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "judges", raising=False)
    return f"chdb://{tmp_path / 'store'}"


def read(store: str, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    with connect(store) as opened:
        return opened.query(sql).to_pylist()


def evaluate(store: str, evaluator: str, *words: str) -> int:
    """Run `trilemma evaluate` over the runs of the refund task."""
    return main(["evaluate", "--store", store, "--task", "support.refund", "--evaluator", evaluator, *words])


def test_every_run_is_judged_once(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each run has one evaluation by the evaluator's name; a second run of the command has nothing left to do."""
    assert evaluate(store, "judges:ships") == 0
    assert "10 runs of support.refund judged by ships: 10 evaluations written" in capsys.readouterr().out
    assert evaluate(store, "judges:ships") == 0
    assert "0 runs" in capsys.readouterr().out
    found = read(
        store, "SELECT task_id, score, label, evaluation_source FROM evaluations WHERE evaluation_name = 'ships'"
    )
    assert sorted(row["task_id"] for row in found) == sorted(f"r{n}" for n in range(10))
    assert {(row["score"], row["label"], row["evaluation_source"]) for row in found} == {(1.0, "yes", "judge")}


def test_plain_function_and_limit(store: str) -> None:
    """A function without decorator judges too; a limit takes a sample, and the rest can follow."""
    assert evaluate(store, "judges:length", "--limit", "4", "--name", "size") == 0
    assert evaluate(store, "judges:length", "--limit", "4", "--name", "size") == 0
    found = read(
        store, "SELECT uniqExact(task_id) AS runs, any(score) AS score FROM evaluations WHERE evaluation_name = 'size'"
    )
    assert found == [{"runs": 8, "score": float(len("Where is order 7?"))}]


def test_failures_are_counted(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A run on which the evaluator fails costs that run, and the exit code says so; "cannot tell" writes nothing."""
    assert evaluate(store, "judges:odd") == 1
    assert "0 evaluations written, 1 failed" in capsys.readouterr().out
    assert read(store, "SELECT count() AS n FROM evaluations") == [{"n": 0}]


@pytest.mark.parametrize(
    ("evaluator", "words"),
    [
        ("judges", "does not have the shape"),
        ("nowhere:f", "cannot import 'nowhere'"),
        ("judges:missing", "has no function 'missing'"),
    ],
)
def test_evaluator_that_is_not_there(
    store: str, evaluator: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong with the name is said."""
    assert evaluate(store, evaluator) == 1
    assert words in capsys.readouterr().err


def test_label_by_id(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A person tells the outcome of one run, and that holds; a run that is not there is named."""
    assert main(["label", "--store", store, "r2", "--outcome", "failure", "--failure-mode", "wrong_amount"]) == 0
    found = read(store, "SELECT outcome, failure_mode, outcome_source FROM tasks WHERE task_id = 'r2'")
    assert found == [{"outcome": "failure", "failure_mode": "wrong_amount", "outcome_source": "human"}]
    assert main(["label", "--store", store, "nobody", "--outcome", "success"]) == 1
    assert "no run 'nobody'" in capsys.readouterr().err


def test_label_a_sample(store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each run is shown with its question and answer; yes and no are written at once, and stopping loses nothing."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\nwhat\nn\ns\nq\n"))
    assert main(["label", "--store", store, "--task", "support.refund"]) == 0
    out = capsys.readouterr().out
    assert "Where is order 7?" in out
    assert "It ships today." in out
    assert "2 of 10 labelled" in out
    found = read(
        store, "SELECT score, evaluation_source FROM evaluations WHERE evaluation_name = 'correct' ORDER BY score"
    )
    assert found == [{"score": 0.0, "evaluation_source": "human"}, {"score": 1.0, "evaluation_source": "human"}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give the TASK_ID"),
        (["r1", "--task", "support.refund"], "give the TASK_ID"),
        (["r1"], "--outcome is missing"),
        (["r1", "--outcome", "success", "--failure-mode", "x"], "only --outcome failure has one"),
    ],
)
def test_label_refuses(store: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is refused by name."""
    assert main(["label", "--store", store, *words]) == 1
    assert said in capsys.readouterr().err
