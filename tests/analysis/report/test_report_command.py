"""Hold `trilemma report`: what it writes where, and how it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from trilemma.cli import main

from tests.analysis.planted import make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.report import Report


def test_terminal_is_the_default(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without options the report is text on standard output."""
    assert main(["report", "--store", shop, "--task", "support.refund"]) == 0
    out = capsys.readouterr().out
    assert "Task support.refund" in out
    assert "support.reply" not in out


def test_json_has_every_number(shop: str, report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    """--json writes the whole model."""
    assert main(["report", "--store", shop, "--json"]) == 0
    assert capsys.readouterr().out == report.to_json()


def test_html_goes_to_a_file(
    shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """HTML is a file, of a given name or the usual one, and standard error says which."""
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--store", shop, "--format", "html", "--task", "support.reply"]) == 0
    assert (tmp_path / "trilemma-report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert capsys.readouterr().err == "wrote trilemma-report.html\n"


def test_markdown_to_a_named_file(shop: str, tmp_path: Path) -> None:
    """--output names the file of any format."""
    target = tmp_path / "report.md"
    assert main(["report", "--store", shop, "--format", "markdown", "--output", str(target)]) == 0
    assert target.read_text(encoding="utf-8").startswith("# trilemma report\n")


def test_one_run_writes_several_files(
    shop: str, report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--output may be given again; the ending of each file says its layout, and standard output stays empty."""
    files = [tmp_path / name for name in ("a.json", "b.html", "c.md", "d.txt")]
    words = [word for file in files for word in ("--output", str(file))]
    assert main(["report", "--store", shop, *words]) == 0
    whole, page, markdown, text = (file.read_text(encoding="utf-8") for file in files)
    assert whole == report.to_json()
    assert page.startswith("<!doctype html>")
    assert markdown.startswith("# trilemma report\n")
    assert "Task support.refund" in text
    assert capsys.readouterr().out == ""


def test_options_reach_the_report(shop: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Margins, baseline, confidence, traffic and seed are those asked for."""
    words = [
        "--margin",
        "0.03",
        "--margin",
        "support.reply=0.1",
        "--confidence",
        "0.9",
        "--runs-per-month",
        "1000",
        "--seed",
        "7",
    ]
    baseline = ["--baseline", "support.refund=gpt-large · prompt=shop@v1"]
    assert main(["report", "--store", shop, "--json", *words, *baseline]) == 0
    built = json.loads(capsys.readouterr().out)
    assert built["options"] == {
        "confidence": 0.9,
        "margin": 0.03,
        "margins": {"support.reply": 0.1},
        "baselines": {"support.refund": "gpt-large · prompt=shop@v1"},
        "runs_per_month": 1000,
        "seed": 7,
    }
    assert {task["name"]: task["margin"] for task in built["tasks"]}["support.reply"] == 0.1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--store", "ftp://x"], "the store address 'ftp://x' is not one trilemma can use"),
        (
            ["--store", "http://127.0.0.1:1"],
            "no ClickHouse store answers at http://127.0.0.1:1: start one with `trilemma up`",
        ),
        (["--margin", "5"], "--margin '5' is not a share between 0 and 1"),
        (["--margin", "support.refund=x"], "--margin 'support.refund=x' is not a share between 0 and 1"),
        (["--baseline", "gpt"], "--baseline 'gpt' does not have the shape TASK=COMBINATION"),
        (["--task", "nope"], "the store holds no task 'nope'"),
        (["--since", "soon"], "--since 'soon' is not a time"),
        (["--output", "/nowhere/report.md"], "cannot write the report to '/nowhere/report.md'"),
    ],
)
def test_refusals_name_the_value(shop: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each bad choice is refused with exit code 1 and a sentence on standard error that names it."""
    store = [] if "--store" in words else ["--store", shop]
    assert main(["report", *store, *words]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("confidence", ["1", "0.2", "much"])
def test_confidence_out_of_range_is_usage(confidence: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A confidence that is none is wrong usage: exit code 2."""
    with pytest.raises(SystemExit) as stopped:
        main(["report", "--confidence", confidence])
    assert stopped.value.code == 2
    assert "--confidence" in capsys.readouterr().err


def test_empty_store_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store without runs gives a report that says so, and exit code 0."""
    make_store(tmp_path).close()
    assert main(["report", "--store", f"chdb://{tmp_path}"]) == 0
    assert "The store holds no runs yet" in capsys.readouterr().out
