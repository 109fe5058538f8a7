"""The schema for a cluster is made of the same migrations, and every change of it is seen in a file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from trilemma.errors import ConfigurationError
from trilemma_analysis.client import connect
from trilemma_collector.schema import render
from trilemma_collector.schema.cluster import Statement, spread

REVIEWED = Path(__file__).with_name("cluster.sql")


def test_reviewed_text() -> None:
    """The SQL for a cluster is the reviewed file; a migration that changes it changes the file in the same commit."""
    assert REVIEWED.read_text(encoding="utf-8") == render("trilemma", cluster="main"), (
        f"review and refresh: trilemma migrate --cluster main --dry-run > {REVIEWED.name}"
    )


def test_dry_run_prints_it() -> None:
    """The command prints the same text and connects to nothing."""
    command = [sys.executable, "-m", "trilemma.cli", "migrate", "--dry-run", "--cluster", "main"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == REVIEWED.read_text(encoding="utf-8").strip()


def test_every_statement_is_spread_or_on_one_node() -> None:
    """Only views that settle, and the record of migrations, are for one node."""
    statements = [part for part in re.split(r";\n\n?", REVIEWED.read_text(encoding="utf-8")) if part]
    alone = [re.sub(r"--.*\n", "", part) for part in statements if "ON CLUSTER 'main'" not in part]
    assert alone
    assert all(re.match(r"INSERT INTO trilemma.schema_migrations|CREATE MATERIALIZED VIEW IF NOT EXISTS "
                        r"trilemma.settle_\w+\s+REFRESH", part) for part in alone)  # fmt: skip


def test_kept_rows_are_replicated() -> None:
    """No table of a cluster keeps rows on one machine only."""
    engines = re.findall(r"^ENGINE = (\w+)", REVIEWED.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {engine for engine in engines if not engine.startswith("Replicated")} == {"Null", "Distributed"}


def test_rows_that_replace_each_other_meet() -> None:
    """What a table is sharded by is made of columns it is sorted by, unless its reader tells old rows from new."""
    text = REVIEWED.read_text(encoding="utf-8")
    for table, shard_by in re.findall(r"Distributed\('main', 'trilemma', '(\w+)_local', (.*)\);", text):
        order = re.search(
            rf"CREATE TABLE IF NOT EXISTS trilemma.{table}_local .*?\nORDER BY ([^;\n]*)", text, re.DOTALL
        )
        assert order is not None, table
        if shard_by == "rand()":
            assert table in {"stored_calls_hourly", "stored_calls_daily"}  # their views take an hour's last computing
            continue
        columns = re.sub(r"\w+\(|\)", "", shard_by).split(", ")
        assert all(column in order[1] for column in columns), (table, shard_by, order[1])


def test_engine_accepts_it(tmp_path: Path) -> None:
    """ClickHouse's own parser takes every statement."""
    with connect(f"chdb://{tmp_path}/store", require_schema=False, create=True) as store:
        for statement in re.split(r";\n\n?", REVIEWED.read_text(encoding="utf-8")):
            if statement and not statement.startswith("INSERT"):
                formatted = store.query("SELECT formatQuery({text:String}) AS sql", text=statement)["sql"][0].as_py()
                assert formatted.startswith("CREATE"), statement


def test_cluster_name_is_checked() -> None:
    """A name that would end the quotes is refused and named."""
    with pytest.raises(ConfigurationError, match="x'; DROP"):
        spread(Statement("CREATE DATABASE d"), "x'; DROP")


def test_unknown_statement_is_refused() -> None:
    """A kind of statement without a rule is refused, rather than run on one node only."""
    with pytest.raises(ConfigurationError, match="ALTER TABLE t"):
        spread(Statement("ALTER TABLE t ADD COLUMN c Int8"), "main")
