"""One name per concept: from the call's record to the attribute, the migration that reads it, the column, the docs."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from trilemma.registry import fields
from trilemma_collector.schema.columns import CALL, TASK, span_fields, store_column

from tests.analysis.planted import make_store
from tests.collector_config.readme import list_columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma.registry import Field
    from trilemma_analysis.client import Store

ROOT = Path(__file__).resolve().parents[1]
SPANS = sorted((ROOT / "tests/instrumentation/providers/spans").glob("*.json"))
MIGRATIONS = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted((files("trilemma_collector") / "migrations").iterdir(), key=lambda path: path.name)
    if path.name.endswith(".sql")
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Return an empty store with the shipped schema."""
    with make_store(tmp_path_factory.mktemp("contract") / "store") as opened:
        yield opened


def test_every_call_concept_is_a_column(store: Store) -> None:
    """`llm_calls` has each concept of a call under its own name, with the registry's type."""
    columns = list_columns(store, "llm_calls")
    assert {field.name: columns.get(field.name) for field in span_fields(CALL)} == {
        field.name: _view_type(field) for field in span_fields(CALL)
    }


def test_every_task_concept_is_a_column(store: Store) -> None:
    """`tasks` and `task_runs` have each concept of a task under its own name, with the registry's type."""
    for view in ("tasks", "task_runs"):
        columns = list_columns(store, view)
        found = {field.name: _plain(columns.get(field.name, "missing")) for field in span_fields(TASK)}
        assert found == {field.name: _plain(_view_type(field)) for field in span_fields(TASK)}, view


def test_every_evaluation_concept_is_a_column(store: Store) -> None:
    """`evaluations` has each concept of a judgement under its own name, with the registry's type."""
    columns = list_columns(store, "evaluations")
    wanted = span_fields(("evaluation event",))
    assert wanted
    assert {field.name: columns.get(field.name) for field in wanted} == {field.name: field.column for field in wanted}


def test_every_decision_concept_is_a_column(store: Store) -> None:
    """`decisions` has each concept of a decision, `task_terms` of a task's terms, by its name and of its type."""
    for view, where in (("decisions", ("decision",)), ("task_terms", ("task terms",))):
        columns, wanted = list_columns(store, view), span_fields(where)
        assert wanted
        assert {field.name: columns.get(field.name) for field in wanted} == {
            field.name: field.column for field in wanted
        }, view


def test_decisions_are_read_by_their_attributes() -> None:
    """The migration reads each concept of a decision, of its marks and of a task's terms by its attribute."""
    for field in span_fields(("decision", "task terms", "mark event")):
        assert f"['{field.attribute}']" in MIGRATIONS, field.name


@pytest.mark.parametrize("field", span_fields(CALL), ids=lambda field: field.name)
def test_migrations_read_the_attribute_and_its_aliases(field: Field) -> None:
    """The migration reads a concept from just the attributes that the registry names, in their order."""
    column = store_column(field)
    assert re.sub(r"\s+", " ", f"{column.write} AS {column.name}") in re.sub(r"\s+", " ", MIGRATIONS) or (
        f"{column.name}," in MIGRATIONS and re.sub(r"\s+", " ", column.write) in re.sub(r"\s+", " ", MIGRATIONS)
    ), f"{field.name} is not read by: {column.write} AS {column.name}"


def test_typed_attributes_are_not_kept_twice() -> None:
    """An attribute that has a column is left out of the map of the others."""
    left_out = set(re.findall(r"'([\w.]+)'", MIGRATIONS))
    for field in span_fields(CALL):
        assert {field.attribute, *field.aliases} <= left_out, field.name


@pytest.mark.parametrize("path", SPANS, ids=lambda path: path.stem)
def test_spans_carry_only_registered_names(path: Path) -> None:
    """Every attribute of a recorded full span is in the registry."""
    known = {name for field in fields().values() for name in (field.attribute, *field.aliases)}
    found = set(json.loads(path.read_text(encoding="utf-8"))["attributes"])
    assert found
    assert found <= known


def test_docs_name_the_views() -> None:
    """What the documentation of the store describes is what the analysis asks."""
    readme = (ROOT / "collector_config/README.md").read_text(encoding="utf-8")
    asked = set()
    for path in (ROOT / "analysis/trilemma_analysis/sql").glob("*.sql"):
        sql = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
        defined = set(re.findall(r"(\w+) AS\s*\(", sql))
        asked |= set(re.findall(r"\b(?:FROM|(?<!ARRAY )JOIN) (\w+)\b(?!\()", sql)) - defined
    documented = set(re.findall(r"^### (\w+)$", readme, flags=re.MULTILINE))
    assert asked - {"imported_rows", "numbers"} <= documented


def _view_type(field: Field) -> str:
    return "Array(String)" if field.column == "content" else str(field.column)


def _plain(kind: str) -> str:
    # The last of several outcomes is computed, and comes out as a plain String.
    return re.sub(r"LowCardinality\((\w+)\)", r"\1", kind)
