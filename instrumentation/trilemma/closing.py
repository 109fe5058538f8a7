"""Own the end of a process: what still waits is sent at exit, on SIGTERM, and in forked children, within seconds."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from trilemma import guard

if TYPE_CHECKING:
    from types import FrameType

    from trilemma.delivery import Delivery

__all__ = ["close_all", "close_and_end", "close_at_exit", "close_on_sigterm", "flush"]

EXIT_LIMIT_S = 4.0  # a collector that hangs must not keep the app from ending
LAST_REQUEST_S = 1.8  # enough for one attempt, the exporter's wait of about 1 s, and another
SHORT_REQUEST_S = 0.5  # for a collector that has been away: one attempt

_open: list[tuple[Any, Delivery | None]] = []


def close_at_exit(processor: Any, delivery: Delivery | None = None, *, first: bool = False) -> None:
    """Shut `processor`, which may feed a `delivery`, down when the process ends; before the others if it feeds them."""
    _open.insert(0 if first else len(_open), (processor, delivery))


def flush(limit_s: float = EXIT_LIMIT_S) -> None:
    """Send what is waiting, now; for a process that ends without Python's usual exit, such as a cloud function."""
    for processor, _ in _open:
        processor.force_flush(round(limit_s * 1000))


def close_all() -> None:
    """Send what is left and close, within the limit; briefly where the collector has been away all along."""
    ends_at_s = time.monotonic() + EXIT_LIMIT_S
    deliveries = [delivery for _, delivery in _open if delivery is not None]
    while _open:
        away = any(delivery.failing for delivery in deliveries)
        _close(*_open.pop(0), SHORT_REQUEST_S if away else LAST_REQUEST_S, ends_at_s)


@guard.guarded
def _close(processor: Any, delivery: Delivery | None, request_limit_s: float, ends_at_s: float) -> None:
    limit_s = max(SHORT_REQUEST_S, 0.75 * (ends_at_s - time.monotonic()))
    if delivery is not None:
        delivery.hurry(request_limit_s)
    # The batch processors' own shutdown waits 30 s without a way to say otherwise; what they wrap has one.
    getattr(processor, "_batch_processor", processor).shutdown(timeout_millis=round(1000 * limit_s))


def close_on_sigterm() -> None:
    """Send what waits when SIGTERM ends the process, as every deployment does; Python's exit does not happen then.

    Only where SIGTERM has its default effect, which stays the same. A server that sets a handler of its own, and calls
    the one it found or ends orderly, as uvicorn and gunicorn do, is served too.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()  # elsewhere Python allows no handler
    if os.name == "posix" and in_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, close_and_end)


def close_and_end(number: int, _: FrameType | None) -> None:
    """Send what waits, then let the signal have its default effect."""
    # On a thread of its own: what it waits for may be held by the code that the signal interrupted.
    ending = os.getpid() != 1  # the kernel does not end a container's first process by SIGTERM's default
    if _open:
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
            closer = threading.Thread(target=close_all if ending else flush, daemon=True)
            closer.start()
            closer.join(EXIT_LIMIT_S + 1)
    if ending:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _close_with_multiprocessing() -> None:
    """Close in a forked child of `multiprocessing` too: it leaves by os._exit, past atexit."""
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:
        # The child drops the finalizers it inherits, then calls this. It keeps its argument by weak reference.
        util.register_after_fork(close_all, lambda close: util.Finalize(None, close, exitpriority=100))


def _close_in_a_running_child() -> None:
    """Do the same where this module is imported in such a child only."""
    process: Any = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, close_all, exitpriority=100)


atexit.register(close_all)
_close_in_a_running_child()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_with_multiprocessing)
