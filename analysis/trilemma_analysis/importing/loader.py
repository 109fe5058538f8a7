"""Own the import itself: check mapping and files before anything is loaded, then load them batch by batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from trilemma.errors import ImportFileError

from trilemma_analysis.importing.frame import Frame
from trilemma_analysis.importing.identity import SeenRows, identify_rows
from trilemma_analysis.importing.landing import build_logs, build_traces
from trilemma_analysis.importing.ledger import Ledger
from trilemma_analysis.importing.paths import describe_missing
from trilemma_analysis.importing.readers import BadRow, open_log
from trilemma_analysis.importing.runs import build_runs
from trilemma_analysis.importing.spans import evaluate_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trilemma_analysis.client import Store
    from trilemma_analysis.importing.identity import RowIds
    from trilemma_analysis.importing.landing import SpanColumns
    from trilemma_analysis.importing.mapping import LogMapping
    from trilemma_analysis.importing.readers import Batch, Reader
    from trilemma_analysis.importing.rejects import Rejects

__all__ = ["Counts", "import_files"]

BATCH_ROWS = 50_000


@dataclass
class Counts:
    """What became of the rows so far: ``rows`` = loaded + known + left_out + rejected."""

    rows: int = 0
    loaded: int = 0
    known: int = 0
    left_out: int = 0
    rejected: int = 0
    tasks: int = 0
    calls: int = 0
    evaluations: int = 0


def import_files(
    mapping: LogMapping,
    paths: Sequence[Path],
    store: Store | None,
    rejects: Rejects,
    *,
    limit: int | None = None,
    content: bool = False,
    counts: Counts | None = None,
    on_progress: Callable[[Reader, int, Counts], None] = lambda *_: None,
) -> Counts:
    """Load log files by a mapping; without a `store` nothing is written (a dry run).

    Args:
        mapping: what a row means.
        paths: the files, loaded in this order.
        store: where to; its schema must be there.
        rejects: where rows are kept that cannot be loaded.
        limit: stop after so many rows.
        content: load prompts and answers too, where the mapping has them.
        counts: where to count, for a caller who wants to know after an error too.
        on_progress: called after each batch with the file's reader, the position in it and the counts.

    Raises:
        ImportFileError: the mapping or a file cannot be used; nothing was loaded.
        StoreError: the store went away; what was loaded is whole, run the import again for the rest.
    """
    opened = [(reader, _check_columns(mapping, reader)) for reader in (open_log(path, mapping.file) for path in paths)]
    run = _Import(mapping, store, rejects, counts or Counts(), content=content)
    for reader, columns in opened:
        ordinals = SeenRows()
        for batch in reader.read_batches(columns, BATCH_ROWS):
            remaining = None if limit is None else limit - run.counts.rows
            run.load(reader, batch if remaining is None else _cut(batch, remaining), ordinals)
            on_progress(reader, batch.position, run.counts)
            if run.counts.rows == limit:
                break
        if run.counts.rows == limit:
            break
    run.ledger.close()
    return run.counts


class _Import:
    """One import under way."""

    def __init__(
        self, mapping: LogMapping, store: Store | None, rejects: Rejects, counts: Counts, *, content: bool
    ) -> None:
        self.mapping = mapping
        self.mapping_id = f"{mapping.name}@{mapping.version}"
        self.ledger = Ledger(store, self.mapping_id)
        self.rejects = rejects
        self.content = content
        self.counts = counts

    def load(self, reader: Reader, batch: Batch, ordinals: SeenRows) -> None:
        """Load the rows of one batch that are new and good; keep the bad ones aside."""
        frame = Frame(batch.columns, np.arange(len(batch.lines)), {})
        ids = identify_rows(self.mapping, frame, ordinals)
        new = self._find_new(frame, ids)
        frame.add("@line", pa.array(batch.lines))
        frame.add("@file", pa.repeat(pa.scalar(reader.path.name), frame.size))
        runs = build_runs(self.mapping, frame.take(np.flatnonzero(new)), ids)
        made = evaluate_runs(self.mapping, runs, content=self.content)
        wanted = np.zeros(frame.size, dtype=bool)
        wanted[runs.frame.rows] = True
        chosen = wanted & frame.good()
        traces = build_traces([*made.tasks, *made.calls], chosen, self.mapping_id)
        logs = build_logs(made.events, chosen, self.mapping_id)
        self._keep_bad(reader, frame, batch)
        self.ledger.write(ids.take(np.flatnonzero(chosen)), reader.path.name, traces, logs)
        self._count(frame, new, chosen, len(batch.bad))
        self.counts.tasks += _count_chosen(made.tasks, chosen)
        self.counts.calls += _count_chosen(made.calls, chosen)
        self.counts.evaluations += logs.num_rows

    def _find_new(self, frame: Frame, ids: RowIds) -> np.ndarray:
        """Return which rows are not loaded yet; one with a known key and other values than before is a bad row."""
        known, content = self.ledger.seen.find(ids.row)
        _, first, inverse = np.unique(ids.row, return_index=True, return_inverse=True)
        repeated = first[inverse] != np.arange(frame.size)
        content = np.where(repeated & ~known, ids.content[first[inverse]], content)
        changed = (known | repeated) & (content != ids.content)
        frame.reject(changed, lambda _: "[rows] key: a row with this key and other values is already loaded")
        new: np.ndarray = ~known & ~repeated & frame.good()
        return new

    def _keep_bad(self, reader: Reader, frame: Frame, batch: Batch) -> None:
        unfit = [BadRow(int(batch.lines[row]), reason, batch.raw(row)) for row, reason in frame.reasons.items()]
        self.rejects.add(reader.path, [*batch.bad, *unfit])

    def _count(self, frame: Frame, new: np.ndarray, chosen: np.ndarray, unreadable: int) -> None:
        good = frame.good()
        self.counts.rows += frame.size + unreadable
        self.counts.loaded += int(chosen.sum())
        self.counts.rejected += int((~good).sum()) + unreadable
        self.counts.known += int((good & ~new).sum())
        self.counts.left_out += int((good & new & ~chosen).sum())


def _check_columns(mapping: LogMapping, reader: Reader) -> set[str]:
    """Return the columns to read.

    Raises:
        ImportFileError: the mapping names a column that the file does not have.
    """
    paths = mapping.paths()
    columns, missing = reader.find_columns(paths)
    for marked, names in missing.items():
        path = marked.replace(".*", "")
        raise ImportFileError(
            f"the mapping {mapping.name!r} reads {path!r}, which the log file {reader.path} does not have; "
            f"{describe_missing(path, names)}. Write {{{path}?}} if it may be absent. Nothing was loaded"
        )
    if not columns:
        raise ImportFileError(
            f"the mapping {mapping.name!r} reads no column of {reader.path}: every row would be equal"
        )
    return columns


def _cut(batch: Batch, size: int) -> Batch:
    """Return the first `size` rows of a batch, the unreadable ones among them."""
    lines = np.sort(np.concatenate([batch.lines, [row.line for row in batch.bad]]).astype(np.int64))
    if size >= len(lines):
        return batch
    last = lines[size - 1]
    count = int((batch.lines <= last).sum())
    columns = {name: column[:count] for name, column in batch.columns.items()}
    bad = [row for row in batch.bad if row.line <= last]
    return replace(batch, columns=columns, lines=batch.lines[:count], bad=bad)


def _count_chosen(parts: list[SpanColumns], chosen: np.ndarray) -> int:
    return sum(int(chosen[part.rows].sum()) for part in parts)
