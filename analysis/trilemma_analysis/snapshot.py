"""Own the snapshot of a large report: its runs and calls read once, as narrow tables that its questions then share.

Each question reads views that settle, deduplicate and overlay late outcomes. Over millions of runs that costs more than
the question itself, so the runs and calls of the period are written once, with the columns that the report's questions
name, into a database of the report's own. The questions run there unchanged: it has tables or views by the same names.
So the answers are the same, and no span that arrives meanwhile changes some of them and not others.

A user who may only read asks the views, which takes longer; so does a report on a cluster, whose other nodes would not
know that database.
"""

from __future__ import annotations

import re
import secrets
import time
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from trilemma.errors import StoreError

from trilemma_analysis.client import Store
from trilemma_analysis.questions import load_question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import pyarrow as pa

    from trilemma_analysis.scope import Scope

__all__ = ["LEAST_RUNS", "take_snapshot"]

LEAST_RUNS = 100_000  # of the store: with fewer, making tables takes longer than it saves
# What is copied, of the period and around it; judgements whole, as they come long after their runs.
COPIED: Final = ("task_runs", "llm_calls", "call_signs", "task_terms", "evaluations")
TIMELESS: Final = ("evaluations",)
DERIVED: Final = ("task_signs",)  # views of what is copied: they are made again over the copies
AROUND = timedelta(days=2)  # before and after the period: calls of its runs, and runs of its calls
LEFT_BEHIND_S = 86_400  # a snapshot older than this was left behind by a report that was killed
# What lives for a minute is not worth a merge.
_UNMERGED = "max_bytes_to_merge_at_max_space_in_pool = 1, max_bytes_to_merge_at_min_space_in_pool = 1"
_NAME = re.compile(r"\w+")
_KEY = re.compile(r"\battributes\['([\w.]+)'\]")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_OF_TASKS = "WHERE (empty({tasks:Array(String)}) OR has({tasks:Array(String)}, task_name))"
_WITHIN = "AND started_at >= {since:DateTime64(6, 'UTC')} AND started_at < {until:DateTime64(6, 'UTC')}"


class _Snapshot(Store):
    """A store that asks the report's questions of the snapshot, as far as it reaches, and all else of the views."""

    def __init__(self, store: Store, database: str, scope: Scope, questions: Sequence[str]) -> None:
        super().__init__(store.client, store.address)
        self._scratch = database
        self._scope = scope
        self._questions = frozenset(questions)

    def ask(self, name: str, **params: Any) -> pa.Table:
        """Run a question as :meth:`Store.ask`."""
        if name not in self._questions or not self._reaches(**params):
            return super().ask(name, **params)
        client, own = self.client, self.client.database
        client.database = self._scratch
        try:
            return super().ask(name, **params)
        except StoreError:  # a balancer sent it to a server without the snapshot: rather late than never
            client.database = own
            return super().ask(name, **params)
        finally:
            client.database = own

    def _reaches(
        self,
        *,
        tasks: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        **_: Any,
    ) -> bool:
        scope = self._scope
        if scope.tasks and not (tasks and set(tasks) <= set(scope.tasks)):
            return False
        return since is not None and until is not None and scope.since <= since and until <= scope.until


@contextmanager
def take_snapshot(store: Store, scope: Scope, questions: Sequence[str]) -> Iterator[Store]:
    """Yield a store whose questions within this scope are answered from a snapshot, or the store itself.

    Args:
        store: the store.
        scope: what the questions are asked of, or more than that; below `LEAST_RUNS` runs there is no snapshot.
        questions: the names of all questions that will be asked of it; others go to the views.
    """
    if scope.runs < LEAST_RUNS or _is_cluster(store):
        yield store
        return
    _drop_left_behind(store)
    database = f"{store.database}_report_{time.time():.0f}_{secrets.token_hex(4)}"
    try:
        try:
            _make_snapshot(store, database, scope, questions)
        except StoreError:  # no right to make tables, or no room for them
            yield store
            return
        yield _Snapshot(store, database, scope, questions)
    finally:
        with suppress(StoreError):
            store.command(f"DROP DATABASE IF EXISTS {database}")


