"""Own the choices that commands with findings share: store, scope, margins, baselines, confidence, traffic, seed."""

from __future__ import annotations

import argparse
from typing import Any

from trilemma.errors import ConfigurationError

from trilemma_analysis.client import DEFAULT_STORE
from trilemma_analysis.scope import add_period_options

__all__ = ["add_choice_options", "add_store_option", "read_choices", "share"]


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Add --store."""
    parser.add_argument(
        "--store", help=f"ClickHouse address or chdb:///directory (TRILEMMA_STORE; default {DEFAULT_STORE})"
    )


def add_choice_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to look at and by which measure."""
    add_store_option(parser)
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
        "--confidence", type=share, default=0.95, metavar="SHARE", help="of intervals and claims (default 0.95)"
    )
    parser.add_argument(
        "--runs-per-month", type=float, metavar="N", help="traffic for monthly savings (default: as seen)"
    )


def read_choices(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options as `build_report` and `open_analysis` take them."""
    margin, margins = _read_margins(args.margin)
    return {
        "task": args.task,
        "service": args.service,
        "since": args.since,
        "until": args.until,
        "margin": margin,
        "margins": margins,
        "baselines": dict(_split(text, "baseline", "TASK=COMBINATION") for text in args.baseline),
        "confidence": args.confidence,
        "runs_per_month": args.runs_per_month,
    }


def share(text: str) -> float:
    """Read a confidence."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.5 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0.5 and 1; 95 % is 0.95")
    return value


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
