"""Ask each question of collector_config/questions of a store with known content, and compare the whole answer."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.analysis.planted import START_NS, Runs, add_runs, make_store
from tests.collector_config.readme import README, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma_analysis.client import Store

FOLDER = Path(__file__).resolve().parents[2] / "collector_config"
QUESTIONS = sorted((FOLDER / "questions").glob("*.sql"))
TIMES = {"since": datetime(2026, 5, 28, tzinfo=UTC), "until": datetime(2026, 5, 30, tzinfo=UTC)}
DAYS = {"since": date(2026, 5, 28), "until": date(2026, 5, 30)}

# For each question its parameters and the rows it gives on the store below.
ANSWERS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "errors_and_retries": (
        TIMES,
        [
            {"provider": "openai", "request_model": "small", "calls": 3, "errors": 1, "error_types": ["429"],
             "retries": 0, "retry_wait_s": 0.0},
            {"provider": "openai", "request_model": "large", "calls": 4, "errors": 0, "error_types": [],
             "retries": 8, "retry_wait_s": 2.0},
        ],
    ),
    "failure_modes": (
        TIMES,
        [{"task_name": "refund", "failure_mode": "wrong_amount", "failures": 1, "share": 1 / 6, "cost": 0.01}],
    ),
    "first_content_by_model": (
        TIMES,
        [{"request_model": "large", "streams": 4, "p50_first_content_s": 0.4, "p95_first_content_s": 0.4,
          "p95_longest_stall_s": 0.2, "median_time_per_output_token_s": 0.01}],
    ),
    "latency_by_model": (
        TIMES,
        [
            {"task_name": "refund", "request_model": "large", "calls": 4, "p50_s": 2.0, "p95_s": 2.0, "p99_s": 2.0},
            {"task_name": "refund", "request_model": "small", "calls": 3, "p50_s": 1.0, "p95_s": 1.0, "p99_s": 1.0},
        ],
    ),
    "prompt_cache_use": (
        DAYS,
        [
            {"task_name": "refund", "request_model": "large", "input_tokens": 4000, "cache_read_tokens": 1000,
             "cache_write_tokens": None, "read_share": 0.25},
            {"task_name": "refund", "request_model": "small", "input_tokens": None, "cache_read_tokens": None,
             "cache_write_tokens": None, "read_share": None},
        ],
    ),
    "repeated_requests": (TIMES, [{"task_name": "refund", "calls": 4, "repeats": 3, "repeat_cost": 0.06}]),
    "scores_by_outcome": (
        TIMES,
        [
            {"task_name": "refund", "evaluation_name": "tone", "outcome": "failure", "evaluations": 1,
             "mean_score": 0.25, "labels": ["harsh"]},
            {"task_name": "refund", "evaluation_name": "tone", "outcome": "success", "evaluations": 1,
             "mean_score": 0.75, "labels": ["kind"]},
        ],
    ),
    "spend_by_day": (
        DAYS,
        [
            {"day": date(2026, 5, 28), "task_name": "refund", "request_model": "large", "calls": 4, "unpriced": 0,
             "cost": 0.08, "cost_currency": "USD"},
            {"day": date(2026, 5, 28), "task_name": "refund", "request_model": "small", "calls": 3, "unpriced": 1,
             "cost": 0.02, "cost_currency": "USD"},
        ],
    ),
    "success_by_combination": (
        {"task_name": "refund", **TIMES},
        [
            {"combination": "large", "runs": 4, "known": 4, "successes": 4, "success_rate": 1.0,
             "cost_per_success": 0.02, "p95_duration_s": 2.0},
            {"combination": "small", "runs": 3, "known": 2, "successes": 1, "success_rate": 0.5,
             "cost_per_success": 0.02, "p95_duration_s": 1.0},
        ],
    ),
    "unpriced_calls": (
        TIMES,
        [{"provider": "openai", "request_model": "small", "unpriced_reason": "", "calls": 1, "input_tokens": None,
          "output_tokens": None}],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return a store with four runs on a large model, three on a small one, and two evaluations."""
    with make_store(tmp_path_factory.mktemp("questions") / "store") as opened:
        streamed = {
            "gen_ai.response.time_to_first_chunk": "0.3",
            "trilemma.response.time_to_first_content": "0.4",
            "trilemma.response.longest_stall": "0.2",
            "trilemma.response.time_per_output_token": "0.01",
            "http.request.resend_count": "2",
            "trilemma.retry.wait": "0.5",
            "gen_ai.usage.input_tokens": "1000",
            "gen_ai.usage.cache_read.input_tokens": "250",
        }
        large = Runs(4, "refund", "large", cost=0.02, duration_s=2.0, request_hash="same", extra=streamed)
        add_runs(opened, large, prefix="l")
        small = Runs(
            3,
            "refund",
            "small",
            outcome=["success", "failure", ""],
            cost=[0.01, 0.01, float("nan")],
            error=["", "", "429"],
            extra={"trilemma.task.failure_mode": ["", "wrong_amount", ""]},
        )
        add_runs(opened, small, prefix="s")
        _add_evaluations(opened, {"l0": ("0.75", "kind"), "s1": ("0.25", "harsh")})
        yield opened


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_question(store: Store, path: Path) -> None:
    """Each question gives the rows that follow from what was stored."""
    parameters, expected = ANSWERS[path.stem]
    rows = store.query(path.read_text(encoding="utf-8"), **parameters).to_pylist()
    assert [{name: row[name] for name in expected[0]} for row in rows] == [_allow_sketch_error(row) for row in expected]


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_header(path: Path) -> None:
    """Each question says what it asks, its parameters, its columns and its cost."""
    heads = re.findall(r"^-- (\w+): \S", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert heads == ["question", "parameters", "columns", "cost"]


def test_readme_is_up_to_date(store: Store) -> None:
    """The README's columns and questions are those of the store and of the files."""
    text = README.read_text(encoding="utf-8")
    assert text == fill(text, store), "run `python -m tests.collector_config.readme`"


def test_readme_shows_each_question() -> None:
    """The README has ten questions, and names the file of each."""
    text = README.read_text(encoding="utf-8")
    assert len(QUESTIONS) == 10
    assert all(f"`questions/{path.name}`" in text for path in QUESTIONS)


def _allow_sketch_error(row: dict[str, Any]) -> dict[str, Any]:
    return {name: pytest.approx(value, rel=0.011) if isinstance(value, float) else value for name, value in row.items()}


def _add_evaluations(store: Store, scores: dict[str, tuple[str, str]]) -> None:
    attributes = [
        [
            ("gen_ai.evaluation.name", "tone"),
            ("gen_ai.evaluation.score.value", score),
            ("gen_ai.evaluation.score.label", label),
            ("trilemma.task.id", task_id),
        ]
        for task_id, (score, label) in scores.items()
    ]
    rows = {
        "Timestamp": pa.array([START_NS] * len(scores), pa.timestamp("ns", "UTC")),
        "EventName": ["gen_ai.evaluation.result"] * len(scores),
        "LogAttributes": pa.array(attributes, pa.map_(pa.string(), pa.string())),
    }
    store.insert_arrow("otel_logs", pa.table(rows))
