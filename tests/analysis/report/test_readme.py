"""Hold analysis/README.md: its commands and its Python run, its help is true, its tables name what is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import trilemma_analysis
from trilemma.cli import main
from trilemma_analysis.findings import list_finders
from trilemma_analysis.questions import list_questions, load_question

PAGE = Path(__file__).resolve().parents[3] / "analysis" / "README.md"
TEXT = PAGE.read_text(encoding="utf-8")
COMMANDS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("trilemma ")
]
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(command: str, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command on the page works on the shop's store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRILEMMA_STORE", shop)
    assert main(shlex.split(command)[1:]) == 0


def test_python_runs(shop: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python on the page works on the shop's store."""
    monkeypatch.setenv("TRILEMMA_STORE", shop)
    assert PYTHON
    for code in PYTHON:
        exec(compile(code, PAGE.name, "exec"), {})
    assert "act Route support.refund" in capsys.readouterr().out


def test_help_is_the_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The help on the page is what the command prints, but for line breaks."""
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    (shown,) = re.findall(
        r"<!-- generated: trilemma report --help -->\n```text\n(.*?)```\n<!-- end -->", TEXT, re.DOTALL
    )
    assert shown.split() == capsys.readouterr().out.split()


def test_files_named_are_there() -> None:
    """Each module and SQL file that the page names exists."""
    root = Path(trilemma_analysis.__file__).parent
    named = set(re.findall(r"`((?:stats|sql)/[a-z_]+\.(?:py|sql)|gates\.py)`", TEXT))
    assert named
    assert [name for name in sorted(named) if not (root / name).is_file()] == []


def test_all_findings_are_described() -> None:
    """The page has a line for each kind of finding; those about the data have a page of their own."""
    text = TEXT + PAGE.with_name("integrity.md").read_text(encoding="utf-8")
    kinds = [module.KIND for module in list_finders()]
    assert [kind for kind in kinds if f"| `{kind}` |" not in text] == []


@pytest.mark.parametrize("name", list_questions())
def test_every_question_has_its_header(name: str) -> None:
    """Each SQL file says what it asks, takes, returns and costs, and takes nothing that it does not say."""
    question = load_question(name)
    assert question.question.endswith("?")
    assert question.columns
    assert question.cost
    taken = set(re.findall(r"\{([a-z_]+):", re.sub(r"^--.*$", "", question.sql, flags=re.MULTILINE)))
    assert [word for word in sorted(taken) if word not in question.parameters] == []
