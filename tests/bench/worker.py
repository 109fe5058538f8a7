"""Own one benchmark process: it measures one adapter against itself switched off, in blocks that alternate.

Both sides share the process, so that memory layout, caches and the machine's other load weigh on both alike.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from tests.bench.adapters import ADAPTERS, Counter, Switch, make_provider, set_global_provider
from tests.bench.twin import Twin
from tests.bench.workloads import Workload, build

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

WARM_UP_CALLS = 20
SETTLING_CALLS = 10
TOO_SLOW_S = 0.3  # an adapter that needs more CPU than this for one call runs one call per block


def main(adapter: str, content: str, names: str, blocks: str, calls: str) -> None:
    """Measure, and print one line of JSON."""
    began_s = time.process_time()
    import anthropic  # noqa: F401 - its import is part of the start-up
    import openai  # noqa: F401

    twin = None if ADAPTERS[adapter].can_switch_off else Twin(_run_block)
    provider, counter = make_provider()
    imported_s = time.process_time()
    set_global_provider(provider)
    switch = ADAPTERS[adapter].make_switch(content == "on")
    switch.on(provider)
    switched_on_s = time.process_time()
    for name in ("W1", "W4"):  # the first calls load what is loaded late
        workload = build(name)
        workload.run()
        workload.close()
    started = {
        "versions": {name: version(name) for name in ("openai", "anthropic", "opentelemetry-sdk")},
        "switch_on_ms": (switched_on_s - imported_s) * 1e3,
        "start_ms": (time.process_time() - began_s) * 1e3,
        "rss_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    bench = _Bench(switch, provider, counter, twin)
    work = {name: bench.measure(name, int(blocks), int(calls)) for name in names.split(",")}
    print("@" + json.dumps({**started, "work": work}), flush=True)


class _Bench:
    def __init__(self, switch: Switch, provider: Any, counter: Counter, twin: Twin | None) -> None:
        self.switch, self.provider, self.counter, self.twin = switch, provider, counter, twin
        self.is_on = True

    def measure(self, name: str, blocks: int, calls: int) -> dict[str, Any]:
        """Return CPU and wall microseconds per call, of all blocks off and on, and what was recorded per call."""
        try:
            return self._measure(name, blocks, calls)
        except Exception as error:  # noqa: BLE001 - a peer that breaks a call is a result, not an accident
            return {"error": f"{type(error).__name__}: {str(error)[:200]}"}

    def _measure(self, name: str, blocks: int, calls: int) -> dict[str, Any]:
        off = None if self.twin else self._prepare(name, on=False)
        on = self._prepare(name, on=True)
        runs = self._count_runs(on, calls)
        seen = self._counts()
        figures: dict[str, list[float]] = {"off_cpu": [], "off_wall": [], "on_cpu": [], "on_wall": []}
        for block in range(blocks):
            # Off-on and on-off in turn: a machine that gets slower or faster meanwhile favours neither.
            for side in ("off", "on") if block % 2 else ("on", "off"):
                cpu_us, wall_us = self._run(name, on if side == "on" else off, runs, on=side == "on")
                figures[f"{side}_cpu"].append(cpu_us)
                figures[f"{side}_wall"].append(wall_us)
        done = blocks * (runs + _fewer(SETTLING_CALLS, on)) * on.calls
        recorded = [(now - before) / done for now, before in zip(self._counts(), seen, strict=True)]
        for workload in filter(None, (off, on)):
            if not workload.check(workload.run()):
                raise RuntimeError(f"{name}: the SDK's result was changed")
            workload.close()
        return {**figures, "spans": recorded[0], "attributes": recorded[1]}

    def _prepare(self, name: str, *, on: bool) -> Workload:
        self._turn(on=on)
        workload, before = build(name), self._counts()
        if not workload.check(workload.run()):
            raise RuntimeError(f"{name}: the SDK's result was changed")
        for _ in range(_fewer(WARM_UP_CALLS, workload)):
            workload.run()
        if self._counts() != before and not on:
            raise RuntimeError(f"{name}: spans are written although switched off")
        return workload

    def _count_runs(self, workload: Workload, calls: int) -> int:
        began_s = _cpu_s()
        workload.run()
        slow = (_cpu_s() - began_s) / workload.calls > TOO_SLOW_S
        return 1 if slow else _fewer(calls, workload)

    def _run(self, name: str, workload: Workload | None, runs: int, *, on: bool) -> tuple[float, float]:
        if workload is None and self.twin:
            return self.twin.run(name, runs)
        self._turn(on=on)
        return _run_block(workload, runs, self.provider.force_flush)

    def _turn(self, *, on: bool) -> None:
        if on is self.is_on:
            return
        self.is_on = on
        if on:
            set_global_provider(self.provider)
            self.switch.on(self.provider)
        else:
            self.switch.off()
            set_global_provider(None)

    def _counts(self) -> tuple[int, int]:
        self.provider.force_flush()
        return self.counter.spans, self.counter.attributes


def _run_block(workload: Workload, runs: int, flush: Callable[[], object] = lambda: None) -> tuple[float, float]:
    """Return CPU and wall microseconds per call, with the flush of what was recorded."""
    # What is set up anew after each switching is not part of a call: neither what is made at the first one, nor that
    # Python specializes all code that uses a patched class anew, which takes it some eight calls.
    for _ in range(_fewer(SETTLING_CALLS, workload)):
        workload.run()
    flush()
    gc.collect()
    cpu_s, wall_s = _cpu_s(), time.perf_counter()
    for _ in range(runs):
        workload.run()
    wall_s = time.perf_counter() - wall_s
    flush()
    per_call = 1e6 / runs / workload.calls
    return (_cpu_s() - cpu_s) * per_call, wall_s * per_call


def _fewer(calls: int, workload: Workload) -> int:
    """Return how many runs make about `calls` calls; a tenth of that for streams."""
    return max(1, calls // workload.calls // (10 if workload.chunks else 1))


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(*sys.argv[1:])
