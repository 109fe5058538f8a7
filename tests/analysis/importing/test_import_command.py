"""Hold ``trilemma import`` as its user meets it: what it prints, its exit codes, and what kill -9 leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from trilemma.cli import main
from trilemma_analysis.client import connect

from tests.analysis.importing.conftest import build_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Write = Callable[[str, str | bytes], Path]

MAPPING = """
name = "cli"
[rows]
key = "{id}"
[task]
task_name = "t"
outcome = "{ok}"
[call]
request_model = "m"
started_at = { from = "2024-07-06", spread = "day" }
input_tokens = "{n}"
"""
ROWS = 24_000


def log(*tokens: object) -> str:
    """Return JSON Lines with the given token counts."""
    return "".join(json.dumps({"id": index, "ok": True, "n": n}) + "\n" for index, n in enumerate(tokens))


@pytest.fixture
def files(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write the mapping, and work in a folder of its own, where rejects land."""
    write("cli.toml", MAPPING)
    monkeypatch.chdir(tmp_path)
    return write


def test_prints_what_it_did(files: Write, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All rows good: exit code 0, the counts on stdout, nothing on stderr, no rejects file; again: nothing new."""
    path = files("log.jsonl", log(1, 2))
    assert main(["import", "cli.toml", str(path), "--store", address]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("loaded 2 of 2 rows: 2 task runs, 2 calls, 0 evaluations\n", "")
    assert not path.with_name("cli.rejects.jsonl").exists()
    assert main(["import", "cli.toml", str(path), "--store", address]) == 0
    assert "2 rows already loaded before" in capsys.readouterr().out


def test_bad_rows_make_exit_code_3(files: Write, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Some rows bad: exit code 3, each told with file and line, all of them in the rejects file."""
    path = files("log.jsonl", log(1, *["x"] * 12))
    assert main(["import", "cli.toml", str(path), "--store", address]) == 3
    out, err = capsys.readouterr()
    assert out.startswith("loaded 1 of 13 rows")
    assert "12 bad rows were not loaded; they are kept in cli.rejects.jsonl" in err
    assert f"{path}:2: [call] input_tokens: 'x' is no whole number" in err
    assert "and 2 more" in err
    assert len(path.with_name("cli.rejects.jsonl").read_text().splitlines()) == 12


def test_nothing_loaded_makes_exit_code_1(files: Write, address: str) -> None:
    """All rows bad: exit code 1, and the rejects where they were asked for."""
    path = files("log.jsonl", log("x"))
    assert main(["import", "cli.toml", str(path), "--store", address, "--rejects", "bad.jsonl"]) == 1
    assert json.loads(path.with_name("bad.jsonl").read_text()) == {
        "file": str(path),
        "line": 1,
        "reason": "[call] input_tokens: 'x' is no whole number",
        "row": {"id": 0, "ok": True, "n": "x"},
    }


def test_dry_run_needs_no_store(files: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run opens no store and writes no file."""
    path = files("log.jsonl", log(1, "x"))
    assert main(["import", "cli.toml", str(path), "--dry-run", "--store", "http://127.0.0.1:9"]) == 3
    assert capsys.readouterr().out.startswith("would load 1 of 2 rows")
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["cli.toml", "log.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such", "log.jsonl"], "there is no mapping 'no-such'"),
        (["cli.toml", "no-such.jsonl"], "no-such.jsonl does not exist"),
        (["cli.toml", "log.jsonl", "--store", "http://127.0.0.1:9"], "no ClickHouse store answers"),
        (["cli.toml", "log.jsonl", "--rejects", "no/such/folder/x.jsonl"], "cannot be written; set --rejects"),
        (["cli.toml", "log.jsonl", "--limit", "0"], "--limit 0"),
    ],
)
def test_errors_say_what_to_do(
    files: Write, address: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Whatever cannot work is one line on stderr that names it, and exit code 1."""
    files("log.jsonl", log(1))
    assert main(["import", "--store", address, *arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


# The child prints a line after each batch, so that the parent can kill it in the middle of a later one.
CHILD = """
import sys
from trilemma.cli import main
from trilemma_analysis.importing import loader
from trilemma_analysis.importing.ledger import Ledger
loader.BATCH_ROWS = 2000
write = Ledger.write
def tell(self, *args):
    write(self, *args)
    print("batch", flush=True)
Ledger.write = tell
sys.exit(main(["import", "cli.toml", "log.jsonl", "--store", sys.argv[1]]))
"""


def start_import(address: str) -> subprocess.Popen[str]:
    """Start an import in another process."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", CHILD, address], stdout=pipe, stderr=pipe, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_import_is_completed_by_the_next(files: Write, tmp_path: Path, kill: signal.Signals) -> None:
    """Killed in the middle of an insert, or interrupted, three times: the next run loads the rest, each row once."""
    address = build_store(tmp_path / "store")
    files("log.jsonl", log(*range(ROWS)))
    for batches, wait_s in ((1, 0.0), (2, 0.02), (1, 0.05)):
        with start_import(address) as child:
            assert child.stdout is not None
            for _ in range(batches):
                assert child.stdout.readline() == "batch\n"
            time.sleep(wait_s)
            os.kill(child.pid, kill)
            assert child.wait() in {-kill, 130}
    with start_import(address) as child:
        assert child.stdout is not None
        last = child.stdout.read().splitlines()
        assert child.wait() == 0
    assert "already loaded before" in last[-1]
    with connect(address) as store:
        found = store.query(
            "SELECT count() AS runs, uniqExact(task_id) AS ids, sum(input_tokens) AS tokens FROM task_runs"
        )
        calls = store.query("SELECT count() AS calls FROM llm_calls")
    assert found.to_pylist() == [{"runs": ROWS, "ids": ROWS, "tokens": sum(range(ROWS))}]
    assert calls.to_pylist() == [{"calls": ROWS}]


@pytest.mark.slow
def test_store_that_dies_under_an_import(files: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`trilemma up` killed with -9: exit code 1 and what to do; restarted and run again, each row is there once."""
    path = files("log.jsonl", log(*range(ROWS)))
    with serve_store(tmp_path) as (store, address), start_import(address) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "batch\n"
        store.kill()
        assert "safely in the store; run the same command again to load the rest" in child.stderr.read()
        assert child.wait() == 1
    with serve_store(tmp_path) as (_, address):
        assert main(["import", "cli.toml", str(path), "--store", address]) == 0
        assert "rows already loaded before" in capsys.readouterr().out
        with connect(address) as opened:
            found = opened.query(
                "SELECT count() AS runs, sum(input_tokens) AS tokens, sum(call_count) AS calls FROM task_runs"
            )
    assert found.to_pylist() == [{"runs": ROWS, "tokens": sum(range(ROWS)), "calls": ROWS}]


@contextmanager
def serve_store(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `trilemma up` on free ports; return its process and the address of its ClickHouse port."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    ports = [word for name in ("otlp-http", "otlp-grpc", "clickhouse") for word in (f"--{name}-port", "0")]
    command = [sys.executable, "-m", "trilemma.cli", "up", "--data-dir", str(folder / "up"), *ports]
    with subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 120
            while not ready.exists():
                assert process.poll() is None, "trilemma up ended"
                assert time.monotonic() < end, "trilemma up did not get ready"
                time.sleep(0.1)
            yield process, json.loads(ready.read_text())["clickhouse"]
        finally:
            process.terminate()
