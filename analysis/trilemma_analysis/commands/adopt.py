"""Own ``trilemma adopt``: a finding's promise goes into the ledger, to be held to by ``trilemma verify``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from trilemma.errors import ConfigurationError

from trilemma_analysis.analysis import open_analysis
from trilemma_analysis.client import connect
from trilemma_analysis.commands.choices import add_choice_options, read_choices
from trilemma_analysis.commands.times import read_length_s, read_time
from trilemma_analysis.loop.adopting import adopt
from trilemma_analysis.report.tables import describe_effect
from trilemma_analysis.wording import say_points

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.loop.adopting import Adoption

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("finding_id", metavar="FINDING_ID", help="id of a finding, as the report shows it")
    add_choice_options(parser)
    parser.add_argument("--horizon", default="14d", metavar="LENGTH", help="how long it is measured (default 14d)")
    parser.add_argument("--at", metavar="TIME", help="when the change went live (default: now)")
    parser.add_argument("--note", default="", metavar="TEXT", help="words of your own for the ledger")
    parser.add_argument("--anyway", action="store_true", help="adopt also what the report does not say to act on")
    parser.add_argument("--again", action="store_true", help="write it anew where it is adopted already")
    parser.add_argument("--json", action="store_true", help="the prediction as JSON instead")


def run(args: argparse.Namespace) -> int:
    """Adopt, and say what is promised."""
    adopted_at, horizon_s = read_time(args.at, "at"), read_length_s(args.horizon, "horizon")
    with connect(args.store) as store:
        analysis = open_analysis(store, **read_choices(args))
        if analysis is None:
            raise ConfigurationError(f"the store {store.address} holds no runs in this period, so there is no finding")
        done = adopt(
            analysis,
            args.finding_id,
            adopted_at=adopted_at,
            horizon_s=horizon_s,
            note=args.note,
            despite_verdict=args.anyway,
            again=args.again,
        )
    if done.prediction.finding.rests_on:
        doubts = ", ".join(done.prediction.finding.rests_on)
        sys.stderr.write(f"trilemma: this advice rests on figures that other findings doubt: {doubts}\n")
    if done.is_new and done.prediction.until > adopted_at:
        sys.stderr.write(
            f"trilemma: this advice rests on runs up to {done.prediction.until:%Y-%m-%d %H:%M} UTC, and is measured on "
            f"runs from {adopted_at:%Y-%m-%d %H:%M} UTC on: those between count twice (--until leaves them out)\n"
        )
    print(done.prediction.model_dump_json(indent=2) if args.json else _say(done))
    return 0


def _say(done: Adoption) -> str:
    one = done.prediction
    head = "adopted" if done.is_new else "adopted already, nothing written (--again writes it anew)"
    effects = [each for each in one.finding.effects if not each.is_level]
    promised = [f"  predicted  {each.side}: {describe_effect(each)}" for each in effects]
    return "\n".join(
        [
            f"{head}: {one.finding.title}",
            f"  since      {one.adopted_at:%Y-%m-%d %H:%M} UTC, measured until {one.ends_at:%Y-%m-%d %H:%M} UTC",
            *(promised or ["  predicted  nothing that can be measured; success is watched"]),
            f"  go back    when success is surely lower by more than {say_points(one.margin).lstrip('+')}",
            f"  then       trilemma verify {one.finding.id}",
        ]
    )
