"""Own the step from runs to spans: a task span a run, the calls beneath it, and the evaluations of either."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from trilemma.registry import attribute, fields

from trilemma_analysis.importing.hashing import hash_rows
from trilemma_analysis.importing.landing import EventColumns, SpanColumns, spell_ids, write_attribute
from trilemma_analysis.importing.pricing import price_calls
from trilemma_analysis.importing.runs import mix_ids
from trilemma_analysis.importing.values import (
    Times,
    complete_cost,
    evaluate_attributes,
    evaluate_fields,
    evaluate_text,
    evaluate_times,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trilemma_analysis.importing.frame import Frame
    from trilemma_analysis.importing.mapping import LogMapping, SpanRules
    from trilemma_analysis.importing.runs import Runs

__all__ = ["Evaluated", "evaluate_runs"]

_ON_EVENTS = ("task_id", "task_name")


@dataclass(frozen=True)
class Evaluated:
    """What a batch of rows becomes, a column each."""

    tasks: list[SpanColumns]
    calls: list[SpanColumns]
    events: list[EventColumns]


@dataclass(frozen=True)
class _Calls:
    """The calls of one [call]: their rows, the place of each one's run, its span id and its times."""

    rules: SpanRules
    frame: Frame
    run: np.ndarray
    span: np.ndarray
    times: Times


@dataclass(frozen=True)
class _Task:
    """What the task says of its runs; ``values`` are its fields, ``shared`` those that its calls carry too."""

    times: Times
    values: dict[str, pa.Array]
    shared: Mapping[str, pa.Array]
    service: pa.Array


def evaluate_runs(mapping: LogMapping, runs: Runs, *, content: bool) -> Evaluated:
    """Make spans and events of `runs`; a row with a value that does not fit is rejected on its frame."""
    runs.frame.add("@run", pa.array(np.arange(runs.frame.size)))
    task = _evaluate_task(mapping, runs)
    calls = [_prepare_calls(rules, number, runs, task.times) for number, rules in enumerate(mapping.calls)]
    task = replace(task, times=_span_calls(task.times, calls))
    call_spans = [_build_calls(part, runs, task, content=content) for part in calls]
    tasks = [] if mapping.task is None else [_build_tasks(mapping.task, runs, task)]
    count = len(mapping.evaluations)
    events = [_build_events(rules, (n, count), runs, task, calls) for n, rules in enumerate(mapping.evaluations)]
    return Evaluated(tasks, call_spans, events)


def _evaluate_task(mapping: LogMapping, runs: Runs) -> _Task:
    frame = runs.frame
    service = evaluate_text(mapping.rows.service_name, frame, default=mapping.name)
    if mapping.task is None:
        zeros, never = np.zeros(frame.size, dtype=np.int64), np.zeros(frame.size, dtype=bool)
        return _Task(Times(zeros, never, zeros, never), {}, {}, service)
    values = evaluate_fields(mapping.task, frame)
    if "task_id" in values:
        # Rows of one task id are one run: they share a trace, and the store sees one run in their spans.
        named = hash_rows([values["task_id"]], frame.size, mapping.name.encode()[:64], 16).copy().view(np.uint64)
        runs.trace = np.where(pc.is_valid(values["task_id"]).to_numpy(zero_copy_only=False)[:, None], named, runs.trace)
    values["task_id"] = pc.coalesce(values.get("task_id", pa.nulls(frame.size, pa.string())), spell_ids(runs.trace))
    if "outcome" in values:
        known = pc.if_else(pc.is_valid(values["outcome"]), "import", pa.scalar(None, pa.string()))
        values["outcome_source"] = pc.coalesce(values.get("outcome_source", known), known)
    _require(values["task_name"], frame, f"{mapping.task.what} task_name")
    shared = {name: column for name, column in values.items() if fields()[name].on == "task and beneath"}
    return _Task(evaluate_times(mapping.task, frame, runs.fraction), values, shared, service)


def _prepare_calls(rules: SpanRules, number: int, runs: Runs, task: Times) -> _Calls:
    """Find which runs have this call, or several by its explode, and when; a call without a time has its task's."""
    frame, run, index = _expand(rules, runs.frame, "@call")
    own = evaluate_times(rules, frame, runs.fraction[run])
    times = Times(
        np.where(own.started, own.started_ns, task.started_ns[run]),
        own.started | task.started[run],
        own.duration_ns,
        own.lasted,
    )
    span = mix_ids(mix_ids(runs.span[run], np.uint64(number + 2)), index.astype(np.uint64))
    return _Calls(rules, frame, run, span, times)


def _span_calls(task: Times, calls: list[_Calls]) -> Times:
    """Let a task without its own times begin with its first call, and end with its last if all lengths are known."""
    size = len(task.started_ns)
    first = np.full(size, np.iinfo(np.int64).max)
    last = np.full(size, np.iinfo(np.int64).min)
    started, lasted, any_call = np.zeros(size, dtype=bool), np.ones(size, dtype=bool), np.zeros(size, dtype=bool)
    for part in calls:
        known = part.times.started
        np.minimum.at(first, part.run[known], part.times.started_ns[known])
        np.maximum.at(last, part.run[known], (part.times.started_ns + part.times.duration_ns)[known])
        started[part.run[known]] = True
        any_call[part.run] = True
        lasted[part.run[~part.times.lasted]] = False
    started_ns = np.where(task.started, task.started_ns, np.where(started, first, 0))
    spanned = ~task.lasted & any_call & lasted & started & (last > started_ns)
    duration_ns = np.where(spanned, np.where(spanned, last, 0) - started_ns, task.duration_ns)
    return Times(started_ns, task.started | started, duration_ns, task.lasted | spanned)


