"""Hold an app in two processes and languages to its ledger: SQL gives back each decision, once, with its outcome."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import pytest

from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.client import Client

TASKS = 20
CORRECTED = 1  # the task that another language speaks of later
FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]


class Planted:
    """Hold the ledger of the app, and a client that asks the store."""

    def __init__(self, ledger: list[dict[str, Any]], client: Client, otlp: str) -> None:
        self.ledger = ledger
        self.client = client
        self.otlp = otlp

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return list(self.client.query(sql).result_rows)

    def send(self, record: dict[str, Any]) -> None:
        """Send one log event as another language would: JSON, by curl."""
        payload = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
        curl = shutil.which("curl")
        assert curl is not None, "this test sends plain OTLP by curl, which is not installed"
        command = [curl, "--silent", "--show-error", "--fail", "-H", "content-type: application/json"]
        subprocess.run([*command, "-d", json.dumps(payload), f"{self.otlp}/v1/logs"], check=True, timeout=30)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """Run the app and its service against a collector."""
    folder = tmp_path_factory.mktemp("planted")
    with running_collector(folder) as collector:
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.otlp_http, "PYTHONPATH": str(ROOT)}
        service = subprocess.Popen(
            [sys.executable, str(FOLDER / "service.py"), str(TASKS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert service.stdout is not None
        port = service.stdout.readline().strip()
        assert service.stdin is not None
        service.stdin.write("go\n")
        service.stdin.flush()
        app = subprocess.run(
            [sys.executable, str(FOLDER / "app.py"), port, str(TASKS)],
            capture_output=True, text=True, env=environment, timeout=120, check=True,
        )  # fmt: skip
        service.communicate(timeout=60)
        client = clickhouse_connect.get_client(dsn=f"{collector.clickhouse}/trilemma")
        yield Planted([json.loads(line) for line in app.stdout.splitlines()], client, collector.otlp_http)
        client.close()


def test_each_decision_once(planted: Planted) -> None:
    """Every kind has as many rows as were planted, no more, all in their task."""
    counted = dict(planted.rows("SELECT decision_kind, count() FROM decisions WHERE task_id != '' GROUP BY 1"))
    chains = sum(entry["fallback"][1] for entry in planted.ledger) + TASKS
    kinds = ("variant", "route", "context", "prompt", "cache", "guardrail")
    assert counted == {**dict.fromkeys(kinds, TASKS), "fallback": chains}


@pytest.mark.parametrize(
    ("kind", "sql"),
    [
        ("variant", "SELECT task_id, variant, probability FROM variants"),
        ("route", "SELECT task_id, chosen, probability FROM routes"),
        ("cache", "SELECT task_id, if(is_hit, 'hit', 'miss'), trace_id || '-' || span_id FROM cache_lookups"),
        ("guardrail", "SELECT task_id, verdict, trace_id || '-' || span_id FROM guardrails"),
        ("prompt", "SELECT task_id, prompt_version, '' FROM prompts"),
        (
            "fallback",
            "SELECT task_id, argMax(chosen, attempt), max(attempt) FROM fallback_attempts GROUP BY task_id",
        ),
    ],
)
def test_facts_of_each_kind(planted: Planted, kind: str, sql: str) -> None:
    """Each row says what the ledger says."""
    found = {row[0]: list(row[1:]) for row in planted.rows(sql)}
    assert found == {entry["task_id"]: entry[kind] for entry in planted.ledger}


def test_blocks(planted: Planted) -> None:
    """Each block of a context is a row with its size and fate."""
    found = Counter(planted.rows("SELECT block_id, source, is_kept, reason, isNull(tokens) FROM context_blocks"))
    assert found == {("policy", "kb", True, "", 0): TASKS, ("blog", "web", False, "low score", 1): TASKS}
    assert planted.rows("SELECT sum(tokens) FROM context_blocks") == [(sum(100 + n for n in range(TASKS)),)]


def test_attempts(planted: Planted) -> None:
    """Each attempt has its place, result and error."""
    found = Counter(planted.rows("SELECT attempt, chosen, attempt_result, error_type FROM fallback_attempts"))
    odd = TASKS // 2
    assert found == {
        (1, "small", "failed", "ConnectionError"): odd,
        (2, "large", "accepted", ""): odd,
        (1, "small", "accepted", ""): TASKS - odd,
    }


def test_decisions_with_their_outcome(planted: Planted) -> None:
    """Who decided what with which result is one join by the task's id."""
    found = planted.rows(f"""
        SELECT chosen, countIf(outcome = 'success'), count()
        FROM routes JOIN tasks USING (task_id) WHERE task_id != '{planted.ledger[CORRECTED]["task_id"]}' GROUP BY chosen
    """)
    wanted: dict[str, list[int]] = {}
    for number, entry in enumerate(planted.ledger):
        if number == CORRECTED:
            continue
        counts = wanted.setdefault(entry["route"][0], [0, 0])
        counts[0] += number % 5 != 0
        counts[1] += 1
    assert {row[0]: list(row[1:]) for row in found} == wanted


def test_terms_of_the_task(planted: Planted) -> None:
    """Segment, budget and deadline are there, and customers as hashes."""
    found = planted.rows(
        "SELECT segment, count(), min(budget), max(deadline_s), min(length(customer)) FROM task_terms GROUP BY 1"
    )
    assert sorted(found) == [("free", TASKS // 2, 0.01, 5, 16), ("pro", TASKS // 2, 0.01, 5, 16)]


def test_another_language_tells_what_became_of_it(planted: Planted) -> None:
    """Outcomes and marks sent by curl, twice and corrected, hold in the order of their time."""
    entry = planted.ledger[CORRECTED]
    trace_id, _, span_id = entry["guardrail"][1].partition("-")
    for at, mark in ((2, "wrong"), (1, "right"), (2, "wrong")):
        attributes = {"gen_ai.evaluation.name": "trilemma.decision", "gen_ai.evaluation.score.label": mark}
        attributes["trilemma.decision.mark_source"] = "human"
        planted.send(log_record("gen_ai.evaluation.result", at, attributes, traceId=trace_id, spanId=span_id))
    outcome = {"trilemma.task.id": entry["task_id"], "trilemma.task.outcome": "failure"}
    for _ in range(2):
        later = {**outcome, "trilemma.task.failure_mode": "reopened"}
        planted.send(log_record("trilemma.task.outcome", 3, later))
    sql = f"SELECT mark, mark_source FROM guardrails WHERE task_id = '{entry['task_id']}'"
    assert planted.rows(sql) == [("wrong", "human")]
    sql = f"SELECT outcome, failure_mode FROM tasks WHERE task_id = '{entry['task_id']}'"
    assert planted.rows(sql) == [("failure", "reopened")]


def log_record(event: str, at_s: int, attributes: dict[str, str], **ids: str) -> dict[str, Any]:
    """Return a log record in OTLP's JSON, at so many seconds after 2030."""
    return {
        "timeUnixNano": str((1_893_456_000 + at_s) * 10**9),
        "eventName": event,
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
        **ids,
    }
