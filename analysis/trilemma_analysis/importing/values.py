"""Own the evaluation of what a mapping says of a span: fields by the registry's types, times, attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from trilemma.registry import fields

from trilemma_analysis.importing.casting import cast_column
from trilemma_analysis.importing.frame import as_text, spell_plainly
from trilemma_analysis.importing.landing import write_attribute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trilemma_analysis.importing.expressions import Expression
    from trilemma_analysis.importing.frame import Frame
    from trilemma_analysis.importing.mapping import SpanRules

__all__ = ["Times", "complete_cost", "evaluate_attributes", "evaluate_fields", "evaluate_text", "evaluate_times"]

_OUTCOMES = {
    "true": "success", "false": "failure", "1": "success", "0": "failure",
    "success": "success", "failure": "failure", "unknown": "unknown",
}  # fmt: skip
_LARGEST = {"Nullable(UInt16)": 2**16 - 1, "Nullable(UInt32)": 2**32 - 1}


@dataclass(frozen=True)
class Times:
    """When spans began and how long they took, in nanoseconds; ``started`` and ``lasted`` say where that is known."""

    started_ns: np.ndarray
    started: np.ndarray
    duration_ns: np.ndarray
    lasted: np.ndarray


def evaluate_fields(rules: SpanRules, frame: Frame) -> dict[str, pa.Array]:
    """Return the columns of a span's concepts by registry name, each of the registry's type."""
    return {name: _evaluate_field(name, expression, frame) for name, expression in rules.fields.items()}


def evaluate_times(rules: SpanRules, frame: Frame, fractions: np.ndarray) -> Times:
    """Read when spans began and how long they took, from any two of started_at, ended_at and duration_s."""
    moments = {name: time.evaluate(frame, fractions) for name, time in rules.times.items()}
    unknown = (np.zeros(frame.size, dtype=np.int64), np.zeros(frame.size, dtype=bool))
    (started_ns, started), (ended_ns, ended) = moments.get("started_at", unknown), moments.get("ended_at", unknown)
    duration_ns, lasted = _evaluate_duration(rules, frame)
    between = started & ended & ~lasted
    frame.reject(between & (ended_ns < started_ns), lambda _: f"{rules.what} ended_at is before started_at")
    duration_ns = np.where(between, np.maximum(ended_ns - started_ns, 0), duration_ns)
    return Times(np.where(started, started_ns, ended_ns - duration_ns), started | ended, duration_ns, lasted | between)


def evaluate_attributes(expressions: Mapping[str, Expression], frame: Frame) -> dict[str, pa.Array]:
    """Return the mapping's own attributes as text."""
    return {name: write_attribute(expression.evaluate(frame)) for name, expression in expressions.items()}


def evaluate_text(expression: Expression | None, frame: Frame, default: str = "") -> pa.Array:
    """Return an expression's values as text, the default where there is none."""
    if expression is None:
        return pa.repeat(pa.scalar(default), frame.size)
    return pc.fill_null(as_text(expression.evaluate(frame)).cast(pa.string()), default)


def complete_cost(values: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Say where a cost is known in which currency it is and that the log told it, unless the mapping says otherwise."""
    if "cost" not in values:
        return values
    known = pc.is_valid(values["cost"])
    for name, default in (("cost_currency", "USD"), ("cost_source", "import")):
        filled = pc.if_else(known, default, pa.scalar(None, pa.string()))
        values[name] = pc.coalesce(values[name], filled) if name in values else filled
    return values


def _evaluate_field(name: str, expression: Expression, frame: Frame) -> pa.Array:
    spec = fields()[name]
    values = cast_column(expression.evaluate(frame), spec.type, expression.what, frame)
    if name == "outcome":
        return _read_outcome(values, expression.what, frame)
    if spec.type == "int":
        _reject_unfit(values, spec.column, expression.what, frame)
    return values


def _read_outcome(values: pa.Array, what: str, frame: Frame) -> pa.Array:
    spelled = pc.utf8_lower(spell_plainly(values))
    indices = pc.index_in(spelled, value_set=pa.array(list(_OUTCOMES), pa.string()))
    bad = pc.and_(pc.is_valid(values), pc.is_null(indices)).to_numpy(zero_copy_only=False)
    frame.reject(bad, lambda index: f"{what}: {values[index].as_py()!r} is none of success, failure, unknown; use map")
    return pa.array(list(_OUTCOMES.values()), pa.string()).take(indices)


def _reject_unfit(values: pa.Array, column: str | None, what: str, frame: Frame) -> None:
    """Reject numbers that the store's column cannot hold: it would read them as unknown without a word."""
    numbers = pc.fill_null(values, 0).to_numpy(zero_copy_only=False)
    unfit = (numbers < 0) | (numbers > _LARGEST.get(column or "", 2**63 - 1))
    frame.reject(unfit, lambda index: f"{what}: {numbers[index]} is out of range; if it stands for unknown use null_if")


def _evaluate_duration(rules: SpanRules, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    if rules.duration_s is None:
        return np.zeros(frame.size, dtype=np.int64), np.zeros(frame.size, dtype=bool)
    seconds: Any = cast_column(rules.duration_s.evaluate(frame), "double", f"{rules.what} duration_s", frame)
    numbers_s = pc.fill_null(seconds, 0.0).to_numpy(zero_copy_only=False)
    unfit = (numbers_s < 0) | (numbers_s > 1e9)
    frame.reject(unfit, lambda index: f"{rules.what} duration_s: {numbers_s[index]} s is out of range")
    nanoseconds = np.rint(np.where(unfit, 0, numbers_s) * 1e9).astype(np.int64)
    return nanoseconds, pc.is_valid(seconds).to_numpy(zero_copy_only=False) & (nanoseconds > 0)
