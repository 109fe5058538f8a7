"""Own the benchmark of the report: all findings over millions of generated spans, and each question to the store apart.

The spans land as any others do, through the landing tables, in the order of time, and are settled. Each report is
built in a process of its own, whose peak memory is that of the embedded engine and of the analysis together. CPU is
user and system time of all threads of that process: other load on the machine shows in the wall time alone.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trilemma_analysis import snapshot
from trilemma_analysis.client import Store, connect
from trilemma_analysis.report import build_report
from trilemma_collector.schema import migrate, run_on_client, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["insert_runs", "main"]

SQL = Path(__file__).with_name("findings_sql")
SPANS_PER_RUN = 4.95
RUNS_PER_INSERT = 20_000
SETTLE_EVERY_S = 120  # spans that arrive while others are settled, as in life
SETTLED_AFTER_S = 125  # what came in the last two minutes counts as fresh


def main(argv: Sequence[str]) -> int:
    """Fill a store of each size that is not there yet, and print what its report took."""
    args = _parse(argv)
    if args.fill:
        fill_store(Path(args.fill), round(args.spans[0] / SPANS_PER_RUN))
        return 0
    if args.measure:
        measure_report(args.measure, threads=args.threads, views=args.views)
        return 0
    with tempfile.TemporaryDirectory(prefix="trilemma-findings-") as scratch:
        for spans in args.spans:
            directory = Path(args.stores or scratch) / f"{spans:.0f}"
            if not directory.exists():
                _run("--fill", str(directory), "--spans", str(spans))
            _run("--measure", str(directory), "--threads", str(args.threads), *(["--views"] if args.views else []))
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench findings", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--spans", type=float, nargs="+", default=[1e6], help="sizes, about (default: 1e6)")
    parser.add_argument("--stores", metavar="DIR", help="keep the filled stores here, and use those that are there")
    parser.add_argument("--threads", type=int, default=2, help="of the engine (default: 2)")
    parser.add_argument("--views", action="store_true", help="ask the views, without a snapshot")
    parser.add_argument("--measure", metavar="DIR", help="only build the report of this filled store")
    parser.add_argument("--fill", metavar="DIR", help="only fill a store")
    return parser.parse_args(argv)


def _run(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "tests.bench", "findings", *words], check=True)


def fill_store(directory: Path, runs: int) -> None:
    """Make a store of so many runs, settled as if it had been up for a while."""
    directory.mkdir(parents=True)
    with connect(f"chdb://{directory}", require_schema=False) as store:
        migrate(run_on_client(store.client))
    with connect(f"chdb://{directory}") as store:
        store.command("SYSTEM STOP VIEWS")
        settled_at = time.monotonic()
        for first in range(0, runs, RUNS_PER_INSERT):
            insert_runs(store, runs, first, min(first + RUNS_PER_INSERT, runs))
            if time.monotonic() - settled_at > SETTLE_EVERY_S:
                _settle(store)
                settled_at = time.monotonic()
        time.sleep(SETTLED_AFTER_S)
        _settle(store)
        time.sleep(SETTLED_AFTER_S)
        _settle(store)  # rows that settling wrote count as having arrived, too


def insert_runs(store: Store, runs: int, first: int, last: int, *, order: str = "Timestamp") -> None:
    """Insert the spans and events of the runs from `first` to before `last` of `runs`, as they come in thirty days."""
    for table, question in (("otel_traces", "generate_spans"), ("otel_logs", "generate_events")):
        sql = (SQL / f"{question}.sql").read_text(encoding="utf-8")
        which = {"runs": runs, "first": first, "last": last}
        columns = ", ".join(f"`{name}`" for name in store.query(f"SELECT * FROM ({sql}) LIMIT 0", **which).column_names)
        store.command(
            f"INSERT INTO {table} ({columns}) SETTINGS optimize_on_insert = 0 SELECT * FROM ({sql}) ORDER BY {order}",
            **which,
        )


def _settle(store: Store) -> None:
    store.command("SYSTEM START VIEWS")
    settle(run_on_client(store.client))
    store.command("SYSTEM STOP VIEWS")


def measure_report(directory: str, *, threads: int, views: bool) -> None:
    """Print a table: each question apart, the rest, and the whole report."""
    spent: dict[str, list[float]] = defaultdict(lambda: [0.0] * 4)
    if views:
        snapshot.LEAST_RUNS = sys.maxsize  # type: ignore[misc]
    with connect(f"chdb://{directory}", require_schema=False) as store:
        migrate(run_on_client(store.client))  # a store that was kept may be older
        store.command("SYSTEM STOP VIEWS")
        store.command(f"SET max_threads = {threads}")
        spans, runs = (store.query(f"SELECT count() AS n FROM {view}")["n"][0].as_py() for view in ("spans", "tasks"))
        Store.ask = _time("", Store.ask, spent)  # type: ignore[method-assign]
        Store.command = _time("(snapshot)", Store.command, spent)  # type: ignore[method-assign]
        before = _usage()
        report = build_report(store)
        whole = [now - then for now, then in zip(_usage(), before, strict=True)]
    text = report.to_json()
    print(
        f"\n{spans:,} spans, {runs:,} runs, {sum(len(task.combinations) for task in report.tasks)} combinations, "
        f"{len(report.findings)} findings, report {hashlib.sha256(text.encode()).hexdigest()[:16]}"
    )
    print(f"{'question':28}{'asked':>6}{'rows':>9}{'wall s':>9}{'CPU s':>9}")
    for name, (asked, rows, wall_s, cpu_s) in sorted(spent.items(), key=lambda item: -item[1][3]):
        print(f"{name:28}{asked:>6.0f}{rows:>9,.0f}{wall_s:>9.2f}{cpu_s:>9.2f}")
    rest = [whole[i] - sum(one[2 + i] for one in spent.values()) for i in range(2)]
    print(f"{'(the rest, Python)':43}{rest[0]:>9.2f}{rest[1]:>9.2f}")
    print(f"{'the report':43}{whole[0]:>9.2f}{whole[1]:>9.2f}")
    print(
        f"peak memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB", flush=True
    )


def _time(label: str, method: Callable[..., Any], spent: dict[str, list[float]]) -> Callable[..., Any]:
    def timed(store: Store, name: str, **parameters: Any) -> Any:
        before = _usage()
        answer = method(store, name, **parameters)
        took = [now - then for now, then in zip(_usage(), before, strict=True)]
        rows = 0 if label else answer.num_rows
        spent[label or name] = [a + b for a, b in zip(spent[label or name], (1, rows, *took), strict=True)]
        return answer

    return timed


def _usage() -> tuple[float, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), usage.ru_utime + usage.ru_stime
