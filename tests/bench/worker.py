"""Own one benchmark process: it switches one adapter on and runs blocks of calls on command, in step with others.

Commands, one a line on standard input: `prepare W1`, `block 30`, `finish`. Answers are JSON lines.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from typing import Any

from tests.bench.adapters import ADAPTERS
from tests.bench.workloads import Workload, build

__all__ = ["main"]

WARM_UP_CALLS = 30
TOO_SLOW_S = 0.3  # an adapter that needs more CPU than this for one call runs one call per block


def main(adapter: str, content: str) -> None:
    """Serve commands until standard input closes."""
    began_s = time.process_time()
    import anthropic
    import openai
    import opentelemetry.sdk.trace.export

    imported_s = time.process_time()
    counter = ADAPTERS[adapter].switch_on(content == "on")
    switched_on_s = time.process_time()
    for name in ("W1", "W4"):  # the first calls load what is loaded late
        workload = build(name)
        workload.run()
        workload.close()
    _say(
        openai=openai.__version__,
        anthropic=anthropic.__version__,
        opentelemetry=opentelemetry.sdk.trace.export.__name__ and _version("opentelemetry-sdk"),
        import_ms=(imported_s - began_s) * 1e3,
        switch_on_ms=(switched_on_s - imported_s) * 1e3,
        start_ms=(time.process_time() - began_s) * 1e3,
        rss_kib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    )
    session = _Session(counter)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        try:
            _say(**getattr(session, command)(argument))
        except Exception as error:  # noqa: BLE001 - a peer that breaks a call is a result, not an accident
            _say(error=f"{type(error).__name__}: {str(error)[:300]}")


class _Session:
    def __init__(self, counter: Any) -> None:
        self.counter = counter
        self.workload: Workload | None = None

    def prepare(self, name: str) -> dict[str, Any]:
        """Build a workload, check its result, and warm it up."""
        workload = self.workload = build(name)
        if not workload.check(workload.run()):
            raise RuntimeError(f"{name}: the SDK's result was changed")
        began_s = _cpu_s()
        workload.run()
        self.counter.flush()
        self.slow = (_cpu_s() - began_s) / workload.calls > TOO_SLOW_S
        for _ in range(
            0 if self.slow else max(1, WARM_UP_CALLS // workload.calls // (10 if name in {"W2", "W5"} else 1))
        ):
            workload.run()
        self.counter.flush()
        gc.collect()
        self.calls, self.spans, self.attributes = 0, self.counter.spans, self.counter.attributes
        return {"calls": workload.calls}

    def block(self, count: str) -> dict[str, Any]:
        """Run a block of calls and flush; the answer has CPU (all threads, user and system) and wall per call."""
        workload, runs = self.workload, 1 if self.slow else max(1, int(count) // self.workload.calls)
        cpu_s, wall_s = _cpu_s(), time.perf_counter()
        for _ in range(runs):
            workload.run()
        wall_s = time.perf_counter() - wall_s
        self.counter.flush()
        calls = runs * workload.calls
        self.calls += calls
        return {"cpu_us": (_cpu_s() - cpu_s) / calls * 1e6, "wall_us": wall_s / calls * 1e6, "calls": calls}

    def finish(self, _argument: str) -> dict[str, Any]:
        """Check the result once more; the answer has what was recorded per call."""
        self.counter.flush()
        spans, attributes = self.counter.spans - self.spans, self.counter.attributes - self.attributes
        if not self.workload.check(self.workload.run()):
            raise RuntimeError("the SDK's result was changed")
        self.workload.close()
        return {"spans_per_call": spans / self.calls, "attributes_per_call": attributes / self.calls}


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def _say(**answer: Any) -> None:
    print("@" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
