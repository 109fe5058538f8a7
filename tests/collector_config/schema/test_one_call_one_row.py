"""One call is one row, whatever traces it and however often it is delivered; a late outcome gives the same task.

Each file in cases/ holds the spans that real instrumentations gave for the same app: recorded on 2026-11-24 with openai
2.54, anthropic 2.12, langchain-core 1.7.2, litellm 1.106.2, OpenLLMetry 0.62.4, OpenInference 0.1.66 and 3.1.0,
OpenTelemetry's GenAI instrumentations 1.3b0 and botocore's 0.66b2 (on boto3 1.40.61, switched on before trilemma and
after), Logfire 5.2.0 and trilemma, against a server on loopback. Its first line says how many calls the app made in
each step; a step is a trace.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from trilemma_analysis.client import connect
from trilemma_collector.schema import migrate, run_on_client, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma_analysis.client import Store

SETTLED = {"anthropic+openllmetry+trilemma", "langchain+openinference+openinferencelc"}  # it takes a second or two each
CASES = sorted(Path(__file__).with_name("cases").glob("*.jsonl"))
COLUMNS = (
    "Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ScopeName, SpanAttributes, Duration, StatusCode"
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return an empty, migrated store."""
    address = f"chdb://{tmp_path_factory.mktemp('rows')}"
    with connect(address, require_schema=False, create=True) as opened:
        migrate(run_on_client(opened.client))
    with connect(address) as opened:
        yield opened


def insert(store: Store, spans: list[dict[str, Any]]) -> None:
    """Insert spans into the landing table, as a collector would."""
    rows = ", ".join(
        f"(fromUnixTimestamp64Nano(toInt64({span['Timestamp']})), {quote(span['TraceId'])}, {quote(span['SpanId'])}, "
        f"{quote(span['ParentSpanId'])}, {quote(span['SpanName'])}, {quote(span['SpanKind'])}, "
        f"{quote(span['ScopeName'])}, "
        f"map({', '.join(quote(text) for pair in span['SpanAttributes'].items() for text in pair)}), "
        f"{span['Duration']}, {quote(span['StatusCode'])})"
        for span in spans
    )
    store.command(f"INSERT INTO otel_traces ({COLUMNS}) VALUES {rows}")


def quote(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def read(store: Store, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    return store.query(sql).to_pylist()


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_calls_are_counted_once(store: Store, case: Path) -> None:
    """Each step has as many rows as calls, for spans in any order, delivered twice in other batches, settled or not."""
    head, *lines = case.read_text(encoding="utf-8").splitlines()
    spans = [json.loads(line) for line in lines]
    steps = {
        span["TraceId"]: json.loads(head)["calls"][span["SpanName"]] for span in spans if span["ScopeName"] == "app"
    }
    shuffled = random.Random(case.stem).sample(spans, len(spans))
    for batch in (shuffled[::2], shuffled[1::2], shuffled[: len(spans) // 2]):
        insert(store, batch)
    for _ in range(2 if case.stem in SETTLED else 1):
        found = read(
            store,
            "SELECT trace_id, count() AS calls, groupUniqArray(scope_name) AS scopes FROM llm_calls "
            f"WHERE trace_id IN ({', '.join(quote(trace) for trace in steps)}) GROUP BY trace_id",
        )
        assert {row["trace_id"]: row["calls"] for row in found} == steps
        if "trilemma" in {span["ScopeName"] for span in spans}:
            assert all(row["scopes"] == ["trilemma"] for row in found)
        if case.stem in SETTLED:
            settle(run_on_client(store.client))


def test_facts_in_any_order_give_the_same_task(store: Store) -> None:
    """A task's span and its corrected outcome may arrive in any order and twice: the last fact by its time counts."""
    told = []
    for number, order in enumerate(itertools.permutations(("span", "early", "last", "last"))):
        for fact in order:
            tell(store, fact, f"task-{number}")
        told.append(f"task-{number}")
    rows = read(
        store,
        "SELECT task_id, outcome, failure_mode, outcome_source, value, toString(outcome_at) AS at FROM tasks "
        "WHERE task_name = 'support.refund' ORDER BY task_id",
    )
    assert sorted(row.pop("task_id") for row in rows) == sorted(told)
    assert {tuple(row.items()) for row in rows} == {
        (
            ("outcome", "failure"),
            ("failure_mode", "wrong_amount"),
            ("outcome_source", "human"),
            ("value", None),
            ("at", "2026-11-03 00:00:00.000000000"),
        )
    }


def tell(store: Store, fact: str, task_id: str) -> None:
    """Deliver one fact about a task run: its span (a success at its end), an early event, or the last word."""
    if fact == "span":
        store.command(
            f"INSERT INTO otel_traces ({COLUMNS}) VALUES ('2026-11-01 00:00:00', '{task_id}', 's', '', "
            "'support.refund', 'Internal', 'trilemma', map('trilemma.task.name', 'support.refund', 'trilemma.task.id', "
            f"'{task_id}', 'trilemma.task.outcome', 'success', 'trilemma.task.value', '3'), 1000000000, 'Unset')"
        )
        return
    day, outcome, mode, source = (
        ("02", "success", "", "judge") if fact == "early" else ("03", "failure", "wrong_amount", "human")
    )
    store.command(
        f"INSERT INTO otel_logs (Timestamp, EventName, LogAttributes) VALUES ('2026-11-{day} 00:00:00', "
        f"'trilemma.task.outcome', map('trilemma.task.id', '{task_id}', 'trilemma.task.outcome', '{outcome}', "
        f"'trilemma.task.failure_mode', '{mode}', 'trilemma.task.outcome_source', '{source}'))"
    )
