"""Hold the import end to end: what a row becomes in the store, and that no row is ever there twice or half."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trilemma.errors import ImportFileError, StoreError
from trilemma_analysis.importing import loader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trilemma_analysis.client import Store

    from tests.analysis.importing.conftest import Loaded

    Load = Callable[..., Loaded]
    Write = Callable[[str, str | bytes], Path]

MAPPING = """
name = "log"
version = 1
[rows]
key = "{id}"
[task]
task_name = "support.{kind}"
input_id = "{ticket}"
prompt_name = "refund"
prompt_version = "{prompt}"
outcome = { from = "{score}", map = { 1 = "success", 0 = "failure" } }
failure_mode = "{why?}"
[call]
request_model = "{model}"
provider = "openai"
started_at = "{at}"
duration_s = { from = "{ms}", unit = "ms" }
input_tokens = "{usage.in}"
output_tokens = "{usage.out}"
cost = { sum = [
  { product = ["{usage.in}", 2.5], unit = "per_million" },
  { product = ["{usage.out}", 10], unit = "per_million" },
] }
error_type = "{error?}"
finish_reasons = "{finish?}"
attributes."my.region" = "{region?}"
content.input_messages = "{question?}"
"""
ROW: dict[str, Any] = {
    "id": 1, "kind": "refund", "ticket": "T1", "prompt": "v2", "score": 1, "model": "gpt-4o",
    "at": "2024-07-06T12:00:00Z", "ms": 1500, "usage": {"in": 1000, "out": 100}, "region": "eu", "finish": ["stop"],
    "question": "May I?",
}  # fmt: skip


def log(*changes: dict[str, Any]) -> str:
    """Return JSON Lines of ROW with changes; an id of its own for each unless given."""
    rows = [{**ROW, "id": index, **change} for index, change in enumerate(changes)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def rows(store: Store, sql: str) -> list[dict[str, Any]]:
    """Return a query's rows."""
    found: pa.Table = store.query(sql)
    return found.to_pylist()


def test_terms_of_a_run(load: Load, store: Store, write: Write) -> None:
    """What a mapping says of a run's segment, deadline and budget is in its terms; a run without any has none."""
    mapping = MAPPING.replace(
        'failure_mode = "{why?}"', 'segment = "{plan?}"\ndeadline_s = { from = "{limit_ms?}", unit = "ms" }'
    )
    rows = [ROW | {"plan": "gold", "limit_ms": 2500}, ROW | {"id": 2}]
    load(mapping, write("log.jsonl", "\n".join(json.dumps(row) for row in rows)))
    found = store.query("SELECT segment, deadline_s, budget, task_name FROM task_terms").to_pylist()
    assert found == [{"segment": "gold", "deadline_s": 2.5, "budget": None, "task_name": "support.refund"}]


def test_a_row_becomes_a_task_and_its_call(load: Load, write: Write, store: Store) -> None:
    """A row is one task span and one call beneath it, with every mapped name in its own column."""
    loaded = load(MAPPING, write("log.jsonl", log({})))
    assert (loaded.counts.loaded, loaded.counts.tasks, loaded.counts.calls) == (1, 1, 1)
    (task,) = rows(store, "SELECT * FROM task_runs")
    (call,) = rows(store, "SELECT * FROM llm_calls")
    started = datetime(2024, 7, 6, 12, tzinfo=UTC)
    expected_task = {
        "task_name": "support.refund", "input_id": "T1", "prompt_name": "refund", "prompt_version": "v2",
        "outcome": "success", "outcome_source": "import", "service_name": "log", "duration_s": 1.5, "call_count": 1,
        "models": ["gpt-4o"], "input_tokens": 1000, "output_tokens": 100, "cost_currency": "USD",
    }  # fmt: skip
    assert {name: task[name] for name in expected_task} == expected_task
    assert task["cost"] == pytest.approx(0.0035)
    assert task["started_at"].to_pydatetime() == started
    expected_call = {
        "operation": "chat", "provider": "openai", "request_model": "gpt-4o", "duration_s": 1.5, "status_code": "Unset",
        "finish_reasons": ["stop"], "cost_source": "import", "task_name": "support.refund", "input_id": "T1",
        "prompt_version": "v2", "trace_id": task["trace_id"], "parent_span_id": task["span_id"], "input_messages": [],
    }  # fmt: skip
    assert {name: call[name] for name in expected_call} == expected_call
    assert dict(call["attributes"]) == {"my.region": "eu"}


