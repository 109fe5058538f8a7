"""Own ``trilemma report``: options to choices, a report to a terminal, a Markdown or HTML file, or JSON."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from trilemma.errors import ConfigurationError

from trilemma_analysis.client import DEFAULT_STORE, connect
from trilemma_analysis.report import build_report
from trilemma_analysis.report.html import render_html
from trilemma_analysis.report.markdown import render_markdown
from trilemma_analysis.report.terminal import lay_out, render_terminal
from trilemma_analysis.scope import add_period_options

if TYPE_CHECKING:
    from trilemma_analysis.report import Report

__all__ = ["configure", "run"]

HTML_FILE = "trilemma-report.html"
LAYOUTS = {".html": "html", ".htm": "html", ".md": "markdown", ".json": "json"}
FILE_WIDTH = 140  # columns of a terminal report that goes to a file or a pipe


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--store", help=f"ClickHouse address or chdb:///directory (TRILEMMA_STORE; default {DEFAULT_STORE})"
    )
    parser.add_argument(
        "--task", action="append", default=[], metavar="NAME", help="only this task; may be given again"
    )
    parser.add_argument("--service", metavar="NAME", help="only this service")
    add_period_options(parser)
    parser.add_argument(
        "--margin",
        action="append",
        default=[],
        metavar="[TASK=]SHARE",
        help="largest loss of success rate that is acceptable, 0.05 is 5 points; for one task as NAME=0.02",
    )
    parser.add_argument(
        "--baseline",
        action="append",
        default=[],
        metavar="TASK=COMBINATION",
        help="compare a task's combinations with this one (default: the one with the most runs)",
    )
    parser.add_argument(
        "--confidence", type=_share, default=0.95, metavar="SHARE", help="of intervals and claims (default 0.95)"
    )
    parser.add_argument(
        "--runs-per-month", type=float, metavar="N", help="traffic for monthly savings (default: as seen)"
    )
    parser.add_argument(
        "--format", choices=("terminal", "markdown", "html"), help="default: by the ending of --output, else terminal"
    )
    parser.add_argument("--json", action="store_true", help="every number as JSON instead")
    parser.add_argument(
        "--output",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help=f"write here; may be given again: .html, .md, .json, .txt (HTML goes to {HTML_FILE} unless told)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default 0)")


def run(args: argparse.Namespace) -> int:
    """Build the report and hand it out."""
    margin, margins = _read_margins(args.margin)
    with connect(args.store) as store:
        report = build_report(
            store,
            task=args.task,
            service=args.service,
            since=args.since,
            until=args.until,
            margin=margin,
            margins=margins,
            baselines=dict(_split(text, "baseline", "TASK=COMBINATION") for text in args.baseline),
            confidence=args.confidence,
            runs_per_month=args.runs_per_month,
            seed=args.seed,
        )
    asked = "json" if args.json else args.format
    outputs = args.output or ([Path(HTML_FILE)] if asked == "html" else [])
    if not outputs and asked in {None, "terminal"} and sys.stdout.isatty():
        Console(width=max(100, shutil.get_terminal_size().columns)).print(lay_out(report))
        return 0
    if not outputs:
        sys.stdout.write(_render(report, asked or "terminal"))
    for output in outputs:
        _write(output, _render(report, asked or LAYOUTS.get(output.suffix.lower(), "terminal")))
        sys.stderr.write(f"wrote {output}\n")
    return 0


def _render(report: Report, layout: str) -> str:
    if layout == "json":
        return report.to_json()
    if layout == "html":
        return render_html(report)
    return render_markdown(report) if layout == "markdown" else render_terminal(report, FILE_WIDTH)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the report to {str(path)!r}: {error.strerror}; name another --output"
        ) from error


def _read_margins(texts: list[str]) -> tuple[float, dict[str, float]]:
    """Return the margin for all tasks and those of single ones."""
    margin, margins = 0.05, {}
    for text in texts:
        if "=" in text:
            task, value = _split(text, "margin", "TASK=SHARE")
            margins[task] = _read_margin(value, text)
        else:
            margin = _read_margin(text, text)
    return margin, margins


def _read_margin(value: str, text: str) -> float:
    try:
        margin = float(value)
    except ValueError:
        margin = -1.0
    if not 0 < margin < 1:
        raise ConfigurationError(f"--margin {text!r} is not a share between 0 and 1; 5 points of success rate are 0.05")
    return margin


def _split(text: str, option: str, shape: str) -> tuple[str, str]:
    task, equals, value = text.partition("=")
    if not equals or not task or not value:
        raise ConfigurationError(f"--{option} {text!r} does not have the shape {shape}")
    return task, value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.5 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0.5 and 1; 95 % is 0.95")
    return value
