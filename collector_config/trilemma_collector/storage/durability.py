"""Own the flush of everything ClickHouse has written to the disk, in one call instead of one per part and column."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["flush_file_system"]


def flush_file_system(directory: Path) -> None:
    """Write all changes of the file system that holds a directory to the disk; returns when they are there."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)  # Linux only
        if syncfs is None or syncfs(descriptor) != 0:
            os.sync()
    finally:
        os.close(descriptor)
