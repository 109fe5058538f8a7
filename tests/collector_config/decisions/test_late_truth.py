"""Hold late truth: the same facts, in any order and however often they are told, give the same tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analysis.planted import make_store
from tests.collector_config.schema.test_one_call_one_row import insert, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma_analysis.client import Store

START_NS = 1_893_456_000 * 10**9
LOGS = "INSERT INTO otel_logs (Timestamp, TraceId, SpanId, LogAttributes, EventName) VALUES "

# What may be told of one task and of one decision: (event, seconds, attributes).
Fact = tuple[str, int, dict[str, str]]
OUTCOMES = st.builds(
    lambda at, outcome, source: (
        "trilemma.task.outcome",
        at,
        {"trilemma.task.outcome": outcome, "trilemma.task.outcome_source": source},
    ),
    st.integers(0, 3),
    st.sampled_from(["success", "failure", "unknown"]),
    st.sampled_from(["system", "human"]),
)
MARKS = st.builds(
    lambda at, mark, block: (
        "gen_ai.evaluation.result",
        at,
        {
            "gen_ai.evaluation.name": "trilemma.decision",
            "gen_ai.evaluation.score.label": mark,
            "trilemma.context.block.id": block,
        },
    ),
    st.integers(0, 3),
    st.sampled_from(["right", "wrong", "used"]),
    st.sampled_from(["", "policy", "blog"]),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store that all examples share; each has ids of its own."""
    with make_store(tmp_path_factory.mktemp("late") / "store") as opened:
        yield opened


class Told:
    """Tell facts of one task and its one decision, and read what the tables say."""

    count = 0

    def __init__(self, store: Store) -> None:
        Told.count += 1
        self.store = store
        self.trace_id = f"{Told.count:032x}"
        self.task_name = f"t{Told.count}"

    def tell(self, fact: Fact) -> None:
        """Deliver one fact."""
        event, at, attributes = fact
        known = {**attributes, "trilemma.task.id": f"task-{self.trace_id}"}
        pairs = ", ".join(quote(text) for pair in known.items() for text in pair)
        ids = f"{quote(self.trace_id)}, {quote('0' * 15 + 'd')}" if "evaluation" in event else "'', ''"
        time = f"fromUnixTimestamp64Nano(toInt64({START_NS + at * 10**9}))"
        self.store.command(f"{LOGS} ({time}, {ids}, map({pairs}), {quote(event)})")

    def tell_spans(self) -> None:
        """Deliver the task's span and the decision's."""
        task = {"trilemma.task.id": f"task-{self.trace_id}", "trilemma.task.name": self.task_name}
        facts = {**task, "trilemma.decision.kind": "context", "trilemma.decision.name": "kb"}
        facts["trilemma.context.block.ids"] = '["policy", "blog"]'
        insert(
            self.store,
            [self._span("a", "", self.task_name, task), self._span("d", "0" * 15 + "a", "context kb", facts)],
        )

    def read(self) -> list[Any]:
        """Return the task, its decision and its blocks as the tables have them, without what names this example."""
        where = f"WHERE trace_id = {quote(self.trace_id)}"
        asked = (
            f"SELECT outcome, outcome_source FROM tasks {where}",
            f"SELECT chosen, mark, marked_at FROM decisions {where}",
            f"SELECT block_id, mark FROM context_blocks {where} ORDER BY block_id",
            f"SELECT success_count, failure_count FROM tasks_daily WHERE task_name = {quote(self.task_name)}",
        )
        return [self.store.query(sql).to_pylist() for sql in asked]

    def _span(self, span_id: str, parent: str, name: str, attributes: dict[str, str]) -> dict[str, Any]:
        return {
            "Timestamp": START_NS,
            "TraceId": self.trace_id,
            "SpanId": span_id.rjust(16, "0"),
            "ParentSpanId": parent,
            "SpanName": name,
            "SpanKind": "Internal",
            "ScopeName": "trilemma",
            "SpanAttributes": attributes,
            "Duration": 10**9,
            "StatusCode": "Unset",
        }


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(OUTCOMES | MARKS, min_size=1, max_size=4), data=st.data())
def test_any_order_and_repetition(store: Store, facts: list[Fact], data: st.DataObject) -> None:
    """Facts before, after and among the spans, shuffled and repeated, give the rows of the facts told once in order."""
    plain, shuffled = Told(store), Told(store)
    plain.tell_spans()
    for fact in facts:
        plain.tell(fact)
    again = data.draw(st.lists(st.sampled_from(facts), max_size=2))
    steps: list[Fact | None] = data.draw(st.permutations([*facts, *again, None]))
    for step in [*steps, None] if data.draw(st.booleans()) else steps:
        if step is None:
            shuffled.tell_spans()
        else:
            shuffled.tell(step)
    assert shuffled.read() == plain.read()


def test_blocks_marked_at_once(store: Store) -> None:
    """Two blocks marked alike at the same moment are two facts."""
    told = Told(store)
    told.tell_spans()
    for block in ("policy", "blog", "policy"):
        attributes = {"gen_ai.evaluation.name": "trilemma.decision", "gen_ai.evaluation.score.label": "used"}
        told.tell(("gen_ai.evaluation.result", 1, {**attributes, "trilemma.context.block.id": block}))
    assert told.read()[2] == [{"block_id": "blog", "mark": "used"}, {"block_id": "policy", "mark": "used"}]


def test_the_last_by_time_counts(store: Store) -> None:
    """Not the last to arrive: a mark of an earlier time changes nothing."""
    told = Told(store)
    told.tell_spans()
    for at, mark in ((2, "wrong"), (1, "right")):
        attributes = {"gen_ai.evaluation.name": "trilemma.decision", "gen_ai.evaluation.score.label": mark}
        told.tell(("gen_ai.evaluation.result", at, attributes))
    [decision] = told.read()[1]
    assert decision["mark"] == "wrong"
    history = f"SELECT mark FROM decision_marks WHERE trace_id = {quote(told.trace_id)} ORDER BY marked_at"
    assert [row["mark"] for row in store.query(history).to_pylist()] == ["right", "wrong"]
