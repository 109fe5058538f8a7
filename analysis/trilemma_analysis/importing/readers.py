"""Own the reading of log files: JSON Lines, JSON, CSV and Parquet become batches of columns, bad rows set apart."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Protocol

from trilemma.errors import ImportFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy as np

    from trilemma_analysis.importing.frame import Column
    from trilemma_analysis.importing.mapping import FileOptions

__all__ = ["BadRow", "Batch", "Reader", "open_log", "read_bytes"]

SAMPLE_ROWS = 1000
_OPENERS: dict[bytes, Callable[[Any], Any]] = {  # by a file's first bytes
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
_FORMATS = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True)
class BadRow:
    """A row that was not loaded: where it stands (from 1), why, and the row itself."""

    line: int
    reason: str
    raw: Any


@dataclass
class Batch:
    """Some rows of a file: the wanted columns, where each row stands, and the rows that could not be read."""

    columns: dict[str, Column]
    lines: np.ndarray
    raw: Callable[[int], Any]
    bad: list[BadRow] = field(default_factory=list)
    position: int = 0


class Reader(Protocol):
    """One open log file. ``total`` and a batch's ``position`` are bytes of the file, or its rows for Parquet."""

    path: Path
    total: int
    row_word: str

    def find_columns(self, paths: list[str]) -> tuple[set[str], dict[str, list[str]]]:
        """Return the columns to read for `paths`, and for each path that leads nowhere the names there are."""

    def read_batches(self, columns: set[str], size: int) -> Iterator[Batch]:
        """Yield batches of up to `size` rows."""


def open_log(path: Path, options: FileOptions) -> Reader:
    """Find out how a log file is written and check that it is whole.

    Raises:
        ImportFileError: it is missing, empty, truncated, or of a kind that cannot be read.
    """
    from trilemma_analysis.importing.read_csv import CsvReader
    from trilemma_analysis.importing.read_json import JsonArrayReader, JsonLinesReader
    from trilemma_analysis.importing.read_parquet import ParquetReader

    if not path.is_file():
        what = "is a directory; name the files in it" if path.is_dir() else "does not exist"
        raise ImportFileError(f"the log file {path} {what}")
    try:
        empty = path.stat().st_size == 0
        kind = options.format or _find_format(path)
    except OSError as error:
        raise ImportFileError(f"the log file {path} cannot be read: {error.strerror}") from error
    if empty:
        raise ImportFileError(f"the log file {path} is empty (0 bytes); was it written completely?")
    readers: dict[str, Callable[[Path, FileOptions], Reader]] = {
        "jsonl": JsonLinesReader,
        "json": JsonArrayReader,
        "csv": CsvReader,
        "parquet": ParquetReader,
    }
    if kind != "parquet":
        _verify_whole(path)
    return readers[kind](path, options)


@contextmanager
def read_bytes(path: Path) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """Open a text log, compressed or not; also return a function that tells how many bytes of the file are read."""
    with path.open("rb") as file:
        opener = _find_opener(path)
        if opener is None:
            yield file, file.tell
        else:
            with opener(file) as unpacked:
                yield unpacked, file.tell


def _verify_whole(path: Path) -> None:
    """Unpack a compressed file once to its end: a truncated one must fail before anything of it is loaded."""
    if _find_opener(path) is None:
        return
    try:
        with read_bytes(path) as (file, _):
            while file.read(1 << 20):
                pass
    except _BROKEN as error:
        raise ImportFileError(
            f"the log file {path} is truncated or damaged ({error}); nothing of it was loaded. Copy it again"
        ) from error


def _find_format(path: Path) -> str:
    """Go by the file's name, unless its first bytes say otherwise."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    named = next((_FORMATS[suffix] for suffix in reversed(suffixes) if suffix in _FORMATS), None)
    with path.open("rb") as file:
        start = file.read(6)
    parquet = start[:4] == b"PAR1"
    if parquet or named == "parquet":
        if named not in {None, "parquet"}:
            raise ImportFileError(f"the log file {path} is named as {named} and holds Parquet; rename it to .parquet")
        return "parquet"
    try:
        with read_bytes(path) as (unpacked, _):
            text = unpacked.read(4096)
    except _BROKEN as error:
        raise ImportFileError(f"the log file {path} is truncated or damaged ({error}); copy it again") from error
    return named or _guess_text(path, text)


def _guess_text(path: Path, text: bytes) -> str:
    first = text.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first == b"{":
        return "jsonl"
    if first == b"[":
        return "json"
    raise ImportFileError(
        f"cannot tell how the log file {path} is written; name it .jsonl, .json, .csv or .parquet, "
        f"or set format in the mapping's [file]"
    )


def _find_opener(path: Path) -> Callable[[Any], Any] | None:
    with path.open("rb") as file:
        start = file.read(6)
    return next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
