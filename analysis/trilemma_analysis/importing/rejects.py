"""Own the rejects file: rows that could not be loaded, kept as they were, with where they stood and why."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from trilemma.errors import ImportFileError

if TYPE_CHECKING:
    from types import TracebackType

    from trilemma_analysis.importing.readers import BadRow

__all__ = ["Rejects"]

_SHOWN = 10


class Rejects:
    """Write bad rows as JSON Lines of file, line, reason and row; the file is made when the first one comes."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.count = 0
        self.shown: list[str] = []
        self._file: IO[str] | None = None
        if path is not None and (path.is_dir() or not os.access(path.parent or Path(), os.W_OK)):
            raise ImportFileError(f"bad rows cannot be kept in {path}: it cannot be written; set --rejects FILE")

    def add(self, log: Path, rows: list[BadRow]) -> None:
        """Keep rows of the file `log`."""
        for row in sorted(rows, key=lambda row: row.line):
            self.count += 1
            if len(self.shown) < _SHOWN:
                self.shown.append(f"{log}:{row.line}: {row.reason}")
            if self.path is None:
                continue
            if self._file is None:
                self._file = self.path.open("w", encoding="utf-8")
            entry = {"file": str(log), "line": row.line, "reason": row.reason, "row": row.raw}
            self._file.write(json.dumps(entry, default=str) + "\n")
        if self._file is not None:
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
