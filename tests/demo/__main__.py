"""Run the whole demo: emulated providers, an app traced without code, the collector, and the report on what it did.

`make demo` runs this. Everything is on loopback and stops at the end; the data stays in `.trilemma/demo`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from tests.demo.processes import DemoError, run_program, running, stop_on_signals
from tests.demo.truths import START, TRUTHS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "serve_store"]

ROOT = Path(__file__).resolve().parents[2]
MARK = ".trilemma-demo"
TRILEMMA = (sys.executable, "-m", "trilemma.cli")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit code: 0 done, 1 failed with the reason told, 130 interrupted."""
    args = _parse(argv)
    stop_on_signals()
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
    began_s, folder = time.monotonic(), args.folder
    _empty(folder)
    print(f"==> {args.days} days of a support team's mail, on a clock of their own", flush=True)
    emulator = (sys.executable, "-m", "tests.demo.emulator")
    with (
        running("emulator", emulator, folder) as provider,
        running("collector", serve_store(folder), folder) as collector,
    ):
        print(f"    providers  OpenAI and Anthropic, emulated at {provider['url']}", flush=True)
        print(
            f"    collector  OTLP in at {collector['otlp_http']}, ClickHouse out at {collector['clickhouse']}",
            flush=True,
        )
        _run_app(args, provider["url"], collector["otlp_http"])
        print(f"==> {_save_ledger(provider['url'], folder)}, in {time.monotonic() - began_s:.0f} s\n", flush=True)
        print(_write_reports(collector["clickhouse"], args), flush=True)
    print(_say_how_to_go_on(args, time.monotonic() - began_s))


def _run_app(args: argparse.Namespace, provider: str, otlp: str) -> None:
    """Run the app over its mail, then the review of what it wrote, in two processes traced without code."""
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
        print(f"    trilemma run --service-name {name} -- python -m {' '.join(program)}", flush=True)
        command = (*TRILEMMA, "run", "--endpoint", otlp, "--service-name", name, "--", *clock, *program)
        output = run_program(name, command, args.folder, environment)
        (args.folder / f"{name}.out").write_text(output, encoding="utf-8")


def serve_store(folder: Path) -> tuple[str, ...]:
    """Return the command that serves the store of the demo in `folder`, at free ports."""
    ports = [word for port in ("otlp-http", "otlp-grpc", "clickhouse") for word in (f"--{port}-port", "0")]
    return (*TRILEMMA, "up", "--data-dir", str(folder / "store"), *ports)


def _save_ledger(provider: str, folder: Path) -> str:
    """Keep the emulator's own account of the requests it got, and say what is in it."""
    with urllib.request.urlopen(f"{provider}/_emulator/ledger", timeout=60) as response:
        entries = json.load(response)
    (folder / "ledger.json").write_text(json.dumps(entries), encoding="utf-8")
    calls = sum(entry["attempt"] == 0 for entry in entries)
    return f"{calls:,} calls, {len(entries) - calls} retries of theirs"


def _write_reports(store: str, args: argparse.Namespace) -> str:
    """Write the report as a page and as JSON, and return it as text for the terminal."""
    text = args.folder / "report.txt"
    files = [word for file in (args.folder / "report.json", args.html, text) for word in ("--output", str(file))]
    run_program("report", (*TRILEMMA, "report", "--store", store, *files), args.folder)
    return text.read_text(encoding="utf-8")


def _say_how_to_go_on(args: argparse.Namespace, took_s: float) -> str:
    planted = "\n".join(f"    {truth.verdict:6} {truth.task:16} {truth.what}" for truth in TRUTHS)
    store = f"chdb://{(args.folder / 'store').absolute()}"
    trilemma = "trilemma" if shutil.which("trilemma") else str(Path(sys.executable).with_name("trilemma"))
    return f"""==> done in {took_s:.0f} s; all that was started has been stopped. What was planted, for you to compare:
{planted}

==> to go on
    the report as a page          {args.html}
    the notebook on this data     {trilemma} notebook tradeoffs --store {store}
    the report with your choices  {trilemma} report --store {store} --margin support.refund=0.02
    or serve the data, and more   {trilemma} up --data-dir {args.folder / "store"}"""


def _empty(folder: Path) -> None:
    """Make an empty folder; one that holds something else than a former demo is left alone."""
    if folder.exists() and not (folder / MARK).exists() and any(folder.iterdir()):
        raise DemoError(f"{folder} is not empty and not of a former demo; choose another one with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


if __name__ == "__main__":
    sys.exit(main())