def _make_snapshot(store: Store, database: str, scope: Scope, questions: Sequence[str]) -> None:
    views = _list_relations(store)
    texts = [load_question(name).sql for name in questions]
    derived = {name: views[name] for name in DERIVED if any(name in _list_words(sql) for sql in texts)}
    words = [_list_words(sql) for sql in (*texts, *derived.values())]
    store.command(f"CREATE DATABASE {database}")
    for name in sorted((views.keys() & set().union(*words)) - {*COPIED, *DERIVED, "tasks"}):
        store.command(f"CREATE VIEW {database}.{name} AS SELECT * FROM {store.database}.{name}")  # noqa: S608
    for view in COPIED:
        named = set().union(*(ones for ones in words if ones & {view, *(["tasks"] if view == "task_runs" else [])}))
        if not (columns := [_narrow(name, questions) for name in _list_columns(store, view) if name in named]):
            continue
        within = "" if view in TIMELESS else _WITHIN
        store.command(
            f"CREATE TABLE {database}.{view} ENGINE = MergeTree ORDER BY tuple() SETTINGS {_UNMERGED} AS "  # noqa: S608
            f"SELECT {', '.join(columns)} FROM {store.database}.{view} {_OF_TASKS} {within}",
            tasks=list(scope.tasks),
            since=scope.since - AROUND,
            until=scope.until + AROUND,
        )
    store.command(f"CREATE VIEW {database}.tasks AS SELECT * FROM {database}.task_runs")  # noqa: S608
    read = re.compile(rf"\b{re.escape(store.database)}\.(?=({'|'.join(COPIED)})\b)")
    for name, sql in derived.items():
        store.command(f"CREATE VIEW {database}.{name} AS {read.sub(f'{database}.', sql)}")


def _narrow(column: str, questions: Sequence[str]) -> str:
    """Return what is copied of a column: all of it, but of the attributes only those that the questions name."""
    if column != "attributes":
        return column
    keys = sorted({key for name in questions for key in _KEY.findall(load_question(name).sql)})
    return f"mapFilter((key, text) -> has({keys}, key), attributes) AS attributes" if keys else column


def _list_words(sql: str) -> set[str]:
    """Return the words of SQL, without its comments: among them are all names that it uses."""
    return set(_NAME.findall(_COMMENT.sub("", sql)))


def _is_cluster(store: Store) -> bool:
    return bool(
        store.query(
            "SELECT 1 FROM system.tables WHERE database = {database:String} AND engine = 'Distributed' LIMIT 1",
            database=store.database,
        ).num_rows
    )


def _list_relations(store: Store) -> dict[str, str]:
    """Return views without parameters, and tables, by name: what a view selects, and nothing for a table."""
    sql = (
        "SELECT name, as_select FROM system.tables WHERE database = {database:String} "
        "AND (engine = 'View' AND create_table_query NOT LIKE '%{%:%}%' OR engine LIKE '%MergeTree')"
    )
    return {row["name"]: row["as_select"] for row in store.query(sql, database=store.database).to_pylist()}


def _list_columns(store: Store, view: str) -> list[str]:
    sql = (
        "SELECT name FROM system.columns WHERE database = {database:String} AND table = {view:String} ORDER BY position"
    )
    names: list[str] = store.query(sql, database=store.database, view=view)["name"].to_pylist()
    return names


def _drop_left_behind(store: Store) -> None:
    pattern = re.compile(rf"{re.escape(store.database)}_report_(\d+)_[0-9a-f]+")
    for name in store.query("SELECT name FROM system.databases ORDER BY name")["name"].to_pylist():
        found = pattern.fullmatch(name)
        if found and int(found[1]) < time.time() - LEFT_BEHIND_S:
            with suppress(StoreError):
                store.command(f"DROP DATABASE IF EXISTS {name}")
