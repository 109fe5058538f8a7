"""Own the rule that a process does not fork while a thread of ours imports something.

A fork copies only the thread that forks. A module lock held by another one would stay locked in the child for ever, and
the child would hang at its own import of that module.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["keep_from_forking"]

_WAIT_LIMIT_S = 5.0  # what we import takes well under a second; do not hang a fork for ever if it hangs
_busy = threading.Lock()
_held = False


@contextmanager
def keep_from_forking() -> Iterator[None]:
    """Let forks of other threads wait until the block is left; one thread at a time."""
    with _busy:
        yield


def _before_fork() -> None:
    global _held  # noqa: PLW0603 - state of the process
    _held = _busy.acquire(timeout=_WAIT_LIMIT_S)


def _after_fork_in_parent() -> None:
    if _held:
        _busy.release()


def _after_fork_in_child() -> None:
    global _busy  # noqa: PLW0603 - state of the process
    _busy = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
