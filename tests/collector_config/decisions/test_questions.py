"""Ask each question about decisions of the planted app's store, and hold the answers to its ledger."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.collector_config.decisions.test_planted import TASKS, planted

if TYPE_CHECKING:
    from tests.collector_config.decisions.test_planted import Planted

__all__ = ["planted"]

FOLDER = Path(__file__).resolve().parents[3] / "collector_config/questions/decisions"
QUESTIONS = sorted(path.stem for path in FOLDER.glob("*.sql"))
TIMES = {"since": datetime(2020, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}


def ask(planted: Planted, name: str) -> list[dict[str, Any]]:
    """Return the answer to a question, its parameters bound on the server."""
    sql = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    result = planted.client.query(sql, parameters=TIMES)
    return [dict(zip(result.column_names, row, strict=True)) for row in result.result_rows]


@pytest.mark.parametrize("name", QUESTIONS)
def test_header_names_the_columns(planted: Planted, name: str) -> None:
    """Each file has its header, and the columns it names are those of the answer."""
    sql = (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    for word in ("question", "parameters", "columns", "cost"):
        assert re.search(rf"^-- {word}: \S", sql, re.MULTILINE), word
    stated = re.search(r"^-- columns: (.*)\.$", sql, re.MULTILINE)
    assert stated is not None
    named = [column.strip() for column in re.sub(r"\([^)]*\)", "", stated[1]).split(",")]
    assert list(ask(planted, name)[0]) == named


def test_variants(planted: Planted) -> None:
    """Each variant's tasks and planned share are those of the ledger."""
    counted = Counter(entry["variant"][0] for entry in planted.ledger)
    rows = {row["variant"]: row for row in ask(planted, "variants_by_outcome")}
    assert {name: row["tasks"] for name, row in rows.items()} == counted
    assert {round(row["planned_share"], 9) for row in rows.values()} <= {0.55, 0.45}
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)


def test_prompts(planted: Planted) -> None:
    """One prompt in one version, used by all, with the outcomes of the tasks."""
    [row] = ask(planted, "prompts_by_outcome")
    assert (row["prompt_name"], row["tasks"], row["known_outcomes"]) == ("answer", TASKS, TASKS)
    assert row["prompt_version"] == planted.ledger[0]["prompt"][0]


def test_context(planted: Planted) -> None:
    """What was kept, and how many tokens of it."""
    rows = {row["source"]: row for row in ask(planted, "context_use")}
    assert (rows["kb"]["kept"], rows["kb"]["tokens_kept"]) == (TASKS, sum(100 + n for n in range(TASKS)))
    assert (rows["web"]["found"], rows["web"]["kept"]) == (TASKS, 0)
    assert rows["kb"]["repeated_share"] == 0


def test_guardrails(planted: Planted) -> None:
    """Half of the answers were blocked."""
    [row] = ask(planted, "guardrail_ledger")
    assert (row["guardrail"], row["stage"], row["runs"], row["blocked"]) == ("pii", "output", TASKS, TASKS // 2)
    assert row["p95_duration_s"] > 0


def test_routes(planted: Planted) -> None:
    """Each choice has its count and the probability with which it was made."""
    counted: dict[str, list[float]] = defaultdict(list)
    for entry in planted.ledger:
        counted[entry["route"][0]].append(entry["route"][1])
    rows = {row["chosen"]: row for row in ask(planted, "routes_by_outcome")}
    assert {name: row["decisions"] for name, row in rows.items()} == {name: len(all_) for name, all_ in counted.items()}
    assert all(row["mean_probability"] == pytest.approx(counted[name][0]) for name, row in rows.items())


def test_fallbacks(planted: Planted) -> None:
    """The first option was tried by all and failed for half, and the second made up for it."""
    first, second = ask(planted, "fallback_survival")
    assert (first["chosen"], first["tried"], first["accepted"], first["failed"]) == ("small", TASKS, 10, 10)
    assert first["error_types"] == ["ConnectionError"]
    assert (second["attempt"], second["chosen"], second["accepted"]) == (2, "large", 10)


def test_caches(planted: Planted) -> None:
    """Every third look-up was a hit, and what they saved adds up."""
    [row] = ask(planted, "cache_savings")
    hits = len(range(0, TASKS, 3))
    assert (row["lookups"], row["hits"]) == (TASKS, hits)
    assert row["saved_cost"] == pytest.approx(hits * 0.002)
    assert row["mean_similarity"] == pytest.approx(0.93, abs=1e-6)


def test_terms(planted: Planted) -> None:
    """Both segments have half of the tasks, each customer one."""
    rows = ask(planted, "terms_kept")
    assert [(row["segment"], row["tasks"], row["customers"]) for row in rows] == [("free", 10, 10), ("pro", 10, 10)]
