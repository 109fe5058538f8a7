"""Run the whole demo: emulated providers, an app traced without code, the collector, and the report on what it did.

`make demo` runs this. Everything is on loopback and stops at the end; the data stays in `.trilemma/demo`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from tests.demo.processes import DemoError, run_program, running
from tests.demo.truths import START, TRUTHS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]
TRILEMMA = (sys.executable, "-m", "trilemma.cli")


class Addresses(NamedTuple):
    """Where the collector of this run listens."""

    otlp: str
    store: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit code: 0 done, 1 failed with the reason told, 130 interrupted."""
    args = _parse(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    os.chdir(ROOT)
    try:
        _run(args)
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that the demo started has been stopped.", file=sys.stderr)
        return 130
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--folder", type=Path, default=Path(".trilemma/demo"), help="emptied first (default: %(default)s)"
    )
    parser.add_argument("--html", type=Path, default=Path("trilemma-report.html"), help="default: %(default)s")
    parser.add_argument("--days", type=int, default=14, help="days of mail")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of the usual mail")
    return parser.parse_args(argv)


def _run(args: argparse.Namespace) -> None:
    began = time.monotonic()
    folder: Path = args.folder
    _empty(folder)
    print(f"==> two weeks of a support team's mail, {args.days} days, on a clock of its own", flush=True)
    emulator = (sys.executable, "-m", "tests.demo.emulator")
    with running("the provider emulator", emulator, folder / "emulator.log", ready=r"^http://\S+$") as said:
        provider = said.strip().splitlines()[-1]
        print(f"    providers: OpenAI and Anthropic, emulated at {provider}", flush=True)
        with running("the collector", _up(folder / "store"), folder / "collector.log", ready=READY) as lines:
            addresses = _read_addresses(lines)
            print(f"    collector: OTLP in at {addresses.otlp}, ClickHouse out at {addresses.store}", flush=True)
            _run_app(args, provider, addresses)
            ledger = _save_ledger(provider, folder)
            print(f"    {ledger} in {time.monotonic() - began:.0f} s\n", flush=True)
            print(_report(addresses, args.html, folder), flush=True)
    print(_say_how_to_go_on(args, time.monotonic() - began))


def _run_app(args: argparse.Namespace, provider: str, addresses: Addresses) -> None:
    environment = {
        "OPENAI_BASE_URL": f"{provider}/v1",
        "ANTHROPIC_BASE_URL": provider,
        "OPENAI_API_KEY": "demo",
        "ANTHROPIC_API_KEY": "demo",
    }
    clock = (sys.executable, "-S", "tests/demo/clock.py", "--at", START.isoformat(), "-m")
    programs = {
        "support-app": ("tests.demo.app", str(args.folder), "--days", str(args.days), "--scale", str(args.scale)),
        "support-review": ("tests.demo.app.review", str(args.folder)),
    }
    for name, program in programs.items():
        command = (*TRILEMMA, "run", "--endpoint", addresses.otlp, "--service-name", name, "--", *clock, *program)
        print(f"    trilemma run -- python -m {' '.join(program)}", flush=True)
        output = run_program(name, command, args.folder / f"{name}.log", environment)
        (args.folder / f"{name}.out").write_text(output, encoding="utf-8")
