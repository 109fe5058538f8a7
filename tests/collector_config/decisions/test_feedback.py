"""Hold feedback by one HTTP call: what it becomes, and how what cannot be meant is refused with nothing kept."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import clickhouse_connect
import pytest
from trilemma_collector.otlp.from_feedback import convert_feedback
from trilemma_collector.otlp.messages import MalformedRequestError

from tests.collector_config.embedded.servers import running_collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.collector_config.embedded.servers import RunningCollector

DECISION = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
DOCS = Path(__file__).resolve().parents[3] / "instrumentation/decisions/feedback.md"
COMMANDS = re.findall(r"^curl .*", DOCS.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCollector]:
    """Run a collector."""
    with running_collector(tmp_path_factory.mktemp("feedback")) as running:
        yield running


def read(collector: RunningCollector, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    client = clickhouse_connect.get_client(dsn=f"{collector.clickhouse}/trilemma")
    try:
        return list(client.query(sql).result_rows)
    finally:
        client.close()


def test_documented_commands(collector: RunningCollector) -> None:
    """Every curl command of the page works as it stands, and what it says is there to read."""
    curl = shutil.which("curl")
    assert curl is not None, "this test runs the documented curl commands; curl is not installed"
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        words = shlex.split(command.replace("http://127.0.0.1:4318", collector.otlp_http))
        done = subprocess.run(
            [curl, "-sS", "--fail", *words[1:]], capture_output=True, text=True, check=True, timeout=30
        )
        assert done.stdout == "{}"
    outcomes = read(collector, "SELECT outcome, failure_mode, outcome_source FROM outcomes WHERE task_id = '3f2a9c'")
    assert sorted(outcomes) == [("failure", "reopened", "human"), ("success", "", "")]
    judged = read(collector, "SELECT evaluation_name, score, label FROM evaluations WHERE task_id = '3f2a9c'")
    assert judged == [("tone", 0.2, "rude")]
    marks = read(collector, "SELECT trace_id || '-' || span_id, mark, toString(marked_at) FROM decision_marks")
    assert marks == [(DECISION, "wrong", "2026-11-30 09:00:00.000000000")]


def test_several_at_once(collector: RunningCollector) -> None:
    """A list is taken as a whole; sent again, with its time, it changes nothing."""
    entries = [{"task_id": f"list-{n}", "outcome": "success", "value": n, "at": 1_800_000_000} for n in range(3)]
    for _ in range(2):
        assert post(collector, entries) == 200
    sql = "SELECT task_id, value FROM outcomes WHERE task_id LIKE 'list-%' ORDER BY task_id"
    assert read(collector, sql) == [("list-0", 0.0), ("list-1", 1.0), ("list-2", 2.0)]


def test_refused_as_a_whole(collector: RunningCollector) -> None:
    """One entry that cannot be meant refuses all, with a reason, and nothing is kept."""
    entries = [{"task_id": "whole", "outcome": "success"}, {"task_id": "whole", "outcome": "maybe"}]
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(collector, entries)
    assert refused.value.code == 400
    assert "entry 2: outcome 'maybe' must be one of" in json.loads(refused.value.read())["message"]
    assert read(collector, "SELECT count() FROM outcomes WHERE task_id = 'whole'") == [(0,)]


def post(collector: RunningCollector, entries: object) -> int:
    """Send feedback and return the status."""
    request = urllib.request.Request(
        f"{collector.otlp_http}/v1/feedback",
        data=json.dumps(entries).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return int(response.status)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "one of outcome, evaluation and mark; it has: none"),
        ({"outcome": "success", "mark": "right"}, "it has: outcome, mark"),
        ({"outcome": "success"}, "needs the task_id"),
        ({"outcome": "success", "task_id": 7}, "task_id 7 must be a text"),
        ({"outcome": "success", "task_id": "t", "value": "much"}, "value 'much' must be a number"),
        ({"outcome": "success", "task_id": "t", "valeu": 1}, "'valeu' is not known; known are"),
        ({"outcome": "success", "task_id": "t", "at": "yesterday"}, "at 'yesterday' is no time"),
        ({"outcome": "success", "task_id": "t", "at": "2026-11-30T09:00:00"}, "is no time"),
        ({"evaluation": "tone", "task_id": "t"}, "needs a score, a label"),
        ({"evaluation": "tone", "score": 1}, "needs a task_id, a trace_id"),
        ({"evaluation": "tone", "score": 1, "trace_id": "xyz"}, "must be 32 and 16 hexadecimal digits"),
        ({"mark": "right"}, "needs the decision"),
        ({"mark": "nice", "decision": DECISION}, "mark 'nice' must be one of"),
        ([], "list is empty"),
        ([1], "entry 1 is a JSON int"),
    ],
)
def test_reasons(entry: object, reason: str) -> None:
    """Each refusal names the entry, the field, the value and what would do."""
    with pytest.raises(MalformedRequestError, match=re.escape(reason)):
        convert_feedback(json.dumps(entry).encode())


def test_no_json() -> None:
    """A body that is not JSON is said to be none."""
    with pytest.raises(MalformedRequestError, match="not JSON"):
        convert_feedback(b"outcome=success")
