"""Settling changes how fast a query is, never what it answers; a trace is found by its id alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.analysis.planted import make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trilemma_analysis.client import Store

ROLLUPS = {"calls_hourly": "hour", "calls_daily": "day"}
STEPS = {
    "settle_duplicate_calls": "stored_calls",
    "settle_calls_hourly": "stored_calls_hourly",
    "settle_calls_daily": "stored_calls_daily",
}
SKETCHES = "duration_sketch", "time_to_first_content_sketch"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a store with forty calls in three hours of two days, one of them traced by two SDKs."""
    hours = "2026-05-28 22:10", "2026-05-28 23:20", "2026-05-29 00:30"
    calls = [describe_call(number, f"{hours[number % 3]}:{number:02d}") for number in range(40)]
    with make_store(tmp_path / "store") as opened:
        opened.command("SYSTEM STOP VIEWS")
        insert(opened, *calls, describe_call(7, "2026-05-28 23:20:07", scope="another.sdk"))
        yield opened
        opened.command("SYSTEM START VIEWS")


def insert(store: Store, *rows: str) -> None:
    """Insert spans as a collector would."""
    store.command(
        "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind, ScopeName, SpanAttributes, Duration, "
        f"StatusCode) VALUES {', '.join(rows)}"
    )


def describe_call(number: int, started_at: str, scope: str = "trilemma") -> str:
    """Return the span of a call as a row; every fifth has no price, every seventh failed, every second was streamed."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": f"model-{number % 2}",
        "gen_ai.response.id": f"r{number}",
        "trilemma.task.name": "refund",
        "gen_ai.usage.input_tokens": str(100 + number),
    }
    if number % 5:
        attributes |= {"trilemma.cost.total": str(number / 1000), "trilemma.cost.currency": "USD"}
    if number % 2:
        attributes["trilemma.response.time_to_first_content"] = str(number / 200)
    texts = ", ".join(f"'{text}'" for pair in attributes.items() for text in pair)
    status = "Error" if number % 7 == 0 else "Unset"
    return (
        f"('{started_at}', 't{number}', '{scope[:1]}{number}', 'chat', 'Client', '{scope}', map({texts}), "
        f"{(number + 1) * 10_000_000}, '{status}')"
    )


def let_time_pass(store: Store) -> None:
    """Move all that arrived, and all that was settled, ten minutes back; then settle until nothing is fresh."""
    for _ in range(2):  # a call that is superseded arrives once more
        store.command(
            "ALTER TABLE stored_calls UPDATE received_at = received_at - toIntervalMinute(10) WHERE 1 "
            "SETTINGS mutations_sync = 1"
        )
        moved = "toString(max(settled_until) - toIntervalMinute(10)) AS at"
        marks = store.query(f"SELECT step, {moved} FROM settle_marks GROUP BY step").to_pylist()
        store.command("TRUNCATE TABLE settle_marks")
        for mark in marks:
            store.command(f"INSERT INTO settle_marks VALUES ('{mark['step']}', '{mark['at']}')")
        for step, table in STEPS.items():
            now = store.query("SELECT toString(now64(3)) AS now")["now"][0].as_py()
            sql = _read_sql(store, step)
            columns = store.query(f"SELECT * FROM ({sql}) LIMIT 0").column_names
            store.command(f"INSERT INTO {table} ({', '.join(columns)}) {sql}")
            store.command(f"INSERT INTO settle_marks VALUES ('{step}', '{now}')")


def _read_sql(store: Store, step: str) -> str:
    """Return the SQL of a step. The store does not run it by itself here: time is moved under its feet."""
    return str(store.query("SELECT as_select FROM system.tables WHERE name = {step:String} AND "
                           "database = currentDatabase()", step=step)["as_select"][0].as_py())  # fmt: skip


def read_rollups(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Return both rollups as rows, with the quantiles that their sketches give."""
    quantiles = ", ".join(f"finalizeAggregation({name}) AS {name}" for name in SKETCHES)
    return {
        view: store.query(
            f"SELECT * REPLACE ({quantiles}) FROM {view} ORDER BY {time}, request_model, cost_currency"
        ).to_pylist()
        for view, time in ROLLUPS.items()
    }


def count(store: Store, table: str) -> int:
    """Return the number of rows."""
    return int(store.query(f"SELECT count() AS n FROM {table}")["n"][0].as_py())


def test_rollups_are_the_same_before_and_after_settling(store: Store) -> None:
    """Hours and days show the same rows computed at the query and settled, also after a late call."""
    before = read_rollups(store)
    assert [sum(row["call_count"] for row in rows) for rows in before.values()] == [40, 40]
    let_time_pass(store)
    assert count(store, "fresh_hours") == 0
    assert count(store, "stored_calls_hourly") == len(before["calls_hourly"])
    _check_equal(read_rollups(store), before)

    insert(store, describe_call(41, "2026-05-28 23:59:59"))
    late = read_rollups(store)
    assert count(store, "fresh_hours") == 1
    assert [sum(row["call_count"] for row in rows) for rows in late.values()] == [41, 41]
    let_time_pass(store)
    assert count(store, "fresh_hours") == 0
    _check_equal(read_rollups(store), late)


def test_a_late_call_does_not_replace_an_hour_whose_calls_have_expired(store: Store) -> None:
    """An hour keeps what was counted when its calls are gone, whatever arrives for it later."""
    let_time_pass(store)
    before = read_rollups(store)
    store.command(
        "ALTER TABLE stored_calls DELETE WHERE started_at < '2026-05-28 23:00:00' SETTINGS mutations_sync = 1"
    )
    insert(store, describe_call(42, "2026-05-28 22:59:59"))
    assert count(store, "expired_hours") == 1
    _check_equal(read_rollups(store), before)
    let_time_pass(store)
    _check_equal(read_rollups(store), before)


def test_a_trace_is_found_by_its_id(store: Store) -> None:
    """`trace` gives all spans of one trace in the order of time, of every SDK and hour, and nothing else."""
    insert(store, describe_call(7, "2026-06-03 08:00:00", scope="later.sdk"))
    for _ in range(2):
        rows = store.query("SELECT span_id, started_at FROM trace(id = 't7')").to_pylist()
        assert [row["span_id"] for row in rows] in (["a7", "t7", "l7"], ["t7", "a7", "l7"])
        assert rows == sorted(rows, key=lambda row: row["started_at"])
        let_time_pass(store)
    assert store.query("SELECT span_id FROM trace(id = 'none')").num_rows == 0


def _check_equal(found: dict[str, list[dict[str, Any]]], expected: dict[str, list[dict[str, Any]]]) -> None:
    """Compare row by row: sums of floats may differ in their last digit by the order of adding."""
    for view, rows in expected.items():
        assert found[view] == [{name: _allow_rounding(value) for name, value in row.items()} for row in rows], view


def _allow_rounding(value: Any) -> Any:
    return pytest.approx(value, rel=1e-12, nan_ok=True) if isinstance(value, (float, list)) else value
