"""Own the demo's virtual clock: two weeks of traffic pass in seconds, and every run reads the same times.

Nothing of trilemma is touched. `install` puts readings of a virtual clock in the place of `time.time`, `time.time_ns`,
`time.perf_counter`, `time.perf_counter_ns` and `time.sleep`, for the app's own thread only: a sleep moves the clock
instead of waiting, and the emulated provider says with each response, and with each stream event, how long it took
(`x-virtual-seconds`, and SSE comments), by which `pace_transport` moves the clock before the bytes are handed on.
Other threads (span export) have no virtual clock and see the real time.

Run as a program, it starts another one under the clock, before anything else could keep the real one::

    python -S tests/demo/clock.py -m some.app
"""

from __future__ import annotations

import contextvars
import random
import runpy
import site
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["VirtualClock", "install", "pace_transport", "start"]

TIME_HEADER, SECONDS_HEADER, EVENT_MARK = "x-virtual-time", "x-virtual-seconds", b": +"
TICK_NS = 1_000  # each reading is one microsecond later than the last: no two spans start at the same time


class VirtualClock:
    """Hold one virtual time; it moves only by `advance` and by a tick per reading."""

    def __init__(self, start_s: float) -> None:
        self._start_ns = self._now_ns = int(start_s * 1e9)

    def read_ns(self) -> int:
        """Return the virtual time in nanoseconds since the epoch."""
        self._now_ns += TICK_NS
        return self._now_ns

    def read_age_ns(self) -> int:
        """Return the nanoseconds since this clock began, for what measures durations in floats."""
        return self.read_ns() - self._start_ns

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now_ns += max(0, round(seconds * 1e9))


_clock: contextvars.ContextVar[VirtualClock | None] = contextvars.ContextVar("virtual_clock", default=None)


def start(start_s: float) -> contextvars.Token[VirtualClock | None]:
    """Set the virtual clock of this context to `start_s`, in seconds since the epoch."""
    return _clock.set(VirtualClock(start_s))


def install() -> None:
    """Put the virtual clock in front of the clock functions of `time`; threads without one read the real time."""
    for name, read in (
        ("time", lambda clock: clock.read_ns() / 1e9),
        ("time_ns", VirtualClock.read_ns),
        ("perf_counter", lambda clock: clock.read_age_ns() / 1e9),
        ("perf_counter_ns", VirtualClock.read_age_ns),
    ):
        setattr(time, name, _reader(getattr(time, name), read))
    real_sleep = time.sleep

    def sleep(seconds: float) -> None:
        clock = _clock.get()
        if clock is None:
            real_sleep(seconds)
        else:
            clock.advance(seconds)

    time.sleep = sleep


def pace_transport(httpx: Any) -> None:
    """Make the HTTP transport of `httpx` (or httpx2) deliver each response at the virtual time it was sent."""
    real_handle = httpx.HTTPTransport.handle_request

    class PacedStream(httpx.SyncByteStream):  # type: ignore[misc]  # the base is known at run time only
        def __init__(self, stream: Any) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            return _pace_events(self._stream)

        def close(self) -> None:
            self._stream.close()

    def handle_request(self: Any, request: Any) -> Any:
        clock = _clock.get()
        if clock is None:
            return real_handle(self, request)
        request.headers[TIME_HEADER] = repr(clock.read_ns() / 1e9)
        response = real_handle(self, request)
        clock.advance(float(response.headers.get(SECONDS_HEADER, 0)))
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = PacedStream(response.stream)
        return response

    httpx.HTTPTransport.handle_request = handle_request


def _reader(read_real: Callable[[], Any], read_virtual: Callable[[VirtualClock], Any]) -> Callable[[], Any]:
    def read() -> Any:
        clock = _clock.get()
        return read_real() if clock is None else read_virtual(clock)

    return read


def _pace_events(stream: Any) -> Iterator[bytes]:
    """Yield one server-sent event at a time, each after the seconds that its comment line states."""
    rest = b""
    for data in stream:
        *events, rest = (rest + data).split(b"\n\n")
        for event in events:
            clock = _clock.get()
            if clock is not None and event.startswith(EVENT_MARK):
                clock.advance(float(event[len(EVENT_MARK) : event.index(b"\n")]))
            yield event + b"\n\n"
    if rest:
        yield rest


def _main(argv: list[str]) -> None:
    """Start `-m MODULE ARGS...` under the clock; `--at TIME` (ISO 8601) sets it, `-S` kept others from starting."""
    _, begin, _, module, *words = argv
    # The SDKs' retry jitter, drawn apart: what the exporter draws when it tries again must not shift it.
    random.random = random.Random(f"{module} {begin}").random
    random.seed(f"{module} {begin}")
    install()
    site.main()  # what `python` without -S does at once: trilemma's start-up hook runs here
    import httpx2

    pace_transport(httpx2)
    sys.argv = [module, *words]
    sys.path[0] = ""
    token = start(datetime.fromisoformat(begin).timestamp())
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        _clock.reset(token)  # what exits after the app, exits in real time


if __name__ == "__main__":
    _main(sys.argv[1:])
