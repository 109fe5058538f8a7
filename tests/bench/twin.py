"""Own the process that a benchmark process forks before it switches an adapter on that cannot be switched off again.

The twin has the same memory layout and runs the same calls without the adapter, when it is told to.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from tests.bench.workloads import Workload, build

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Twin"]

Figures = tuple[float, float]  # CPU and wall microseconds per call


class Twin:
    """A forked copy of this process; ask it by `run`."""

    def __init__(self, run_block: Callable[[Workload, int], Figures]) -> None:
        asked, ask = os.pipe()
        answered, answer = os.pipe()
        if os.fork() == 0:
            os.close(ask)
            _serve(os.fdopen(asked), os.fdopen(answer, "w"), run_block)
        os.close(asked)
        os.close(answer)
        self._ask, self._answered = os.fdopen(ask, "w"), os.fdopen(answered)

    def run(self, name: str, runs: int) -> Figures:
        """Return the figures of a block of the workload `name`, run without the adapter."""
        print(json.dumps([name, runs]), file=self._ask, flush=True)
        cpu_us, wall_us = json.loads(self._answered.readline())
        return cpu_us, wall_us


def _serve(asked: Any, answer: Any, run_block: Callable[[Workload, int], Figures]) -> None:
    """Run what is asked for until nobody asks any more; this process ends here."""
    workloads: dict[str, Workload] = {}
    try:
        for line in asked:
            name, runs = json.loads(line)
            if name not in workloads:
                workloads[name] = build(name)
            print(json.dumps(run_block(workloads[name], runs)), file=answer, flush=True)
    except BaseException:  # noqa: BLE001 - a fork must not go on as its parent would
        traceback.print_exc(file=sys.stderr)
    os._exit(0)
