"""Own the reading of CSV: every value is text until the mapping says what it is."""

from __future__ import annotations

import csv
import io
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from trilemma.errors import ImportFileError

from trilemma_analysis.importing.paths import split_path
from trilemma_analysis.importing.readers import BadRow, Batch, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trilemma_analysis.importing.mapping import FileOptions

__all__ = ["CsvReader"]


class CsvReader:
    """Rows under a header; the header is the file's first line unless the mapping gives one."""

    row_word = "line"

    def __init__(self, path: Path, options: FileOptions) -> None:
        self.path = path
        self.options = options
        self.total = path.stat().st_size
        self.delimiter = "\t" if ".tsv" in path.suffixes and options.delimiter == "," else options.delimiter

    def find_columns(self, paths: list[str]) -> tuple[set[str], dict[str, list[str]]]:
        """Look at the header."""
        with read_bytes(self.path) as (file, _), self._decode(file) as text:
            header = self._read_header(csv.reader(text, delimiter=self.delimiter))
        roots = {path: split_path(path.removesuffix("?"), header)[0] for path in paths}
        missing = [path for path, root in roots.items() if root is None and not path.endswith("?")]
        return {root for root in roots.values() if root is not None}, dict.fromkeys(missing, sorted(header))

    def read_batches(self, columns: set[str], size: int) -> Iterator[Batch]:
        """Yield batches of up to `size` rows; a row with more or fewer fields than the header is a bad row."""
        # Prompts and answers are longer than the module's own limit of 131,072 characters a field.
        csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
        with read_bytes(self.path) as (file, tell), self._decode(file) as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            header = self._read_header(reader)
            rows = _number_rows(reader)
            while batch := list(islice(rows, size)):
                yield self._build_batch(batch, header, columns, tell())

    def _decode(self, file: Any) -> io.TextIOWrapper:
        try:
            return io.TextIOWrapper(file, encoding=self.options.encoding, errors="surrogateescape", newline="")
        except LookupError as error:
            raise ImportFileError(f"[file] encoding {self.options.encoding!r} is unknown to Python") from error

    def _read_header(self, reader: Any) -> list[str]:
        if self.options.header:
            return list(self.options.header)
        try:
            header = [name.strip() for name in next(reader)]
        except (StopIteration, csv.Error) as error:
            raise ImportFileError(f"the log file {self.path} has no CSV header: {error or 'it is empty'}") from error
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise ImportFileError(f"the log file {self.path} has two columns called {twice[0]!r}; rename one")
        return header

    def _build_batch(self, rows: list[_Row], header: list[str], columns: set[str], position: int) -> Batch:
        bad = [BadRow(line, _explain(values, header), values) for line, values in rows if len(values) != len(header)]
        good = [(line, values) for line, values in rows if len(values) == len(header)]
        unreadable = {index for index, (_, values) in enumerate(good) if not _is_text(values)}
        if unreadable:
            bad += [BadRow(good[i][0], f"is not {self.options.encoding} text", good[i][1]) for i in sorted(unreadable)]
            good = [row for index, row in enumerate(good) if index not in unreadable]
        nulls = frozenset(self.options.null_values)
        values_by_name = {
            name: [None if (value := values[position]) in nulls else value for _, values in good]
            for position, name in enumerate(header)
            if name in columns
        }
        return Batch(
            {name: pa.array(values, pa.string()) for name, values in values_by_name.items()},
            np.fromiter((line for line, _ in good), dtype=np.int64, count=len(good)),
            lambda index: dict(zip(header, good[index][1], strict=True)),
            bad,
            position,
        )


_Row = tuple[int, Any]


def _number_rows(reader: Any) -> Iterator[_Row]:
    """Yield each row with the line it starts on; blank lines are no rows."""
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, str(error)
            continue
        if values:
            yield line, values


def _explain(values: Any, header: list[str]) -> str:
    if isinstance(values, str):
        return f"is no CSV: {values}"
    return f"has {len(values)} fields where the header has {len(header)}"


def _is_text(values: list[str]) -> bool:
    try:
        "".join(values).encode()
    except UnicodeEncodeError:
        return False
    return True
