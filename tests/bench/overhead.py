"""Own the overhead benchmark: what tracing adds to a call, beside the bare span and two installed peers in one run.

Method, for shared and noisy machines. Each process measures one adapter against itself switched off: blocks of calls
with and without it alternate in one process, so that memory layout, caches and other load weigh on both alike. CPU is
user and system time of the whole process, all threads, with a flush to an exporter that only counts spans. A process's
figure is the median over its pairs of blocks; every round has fresh processes, in another order; reported is the median
over rounds, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.adapters import ADAPTERS
from tests.bench.environments import CACHE, ROOT, python_for
from tests.bench.overhead_report import Row, write_report
from tests.bench.workloads import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

DEFAULT = ("bare-span", "trilemma", "otel-genai", "openllmetry")


class Setting(NamedTuple):
    """One thing measured: an adapter, with content on or off."""

    adapter: str
    content: str


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns 1 when trilemma could not be measured."""
    args = _parse(argv)
    names, wanted = args.workloads.split(","), args.content.split(",")
    settings = [Setting(name, c) for name in _with_floor(args.adapters) for c in ADAPTERS[name].contents if c in wanted]
    pythons = {name: str(python_for(name, ADAPTERS[name])) for name in {setting.adapter for setting in settings}}
    rounds: list[list[Row]] = []
    for number in range(args.rounds):
        turn = number * 3 % len(settings)
        order = settings[turn:] + settings[:turn]
        rounds.append([_measure(pythons[setting.adapter], setting, args) for setting in order])
        print(f"round {number + 1} of {args.rounds} done, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(rounds, indent=1), encoding="utf-8")
    print("\n".join(write_report(rounds, names)))
    ours = [row for rows in rounds for row in rows if row["adapter"] == "trilemma"]
    return int(any("error" in row["work"].get(name, {"error": ""}) for row in ours for name in names))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench overhead", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("adapters", nargs="*", default=DEFAULT, help=f"any of: {', '.join(ADAPTERS)}")
    parser.add_argument("-w", "--workloads", default=",".join(TITLES), help="W1,W2,...")
    parser.add_argument("--content", default="off,on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=16, help="pairs of blocks per process")
    parser.add_argument("--calls", type=int, default=20, help="calls per block; a tenth of it for streams")
    parser.add_argument(
        "--json", type=Path, default=CACHE / "overhead.json", help="every figure (default: %(default)s)"
    )
    args = parser.parse_args(argv)
    for name in args.adapters:
        if name not in ADAPTERS:
            parser.error(f"there is no adapter {name!r}; choose from: {', '.join(ADAPTERS)}")
    return args


def _with_floor(names: Sequence[str]) -> list[str]:
    """Return the adapters asked for, after those that the report compares with."""
    return list(dict.fromkeys(("opentelemetry", "bare-span", *names)))


def _measure(python: str, setting: Setting, args: argparse.Namespace) -> Row:
    hidden = ("OTEL_", "TRILEMMA_", "TRACELOOP_", "PYTHON")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    done = subprocess.run(
        [
            python,
            "-W",
            "ignore",
            "-m",
            "tests.bench.worker",
            *setting,
            args.workloads,
            str(args.blocks),
            str(args.calls),
        ],
        cwd=ROOT,
        env=environment | {"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    row: Row = {"adapter": setting.adapter, "content": setting.content, "work": {}}
    said = [line[1:] for line in done.stdout.splitlines() if line.startswith("@")]
    if not said:
        last = (done.stderr.strip().splitlines() or ["no words"])[-1]
        return {**row, "error": f"the process ended with code {done.returncode}: {last[:200]}"}
    return {**row, **json.loads(said[-1])}
