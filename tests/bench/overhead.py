"""Own the overhead benchmark: what tracing adds to a call, beside the bare span and two installed peers in one run.

Method, for shared and noisy machines. Each round starts a fresh process per adapter and content setting. They run in
lock step: short blocks of calls alternate between them, in rotating order, so that noise hits all alike. CPU is user
and system time of the whole process, all threads, with a flush to an exporter that only counts spans. Per round, the
added CPU is the median over blocks of the difference to the baseline block beside it, in the same environment.
Reported is the median over rounds, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.bench.adapters import ADAPTERS
from tests.bench.environments import CACHE, ROOT, python_for
from tests.bench.overhead_report import Row, write_report
from tests.bench.workloads import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

DEFAULT = ("bare-span", "trilemma", "otel-genai", "openllmetry")
STREAMS = ("W2", "W5")


class Setting(NamedTuple):
    """One thing measured: an adapter, with content on or off."""

    adapter: str
    content: str


class Worker:
    """One benchmark process, told what to run line by line."""

    def __init__(self, python: str, setting: Setting) -> None:
        hidden = ("OTEL_", "TRILEMMA_", "TRACELOOP_", "PYTHON")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        self.setting = setting
        self.process = subprocess.Popen(
            [python, "-W", "ignore", "-m", "tests.bench.worker", *setting],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment | {"PYTHONHASHSEED": "0"},
            text=True,
        )
        self.started = self.read()

    def read(self) -> dict[str, Any]:
        """Return the next answer; what a library prints in between is passed over."""
        for line in self.process.stdout or ():
            if line.startswith("@"):
                return json.loads(line[1:])
        return {"error": f"the process of {' '.join(self.setting)} ended with code {self.process.wait()}"}

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and return its answer."""
        if self.process.poll() is not None:
            return {"error": "the process has ended"}
        print(command, file=self.process.stdin, flush=True)
        return self.read()

    def stop(self) -> None:
        """Let the process end, and wait for it."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns 1 when trilemma could not be measured."""
    args = _parse(argv)
    names = args.workloads.split(",")
    groups = _group(args.adapters, args.content.split(","))
    rounds: list[list[Row]] = []
    for number in range(args.rounds):
        rounds.append([row for python, group in groups.items() for row in _run_round(python, group, number, args)])
        print(f"round {number + 1} of {args.rounds} done, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "overhead.json").write_text(json.dumps(rounds, indent=1), encoding="utf-8")
    print("\n".join(write_report(rounds, names)))
    ours = [row for rows in rounds for row in rows if row["adapter"] == "trilemma"]
    return int(any("error" in row["work"][name] for row in ours for name in names))


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench overhead", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("adapters", nargs="*", default=DEFAULT, help=f"any of: {', '.join(ADAPTERS)}")
    parser.add_argument("-w", "--workloads", default=",".join(TITLES), help="W1,W2,...")
    parser.add_argument("--content", default="off,on")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--calls", type=int, default=40, help="calls per block; a tenth of it for streams")
    args = parser.parse_args(argv)
    for name in args.adapters:
        if name not in ADAPTERS:
            parser.error(f"there is no adapter {name!r}; choose from: {', '.join(ADAPTERS)}")
    return args


def _group(names: Sequence[str], contents: list[str]) -> dict[str, list[Setting]]:
    """Return the settings per interpreter, each with a baseline and an OpenTelemetry without tracing of its own."""
    groups: dict[str, list[Setting]] = {}
    for name in names:
        python = str(python_for(name, ADAPTERS[name]))
        group = groups.setdefault(python, [Setting("baseline", "off"), Setting("opentelemetry", "off")])
        group.extend(Setting(name, content) for content in ADAPTERS[name].contents if content in contents)
    return groups


def _run_round(python: str, settings: list[Setting], number: int, args: argparse.Namespace) -> list[Row]:
    """Start one process per setting, run all workloads in lock step, and return one row per process."""
    turn = number % len(settings)
    workers = [Worker(python, setting) for setting in settings[turn:] + settings[:turn]]
    try:
        work = {name: _run_workload(workers, name, args) for name in args.workloads.split(",")}
    finally:
        for worker in workers:
            worker.stop()
    return [
        {
            "adapter": worker.setting.adapter,
            "content": worker.setting.content,
            "python": python,
            "started": worker.started,
            "work": {name: results[worker.setting] for name, results in work.items()},
        }
        for worker in workers
    ]


def _run_workload(workers: list[Worker], name: str, args: argparse.Namespace) -> dict[Setting, dict[str, Any]]:
    answers = {worker: [worker.ask(f"prepare {name}")] for worker in workers}
    ready = [worker for worker in workers if "error" not in answers[worker][0]]
    calls = max(1, args.calls // 10) if name in STREAMS else args.calls
    for block in range(args.blocks):
        turn = block % max(1, len(ready))
        for worker in ready[turn:] + ready[:turn]:
            answers[worker].append(worker.ask(f"block {calls}"))
    for worker in ready:
        answers[worker].append(worker.ask("finish"))
    results = {}
    for worker, said in answers.items():
        error = next((answer for answer in said if "error" in answer), None)
        blocks = said[1:-1]
        results[worker.setting] = error or {
            "cpu_us": [block["cpu_us"] for block in blocks],
            "wall_us": [block["wall_us"] for block in blocks],
            **said[-1],
        }
    return results