def _build_tasks(rules: SpanRules, runs: Runs, task: _Task) -> SpanColumns:
    frame = runs.frame
    frame.reject(~task.times.started, lambda _: f"{rules.what} started_at: the row has no time")
    attributes = {attribute(name): write_attribute(column) for name, column in task.values.items()}
    return SpanColumns(
        kind="Internal",
        rows=frame.rows,
        trace=runs.trace,
        span=runs.span,
        parent=None,
        started_ns=task.times.started_ns,
        duration_ns=task.times.duration_ns,
        name=pc.fill_null(task.values["task_name"], ""),
        service=task.service,
        error=_repeat(frame.size, value=False),
        message=evaluate_text(rules.status_message, frame),
        attributes=attributes | evaluate_attributes(rules.attributes, frame),
    )


def _build_calls(calls: _Calls, runs: Runs, task: _Task, *, content: bool) -> SpanColumns:
    rules, frame, places = calls.rules, calls.frame, pa.array(calls.run)
    frame.reject(~calls.times.started, lambda _: f"{rules.what} started_at: the row has no time")
    values = evaluate_fields(rules, frame)
    _require(values["request_model"], frame, f"{rules.what} request_model")
    values.setdefault("operation", _repeat(frame.size, "chat"))
    values = complete_cost(price_calls(values, calls.times.started_ns) if rules.priced else values)
    if content:
        values |= {name: expression.evaluate(frame) for name, expression in rules.content.items()}
    attributes = {attribute(name): write_attribute(column) for name, column in values.items()}
    attributes |= {attribute(name): column.take(places) for name, column in task.shared.items()}
    failed = pc.is_valid(values["error_type"]) if "error_type" in values else _repeat(frame.size, value=False)
    return SpanColumns(
        kind="Client",
        rows=frame.rows,
        trace=runs.trace[calls.run],
        span=calls.span,
        parent=runs.span[calls.run] if task.values else None,
        started_ns=calls.times.started_ns,
        duration_ns=calls.times.duration_ns,
        name=pc.fill_null(pc.binary_join_element_wise(values["operation"], values["request_model"], " "), ""),
        service=task.service.take(places),
        error=failed,
        message=evaluate_text(rules.status_message, frame),
        attributes=attributes | evaluate_attributes(rules.attributes, frame),
    )


def _build_events(
    rules: SpanRules, order: tuple[int, int], runs: Runs, task: _Task, calls: list[_Calls]
) -> EventColumns:
    """Make one event per judged run, or per first call of a run; without score and label nothing was judged."""
    frame, run, index = _expand(rules, runs.frame, "@evaluation")
    values = evaluate_fields(rules, frame)
    own = evaluate_times(rules, frame, runs.fraction[run])
    span, there = (runs.span, np.ones(len(runs.span), dtype=bool)) if rules.of == "task" else _find_calls(runs, calls)
    judged = _is_judged(values, frame) & there[run]
    _require(values["evaluation_name"], frame, f"{rules.what} evaluation_name", judged)
    ended_ns = (task.times.started_ns + task.times.duration_ns)[run]
    # Two verdicts of one name on one span at one time would be one row of the store: a nanosecond tells them apart.
    number, count = order
    time_ns = np.where(own.started, own.started_ns, ended_ns) + number + count * index
    attributes = {attribute(name): write_attribute(column) for name, column in values.items()}
    attributes |= {attribute(n): task.shared[n].take(pa.array(run)) for n in _ON_EVENTS if n in task.shared}
    attributes |= evaluate_attributes(rules.attributes, frame)
    chosen = np.flatnonzero(judged)
    return EventColumns(
        rows=frame.rows[chosen],
        trace=runs.trace[run][chosen],
        span=span[run][chosen],
        time_ns=time_ns[chosen],
        service=task.service.take(pa.array(run[chosen])),
        attributes={name: column.take(pa.array(chosen)) for name, column in attributes.items()},
    )


def _expand(rules: SpanRules, frame: Frame, index_name: str) -> tuple[Frame, np.ndarray, np.ndarray]:
    """Return the rows that `rules` are about, the place of each one's run, and its number within an exploded list."""
    if rules.when is not None:
        frame = frame.take(np.flatnonzero(rules.when.evaluate(frame).to_numpy(zero_copy_only=False)))
    frame = frame.explode(rules.explode, index_name) if rules.explode else frame
    run = frame.column("@run").to_numpy(zero_copy_only=False).astype(np.int64)
    if not rules.explode:
        return frame, run, np.zeros(frame.size, dtype=np.int64)
    return frame, run, frame.column(index_name).to_numpy(zero_copy_only=False).astype(np.int64)


def _find_calls(runs: Runs, calls: list[_Calls]) -> tuple[np.ndarray, np.ndarray]:
    """Return each run's first call, and whether it has one."""
    span, there = runs.span.copy(), np.zeros(len(runs.span), dtype=bool)
    for part in reversed(calls):
        span[part.run[::-1]] = part.span[::-1]
        there[part.run] = True
    return span, there


def _is_judged(values: Mapping[str, pa.Array], frame: Frame) -> np.ndarray:
    judged = np.zeros(frame.size, dtype=bool)
    for name in ("score", "label"):
        if name in values:
            judged |= pc.is_valid(values[name]).to_numpy(zero_copy_only=False)
    return judged


def _require(values: pa.Array, frame: Frame, what: str, where: np.ndarray | None = None) -> None:
    missing = pc.or_kleene(pc.is_null(values), pc.equal(values, "")).to_numpy(zero_copy_only=False)
    unfit = missing if where is None else missing & where
    frame.reject(unfit, lambda _: f"{what}: the row has none; leave such rows out with when")


def _repeat(size: int, value: object) -> pa.Array:
    return pa.repeat(pa.scalar(value), size)
