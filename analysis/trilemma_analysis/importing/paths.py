"""Own the paths by which a mapping names what is in a row: ``usage.input_tokens``, ``choices.0.finish_reason``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

__all__ = ["describe_missing", "split_path"]


def split_path(path: str, names: Container[str]) -> tuple[str | None, list[str]]:
    """Return the column that `path` starts from and the steps below it; the longest column name wins.

    Column names may hold dots themselves (a flattened ``usage.input_tokens`` in a CSV). The column is None where no
    beginning of the path is one.
    """
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        root = ".".join(parts[:length])
        if root in names:
            return root, parts[length:]
    return None, parts


def describe_missing(path: str, names: Iterable[str]) -> str:
    """Say which columns there are instead of `path`, the nearest first."""
    known = sorted(names)
    nearest = difflib.get_close_matches(path, known, n=1, cutoff=0.5)
    guess = f"did you mean {nearest[0]!r}? It has" if nearest else "it has"
    shown = ", ".join(known[:40]) + (f" and {len(known) - 40} more" if len(known) > 40 else "")
    return f"{guess}: {shown}"
