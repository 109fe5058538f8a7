"""Own ``trilemma evaluate``: run an evaluator of the user's over stored runs, and write what it finds."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from trilemma.errors import ConfigurationError
from trilemma.evaluators import Evaluation, Evaluator

from trilemma_analysis.client import DEFAULT_STORE, connect
from trilemma_analysis.judging import load_runs, write_evaluations
from trilemma_analysis.scope import add_period_options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from trilemma_analysis.judging import StoredRun

__all__ = ["configure", "run"]

logger = logging.getLogger(__name__)

_AT_ONCE = 200  # judgements written in one insert: what was paid for is kept when the rest is interrupted


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--task", required=True, metavar="NAME", help="the task whose runs are judged")
    parser.add_argument(
        "--evaluator", required=True, metavar="MODULE:FUNCTION", help="it gets a run, and returns what it thinks of it"
    )
    parser.add_argument(
        "--name", metavar="NAME", help="of the evaluation (default: the evaluator's, or the function's)"
    )
    parser.add_argument("--store", metavar="ADDRESS", help=f"default: TRILEMMA_STORE, else {DEFAULT_STORE}")
    add_period_options(parser)
    parser.add_argument(
        "--limit", type=int, default=1000, metavar="N", help="at most so many runs, at random (default 1000)"
    )
    parser.add_argument("--again", action="store_true", help="judge runs that have this evaluation already, too")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="judgements at a time (default 4)")
    parser.add_argument(
        "--endpoint", metavar="URL", help="trace the evaluator's own model calls, and send them there by OTLP"
    )


def run(args: argparse.Namespace) -> int:
    """Judge, write in batches, and say how it went; 1 where a judgement failed."""
    evaluator = _load(args.evaluator)
    name = args.name or getattr(evaluator, "name", None) or args.evaluator.rpartition(":")[2]
    if args.endpoint:
        import trilemma

        trilemma.instrument(endpoint=args.endpoint, service_name="trilemma-evaluate")
    failed = kept = 0
    with connect(args.store) as store:
        evaluation = "" if args.again else name
        runs = load_runs(store, args.task, args.since, args.until, evaluation=evaluation, limit=args.limit)
        batch: list[tuple[StoredRun, Evaluation]] = []
        for judged, found in _judge_all(evaluator, runs, args.workers):
            failed += found is None
            if found is not None and (found.score is not None or found.label):
                batch.append((judged, found))
            if len(batch) >= _AT_ONCE:
                kept += write_evaluations(store, name, batch)
                batch.clear()
        kept += write_evaluations(store, name, batch)
    print(f"{len(runs):,} runs of {args.task} judged by {name}: {kept:,} evaluations written, {failed:,} failed")
    return int(failed > 0)


def _judge_all(evaluator: Any, runs: list[StoredRun], workers: int) -> Iterator[tuple[StoredRun, Evaluation | None]]:
    """Yield each run with what the evaluator found; None where it failed, which is logged."""

    def judge(one: StoredRun) -> Evaluation | None:
        try:
            return evaluator.judge(one) or Evaluation()
        except Exception:
            logger.exception("the evaluator failed on the run %s", one.task_id)
            return None

    with ThreadPoolExecutor(max_workers=max(workers, 1)) as pool:
        yield from zip(runs, pool.map(judge, runs), strict=True)


def _load(text: str) -> Evaluator:
    """Return the evaluator named ``module:function``; a plain function becomes one."""
    module_name, colon, attribute = text.partition(":")
    if not colon or not module_name or not attribute:
        raise ConfigurationError(f"--evaluator {text!r} does not have the shape MODULE:FUNCTION")
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as `python -m` does: the user's own modules
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigurationError(f"--evaluator {text!r}: cannot import {module_name!r}: {error}") from error
    found = getattr(module, attribute, None)
    if found is None or not callable(found):
        raise ConfigurationError(f"--evaluator {text!r}: {module_name!r} has no function {attribute!r}")
    return found if isinstance(found, Evaluator) else Evaluator(found, attribute, model_graded=False, pairwise=False)
