"""Own the data directory: its layout, and that one process at a time has it.

::

    DIRECTORY/                  what chdb:///DIRECTORY opens when no collector runs
    ├── data/ metadata/ store/  ClickHouse's own
    ├── collector.lock          who has the directory
    ├── write_ahead/            acknowledged and not yet stored
    └── quarantine/             what could not be stored, kept for you to look at
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from trilemma.errors import DataDirectoryError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

__all__ = ["DataDirectory"]


@dataclass
class DataDirectory:
    """A data directory that this process has locked."""

    path: Path
    _lock: int

    @classmethod
    def open(cls, path: Path) -> Self:
        """Create the directory if need be, and lock it.

        Raises:
            DataDirectoryError: it cannot be made, read or written, or another process has it.
        """
        path = path.expanduser().absolute()
        if "?" in str(path):
            raise DataDirectoryError(f"the data directory {path} has a '?' in its name; choose another: --data-dir DIR")
        try:
            for folder in (path, path / "write_ahead", path / "quarantine"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path / "collector.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirectoryError(
                f"the data directory {path} cannot be used: {error.strerror} ({error.filename}). "
                f"Make it writable for this user, or choose another: --data-dir DIR"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = _describe_owner(descriptor)
            os.close(descriptor)
            raise DataDirectoryError(
                f"the data directory {path} is in use by {owner}. Stop it, send to it, or choose another: "
                f"--data-dir DIR"
            ) from None
        directory = cls(path, descriptor)
        directory.note_owner({})
        return directory

    @property
    def write_ahead(self) -> Path:
        """Return the folder of write-ahead segments."""
        return self.path / "write_ahead"

    @property
    def quarantine(self) -> Path:
        """Return the folder of what could not be stored."""
        return self.path / "quarantine"

    def note_owner(self, addresses: dict[str, str]) -> None:
        """Write into the lock file who has the directory and where it listens, for the next one's error message."""
        text = json.dumps({"pid": os.getpid(), **addresses}).encode()
        os.pwrite(self._lock, text, 0)
        os.ftruncate(self._lock, len(text))

    def close(self) -> None:
        """Let go of the directory."""
        os.ftruncate(self._lock, 0)
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _describe_owner(descriptor: int) -> str:
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return "another process"
    address = owner.get("clickhouse")
    return f"process {owner.get('pid')}" + (f", which serves {address}" if address else "")
