"""Own the ending of calls whose stream nobody holds any more, and of those still open when the process exits.

A finalizer may run inside the garbage collector, while its thread holds a lock of the span processor that ending a
span would ask for again. So what the collector finds waits until the next call begins or ends, or the process exits;
its span carries the time of the last chunk all the same.
"""

import atexit
import gc
import os
import threading
import weakref
from queue import Empty, SimpleQueue
from typing import Any, Protocol

__all__ = ["Held", "end_dropped", "end_late", "is_collecting", "track"]


class _Call(Protocol):
    ended: bool

    def end(self, stream_end: str | None = None, error: BaseException | None = None) -> None: ...


_late: "SimpleQueue[_Call]" = SimpleQueue()
_open: "weakref.WeakSet[_Call]" = weakref.WeakSet()
_collecting_thread = 0
_watching = False


class Held:
    """Hold a call for an object of the user's, and end it where that is dropped.

    The call itself may outlive it: what an event loop was given to do while the call was being made, such as to watch
    a connection, keeps the context of that moment.
    """

    __slots__ = ("call",)

    def __init__(self, call: _Call) -> None:
        self.call = call

    def __del__(self) -> None:
        if not self.call.ended:
            end_dropped(self.call)

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        # Where a user copies or pickles his object, nothing of ours goes along.
        return type(None), ()


def track(call: _Call) -> None:
    """Remember an open stream."""
    global _watching  # noqa: PLW0603  # the process has one garbage collector and one exit
    if not _watching:
        # Only now: exit handlers run last first, and the tracer provider that must still work is registered by now.
        _watching = True
        atexit.register(_end_open)
        gc.callbacks.append(_note_collection)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forget_open)
    _open.add(call)


def is_collecting() -> bool:
    """Tell whether this thread is in the garbage collector."""
    return _collecting_thread == threading.get_ident()


def end_dropped(call: _Call) -> None:
    """End a call whose stream was dropped: now, or later where the garbage collector dropped it."""
    if is_collecting():
        _late.put(call)
    else:
        call.end("abandoned")


def end_late() -> None:
    """End the calls that wait. Call it where no lock is held."""
    while not _late.empty():
        try:
            _late.get_nowait().end("abandoned")
        except Empty:
            return


def _end_open() -> None:
    end_late()
    for call in list(_open):
        call.end("abandoned")


def _forget_open() -> None:
    # A forked child has copies of its parent's open streams, whose spans are the parent's to end.
    for call in list(_open):
        call.ended = True


def _note_collection(phase: str, _: dict[str, Any]) -> None:
    global _collecting_thread  # noqa: PLW0603
    _collecting_thread = threading.get_ident() if phase == "start" else 0
