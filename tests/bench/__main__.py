"""Run the benchmarks: `python -m tests.bench [NAME] [options]`; without a name, all of them, listed by --help."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BENCHES = {
    "overhead": "what tracing adds to a call, beside the bare span and two other instrumentations",
    "memory": "whether a process that makes 100,000 calls grows, with trilemma and without",
    "api": "a price, a task, an import, a start by `trilemma run`, each beside its floor",
    "receiver": "spans per CPU-second that `trilemma up` takes in",
    "importing": "CPU per row of `trilemma import`, beside what the store needs for the same spans",
    "findings": "time and memory of a report with all findings over millions of spans",
    "storage": "bytes per span and cost of a board query, beside the exporter's stock schema",
}


def main(argv: Sequence[str]) -> int:
    """Run the benchmark named first in `argv` with the other words, or all of them with none."""
    name, *words = argv or ("",)
    if name in {"-h", "--help"}:
        print(__doc__, *(f"  {bench:10} {what}" for bench, what in BENCHES.items()), sep="\n")
        return 0
    if name and name not in BENCHES:
        print(f"There is no benchmark {name!r}. Choose one of: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    codes = []
    for bench in [name] if name else BENCHES:
        print(f"\n# {bench}: {BENCHES[bench]}\n", flush=True)
        codes.append(importlib.import_module(f"tests.bench.{bench}").main(words))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