def test_unknown_stays_unknown(load: Load, write: Write, store: Store) -> None:
    """A null is an absent value, never 0: tokens, cost, duration and outcome."""
    load(MAPPING, write("log.jsonl", log({"score": None, "ms": None, "usage": {"in": None, "out": 5}})))
    (task,) = rows(store, "SELECT * FROM task_runs")
    assert (task["outcome"], task["outcome_source"]) == ("unknown", "")
    assert [task[name] for name in ("duration_s", "llm_duration_s", "cost", "input_tokens")] == [None] * 4


def test_error_and_content(load: Load, write: Write, store: Store) -> None:
    """An error type makes an ERROR span; prompts are loaded only when asked for, as the conventions' messages."""
    load(MAPPING, write("log.jsonl", log({"error": "429", "score": 0, "why": "timeout"})), content=True)
    (call,) = rows(store, "SELECT status_code, error_type FROM llm_calls")
    assert call == {"status_code": "Error", "error_type": "429"}
    (text,) = rows(store, "SELECT text FROM content WHERE hash IN (SELECT arrayJoin(input_messages) FROM llm_calls)")
    assert json.loads(text["text"]) == {"role": "user", "parts": [{"type": "text", "content": "May I?"}]}
    assert rows(store, "SELECT outcome, failure_mode FROM tasks") == [{"outcome": "failure", "failure_mode": "timeout"}]


def test_second_import_adds_nothing(load: Load, write: Write, store: Store) -> None:
    """The same file again, under another name, in another order, or as part of a longer one, adds only what is new."""
    first = write("log.jsonl", log({}, {}, {}))
    longer = write("longer.jsonl", "".join(reversed(log({}, {}, {}, {}).splitlines(keepends=True))))
    assert load(MAPPING, first).counts.loaded == 3
    again = load(MAPPING, first).counts
    assert (again.rows, again.loaded, again.known) == (3, 0, 3)
    more = load(MAPPING, longer).counts
    assert (more.loaded, more.known) == (1, 3)
    assert rows(store, "SELECT count() AS n, uniqExact(task_id) AS ids FROM task_runs") == [{"n": 4, "ids": 4}]


def test_changed_row_is_not_loaded_over(load: Load, write: Write) -> None:
    """A row with a known key and other values is kept aside and not loaded, in the same file and in a later one."""
    loaded = load(MAPPING, write("log.jsonl", log({"id": 7}, {"id": 7, "ms": 9}, {"id": 7})))
    assert (loaded.counts.loaded, loaded.counts.known, loaded.counts.rejected) == (1, 1, 1)
    assert "log.jsonl:2: [rows] key: a row with this key and other values is already loaded" in loaded.shown[0]
    later = load(MAPPING, write("later.jsonl", log({"id": 7, "model": "other"})))
    assert (later.counts.loaded, later.counts.rejected) == (0, 1)


