"""Own ``trilemma verify``: what came of the advice that was taken, and how our predictions do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trilemma_analysis.client import connect
from trilemma_analysis.commands.choices import add_store_option
from trilemma_analysis.commands.times import read_time
from trilemma_analysis.loop.model import LoopVerdict
from trilemma_analysis.loop.saying import say_calibration, say_measured, say_method
from trilemma_analysis.loop.verifying import verify

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.loop.model import Measurement
    from trilemma_analysis.loop.verifying import Verification

__all__ = ["BROKEN", "configure", "run"]

BROKEN = 3  # exit code


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("finding_id", nargs="*", metavar="FINDING_ID", help="adopted findings (default: all)")
    add_store_option(parser)
    parser.add_argument("--until", metavar="TIME", help="leave out runs from then on (default: none)")
    parser.add_argument("--json", action="store_true", help="every number as JSON instead")


def run(args: argparse.Namespace) -> int:
    """Measure, and say what came of it; 3 where something broke."""
    until = None if args.until is None else read_time(args.until, "until")
    with connect(args.store) as store:
        done = verify(store, args.finding_id, until=until)
    print(_to_json(done) if args.json else _say(done))
    return BROKEN if any(one.verdict is LoopVerdict.BROKEN for one in done.measurements) else 0


def _to_json(done: Verification) -> str:
    found = {
        "format": "trilemma.verify/1",
        "measurements": [one.model_dump(mode="json") for one in done.measurements],
        "calibration": done.calibration.model_dump(mode="json") if done.calibration else None,
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def _say(done: Verification) -> str:
    if not done.measurements:
        return "nothing is adopted yet: `trilemma report` shows findings, `trilemma adopt FINDING_ID` takes one on"
    lines = [line for one in done.measurements for line in _say_one(one)]
    return "\n".join([*lines, say_calibration(done.calibration)])


def _say_one(one: Measurement) -> list[str]:
    return [
        f"[{one.verdict.value}] {one.title}",
        f"  {one.finding_id}, adopted {one.adopted_at:%Y-%m-%d %H:%M} UTC; {say_method(one)}",
        f"  {one.reason[0].upper()}{one.reason[1:]}.",
        *(f"  {say_measured(each)}" for each in one.effects),
        "",
    ]
