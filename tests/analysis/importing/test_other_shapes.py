"""Hold that logs of any shape load without code: the published logs written otherwise, and others' ways to log."""

from __future__ import annotations

import csv
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trilemma_analysis.client import connect
from trilemma_analysis.importing.loader import import_files
from trilemma_analysis.importing.mapping import SHIPPED, load_mapping
from trilemma_analysis.importing.rejects import Rejects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trilemma_analysis.client import Store

    from tests.analysis.importing.conftest import Loaded

    Load = Callable[..., Loaded]
    Write = Callable[[str, str | bytes], Path]

# What the store has of a log, a number for each kind of row.
FINGERPRINTS = {
    "task_runs": "task_id, task_name, started_at, duration_s, input_id, variant, outcome, failure_mode, combination, "
    "cost, input_tokens, output_tokens, error_count",
    "llm_calls": "span_id, started_at, duration_s, request_model, response_model, provider, error_type, input_tokens, "
    "output_tokens, cost, time_to_first_content_s, http_status",
    "evaluations": "task_id, evaluation_name, score, label, evaluation_source",
    "task_terms": "task_id, segment",
}
# What a user writes otherwise where a log has 0 and 1 for false and true, and microseconds for times.
NUMBERS_INSTEAD = {
    "is = false": "is = 0", "{ true =": "{ 1 =", ", false =": ", 0 =",
    'started_at = "{timestamp}"': 'started_at = { from = "{timestamp}", time = "epoch_us" }',
    'from = "{run_timestamp}",': 'from = "{run_timestamp}", time = "epoch_us",',
    'from = "{timestamp}", spread': 'from = "{timestamp}", time = "epoch_us", spread',
}  # fmt: skip
TIMES = {"llmdrift": "timestamp", "llmperf": "run_timestamp", "aider_leaderboard": "timestamp"}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("aider_leaderboard", "csv"), ("bfcl_vllm", "parquet"), ("llmdrift", "jsonl"), ("llmdrift", "csv"),
        ("llmperf", "jsonl"), ("llmperf", "csv"), ("pandalm", "jsonl"), ("routellm", "parquet"),
        ("tau_bench_airline", "csv"), ("vexp_swe_bench", "jsonl"),
    ],
)  # fmt: skip
def test_published_log_in_another_form(
    name: str, form: str, shared: Path, tmp_path: Path, addresses: tuple[str, str]
) -> None:
    """Columns renamed and shuffled, rows shuffled, other types and another format: the store has the very same rows."""
    path = shared / "data" / "published" / name / "data.parquet"
    mapping = (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
    table = pq.read_table(path)
    wanted = fingerprint(addresses[0], str(SHIPPED / f"{name}.toml"), path)
    if form == "jsonl":
        for old, new in NUMBERS_INSTEAD.items():
            mapping = mapping.replace(old, new)
    renamed = {column: f"Log {column.title()} ({column[::-1]})" for column in table.column_names}
    pattern = re.compile(r"\{(" + "|".join(sorted(map(re.escape, renamed), key=len, reverse=True)) + r")(?=[.}?])")
    (tmp_path / "mapping.toml").write_text(
        pattern.sub(lambda found: "{" + renamed[found[1]], mapping), encoding="utf-8"
    )
    log = tmp_path / f"log.{form}"
    WRITERS[form](log, shuffle(table), renamed, TIMES.get(name, ""))
    assert fingerprint(addresses[1], str(tmp_path / "mapping.toml"), log) == wanted


@pytest.fixture
def addresses(empty_store: Path, tmp_path: Path) -> tuple[str, str]:
    """Return the addresses of two new embedded stores."""
    stores = [tmp_path / name for name in ("wanted", "found")]
    for directory in stores:
        shutil.copytree(empty_store, directory, symlinks=True)
    return f"chdb://{stores[0]}", f"chdb://{stores[1]}"


def fingerprint(address: str, mapping: str, path: Path) -> dict[str, list[int]]:
    """Import a log, which has no bad row, and return what the store has of it: numbers of rows, and sums over them."""
    with connect(address) as store, Rejects(None) as rejects:
        import_files(load_mapping(mapping), [path], store, rejects)
        assert rejects.shown == []
        return {
            view: list(ask(store, f"SELECT count() AS n, sum(cityHash64({columns})) AS x FROM {view}")[0].values())
            for view, columns in FINGERPRINTS.items()
        }


def shuffle(table: pa.Table) -> pa.Table:
    """Return the rows and columns in another order."""
    rng = np.random.default_rng(5)
    rows = table.take(pa.array(rng.permutation(len(table))))
    return rows.select([rows.column_names[place] for place in rng.permutation(rows.num_columns)])


def write_csv(path: Path, table: pa.Table, renamed: dict[str, str], _: str) -> None:
    """Write all as text, as Python's csv module does: True, 0.5, 2024-07-06 12:00:00, and nothing for null."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(renamed.values()))
        writer.writeheader()
        writer.writerows({renamed[key]: value for key, value in row.items()} for row in table.to_pylist())


def write_jsonl(path: Path, table: pa.Table, renamed: dict[str, str], time: str) -> None:
    """Write numbers as text, truth values as 0 and 1, times as microseconds, JSON text as the objects it holds."""

    def spell(key: str, value: Any) -> Any:
        if isinstance(value, bool) or value is None:
            return None if value is None else int(value)
        if hasattr(value, "isoformat"):
            return round(value.timestamp() * 1e6) if key == time else value.isoformat()
        if isinstance(value, str) and value[:1] == "{":
            return json.loads(value)
        return value if isinstance(value, str) else str(value)

    rows = ({renamed[key]: spell(key, value) for key, value in row.items()} for row in table.to_pylist())
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_parquet(path: Path, table: pa.Table, renamed: dict[str, str], _: str) -> None:
    """Write short numbers, dictionaries of texts, and no order at all."""
    columns = {}
    for name in table.column_names:
        column = table[name]
        texts = pa.types.is_large_string(column.type)
        columns[renamed[name]] = column.cast(pa.string()).dictionary_encode() if texts else column
    pq.write_table(pa.table(columns), path, row_group_size=997)


WRITERS = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}


def ask(store: Store, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a question."""
    return store.query(sql).to_pylist()


def test_agents_and_their_bills(load: Load, store: Store, write: Write) -> None:
    """A benchmark of agents: one object per instance, agents by name in it, dollars and clock times as people write."""
    log = {
        "django-1": {"repo": "django", "agents": {
            "Alpha": {"resolved": "True", "cost": "$1,204.50", "wall": "1:02:03",
                      "tokens": {"prompt": "12,000", "completion": 900}},
            "Beta": {"resolved": "False", "cost": "$0.00", "wall": "45 s",
                     "tokens": {"prompt": "800", "completion": 90}}}},
        "flask-2": {"repo": "flask", "agents": {
            "Alpha": {"resolved": "", "cost": "$0.30", "wall": None, "tokens": None}}},
    }  # fmt: skip
    mapping = """
        name = "agents"
        [file]
        records = "."
        [rows]
        key = "{@key}"
        explode = "agents"
        [task]
        task_name = "swe"
        input_id = "{@key}"
        segment = "{repo}"
        variant = "{agents.@key}"
        outcome = { from = "{agents.resolved}", null_if = "" }
        started_at = "2026-01-01"
        [call]
        request_model = "model of {agents.@key}"
        cost = { from = { from = "{agents.cost}", replace = { "$" = "", "," = "" } }, null_if = 0 }
        input_tokens = { from = "{agents.tokens.prompt?}", replace = { "," = "" } }
        output_tokens = "{agents.tokens.completion?}"
        duration_s = { from = "{agents.wall}", unit = "duration" }
    """
    loaded = load(mapping, write("results.json", json.dumps(log)))
    assert (loaded.counts.tasks, loaded.shown) == (3, [])
    question = "SELECT input_id, variant, outcome, cost, input_tokens, duration_s FROM task_runs ORDER BY 1, 2"
    assert ask(store, question) == [
        {"input_id": "django-1", "variant": "Alpha", "outcome": "success", "cost": 1204.5, "input_tokens": 12000,
         "duration_s": 3723.0},
        {"input_id": "django-1", "variant": "Beta", "outcome": "failure", "cost": None, "input_tokens": 800,
         "duration_s": 45.0},
        {"input_id": "flask-2", "variant": "Alpha", "outcome": "unknown", "cost": 0.3, "input_tokens": None,
         "duration_s": None},
    ]  # fmt: skip
    assert ask(store, "SELECT segment, count() AS n FROM task_terms GROUP BY segment ORDER BY segment") == [
        {"segment": "django", "n": 2},
        {"segment": "flask", "n": 1},
    ]


def test_chat_log_with_thumbs(load: Load, store: Store, write: Write) -> None:
    """A chat log, a row a turn: a conversation is one run, judged by a thumb that most people never give."""
    turns = [
        ("c1", 1, 1720267200123, "gpt-4o", 120, 30, None), ("c1", 2, 1720267260123, "gpt-4o", 180, 40, "up"),
        ("c2", 1, 1720267300000, "haiku", 90, 25, "down"), ("c3", 1, 1720267400000, "haiku", 95, 20, ""),
    ]  # fmt: skip
    names = ("chat", "turn", "ts", "model", "in", "out", "thumb")
    rows = "\t".join(names) + "\n"
    rows += "".join("\t".join("" if value is None else str(value) for value in turn) + "\n" for turn in turns)
    mapping = """
        name = "chat"
        [rows]
        key = ["{chat}", "{turn}"]
        [task]
        task_name = "support.chat"
        task_id = "{chat}"
        outcome = { from = "{thumb}", map = { up = "success", down = "failure" } }
        outcome_source = { case = [{ when = { value = "{thumb}", is_null = false }, then = "human" }] }
        [call]
        request_model = "{model}"
        started_at = { from = "{ts}", time = "epoch_ms" }
        duration_s = 2
        input_tokens = "{in}"
        output_tokens = "{out}"
        [[evaluation]]
        evaluation_name = "thumb"
        evaluation_source = "human"
        score = { from = "{thumb}", map = { up = 1, down = 0 } }
    """
    assert load(mapping, write("chat.tsv", rows)).shown == []
    question = "SELECT task_id, outcome, outcome_source, call_count, input_tokens FROM task_runs ORDER BY task_id"
    assert ask(store, question) == [
        {"task_id": "c1", "outcome": "success", "outcome_source": "human", "call_count": 2, "input_tokens": 300},
        {"task_id": "c2", "outcome": "failure", "outcome_source": "human", "call_count": 1, "input_tokens": 90},
        {"task_id": "c3", "outcome": "unknown", "outcome_source": "", "call_count": 1, "input_tokens": 95},
    ]
    assert ask(store, "SELECT task_id, score FROM evaluations ORDER BY task_id") == [
        {"task_id": "c1", "score": 1.0},
        {"task_id": "c2", "score": 0.0},
    ]


def test_pairwise_judgements(load: Load, store: Store, write: Write) -> None:
    """A table of pairs with a judge's winner becomes a run of each model on the question; a tie has no outcome."""
    rows = [
        {"question_id": 7, "model_a": "x", "model_b": "y", "winner": "model_a", "judge": "gpt-4", "tstamp": 1707.5},
        {
            "question_id": 8,
            "model_a": "y",
            "model_b": "x",
            "winner": "tie (bothbad)",
            "judge": "author",
            "tstamp": 1708,
        },
    ]
    mapping = """
        name = "pairs"
        [rows]
        key = "{question_id}"
        [[rows.each]]
        model = "{model_a}"
        wins = "model_a"
        [[rows.each]]
        model = "{model_b}"
        wins = "model_b"
        [task]
        task_name = "arena"
        input_id = "{question_id}"
        outcome = { case = [
          { when = { value = "{winner}", is = "{each.wins}" }, then = "success" },
          { when = { value = "{winner}", matches = "^tie" }, then = "unknown" },
        ], else = "failure" }
        outcome_source = "judge"
        [call]
        request_model = "{each.model}"
        started_at = { from = "{tstamp}", time = "epoch_s", origin = "2024-01-01" }
        [[evaluation]]
        evaluation_name = "preference"
        label = "{winner}"
        evaluation_source = { case = [{ when = { value = "{judge}", is = "author" }, then = "human" }], else = "judge" }
    """
    assert load(mapping, write("pairs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))).shown == []
    assert ask(store, "SELECT input_id, models[1] AS model, outcome FROM task_runs ORDER BY input_id, model") == [
        {"input_id": "7", "model": "x", "outcome": "success"},
        {"input_id": "7", "model": "y", "outcome": "failure"},
        {"input_id": "8", "model": "x", "outcome": "unknown"},
        {"input_id": "8", "model": "y", "outcome": "unknown"},
    ]
    assert ask(store, "SELECT evaluation_source AS who, count() AS n FROM evaluations GROUP BY who ORDER BY who") == [
        {"who": "human", "n": 2},
        {"who": "judge", "n": 2},
    ]


def test_latency_log_with_errors(load: Load, store: Store, write: Write) -> None:
    """A gateway's log: latencies in two units, sentinels of -1, refusals at once, a status that is text or a number."""
    log = "when;backend;took;first;status\n"
    log += "05/Jan/2024 12:00:01;eu;1.5s;310ms;200\n05/Jan/2024 12:00:02;eu;0s;-1;429\n"
    log += "05/Jan/2024 12:00:03;us;950ms;-1;timeout\n05/Jan/2024 12:00:04;us;2s;1s;200.0\n"
    mapping = """
        name = "gateway"
        [file]
        delimiter = ";"
        [rows]
        key = "{when}"
        [task]
        task_name = "gateway"
        outcome = { case = [{ when = { value = "{status}", is = 200 }, then = "success" }], else = "failure" }
        [call]
        request_model = "llama"
        provider = "{backend}"
        started_at = { from = "{when}", time = "%d/%b/%Y %H:%M:%S", timezone = "Europe/Berlin" }
        duration_s = { from = "{took}", unit = "duration" }
        time_to_first_content_s = { from = "{first}", null_if = -1, unit = "duration" }
        http_status = { from = "{status}", match = "^(?P<code>[0-9]+)" }
        error_type = { case = [{ when = { value = "{status}", is_not = 200 }, then = "{status}" }] }
    """
    assert load(mapping, write("gateway.csv", log)).shown == []
    question = "SELECT duration_s AS took, time_to_first_content_s AS first, http_status AS http, error_type AS error"
    assert ask(store, f"{question} FROM llm_calls ORDER BY started_at") == [
        {"took": 1.5, "first": 0.31, "http": 200, "error": ""},
        {"took": None, "first": None, "http": 429, "error": "429"},
        {"took": 0.95, "first": None, "http": None, "error": "timeout"},
        {"took": 2.0, "first": 1.0, "http": 200, "error": ""},
    ]
    assert ask(store, "SELECT toString(min(started_at)) AS at FROM llm_calls")[0]["at"].startswith(
        "2024-01-05 11:00:01"
    )


def test_scores_with_a_threshold(load: Load, store: Store, write: Write) -> None:
    """A run is a success from a score on; one without a score is neither."""
    mapping = """
        name = "scores"
        [rows]
        key = "{id}"
        [task]
        task_name = "t"
        started_at = "2024-01-01"
        outcome = { case = [
          { when = { value = "{score}", at_least = 0.5 }, then = "success" },
          { when = { value = "{score}", below = 0.5 }, then = "failure" },
        ] }
    """
    rows = ({"id": index, "score": score} for index, score in enumerate((0.7, "0.5", 0.2, None, "NaN")))
    assert load(mapping, write("scores.jsonl", "".join(json.dumps(row) + "\n" for row in rows))).shown == []
    question = "SELECT outcome, count() AS n FROM task_runs GROUP BY outcome ORDER BY outcome"
    assert ask(store, question) == [
        {"outcome": "failure", "n": 1},
        {"outcome": "success", "n": 2},
        {"outcome": "unknown", "n": 2},
    ]
