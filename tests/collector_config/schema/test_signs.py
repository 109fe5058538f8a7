"""Hold what is told from calls alone: fallbacks, repeats, loops, failed formats, and why an answer ended as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.analysis.planted import make_store
from tests.collector_config.schema.test_one_call_one_row import insert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma_analysis.client import Store

START_NS = 1_893_456_000 * 10**9
A = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "small"}
FINISH, ERROR, HASH = "gen_ai.response.finish_reasons", "error.type", "trilemma.request.hash"
TOOLS, TYPE, COUNT = "trilemma.response.tool_call.names", "gen_ai.output.type", "trilemma.request.message_count"
STATUS = "http.response.status_code"

# Of each task its calls in order, by what they have beside A, and what must be told of it.
TASKS: dict[str, tuple[list[dict[str, str]], dict[str, Any]]] = {
    "plain": ([{}, {}], {}),
    "fallback": (
        [{ERROR: "overloaded_error"}, {"gen_ai.request.model": "large"}],
        {"fallback_count": 1, "fallbacks": ["small > large"]},
    ),
    "same model again": ([{ERROR: "overloaded_error"}, {}], {}),
    "repeats": ([{HASH: "a"}, {HASH: "b"}, {HASH: "a"}, {HASH: "a"}], {"repeat_count": 2}),
    "loop": (
        [{TOOLS: '["find"]', HASH: str(n)} for n in range(4)] + [{HASH: "9"}],
        {"tool_loop_length": 4},
    ),
    "two tools in turn": ([{TOOLS: '["find"]'}, {TOOLS: '["read"]'}, {TOOLS: '["find"]'}], {"tool_loop_length": 1}),
    "format retries": (
        [{TYPE: "json", COUNT: str(n), HASH: str(n)} for n in (1, 3, 5)],
        {"format_retry_count": 2},
    ),
    "signs": (
        [
            {FINISH: '["length"]'},
            {FINISH: '["MAX_TOKENS"]'},
            {FINISH: '["refusal"]'},
            {"trilemma.response.refused": "true", FINISH: '["stop"]'},
            {FINISH: '["SAFETY"]'},
            {"trilemma.response.filtered": '["violence"]'},
            {FINISH: '["guardrail_intervened"]'},
            {ERROR: "ValidationError", STATUS: "200"},
        ],
        {"truncated_count": 2, "refused_count": 2, "filtered_count": 2, "blocked_count": 1, "invalid_count": 1},
    ),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store with the calls of all tasks."""
    with make_store(tmp_path_factory.mktemp("signs") / "store") as opened:
        spans = [
            describe(number * 100 + place, task, more)
            for number, (task, (calls, _)) in enumerate(TASKS.items())
            for place, more in enumerate(calls)
        ]
        insert(opened, spans)
        yield opened


def describe(number: int, task: str, more: dict[str, str]) -> dict[str, Any]:
    """Return the span of one call."""
    return {
        "Timestamp": START_NS + number * 10**9,
        "TraceId": f"{number:032x}",
        "SpanId": f"{number:016x}",
        "ParentSpanId": "",
        "SpanName": "chat",
        "SpanKind": "Client",
        "ScopeName": "trilemma",
        "SpanAttributes": {**A, "trilemma.task.id": task, "trilemma.task.name": "t", **more},
        "Duration": 10**9,
        "StatusCode": "Error" if ERROR in more else "Unset",
    }


@pytest.mark.parametrize("task", TASKS)
def test_signs_of_a_task(store: Store, task: str) -> None:
    """Just what was planted is told, and nothing else."""
    nothing = {
        "fallback_count": 0, "fallbacks": [], "repeat_count": 0, "tool_loop_length": 0, "format_retry_count": 0,
        "truncated_count": 0, "refused_count": 0, "filtered_count": 0, "blocked_count": 0, "invalid_count": 0,
    }  # fmt: skip
    [row] = store.query("SELECT * FROM task_signs WHERE task_id = {task:String}", task=task).to_pylist()
    assert {name: row[name] for name in nothing} == {**nothing, **TASKS[task][1]}
    assert row["call_count"] == len(TASKS[task][0])


def test_signs_of_a_call(store: Store) -> None:
    """A call without a sign has no row; one with several names them all."""
    assert store.query("SELECT count() AS n FROM call_signs WHERE task_id = 'plain'").to_pylist() == [{"n": 0}]
    more = {FINISH: '["length"]', "gen_ai.usage.cache_read.input_tokens": "10", "http.request.resend_count": "2"}
    insert(store, [describe(9_999, "several", more)])
    found = store.query("SELECT signs FROM call_signs WHERE task_id = 'several'").to_pylist()
    assert found == [{"signs": ["truncated", "retried", "prefix_reused"]}]
