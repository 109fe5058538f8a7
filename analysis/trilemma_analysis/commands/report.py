"""Own ``trilemma report``: options to choices, a report to a terminal, a Markdown or HTML file, or JSON."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from trilemma.errors import ConfigurationError

from trilemma_analysis.client import connect
from trilemma_analysis.commands.choices import add_choice_options, read_choices
from trilemma_analysis.report import build_report
from trilemma_analysis.report.html import render_html
from trilemma_analysis.report.markdown import render_markdown
from trilemma_analysis.report.terminal import lay_out, render_terminal

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.report import Report

__all__ = ["configure", "run"]

HTML_FILE = "trilemma-report.html"
LAYOUTS = {".html": "html", ".htm": "html", ".md": "markdown", ".json": "json"}
FILE_WIDTH = 140  # columns of a terminal report that goes to a file or a pipe
WITH_PICTURES = frozenset({"html", "json"})


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_choice_options(parser)
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
    asked = "json" if args.json else args.format
    outputs = args.output or ([Path(HTML_FILE)] if asked == "html" else [])
    layouts = [asked or LAYOUTS.get(output.suffix.lower(), "terminal") for output in outputs] or [asked or "terminal"]
    pictures = not WITH_PICTURES.isdisjoint(layouts)
    with connect(args.store) as store:
        report = build_report(store, **read_choices(args), seed=args.seed, pictures=pictures)
    if not outputs and asked in {None, "terminal"} and sys.stdout.isatty():
        Console(width=max(100, shutil.get_terminal_size().columns)).print(lay_out(report))
        return 0
    if not outputs:
        sys.stdout.write(_render(report, layouts[0]))
    for output, layout in zip(outputs, layouts, strict=False):
        _write(output, _render(report, layout))
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
