"""Hold the demo to what it promises: planted truths are found, nothing else is claimed, and every call is one row."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from genai_prices import Usage, calc_price
from trilemma_analysis.client import connect

from tests.demo.__main__ import serve_store
from tests.demo.app.review import plan_readings
from tests.demo.processes import running
from tests.demo.truths import DRIFT_AT, SUCCESS, TRUTHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma_analysis.client import Store

ROOT = Path(__file__).resolve().parents[1]
DEMO = (sys.executable, "-m", "tests.demo")
LIMIT_S = 400  # the demo itself takes well under a minute; a CI machine may be shared

pytestmark = pytest.mark.slow


class Run(NamedTuple):
    """What one run of the demo left behind."""

    printed: str
    folder: Path
    report: dict[str, Any]
    ledger: list[dict[str, Any]]


def run_demo(folder: Path, *options: str) -> Run:
    """Run the demo as `make demo` does."""
    html = folder.with_suffix(".html")
    command = [*DEMO, "--folder", str(folder), "--html", str(html), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    assert "<html" in html.read_text(encoding="utf-8")
    report, ledger = (
        json.loads((folder / name).read_text(encoding="utf-8")) for name in ("report.json", "ledger.json")
    )
    return Run(done.stdout, folder, report, ledger)


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_demo(tmp_path_factory.mktemp("demo") / "run")


@pytest.fixture(name="store", scope="module")
def _store(run: Run) -> Iterator[Store]:
    # By the printed command, in a process of its own: the embedded engine allows a process one directory only.
    (run.folder / "again").mkdir()
    collector = running("collector", serve_store(run.folder), run.folder / "again")
    with collector as addresses, connect(addresses["clickhouse"]) as store:
        yield store


def rows(store: Store, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    return store.query(sql).to_pylist()


def test_report_finds_the_planted_truths_and_nothing_else(run: Run) -> None:
    """The findings are the planted truths: each of them, and no other."""
    found = Counter((finding["kind"], finding["task"], finding["verdict"]) for finding in run.report["findings"])
    assert found == Counter((truth.kind, truth.task, truth.verdict) for truth in TRUTHS)


def test_report_measures_the_planted_truths(run: Run) -> None:
    """Each task's success rates agree with the planted ones, and the drift is dated to within a day."""
    planted = {
        ("support.refund", "gpt-5.4 "): SUCCESS["refund", "gpt-5.4"],
        ("support.refund", "gpt-5.4-mini "): SUCCESS["refund", "gpt-5.4-mini"],
        ("support.reply", "reply@v3"): SUCCESS["reply", "order number asked for"],
        ("support.reply", "reply@v4"): SUCCESS["reply", "order number not asked for"],
    }
    for (task_name, part), rate in planted.items():
        task = next(task for task in run.report["tasks"] if task["name"] == task_name)
        combination = next(one for one in task["combinations"] if part in f"{one['name']} ")
        # A failed provider call fails the task too: at most a percent on top of the planted failures.
        assert combination["success"]["low"] <= rate
        assert rate - 0.01 <= combination["success"]["high"]
    drift = next(finding for finding in run.report["findings"] if finding["kind"] == "drift")
    dated = datetime.strptime(drift["title"].split("about ")[1], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
    assert abs(dated - DRIFT_AT) <= timedelta(days=1)


def test_decisions_are_rows_of_their_tasks(store: Store) -> None:
    """Each run says which prompt it used; each reply which articles it was given, and whether it may be sent."""
    runs = {
        row["task_name"]: row["runs"] for row in rows(store, "SELECT task_name, count() AS runs FROM tasks GROUP BY 1")
    }
    used = rows(store, "SELECT task_name, count() AS n, uniqExact(task_id) AS runs FROM prompts GROUP BY task_name")
    assert {row["task_name"]: (row["n"], row["runs"]) for row in used} == {name: (n, n) for name, n in runs.items()}
    replies = runs["support.reply"]
    [context] = rows(store, "SELECT countIf(is_kept) AS kept, count() AS found FROM context_blocks")
    assert (context["kept"], context["found"]) == (replies, 4 * replies)
    [checked] = rows(store, "SELECT count() AS n, countIf(verdict = 'blocked') AS blocked FROM guardrails")
    [failed] = rows(
        store, "SELECT countIf(failure_mode LIKE '%Error') AS n FROM tasks WHERE task_name = 'support.reply'"
    )
    assert checked["n"] + failed["n"] >= replies >= checked["n"]
    [terms] = rows(store, "SELECT count() AS n FROM task_terms WHERE budget = 0.05")
    assert terms["n"] == runs["support.refund"]


def test_each_call_is_one_row_with_the_provider_s_own_figures(run: Run, store: Store) -> None:
    """Per request body, calls, retries, final errors and tokens in the store are those of the emulator's ledger."""
    sent: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in run.ledger:
        sent[entry["body_hash"]].update(
            calls=entry["attempt"] == 0,
            retries=entry["attempt"] > 0,
            input=entry["input_tokens"],
            output=entry["output_tokens"],
            cache_read=entry["cache_read_tokens"],
            cache_write=entry["cache_write_tokens"],
        )
        sent[entry["body_hash"]]["errors"] += entry["attempt"] == 2 and entry["status"] != 200
    stored = rows(
        store,
        """SELECT request_hash, count() AS calls, sum(ifNull(retry_count, 0)) AS retries,
            countIf(error_type != '') AS errors,
            sum(ifNull(input_tokens, 0)) AS input, sum(ifNull(output_tokens, 0)) AS output,
            sum(ifNull(cache_read_tokens, 0)) AS cache_read, sum(ifNull(cache_write_tokens, 0)) AS cache_write
        FROM llm_calls GROUP BY request_hash""",
    )
    assert {row.pop("request_hash"): Counter(row) for row in stored} == sent
    assert sum(counts["calls"] for counts in sent.values()) > 4000
    assert sum(counts["retries"] for counts in sent.values()) > 40


def test_each_successful_call_has_the_response_s_id_and_status(run: Run, store: Store) -> None:
    """The response ids and request ids of successful attempts are in the store, each once."""
    answered = [entry for entry in run.ledger if entry["status"] == 200]
    ids = rows(store, "SELECT request_id, response_id FROM llm_calls WHERE http_status = 200")
    assert sorted((row["request_id"], row["response_id"]) for row in ids) == sorted(
        (entry["request_id"], entry["response_id"]) for entry in answered
    )


def test_durations_are_those_the_provider_took(run: Run, store: Store) -> None:
    """A call that is not streamed lasts as long as the provider says its attempts took, and the waits between."""
    told: dict[str, float] = defaultdict(float)
    for entry in run.ledger:
        if entry["seconds"] is not None and not entry["stream"]:
            told[entry["body_hash"]] += entry["seconds"]
    measured = rows(
        store,
        """SELECT request_hash, count() AS calls, sum(duration_s - ifNull(retry_wait_s, 0)) AS seconds
        FROM llm_calls WHERE NOT stream GROUP BY request_hash""",
    )
    assert len(measured) == len(told)
    for row in measured:
        assert row["seconds"] == pytest.approx(told[row["request_hash"]], abs=1e-3 * row["calls"])


def test_costs_are_what_the_price_table_says(store: Store) -> None:
    """Each answered call costs what genai-prices says for its tokens at its time; a failed one costs nothing."""
    sql = """SELECT provider, response_model, started_at, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, cache_write_1h_tokens, cost, error_type FROM llm_calls"""
    for row in rows(store, sql):
        if row["error_type"]:
            assert row["cost"] in {None, 0.0}
            continue
        usage = Usage(
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cache_read_tokens=row["cache_read_tokens"],
            cache_write_tokens=row["cache_write_tokens"],
            cache_write_1h_tokens=row["cache_write_1h_tokens"],
        )
        price = calc_price(
            usage, row["response_model"], provider_id=row["provider"], genai_request_timestamp=row["started_at"]
        )
        assert row["cost"] == pytest.approx(float(price.total_price), rel=1e-9)


def test_each_task_is_one_row_and_outcomes_come_late(run: Run, store: Store) -> None:
    """Each draft is one task; its outcome is the last reading's, whenever it came, and unknown when nobody read it."""
    lines = (run.folder / "drafts.jsonl").read_text(encoding="utf-8").splitlines()
    expected = {}
    for draft in map(json.loads, lines):
        read = any(True for _ in plan_readings(draft))
        good = draft["order_id"] in draft["draft"]
        expected[draft["task_id"]] = "unknown" if not read else "success" if good else "failure"
    stored = rows(store, "SELECT task_id, outcome, failure_mode FROM tasks WHERE task_name = 'support.reply'")
    drafted = [row for row in stored if row["task_id"] in expected]
    assert {row["task_id"]: row["outcome"] for row in drafted} == expected
    assert len(drafted) == len(expected)
    assert set(expected.values()) == {"unknown", "success", "failure"}
    # The others are those whose call failed: the exception's name is the failure mode.
    assert all(row["failure_mode"].endswith("Error") for row in stored if row["task_id"] not in expected)


def test_late_outcomes_are_days_later_than_the_work(store: Store) -> None:
    """The outcome of a draft becomes known one to three days after it was written."""
    sql = """SELECT dateDiff('second', started_at, outcome_at) / 86400 AS days FROM tasks
        WHERE task_name = 'support.reply' AND outcome_source = 'human'"""
    days = [row["days"] for row in rows(store, sql)]
    assert min(days) >= 0.99
    assert max(days) <= 3.01


def test_calls_outside_of_a_task_are_kept_apart(run: Run, store: Store) -> None:
    """The search for help articles belongs to no task, and is in the store all the same."""
    apart = rows(store, "SELECT DISTINCT operation FROM llm_calls WHERE task_id = ''")
    assert [row["operation"] for row in apart] == ["embeddings"]


def test_demo_says_how_to_go_on(run: Run) -> None:
    """The demo ends by naming the page, the command that serves the data again, and the notebook."""
    for words in (str(run.folder / "store"), "trilemma up", "trilemma notebook tradeoffs", "report as a page"):
        assert words in run.printed


def test_two_runs_report_the_same(tmp_path: Path) -> None:
    """Two runs give the same report, to the last digit."""
    first, second = (run_demo(tmp_path / name, "--days", "3", "--scale", "0.5") for name in ("first", "second"))
    assert first.report == second.report
    assert first.ledger == second.ledger


def test_demo_leaves_a_folder_alone_that_is_not_its_own(tmp_path: Path) -> None:
    """A folder with other things in it is refused by name, and stays as it was."""
    (tmp_path / "letter.txt").write_text("keep me")
    done = subprocess.run([*DEMO, "--folder", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_stops_all_it_started(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C in the middle of the demo ends its emulator, collector and app, and says so."""
    folder = tmp_path / "demo"
    command = [*DEMO, "--folder", str(folder), "--html", str(tmp_path / "report.html")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        deadline = time.monotonic() + 60
        while not (folder / "support-app.log").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "has been stopped" in errors
    assert _processes_with(str(folder)) == []


def _processes_with(word: str) -> list[str]:
    """Return the command lines of running processes that hold `word`."""
    commands = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in command and folder.name != str(os.getpid()):
            commands.append(command)
    return commands
