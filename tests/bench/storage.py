"""Own the storage benchmark: bytes per span, insert cost and a board query, beside the exporter's stock schema.

The same generated spans go into both schemas in one embedded ClickHouse, batch by batch in turn, so that other load on
the machine weighs on both alike. CPU is user and system time of the whole process. Merges are stopped while spans are
inserted and run afterwards, once, to one part per partition in both; what they and settling cost is shown too.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chdb.session
from trilemma_collector.schema import migrate, run_on_chdb, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

SQL = Path(__file__).with_name("storage_sql")
PERIOD = {"from": "2026-10-20 00:00:00", "until": "2026-11-19 00:00:00"}
STOCK, OURS = "stock", "trilemma"
# What trilemma's collectors insert with; it makes no difference to the stock schema's plain MergeTree.
INSERT_SETTINGS = {STOCK: "", OURS: "SETTINGS optimize_on_insert = 0"}


class Engine:
    """One embedded ClickHouse in a directory of its own, with the two schemas and the spans they get."""

    def __init__(self, directory: str) -> None:
        self.session = chdb.session.Session(directory)
        self.run = run_on_chdb(self.session)

    def ask(self, sql: str, **parameters: Any) -> str:
        """Run a query with bound parameters and return TabSeparated text."""
        return str(self.session.query(sql, "TabSeparated", params=parameters).bytes().decode())

    def question(self, name: str) -> str:
        """Return the SQL of a question of this benchmark."""
        return (SQL / f"{name}.sql").read_text(encoding="utf-8")

    def prepare(self, runs: int, batches: int) -> None:
        """Generate the spans, a batch per table, and make both schemas."""
        for database in ("source", STOCK):
            self.run(f"CREATE DATABASE {database}")
        self.run(f"USE {STOCK}")
        for statement in self.question("stock_tables").split(";\n\n"):
            self.run(statement)
        migrate(self.run, OURS)
        self.run("SYSTEM STOP VIEWS")
        self.run("SYSTEM STOP MERGES")
        for batch in range(batches):
            self.run(f"CREATE TABLE source.batch_{batch} AS {STOCK}.otel_traces ENGINE = Log")
            bounds = {"runs": runs, "first": runs * batch // batches, "last": runs * (batch + 1) // batches}
            self.ask(f"INSERT INTO source.batch_{batch} {self.question('generate_spans')}", **bounds)

    def bytes_on_disk(self, database: str) -> dict[str, int]:
        """Return the bytes of every table of `database`, with its indexes."""
        rows = self.ask(
            "SELECT table, sum(bytes_on_disk) FROM system.parts WHERE database = {database:String} AND active "
            "GROUP BY table ORDER BY 2 DESC",
            database=database,
        )
        return {table: int(size) for table, size in (line.split("\t") for line in rows.splitlines())}

    def merge(self, database: str) -> None:
        """Merge every table of `database` to one part per partition."""
        self.run("SYSTEM START MERGES")
        for table in self.bytes_on_disk(database):
            self.run(f"OPTIMIZE TABLE {database}.{table} FINAL")


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns 1 when the two schemas do not answer the same."""
    args = _parse(argv)
    with tempfile.TemporaryDirectory(prefix="trilemma-storage-") as directory:
        engine = Engine(directory)
        try:
            return _measure(engine, args)
        finally:
            engine.session.close()


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench storage", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--runs", type=int, default=220_000, help="task runs, about 4.5 spans each (default: 1 M spans)"
    )
    parser.add_argument("--batch", type=int, default=50_000, help="spans per INSERT, about (default: 50,000)")
    parser.add_argument("--tables", action="store_true", help="show the bytes of every table")
    return parser.parse_args(argv)


def _measure(engine: Engine, args: argparse.Namespace) -> int:
    batches = max(1, round(args.runs * 4.5 / args.batch))
    engine.prepare(args.runs, batches)
    inserts: dict[str, list[float]] = {STOCK: [], OURS: []}
    for batch in range(batches):
        for database in (STOCK, OURS):
            insert = (
                f"INSERT INTO {database}.otel_traces {INSERT_SETTINGS[database]} SELECT * FROM source.batch_{batch}"
            )
            inserts[database].append(_cpu_s(lambda insert=insert: engine.run(insert)))  # type: ignore[misc]
    merges = {database: _cpu_s(lambda database=database: engine.merge(database)) for database in (STOCK, OURS)}  # type: ignore[misc]
    print(f"waiting two minutes, until what arrived counts as settled (load {_load()})", flush=True)
    time.sleep(125)
    engine.run("SYSTEM START VIEWS")
    settling = _cpu_s(lambda: settle(engine.run, OURS))
    engine.run("SYSTEM STOP VIEWS")
    engine.merge(OURS)
    spans = int(engine.ask(f"SELECT count() FROM {STOCK}.otel_traces"))
    sizes = {database: engine.bytes_on_disk(database) for database in (STOCK, OURS)}
    _row("spans", f"{spans:,}", f"{spans:,}", "")
    _ratio("bytes per span", {name: sum(tables.values()) / spans for name, tables in sizes.items()}, "{:.1f}")
    _ratio("insert, CPU µs per span", {name: sum(times) * 1e6 / spans for name, times in inserts.items()}, "{:.2f}")
    _ratio("merges, CPU µs per span", {name: spent * 1e6 / spans for name, spent in merges.items()}, "{:.2f}")
    _row("settling, CPU µs per span", "-", f"{settling * 1e6 / spans:.2f}", "")
    if args.tables:
        for tables in sizes.values():
            print("\n".join(f"    {table:28} {size / spans:8.2f} bytes per span" for table, size in tables.items()))
    return _compare_boards(engine)


def _compare_boards(engine: Engine) -> int:
    questions = {"board_stock": STOCK, "board_calls": OURS, "board_rollup": OURS}
    answers, cpu = {}, {}
    for name, database in questions.items():
        engine.run(f"USE {database}")
        sql = engine.question(name)
        answers[name] = engine.ask(sql, **PERIOD)
        cpu[name] = statistics.median(_cpu_s(lambda sql=sql: engine.ask(sql, **PERIOD)) for _ in range(5))  # type: ignore[misc]
    for name in ("board_calls", "board_rollup"):
        times = {STOCK: cpu["board_stock"] * 1e3, OURS: cpu[name] * 1e3}
        _ratio(f"board query, CPU ms ({name.removeprefix('board_')})", times, "{:.1f}")
    wrong = [name for name in answers if _counts(answers[name]) != _counts(answers["board_stock"])]
    if wrong:
        print(f"{', '.join(wrong)}: not the counts of the stock schema")
    return int(bool(wrong))


def _counts(answer: str) -> list[tuple[str, ...]]:
    """Return task, model, calls and success rate of each row; the quantiles are estimates in all of them."""
    return [
        (row[0], row[1], row[2], f"{float(row[7]):.9f}") for row in (line.split("\t") for line in answer.splitlines())
    ]


def _cpu_s(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_SELF)
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _load() -> str:
    return Path("/proc/loadavg").read_text(encoding="ascii").split()[0] if Path("/proc/loadavg").exists() else "unknown"


def _ratio(what: str, figures: dict[str, float], form: str) -> None:
    _row(what, form.format(figures[STOCK]), form.format(figures[OURS]), f"{figures[OURS] / figures[STOCK]:.3f}")


def _row(what: str, stock: str, ours: str, ratio: str) -> None:
    print(f"{what:40} {stock:>14} {ours:>14} {ratio:>8}", flush=True)