def test_equal_rows_without_a_key_are_all_loaded(
    load: Load, write: Write, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key, equal rows of one file are different rows, in one batch or several; a second import adds none."""
    mapping = MAPPING.replace('[rows]\nkey = "{id}"\n', "")
    path = write("log.jsonl", log({}, {}, {"ms": 9}, {}, {}))
    monkeypatch.setattr(loader, "BATCH_ROWS", 2)
    assert load(mapping, path).counts.loaded == 5
    monkeypatch.setattr(loader, "BATCH_ROWS", 100)
    assert load(mapping, path).counts.loaded == 0
    assert rows(store, "SELECT count() AS n FROM llm_calls") == [{"n": 5}]


def test_bad_rows_are_kept_aside_and_good_ones_loaded(load: Load, write: Write, store: Store) -> None:
    """Each bad row is reported with its line and reason and kept whole; the good rows are loaded."""
    bad: list[tuple[dict[str, Any], str]] = [
        ({"usage": {"in": "many", "out": 1}}, "[call] input_tokens: 'many' is no whole number"),
        ({"usage": {"in": -1, "out": 1}}, "[call] input_tokens: -1 is out of range"),
        ({"at": None}, "[call] started_at: the row has no time"),
        ({"at": "soon"}, "[call] started_at: 'soon' is no time of the form iso"),
        ({"model": None}, "[call] request_model: the row has none"),
        ({"kind": None}, "[task] task_name: the row has none"),
        ({"score": 0.5}, "[task] outcome: '0.5' is none of the mapped values"),
        ({"ms": -5}, "[call] duration_s: -0.005 s is out of range"),
        ({"id": None}, "[rows] key: the row has no value for a part of the key"),
    ]
    text = log(*(change for change, _ in bad), {}).replace("}}\n", "}}\n", 1) + "{broken\n"
    loaded = load(MAPPING, write("log.jsonl", text))
    assert (loaded.counts.rows, loaded.counts.loaded, loaded.counts.rejected) == (11, 1, 10)
    kept = [json.loads(line) for line in loaded.rejects.read_text().splitlines()]
    assert [entry["line"] for entry in kept] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]
    for entry, (change, reason) in zip(kept, bad, strict=False):
        assert entry["reason"].startswith(reason)
        assert entry["row"].items() >= change.items()
    assert kept[-1]["row"] == "{broken"
    assert rows(store, "SELECT count() AS n FROM llm_calls") == [{"n": 1}]


def test_missing_column_stops_before_anything_is_loaded(load: Load, write: Write, store: Store) -> None:
    """A mapping that names a column the second file lacks loads nothing of the first one either."""
    good = write("good.jsonl", log({}))
    other = write("other.csv", "id,kind,ticket,prompt,score,modell,at,ms,usage.in,usage.out\n")
    with pytest.raises(ImportFileError, match=r"'model', which the log file .*other.csv .* did you mean 'modell'"):
        load(MAPPING, good, other)
    assert rows(store, "SELECT count() AS n FROM llm_calls") == [{"n": 0}]


def test_dry_run_and_limit(load: Load, write: Write, store: Store) -> None:
    """A dry run counts and rejects but writes nothing to the store; a limit takes the first rows of all files."""
    first, second = write("a.jsonl", log({"id": 1}, {"id": 2, "ms": "x"})), write("b.jsonl", log({"id": 3}, {"id": 4}))
    dry = load(MAPPING, first, second, store=None).counts
    assert (dry.rows, dry.loaded, dry.rejected) == (4, 3, 1)
    assert rows(store, "SELECT count() AS n FROM imported_rows") == [{"n": 0}]
    limited = load(MAPPING, first, second, limit=3).counts
    assert (limited.rows, limited.loaded, limited.rejected) == (3, 2, 1)


def test_interrupted_between_spans_and_ledger(
    load: Load, write: Write, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch whose spans arrived and whose ids did not comes again and is still there once."""
    path = write("log.jsonl", log({}, {}, {}))
    insert = type(store).insert_arrow

    def fail_at_ledger(self: Store, table: str, *args: Any, **options: Any) -> int:
        if table == "imported_rows":
            raise StoreError("gone")
        return insert(self, table, *args, **options)

    monkeypatch.setattr(type(store), "insert_arrow", fail_at_ledger)
    with pytest.raises(StoreError, match="gone"):
        load(MAPPING, path)
    monkeypatch.undo()
    assert load(MAPPING, path).counts.loaded == 3
    assert rows(store, "SELECT count() AS n, sum(cost) AS cost FROM llm_calls") == [
        {"n": 3, "cost": pytest.approx(3 * 0.0035)}
    ]


def test_trials_in_a_list(load: Load, write: Write, store: Store) -> None:
    """An exploded list makes a task run per element; a bad element condemns its whole row."""
    mapping = """
    name = "trials"
    [rows]
    key = "{task}"
    explode = "trials"
    [task]
    task_name = "airline"
    input_id = "{task}"
    outcome = "{trials.ok}"
    attributes.trial = "{@item}"
    [call]
    request_model = "gpt-4o"
    started_at = { from = 2024-07-06, offset_s = "{@item}", spread = "minute" }
    input_tokens = "{trials.tokens}"
    """
    lines = [
        {"task": "a", "trials": [{"ok": True, "tokens": 1}, {"ok": False, "tokens": 2}]},
        {"task": "b", "trials": [{"ok": True, "tokens": 3}, {"ok": True, "tokens": "x"}]},
        {"task": "c", "trials": []},
        {"task": "d", "trials": "none"},
    ]
    loaded = load(mapping, write("log.jsonl", "\n".join(map(json.dumps, lines))))
    assert (loaded.counts.loaded, loaded.counts.left_out, loaded.counts.rejected) == (1, 1, 2)
    assert rows(store, "SELECT input_id, outcome, input_tokens FROM task_runs ORDER BY input_tokens") == [
        {"input_id": "a", "outcome": "success", "input_tokens": 1},
        {"input_id": "a", "outcome": "failure", "input_tokens": 2},
    ]


def test_list_in_parquet(load: Load, tmp_path: Path, store: Store) -> None:
    """A Parquet list of structs is exploded as a JSON list is."""
    mapping = """
    name = "trials"
    [rows]
    explode = "trials"
    [call]
    request_model = "m"
    started_at = 2024-07-06
    input_tokens = "{trials.tokens}"
    """
    table = pa.table({"trials": [[{"tokens": 1}, {"tokens": 2}], None, [{"tokens": 3}]]})
    pq.write_table(table, tmp_path / "log.parquet")
    assert load(mapping, tmp_path / "log.parquet").counts.calls == 3
    assert rows(store, "SELECT sum(input_tokens) AS n FROM llm_calls") == [{"n": 6}]


def test_several_calls_in_a_task(load: Load, write: Write, store: Store) -> None:
    """A [call] may explode a list, and there may be several; the task spans them and its cost is their sum."""
    mapping = """
    name = "agent"
    [task]
    task_name = "agent"
    outcome = "success"
    [[call]]
    explode = "steps"
    request_model = "{steps.model}"
    started_at = { from = "{at}", time = "epoch_s", offset_s = { product = ["{@call}", 10] } }
    duration_s = 4
    cost = 0.5
    [[call]]
    when = "{judged}"
    request_model = "judge"
    operation = "chat"
    started_at = { from = "{at}", time = "epoch_s", offset_s = 30 }
    duration_s = 5
    cost = 0.25
    """
    lines = [
        {"at": 1720267200, "judged": True, "steps": [{"model": "x"}, {"model": "y"}, {"model": "x"}]},
        {"at": 1720267200, "judged": False, "steps": [{"model": "x"}]},
    ]
    load(mapping, write("log.jsonl", "\n".join(map(json.dumps, lines))))
    found = rows(store, "SELECT call_count, models, cost, duration_s FROM task_runs ORDER BY call_count DESC")
    assert found == [
        {"call_count": 4, "models": ["judge", "x", "y"], "cost": 1.75, "duration_s": 35.0},
        {"call_count": 1, "models": ["x"], "cost": 0.5, "duration_s": 4.0},
    ]
    assert rows(store, "SELECT uniqExact(span_id) AS n FROM spans") == [{"n": 7}]


def test_wide_rows_and_counts(load: Load, write: Write, store: Store) -> None:
    """A row with the results of several models is a run each; a row of counts is as many runs as it counts."""
    mapping = """
    name = "wide"
    [rows]
    repeat = "{n}"
    let.good = "{each.good}"
    [[rows.each]]
    model = "gpt-4o"
    good = "{gpt-4o}"
    [[rows.each]]
    model = "haiku"
    good = "{haiku}"
    [task]
    task_name = "bench"
    outcome = { case = [{ when = { value = "{@repeat}", below = "{let.good}" }, then = "success" }], else = "failure" }
    [call]
    request_model = "{each.model}"
    started_at = { from = "{day}", time = "date", spread = "day" }
    """
    loaded = load(mapping, write("log.csv", "day,n,gpt-4o,haiku\n2024-07-06,10,8,3\n2024-07-07,10,9,\n"))
    assert (loaded.counts.loaded, loaded.counts.tasks) == (2, 40)
    found = rows(store, "SELECT models[1] AS model, countIf(outcome = 'success') AS good, count() AS n "
                        "FROM task_runs GROUP BY model ORDER BY model")  # fmt: skip
    assert found == [{"model": "gpt-4o", "good": 17, "n": 20}, {"model": "haiku", "good": 3, "n": 20}]


def test_evaluations(load: Load, write: Write, store: Store) -> None:
    """Scores and labels become evaluation events of the task or the call; without either nothing was judged."""
    mapping = """
    name = "judged"
    [rows]
    key = "{id}"
    [task]
    task_name = "answer"
    [call]
    request_model = "m"
    started_at = { from = "{at}", time = "epoch_s" }
    duration_s = 2
    [[evaluation]]
    evaluation_name = "quality"
    score = { from = "{score}", null_if = -1 }
    explanation = "because {why}"
    [[evaluation]]
    of = "call"
    evaluation_name = "{votes.by}"
    explode = "votes"
    label = "{votes.label}"
    evaluated_at = { from = "{at}", time = "epoch_s", offset_s = 60 }
    """
    votes = [{"by": "human", "label": "good"}, {"by": "human", "label": "bad"}, {"by": "judge", "label": None}]
    lines = [
        {"id": 1, "at": 1720267200, "score": 4.5, "why": "clear", "votes": votes},
        {"id": 2, "at": 1720267200, "score": -1, "why": None, "votes": None},
    ]
    loaded = load(mapping, write("log.jsonl", "\n".join(map(json.dumps, lines))))
    assert loaded.counts.evaluations == 3
    found = rows(store, "SELECT evaluation_name, score, label, explanation, task_name, "
                        "toUnixTimestamp(evaluated_at) AS at, span_id IN (SELECT span_id FROM llm_calls) AS of_call "
                        "FROM evaluations ORDER BY evaluation_name, label")  # fmt: skip
    human = {"evaluation_name": "human", "score": None, "explanation": "", "task_name": "answer", "at": 1720267260,
             "of_call": 1}  # fmt: skip
    assert found == [
        {**human, "label": "bad"},
        {**human, "label": "good"},
        {"evaluation_name": "quality", "score": 4.5, "label": "", "explanation": "because clear", "task_name": "answer",
         "at": 1720267202, "of_call": 0},
    ]  # fmt: skip
    assert load(mapping, write("log2.jsonl", "\n".join(map(json.dumps, lines)))).counts.evaluations == 0


def test_a_row_per_call(load: Load, write: Write, store: Store) -> None:
    """Rows that name the same task id are the calls of one run, whose outcome is the last one told."""
    mapping = """
    name = "steps"
    [task]
    task_name = "agent"
    task_id = "{session}"
    outcome = "{ok}"
    [call]
    request_model = "{model}"
    started_at = { from = "{at}", time = "epoch_s" }
    duration_s = 2
    cost = 0.5
    """
    lines = "session,model,at,ok\ns1,a,1720267200,\ns2,a,1720267201,false\ns1,b,1720267210,true\n"
    assert load(mapping, write("log.csv", lines)).counts.calls == 3
    found = rows(store, "SELECT task_id, outcome, models, call_count, cost FROM task_runs ORDER BY task_id")
    assert found == [
        {"task_id": "s1", "outcome": "success", "models": ["a", "b"], "call_count": 2, "cost": 1.0},
        {"task_id": "s2", "outcome": "failure", "models": ["a"], "call_count": 1, "cost": 0.5},
    ]
    assert rows(store, "SELECT uniqExact(trace_id) AS n FROM llm_calls") == [{"n": 2}]


def test_calls_without_a_task(load: Load, write: Write, store: Store) -> None:
    """A mapping without [task] loads calls alone, as traces of their own."""
    mapping = """
    name = "trace"
    [rows]
    when = { value = "{code}", is = 200 }
    service_name = "gateway-{zone}"
    [call]
    request_model = "llama"
    ended_at = { from = "{end_ms}", time = "epoch_ms" }
    duration_s = "{s}"
    """
    loaded = load(mapping, write("log.csv", "code,zone,end_ms,s\n200,a,1720267202000,2\n500,a,1720267203000,1\n"))
    assert (loaded.counts.loaded, loaded.counts.left_out) == (1, 1)
    found = rows(
        store, "SELECT service_name, task_id, parent_span_id, toUnixTimestamp(started_at) AS at FROM llm_calls"
    )
    assert found == [{"service_name": "gateway-a", "task_id": "", "parent_span_id": "", "at": 1720267200}]


def test_priced_by_the_table(load: Load, write: Write, store: Store) -> None:
    """With price = true a call without a cost in the log has the price table's; what that lacks stays unknown."""
    head, _, tail = MAPPING.partition("cost = {")
    mapping = head + 'price = true\ncost = "{cost?}"\n' + tail[tail.index("error_type") :]
    load(mapping, write("log.jsonl", log({}, {"cost": 9.5}, {"model": "no-such-model"})))
    found = rows(store, "SELECT cost, cost_source, unpriced_reason, price_version != '' AS versioned FROM llm_calls "
                        "ORDER BY cost_source")  # fmt: skip
    assert [(row["cost_source"], row["versioned"]) for row in found] == [
        ("import", 0), ("price_table", 1), ("unpriced", 0)]  # fmt: skip
    assert (found[0]["cost"], found[2]["cost"]) == (9.5, None)
    assert found[1]["cost"] == pytest.approx(1000 * 2.5e-6 + 100 * 10e-6)


def test_ids_are_the_same_in_every_run(load: Load, write: Write, store: Store) -> None:
    """Ids depend on the mapping's name and version and the row's key only: they are pinned here."""
    load(MAPPING, write("log.jsonl", log({"id": 42})))
    (task,) = rows(store, "SELECT task_id, trace_id, span_id FROM tasks")
    (call,) = rows(store, "SELECT span_id FROM llm_calls")
    trace = "b1c92abc43e43004d1bd55c3b12ec5b6"
    assert task == {"task_id": trace, "trace_id": trace, "span_id": "326fa22604f025ae"}
    assert call == {"span_id": "78fbccd16fa9ff40"}
