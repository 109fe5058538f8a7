"""Own what a reader must know first: outcomes and prices missing, errors, mixed money, blurred combinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trilemma_analysis.wording import say_count, say_share

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trilemma_analysis.measures import Measures

__all__ = ["Check", "check_store", "check_task"]

MUCH_UNKNOWN = 0.05  # a share of unknown outcomes that can move a success rate by as much as the usual margin
UNEVEN_UNKNOWN = 0.1
MUCH_UNPRICED = 0.01
MANY_ERRORS = 0.02
ENOUGH_RUNS = 30  # of a combination, for its share of unknown outcomes to mean something


class Check(NamedTuple):
    """What to know: a ``warning`` or a ``note``, a short key, and a sentence."""

    level: str
    key: str
    detail: str


def check_task(ones: Sequence[Measures]) -> list[Check]:
    """Return what to know of one task's combinations."""
    return [*_check_outcomes(ones), *_check_prices(ones), *_check_errors(ones), *_check_shape(ones)]


def check_store(row: dict[str, Any]) -> list[Check]:
    """Return what to know of the whole store, from the row of sql/integrity.sql."""
    checks, calls = [], say_count(row["calls"])
    if outside := row["calls_outside_tasks"]:
        detail = (
            f"{say_count(outside)} of {calls} calls belong to no task and are not in this report; "
            "wrap them in `trilemma.task(...)`."
        )
        checks.append(Check("warning" if outside == row["calls"] else "note", "calls_outside_tasks", detail))
    if unpriced := row["unpriced_calls"]:
        models = ", ".join(row["unpriced_models"])
        detail = f"{say_count(unpriced)} of {calls} calls have no price ({models}); a run with one has no cost."
        checks.append(Check("note", "unpriced_calls", detail))
    return checks


def _check_outcomes(ones: Sequence[Measures]) -> Iterator[Check]:
    runs, known = sum(one.runs for one in ones), sum(one.known for one in ones)
    if not known:
        detail = (
            f"none of {say_count(runs)} runs has an outcome: nothing can be said of quality; tell it with "
            "task.succeed(), task.fail(...) or trilemma.outcome(task_id, ...)."
        )
        yield Check("warning", "no_outcomes", detail)
        return
    share = 1 - known / runs
    if share > 0:
        detail = (
            f"{say_count(runs - known)} of {say_count(runs)} runs ({say_share(share)}) have no outcome and are left "
            "out of success rates; the bounds beside a rate say what they could change."
        )
        yield Check("warning" if share >= MUCH_UNKNOWN else "note", "unknown_outcomes", detail)
    shares = [1 - one.known / one.runs for one in ones if one.runs >= ENOUGH_RUNS]
    if shares and max(shares) - min(shares) >= UNEVEN_UNKNOWN:
        detail = (
            f"the share of runs without an outcome differs by combination ({say_share(min(shares))} to "
            f"{say_share(max(shares))}): if outcomes are missing for a reason, the rates are not comparable."
        )
        yield Check("warning", "uneven_outcomes", detail)


def _check_prices(ones: Sequence[Measures]) -> Iterator[Check]:
    runs, unpriced = sum(one.runs for one in ones), sum(one.unpriced for one in ones)
    if unpriced:
        worst = max(ones, key=lambda one: (one.unpriced, one.combination))
        detail = (
            f"{say_count(unpriced)} of {say_count(runs)} runs ({say_share(unpriced / runs)}) have no price and are "
            f"left out of costs; most of them ran {worst.label}."
        )
        yield Check("warning" if unpriced / runs >= MUCH_UNPRICED else "note", "unpriced", detail)
    currencies = sorted({currency for one in ones for currency in one.currencies})
    if len(currencies) > 1:
        detail = f"costs are in {' and '.join(currencies)}: what is in different currencies is not compared on cost."
        yield Check("warning", "mixed_currency", detail)


def _check_errors(ones: Sequence[Measures]) -> Iterator[Check]:
    runs, errors = sum(one.runs for one in ones), sum(one.errors for one in ones)
    if errors:
        worst = max(ones, key=lambda one: (one.errors / one.runs, one.combination))
        detail = (
            f"{say_count(errors)} of {say_count(runs)} runs ({say_share(errors / runs)}) had a failed call or span; "
            f"they count in outcome, cost and latency. Highest: {worst.label}, {say_share(worst.errors / worst.runs)}."
        )
        yield Check("warning" if errors / runs >= MANY_ERRORS else "note", "errors", detail)


def _check_shape(ones: Sequence[Measures]) -> Iterator[Check]:
    models = {one.models for one in ones}
    blurred = [one for one in ones if len(one.models) > 1 and any((model,) in models for model in one.models)]
    if blurred:
        detail = (
            f"{blurred[0].label} used several models, one of which also runs alone: if the second model ran only after "
            "the first had failed, both rows are a selection of runs, and neither is the rate of a plan."
        )
        yield Check("warning", "fallback_only_after_failure", detail)
    repeated = [one for one in ones if one.runs > one.inputs]
    if repeated:
        runs, inputs = sum(one.runs for one in repeated), sum(one.inputs for one in repeated)
        detail = (
            f"inputs were tried more than once ({say_count(runs)} runs of {say_count(inputs)} inputs, by combination): "
            "intervals and tests take inputs, not runs, as independent."
        )
        yield Check("note", "repeated_inputs", detail)
    if len(ones) > 1 and not any(one.has_input_ids for one in ones):
        detail = (
            "runs carry no input id, so combinations cannot be compared on the same inputs; set "
            "`trilemma.task(..., input_id=...)`: pairing saves about 3.4 times the runs."
        )
        yield Check("note", "no_input_ids", detail)
