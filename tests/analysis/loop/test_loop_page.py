"""Hold analysis/loop.md and the CI example: commands run in order, help is true; and the report's new sections."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from trilemma.cli import main
from trilemma_analysis.client import connect
from trilemma_analysis.report import build_report
from trilemma_analysis.report.html import render_html
from trilemma_analysis.report.markdown import render_markdown
from trilemma_analysis.report.terminal import render_terminal

from tests.analysis.loop.conftest import add_days
from tests.analysis.planted import make_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from trilemma_analysis.report import Report

FOLDER = Path(__file__).resolve().parents[3] / "analysis"
TEXT = (FOLDER / "loop.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]
EXAMPLE = yaml.safe_load((FOLDER / "ci-example.yml").read_text(encoding="utf-8"))
TITLES = ("What changed", "What our last advice did", "Trust certificates")


@pytest.fixture(scope="module", name="walked")
def _walked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a store on which the page's commands were run, one after the other."""
    folder = tmp_path_factory.mktemp("page")
    with make_store(folder / "store") as store:
        for model in ("gpt-large", "gpt-mini"):
            add_days(store, "support.refund", model, 0.95, 400, since=0, days=16, prefix=model, shared=True)
        add_days(store, "support.refund", "gpt-mini", 0.95, 900, since=16.5, days=14, prefix="new")
        add_days(store, "support.refund", "gpt-large", 0.95, 100, since=16.5, days=14, prefix="old")
    address = f"chdb://{folder}/store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRILEMMA_STORE", address)
        patch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
        patch.chdir(folder)
        assert [(" ".join(words), main(words)) for words in COMMANDS] == [(" ".join(words), 0) for words in COMMANDS]
    return address


@pytest.fixture(scope="module", name="weekly")
def _weekly(walked: str) -> Report:
    with connect(walked) as store:
        return build_report(store, since="7d")


def test_the_policy_follows(walked: str) -> None:
    """The file that the page's last command writes routes the task to the model that was adopted."""
    config = yaml.safe_load(Path(walked.removeprefix("chdb://")).with_name("litellm.yaml").read_text(encoding="utf-8"))
    (one,) = config["model_list"]
    assert (one["model_name"], one["litellm_params"]["model"]) == ("support.refund", "openai/gpt-mini")
    assert one["model_info"]["trilemma_evidence"][0].startswith("model_route:support.refund:")


def test_ci_example_runs(walked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trilemma command of the CI example works on that store."""
    monkeypatch.setenv("TRILEMMA_STORE", walked)
    steps = [step["run"] for step in EXAMPLE["jobs"]["trust"]["steps"] if step.get("run", "").startswith("trilemma ")]
    assert len(steps) == 3
    for step in steps:
        assert main(shlex.split(step.replace("$GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md")))[1:]) == 0
    assert "## Trust certificates" in (tmp_path / "summary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["adopt", "verify", "certificate", "policy"])
def test_help_is_the_commands(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The help on the page is what the command prints, but for line breaks."""
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    (shown,) = re.findall(
        rf"<!-- generated: trilemma {command} --help -->\n```text\n(.*?)```\n<!-- end -->", TEXT, re.DOTALL
    )
    assert shown.split() == capsys.readouterr().out.split()


def test_report_says_what_changed(weekly: Report) -> None:
    """The task stands against the seven days before, the change of success with its two parts, which add up."""
    (one,) = weekly.changes
    assert (one.task, one.runs > 400, one.runs_before > 400) == ("support.refund", True, True)
    success = one.success
    assert success.change is not None
    assert success.mix is not None
    assert success.within is not None
    assert (success.change.low or 0) <= 0 <= (success.change.high or 0)
    parts = (success.mix.value or 0) + (success.within.value or 0)
    assert parts == pytest.approx((success.now.value or 0) - (success.before.value or 0))  # type: ignore[union-attr]
    assert one.cost_per_run.change is not None
    assert one.latency_p50.change is not None
    assert one.explained_by == ()


def test_report_says_what_the_advice_did(weekly: Report) -> None:
    """The adopted finding stands with its prediction and measurement, our calibration, and the certificate's state."""
    (advice,) = weekly.advice
    assert advice.note == "nine of ten, from Sunday"
    assert advice.measurement is not None
    assert {each.side for each in advice.predicted} == {"quality", "cost", "latency"}
    assert weekly.calibration is not None
    (state,) = weekly.certificates
    assert (state.state, state.certificate.combination) == ("valid", "gpt-mini")


@pytest.mark.parametrize("render", [render_terminal, render_markdown, render_html])
def test_sections_are_rendered(weekly: Report, render: Callable[[Report], str]) -> None:
    """Each section is in each rendering, the same each time, and in none where there is nothing to say."""
    text = render(weekly)
    assert text == render(weekly)
    assert all(title in text for title in TITLES)
    empty = weekly.model_copy(update={"changes": (), "advice": (), "certificates": (), "calibration": None})
    assert not any(f">{title}" in render(empty) or f"## {title}" in render(empty) for title in TITLES)


def test_same_rows_same_bytes(walked: str, weekly: Report) -> None:
    """A second report of the same rows is the same to the byte, its loop included."""
    with connect(walked) as store:
        again = build_report(store, since="7d").to_json()
    assert again == weekly.to_json()
    assert json.loads(again)["advice"][0]["measurement"]["method"] == "holdout"


def test_first_period_has_no_changes(walked: str) -> None:
    """Where the store holds nothing of the period before, nothing is compared."""
    with connect(walked) as store:
        assert build_report(store, since="60d").changes == ()
