"""Own the reading of JSON Lines, and of JSON files that hold one list of objects."""

from __future__ import annotations

import codecs
import json
from collections import deque
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from trilemma.errors import ImportFileError

from trilemma_analysis.importing.frame import list_items
from trilemma_analysis.importing.paths import split_path
from trilemma_analysis.importing.readers import SAMPLE_ROWS, BadRow, Batch, read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trilemma_analysis.importing.mapping import FileOptions

__all__ = ["JsonArrayReader", "JsonLinesReader"]

_CHUNK_CHARS = 1 << 20
_SPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


class _Record(NamedTuple):
    """One object of the file, or the reason why there is none; `raw` is its text."""

    line: int
    value: dict[str, Any] | None
    reason: str
    raw: str


class JsonLinesReader:
    """One JSON object a line."""

    row_word = "line"

    def __init__(self, path: Path, options: FileOptions) -> None:
        self.path = path
        self.options = options
        self.total = path.stat().st_size

    def find_columns(self, paths: list[str]) -> tuple[set[str], dict[str, list[str]]]:
        """Look at the first rows: a path that none of them has leads nowhere."""
        with read_bytes(self.path) as (file, _):
            records = list(islice(self._read_records(file), SAMPLE_ROWS))
        sample = [record.value for record in records if record.value is not None]
        if not sample:
            reason = records[0].reason if records else "it has no rows"
            raise ImportFileError(f"the log file {self.path} holds no JSON objects: {reason}")
        names = {name for row in sample for name in row}
        roots = {split_path(path.removesuffix("?"), names)[0] or path.removesuffix("?").split(".")[0] for path in paths}
        known = sorted({name for row in sample[:100] for name in _list_paths(row)})
        missing = [path for path in paths if not path.endswith("?") and not any(_has(row, path) for row in sample)]
        return roots, dict.fromkeys(missing, known)

    def read_batches(self, columns: set[str], size: int) -> Iterator[Batch]:
        """Yield batches of up to `size` rows; a line that is no JSON object is a bad row."""
        with read_bytes(self.path) as (file, tell):
            records = self._read_records(file)
            while batch := list(islice(records, size)):
                yield _build_batch(batch, columns, tell)

    def _read_records(self, file: IO[bytes]) -> Iterator[_Record]:
        for number, line in enumerate(file, start=1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if text.strip():
                yield _read_record(number, text)


class JsonArrayReader(JsonLinesReader):
    """One JSON list of objects: the file itself, or the list, or object of objects, at ``[file] records`` in it."""

    row_word = "line"

    def find_columns(self, paths: list[str]) -> tuple[set[str], dict[str, list[str]]]:
        """Read the list to its end, so that a truncated one fails before anything of it is loaded; then the sample."""
        with read_bytes(self.path) as (file, _):
            deque(self._read_records(file), maxlen=0)
        return super().find_columns(paths)

    def _read_records(self, file: IO[bytes]) -> Iterator[_Record]:
        if self.options.records:
            yield from self._read_records_at(file)
            return
        for number, value, text in _iterate_list(file, self.path):
            if isinstance(value, dict):
                yield _Record(number, value, "", text)
            else:
                yield _Record(number, None, f"is no JSON object but {type(value).__name__}", text)

    def _read_records_at(self, file: IO[bytes]) -> Iterator[_Record]:
        """Read the whole file: the list is somewhere inside, so rows are counted and not lines."""
        try:
            value = json.load(file)
        except ValueError as error:
            raise ImportFileError(f"the log file {self.path} is no JSON: {error}") from error
        for step in self.options.records.split(".") if self.options.records != "." else ():
            value = value.get(step) if isinstance(value, dict) else None
        value = list_items(value)
        if value is None:
            raise ImportFileError(
                f"the log file {self.path} has no list or object at records = {self.options.records!r}"
            )
        for number, item in enumerate(value, start=1):
            text = json.dumps(item)
            reason = "" if isinstance(item, dict) else "is no JSON object"
            yield _Record(number, item if not reason else None, reason, text)


def _read_record(number: int, line: bytes) -> _Record:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return _Record(number, None, f"is no JSON: {error}", line.decode("utf-8", "backslashreplace").rstrip("\r\n"))
    if not isinstance(value, dict):
        return _Record(number, None, f"is no JSON object but {type(value).__name__}", line.decode().rstrip("\r\n"))
    return _Record(number, value, "", line)  # type: ignore[arg-type] # decoded only when the row turns out bad


def _build_batch(records: list[_Record], columns: set[str], tell: Callable[[], int]) -> Batch:
    good = [record for record in records if record.value is not None]
    bad = [BadRow(record.line, record.reason, record.raw) for record in records if record.value is None]
    rows = [record.value for record in good if record.value is not None]

    def raw(index: int) -> Any:
        return good[index].value

    return Batch(
        {name: [row.get(name) for row in rows] for name in columns},
        np.fromiter((record.line for record in good), dtype=np.int64, count=len(good)),
        raw,
        bad,
        tell(),
    )


class _Text:
    """A text file read piece by piece: what is read and not yet used, and the line it begins on."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._next_chars = _CHUNK_CHARS
        self.buffer, self.position, self.line, self.ended = "", 0, 1, False
        self.read_more()

    def read_more(self) -> None:
        """Read another piece, twice as long as the last: a value that goes on and on is tried a few times only."""
        data = self._file.read(self._next_chars)
        self._next_chars *= 2
        self.ended = not data
        self.buffer = self.buffer[self.position :] + self._decode(data, final=self.ended)
        self.position = 0

    def move_to(self, position: int) -> None:
        """Leave what stands before `position` behind."""
        self.line += self.buffer.count("\n", self.position, position)
        self.position = position
        self._next_chars = _CHUNK_CHARS

    def skip(self, characters: str) -> str:
        """Move over the `characters` and return the next one, or nothing at the end of the file."""
        while True:
            position = self.position
            while position < len(self.buffer) and self.buffer[position] in characters:
                position += 1
            self.move_to(position)
            if position < len(self.buffer) or self.ended:
                return self.buffer[position : position + 1]
            self.read_more()


def _iterate_list(file: IO[bytes], path: Path) -> Iterator[tuple[int, Any, str]]:
    """Yield each element of a JSON list with its line and text, without holding more than a piece of the file."""
    text = _Text(file)
    if text.skip(_SPACE + "\ufeff") != "[":
        raise ImportFileError(
            f"the log file {path} is no JSON list; for one object a line name it .jsonl, "
            f"for a list inside an object set records in the mapping's [file]; for an object of rows, records = '.'"
        )
    text.move_to(text.position + 1)
    while text.skip(_SPACE + ",") != "]":
        value, end = _decode_value(text, path)
        yield text.line, value, text.buffer[text.position : end]
        text.move_to(end)


def _decode_value(text: _Text, path: Path) -> tuple[Any, int]:
    while True:
        try:
            value, end = _DECODER.raw_decode(text.buffer, text.position)
        except ValueError as error:
            if text.ended:
                raise ImportFileError(
                    f"the log file {path} is no complete JSON list: {error} (value on line {text.line}); copy it again"
                ) from error
        else:
            if end < len(text.buffer) or text.ended:  # else a number may go on in the next piece
                return value, end
        text.read_more()


def _has(row: Any, path: str) -> bool:
    """Say whether the path leads to a key that is there, be its value null or not."""
    root, steps = split_path(path, row)
    return root is not None and _leads_on(row[root], steps)


def _leads_on(value: Any, steps: list[str]) -> bool:
    for position, step in enumerate(steps):
        if isinstance(value, str):
            return True  # JSON text, perhaps: only its rows can tell
        if step == "*":
            return any(_leads_on(item, steps[position + 1 :]) for item in list_items(value) or ())
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.lstrip("-").isdigit():
            value = value[int(step)] if -len(value) <= int(step) < len(value) else None
        else:
            return False
    return True


def _list_paths(row: dict[str, Any], depth: int = 3) -> Iterator[str]:
    for name, value in row.items():
        yield name
        below = value[0] if isinstance(value, list) and value else value
        if isinstance(below, dict) and depth > 1:
            yield from (f"{name}.{path}" for path in _list_paths(below, depth - 1))
