"""Measure `trilemma import`: CPU time per row of each file format, beside what the store needs for the spans."""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from trilemma_analysis.client import connect
from trilemma_analysis.importing.ledger import Ledger
from trilemma_analysis.importing.loader import import_files
from trilemma_analysis.importing.mapping import load_mapping
from trilemma_analysis.importing.rejects import Rejects
from trilemma_collector.schema import migrate, run_on_client

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trilemma_analysis.client import Store

MAPPING = """
name = "bench"
[rows]
key = "{id}"
[task]
task_name = "support.{kind}"
input_id = "{ticket}"
prompt_version = "{prompt}"
outcome = { from = "{good}", map = { 1 = "success", 0 = "failure" } }
[call]
request_model = "{model}"
provider = "openai"
started_at = { from = "{at}", time = "epoch_s" }
duration_s = { from = "{ms}", unit = "ms" }
input_tokens = "{tokens_in}"
output_tokens = "{tokens_out}"
cost = { sum = [
  { product = ["{tokens_in}", 2.5], unit = "per_million" },
  { product = ["{tokens_out}", 10], unit = "per_million" },
] }
"""


def main(words: Sequence[str]) -> int:
    """Print a table of CPU time per 100,000 rows."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench importing", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    args = parser.parse_args(words)
    print(f"{'':34}{'CPU s per 100,000 rows':>24}{'beside the store alone':>26}")
    with tempfile.TemporaryDirectory() as folder:
        files = write_logs(Path(folder), args.rows)
        floor_s = measure_floor(Path(folder), files["parquet"]) / args.rows * 100_000
        report("the store alone, spans ready-made", floor_s, floor_s)
        for kind, path in files.items():
            dry_s, whole_s = (measure(Path(folder), path, dry=dry) / args.rows * 100_000 for dry in (True, False))
            report(f"{kind}: read and map (dry run)", dry_s, floor_s)
            report(f"{kind}: import", whole_s, floor_s)
    return 0


def report(name: str, seconds: float, floor_s: float) -> None:
    """Print one line of the table."""
    print(f"{name:34}{seconds:>24.2f}{seconds / floor_s:>25.2f}x", flush=True)


def write_logs(folder: Path, count: int) -> dict[str, Path]:
    """Write the same rows in each format."""
    rows = [
        {"id": f"r{n}", "kind": ("refund", "chat", "summary")[n % 3], "ticket": f"T{n % 5000}", "prompt": "v2",
         "good": (n * 7 % 10 > 1 and 1) or 0, "model": ("gpt-4o", "gpt-4o-mini")[n % 2], "at": 1_760_000_000 + n,
         "ms": 400 + n * 37 % 3000 + n % 7 / 7, "tokens_in": 200 + n * 13 % 3000, "tokens_out": 20 + n * 17 % 400}
        for n in range(count)
    ]  # fmt: skip
    files = {name: folder / f"log.{name}" for name in ("parquet", "csv", "jsonl")}
    pq.write_table(pa.Table.from_pylist(rows), files["parquet"])
    files["jsonl"].write_text("".join(json.dumps(row) + "\n" for row in rows))
    with files["csv"].open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "bench.toml").write_text(MAPPING)
    return files


def measure(folder: Path, log: Path, *, dry: bool) -> float:
    """Return the CPU seconds of one import, or of its dry run."""

    def load(store: Store | None) -> None:
        with Rejects(None) as rejects:
            counts = import_files(load_mapping(str(folder / "bench.toml")), [log], store, rejects)
        assert counts.rejected == 0

    return time_cpu(lambda: load(None)) if dry else with_store(lambda store: time_cpu(lambda: load(store)))


def measure_floor(folder: Path, log: Path) -> float:
    """Return the CPU seconds for inserting the spans of the log that another import has made."""
    made: list[tuple[Any, ...]] = []
    write, Ledger.write = Ledger.write, lambda self, *batch: made.append(batch)  # type: ignore[method-assign]
    try:
        measure(folder, log, dry=True)
    finally:
        Ledger.write = write  # type: ignore[method-assign]

    def insert(store: Store) -> float:
        return time_cpu(lambda: [store.insert_arrow("otel_traces", traces) for _, _, traces, _ in made])

    return with_store(insert)


def with_store(measured: Callable[[Store], float]) -> float:
    """Return what is measured on an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"chdb://{folder}"
        with connect(address, require_schema=False) as store:
            migrate(run_on_client(store.client))
        with connect(address) as store:
            return measured(store)


def time_cpu(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of all threads while it works."""
    start = time.process_time()
    work()
    return time.process_time() - start
