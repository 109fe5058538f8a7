"""Own ``trilemma import``: load log files as spans by a mapping file."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from trilemma.errors import ConfigurationError, StoreError

from trilemma_analysis.client import connect
from trilemma_analysis.importing.loader import Counts, import_files
from trilemma_analysis.importing.mapping import list_shipped, load_mapping
from trilemma_analysis.importing.rejects import Rejects

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.importing.readers import Reader

__all__ = ["configure", "run"]

EXIT_OK, EXIT_ERROR, EXIT_REJECTED = 0, 1, 3

_EPILOG = """\
A mapping is the path of a .toml file (its language: analysis/importing.md) or the name of one that is shipped:
{shipped}.

An import that was interrupted is completed by running it again; rows that are loaded already are never loaded twice.

exit codes: 0 every row is loaded, was loaded before, or is left out by the mapping; 3 some rows were bad: the others
are loaded, the bad ones are in the rejects file; 1 nothing could be loaded; 2 wrong usage; 130 interrupted.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    import argparse

    parser.epilog = _EPILOG.format(shipped=", ".join(list_shipped()))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("mapping", metavar="MAPPING", help="mapping file (.toml), or the name of a shipped one")
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="JSON Lines, JSON, CSV (each also .gz) or Parquet"
    )
    parser.add_argument("--store", metavar="ADDRESS", help="http://host:8123 or chdb:///directory (TRILEMMA_STORE)")
    parser.add_argument("--dry-run", action="store_true", help="check mapping and rows, write nothing")
    parser.add_argument("--limit", metavar="N", type=int, help="stop after N rows")
    parser.add_argument("--content", action="store_true", help="load prompts and answers too, if the mapping has them")
    parser.add_argument(
        "--rejects", metavar="FILE", type=Path, help="where bad rows are kept (default: MAPPING.rejects.jsonl here)"
    )


def run(args: argparse.Namespace) -> int:
    """Do the work and return the exit code."""
    if args.limit is not None and args.limit < 1:
        raise ConfigurationError(f"--limit {args.limit} loads nothing; give a number of rows of 1 or more")
    mapping = load_mapping(args.mapping)
    path = args.rejects or (None if args.dry_run else Path(f"{mapping.name}.rejects.jsonl"))
    counts = Counts()
    with (
        nullcontext() if args.dry_run else connect(args.store) as store,
        Rejects(path) as rejects,
        _Progress(Console(stderr=True)) as progress,
    ):
        try:
            import_files(
                mapping,
                args.files,
                store,
                rejects,
                limit=args.limit,
                content=args.content,
                counts=counts,
                on_progress=progress.show,
            )
        except StoreError as error:
            raise StoreError(f"{error}. {_say_resumable(counts)}") from error
        except KeyboardInterrupt:
            progress.stop()
            print(f"trilemma: interrupted. {_say_resumable(counts)}", file=sys.stderr)
            raise
    _print_result(counts, rejects, dry_run=args.dry_run)
    if counts.rejected == 0:
        return EXIT_OK
    return EXIT_REJECTED if counts.loaded + counts.known + counts.left_out else EXIT_ERROR


def _say_resumable(counts: Counts) -> str:
    return (
        f"{counts.loaded:,} new rows are safely in the store; run the same command again to load the rest, "
        f"no row will be loaded twice"
    )


class _Progress:
    """A bar per file on a terminal, nothing elsewhere."""

    def __init__(self, console: Console) -> None:
        rows = TextColumn("{task.fields[rows]} rows")
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), rows, TimeRemainingColumn())
        self._bars = Progress(*columns, console=console, disable=not console.is_terminal)
        self._by_path: dict[Path, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bars off the terminal."""
        self._bars.stop()

    def show(self, reader: Reader, position: int, counts: Counts) -> None:
        """Move the file's bar to `position`."""
        if reader.path not in self._by_path:
            self._by_path[reader.path] = self._bars.add_task(reader.path.name, total=reader.total, rows="0")
        self._bars.update(self._by_path[reader.path], completed=position, rows=f"{counts.rows:,}")


def _print_result(counts: Counts, rejects: Rejects, *, dry_run: bool) -> None:
    made = f"{counts.tasks:,} task runs, {counts.calls:,} calls, {counts.evaluations:,} evaluations"
    verb = "would load" if dry_run else "loaded"
    print(f"{verb} {counts.loaded:,} of {counts.rows:,} rows: {made}")
    for number, text in ((counts.known, "already loaded before"), (counts.left_out, "left out by the mapping")):
        if number:
            print(f"  {number:,} rows {text}")
    if counts.rejected:
        _print_rejects(counts, rejects)


def _print_rejects(counts: Counts, rejects: Rejects) -> None:
    kept = f"; they are kept in {rejects.path}" if rejects.path else ""
    print(f"trilemma: {counts.rejected:,} bad rows were not loaded{kept}", file=sys.stderr)
    for line in rejects.shown:
        print(f"  {line}", file=sys.stderr)
    if counts.rejected > len(rejects.shown):
        print(f"  and {counts.rejected - len(rejects.shown):,} more", file=sys.stderr)
