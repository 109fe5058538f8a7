"""Own the proof of the command line's frame: help, exit codes, and what it says when a part is not installed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from trilemma import cli
from trilemma.cli import COMMANDS, main
from trilemma.errors import ConfigurationError, TrilemmaError


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`trilemma --help` names every command with its purpose, and ends with 0."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for name, (_, _, purpose) in COMMANDS.items():
        assert name in shown
        assert purpose.split(",")[0][:30] in " ".join(shown.split())


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command it shows the help and ends with 2."""
    assert main([]) == 2
    assert "usage: trilemma" in capsys.readouterr().out


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command ends with 2 and lists those there are."""
    with pytest.raises(SystemExit) as ended:
        main(["upp"])
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert "'upp'" in shown
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_every_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command's module can be imported, and has help that starts with its purpose and explains each option."""
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"trilemma {name}" in shown
    purpose = COMMANDS[name][2]
    assert purpose[1:] in " ".join(shown.split())


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`trilemma --version` says the version of the installed distribution."""
    from importlib.metadata import version

    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"trilemma {version('trilemma')}\n"


@pytest.mark.parametrize("name", [name for name, (_, extra, _) in COMMANDS.items() if extra])
def test_missing_extra(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A command whose extra is not installed ends with 1 and says what to install."""

    def miss(module: str) -> None:
        raise ModuleNotFoundError(f"No module named 'chdb' ({module})", name="chdb")

    monkeypatch.setattr(cli.importlib, "import_module", miss)
    assert main([name]) == 1
    shown = capsys.readouterr().err
    assert f"pip install 'trilemma[{COMMANDS[name][1]}]'" in shown
    assert f"`trilemma {name}`" in shown
    assert "'chdb'" in shown


def test_missing_extra_found_late(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """So does a command that imports what its extra brings only when it runs."""
    monkeypatch.setattr(cli, "_load", lambda _: Failing(ModuleNotFoundError("No module named 'chdb'", name="chdb")))
    assert main(["up"]) == 1
    assert "pip install 'trilemma[local]'" in capsys.readouterr().err


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough(unbuffered: str) -> None:
    """A pipe that is closed early (`| head`) ends the command without a traceback."""
    code = "import sys; from trilemma.cli import main; sys.exit(main([]))"
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as running:
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b""


class Failing:
    """A command that fails as told."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def configure(self, parser: object) -> None:
        """Add no argument."""

    def run(self, args: object) -> int:
        """Fail."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (
            ConfigurationError("port 99999 is no port; use --port 8123"),
            1,
            "trilemma: port 99999 is no port; use --port 8123\n",
        ),
        (TrilemmaError("no"), 1, "trilemma: no\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_become_exit_codes(
    error: BaseException, code: int, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of ours is one line on stderr and 1; an interrupt is 130, without a traceback."""
    monkeypatch.setattr(cli, "_load", lambda _: Failing(error))
    assert main(["up"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(shown)
    assert err.count("\n") == bool(shown)


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no error of ours comes with its traceback."""
    monkeypatch.setattr(cli, "_load", lambda _: Failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["up"])


@pytest.mark.parametrize("command", [[sys.executable, "-m", "trilemma"], [sys.executable, "-m", "trilemma.cli"]])
def test_as_a_module(command: list[str]) -> None:
    """`python -m trilemma` is the command too, for where the script is not on PATH."""
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("usage: trilemma")


def test_help_imports_nothing_heavy() -> None:
    """The list of commands is shown without importing any of them."""
    code = "import sys; from trilemma.cli import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    for heavy in ("trilemma_collector", "trilemma_analysis", "opentelemetry.sdk", "numpy", "chdb"):
        assert f"'{heavy}'" not in done.stdout
