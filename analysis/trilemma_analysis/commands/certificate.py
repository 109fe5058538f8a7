"""Own ``trilemma certificate``: what is vouched for a task, issued, checked (in CI), and listed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from trilemma.errors import ConfigurationError

from trilemma_analysis.analysis import open_analysis
from trilemma_analysis.client import connect
from trilemma_analysis.commands.choices import add_store_option, share
from trilemma_analysis.commands.times import read_length_s, read_time
from trilemma_analysis.loop.certifying import Floors, check, issue, list_unmet
from trilemma_analysis.loop.ledger import read_certificates
from trilemma_analysis.loop.saying import say_certificate, say_state
from trilemma_analysis.scope import add_period_options, parse_duration

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.client import Store
    from trilemma_analysis.loop.model import Certificate, CertificateState

__all__ = ["BROKEN", "configure", "run"]

BROKEN = 3  # exit code


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("step", choices=("issue", "check", "list"), help="issue one, check one (3 if broken), list all")
    add_store_option(parser)
    parser.add_argument("--task", metavar="NAME", help="the task (list: default all)")
    parser.add_argument("--min-success", type=float, metavar="SHARE", help="success rate it must vouch for, like 0.9")
    parser.add_argument("--max-cost", type=float, metavar="AMOUNT", help="cost per run that it must rule out to exceed")
    parser.add_argument("--max-p95", metavar="LENGTH", help="p95 latency that it must rule out to exceed, like 5s")
    parser.add_argument("--at", metavar="TIME", help="when it is issued or checked (default: now)")
    parser.add_argument("--json", action="store_true", help="every number as JSON instead")
    issued = parser.add_argument_group("to issue one")
    issued.add_argument("--combination", metavar="NAME", help="default: the one that the newest runs use")
    issued.add_argument("--service", metavar="NAME", help="only this service")
    add_period_options(issued)
    issued.add_argument("--valid", default="30d", metavar="LENGTH", help="for how long (default 30d)")
    issued.add_argument("--confidence", type=share, default=0.95, metavar="SHARE", help="default 0.95")
    issued.add_argument("-k", type=int, default=3, help="of pass^k: trials of an input that all succeed (default 3)")
    issued.add_argument("--anyway", action="store_true", help="also where a drift finding speaks against it")


def run(args: argparse.Namespace) -> int:
    """Issue, check or list; 3 where a certificate does not hold, or not what is asked of it."""
    floors = _read_floors(args)
    if args.step != "list" and not args.task:
        raise ConfigurationError(f"`trilemma certificate {args.step}` needs the --task whose certificate is meant")
    at = read_time(args.at, "at")
    with connect(args.store) as store:
        if args.step == "issue":
            made = _issue(store, args, floors)
            print(
                made.model_dump_json(indent=2) if args.json else f"issued: {say_certificate(made)}\n  {_say_end(made)}"
            )
            return 0
        found = read_certificates(store, [args.task] if args.task else [])
        states = [check(store, one, at, record=args.step == "check") for one in found]
    if args.step == "check" and not states:
        raise ConfigurationError(
            f"task {args.task!r} has no certificate; `trilemma certificate issue --task {args.task}` gives it one"
        )
    unmet = {one.certificate.task: list_unmet(one.certificate, floors) for one in states}
    print(_to_json(states, unmet) if args.json else _say(states, unmet))
    holds = all(one.state == "valid" and not unmet[one.certificate.task] for one in states)
    return 0 if holds or args.step == "list" else BROKEN


def _issue(store: Store, args: argparse.Namespace, floors: Floors) -> Certificate:
    if args.k < 1:
        raise ConfigurationError(f"-k {args.k} is no number of trials; give 1 or more")
    analysis = open_analysis(
        store,
        task=args.task,
        service=args.service,
        since=args.since,
        until=args.until,
        confidence=args.confidence,
    )
    if analysis is None or not analysis.measures:
        raise ConfigurationError(f"the store {store.address} holds no runs of {args.task} in this period")
    made = issue(
        analysis,
        args.task,
        issued_at=read_time(args.at, "at"),
        valid_s=read_length_s(args.valid, "valid"),
        combination=args.combination,
        k=args.k,
        despite_drift=args.anyway,
        floors=floors,
    )
    if made.known_drifts:
        sys.stderr.write(f"trilemma: it was issued despite a drift: {', '.join(made.known_drifts)}\n")
    return made


def _read_floors(args: argparse.Namespace) -> Floors:
    if args.min_success is not None and not 0 < args.min_success < 1:
        raise ConfigurationError(f"--min-success {args.min_success:g} is not a share between 0 and 1; 90 % is 0.9")
    if args.max_cost is not None and args.max_cost <= 0:
        raise ConfigurationError(f"--max-cost {args.max_cost:g} is no amount of money above 0")
    p95 = None if args.max_p95 is None else parse_duration(args.max_p95)
    if args.max_p95 is not None and not p95:
        raise ConfigurationError(f"--max-p95 {args.max_p95!r} is not a length: write one like 5s, 0.8s, 2m")
    return Floors(args.min_success, args.max_cost, p95.total_seconds() if p95 else None)


def _say_end(one: Certificate) -> str:
    return f"valid until {one.valid_until:%Y-%m-%d %H:%M} UTC, a drift, other runs, or another combination"


def _say(states: list[CertificateState], unmet: dict[str, list[str]]) -> str:
    if not states:
        return "no certificates yet: `trilemma certificate issue --task NAME` gives a task one"
    lines = []
    for one in states:
        lines += [say_certificate(one.certificate), f"  {say_state(one)}"]
        lines += [f"  not enough for what is asked: {each}" for each in unmet[one.certificate.task]]
    return "\n".join(lines)


def _to_json(states: list[CertificateState], unmet: dict[str, list[str]]) -> str:
    found = {
        "format": "trilemma.certificates/1",
        "certificates": [{**one.model_dump(mode="json"), "unmet": unmet[one.certificate.task]} for one in states],
    }
    return json.dumps(found, indent=2, ensure_ascii=False)
