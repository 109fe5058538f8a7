"""Own ``trilemma label``: a person's judgement of a run, one by its id, or a sample asked one after the other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from trilemma.arguments import OUTCOMES
from trilemma.errors import ConfigurationError
from trilemma.evaluators import Evaluation

from trilemma_analysis.client import DEFAULT_STORE, connect
from trilemma_analysis.judging import load_runs, write_evaluations, write_outcome
from trilemma_analysis.scope import add_period_options

if TYPE_CHECKING:
    import argparse

    from trilemma_analysis.client import Store
    from trilemma_analysis.judging import StoredRun

__all__ = ["configure", "run"]

_SHOWN = 2000  # characters of an input or an answer
_KEYS = {"y": Evaluation(1.0, "yes"), "n": Evaluation(0.0, "no")}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("task_id", nargs="?", metavar="TASK_ID", help="tell the outcome of this run")
    parser.add_argument("--outcome", choices=OUTCOMES, help="how it ended")
    parser.add_argument("--failure-mode", default="", metavar="WORD", help="why it failed, in a word of yours")
    parser.add_argument("--task", metavar="NAME", help="without TASK_ID: ask about a sample of this task's runs")
    parser.add_argument(
        "--name", default="correct", metavar="NAME", help="of the evaluation asked for (default: correct)"
    )
    parser.add_argument("--sample", type=int, default=20, metavar="N", help="runs to ask about, at random (default 20)")
    add_period_options(parser)
    parser.add_argument("--store", metavar="ADDRESS", help=f"default: TRILEMMA_STORE, else {DEFAULT_STORE}")


def run(args: argparse.Namespace) -> int:
    """Tell one outcome, or ask."""
    if bool(args.task_id) == bool(args.task):
        raise ConfigurationError("give the TASK_ID of one run with --outcome, or --task to be asked about a sample")
    if args.failure_mode and args.outcome != "failure":
        raise ConfigurationError(f"--failure-mode {args.failure_mode!r}: only --outcome failure has one")
    with connect(args.store) as store:
        if args.task_id:
            return _tell(store, args)
        runs = load_runs(store, args.task, args.since, args.until, evaluation=args.name, limit=args.sample)
        labelled = _ask(store, args.name, runs)
    print(f"{labelled} of {len(runs)} labelled")
    return 0


def _tell(store: Store, args: argparse.Namespace) -> int:
    if not args.outcome:
        raise ConfigurationError("--outcome is missing: say success, failure or unknown")
    known = store.query("SELECT count() AS n FROM tasks WHERE task_id = {id:String}", id=args.task_id).to_pylist()
    if not known[0]["n"]:
        raise ConfigurationError(f"the store holds no run {args.task_id!r}; its id is that of the task's span")
    write_outcome(store, args.task_id, args.outcome, failure_mode=args.failure_mode)
    print(f"{args.task_id}: {args.outcome}")
    return 0


def _ask(store: Store, name: str, runs: list[StoredRun]) -> int:
    """Show one run after the other and write each label at once, so that nothing is lost when one stops."""
    labelled = 0
    for number, one in enumerate(runs, 1):
        print(f"\n[{number}/{len(runs)}] {one.task_name} {one.task_id}, {one.combination or 'no calls'}")
        for title, text in (("input", one.input), ("answer", one.output)):
            print(f"--- {title}\n{text[:_SHOWN] or '(content was not captured)'}")
        key = _read_key(name)
        if key == "q":
            break
        if (found := _KEYS.get(key)) is not None:
            labelled += write_evaluations(store, name, [(one, found)], source="human")
    return labelled


def _read_key(name: str) -> str:
    while True:
        print(f"{name}? [y]es, [n]o, [s]kip, [q]uit: ", end="", flush=True)
        line = sys.stdin.readline()
        key = line.strip().lower()[:1] if line else "q"
        if key in {"y", "n", "s", "q"}:
            return key
