"""Own the step from source rows to runs: one row may hold several trials, the results of several models, or a count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trilemma_analysis.importing.casting import cast_column
from trilemma_analysis.importing.expressions import unify_types

if TYPE_CHECKING:
    from trilemma_analysis.importing.frame import Frame
    from trilemma_analysis.importing.identity import RowIds
    from trilemma_analysis.importing.mapping import LogMapping, RowRules

__all__ = ["Runs", "build_runs", "mix_ids"]

_MAX_REPEAT = 1_000_000


class Runs:
    """Task runs with their ids: ``trace`` (n, 2) and ``span`` (n) as uint64, and a ``fraction`` in [0, 1) each."""

    def __init__(self, frame: Frame, trace: np.ndarray, span: np.ndarray, fraction: np.ndarray) -> None:
        self.frame = frame
        self.trace = trace
        self.span = span
        self.fraction = fraction


def build_runs(mapping: LogMapping, frame: Frame, ids: RowIds) -> Runs:
    """Expand source rows into runs, drop those that [rows] when leaves out, and derive each run's ids from its row."""
    expanded = _expand(mapping.rows, frame)
    number = _number_within_row(expanded.rows)
    words = ids.seed.copy().view(np.uint64)[expanded.rows]  # four words a row
    trace = np.stack([words[:, 0], mix_ids(words[:, 1], number)], axis=1)
    span = mix_ids(words[:, 2], number)
    fraction = (mix_ids(span, np.uint64(1)) >> np.uint64(11)).astype(np.float64) / 2.0**53
    runs = Runs(expanded, trace, span, fraction)
    return runs if mapping.rows.when is None else _select(runs, mapping.rows.when.evaluate(expanded))


def mix_ids(ids: np.ndarray, number: np.ndarray | np.uint64) -> np.ndarray:
    """Return new 64-bit ids, one per id and number; number 0 scrambles as well.

    Source: splitmix64, Steele et al. 2014, https://doi.org/10.1145/2714064.2660195
    """
    numbers = np.asarray(number, dtype=np.uint64).reshape(-1)  # arrays wrap around without a warning
    mixed = ids + (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return result


def _expand(rules: RowRules, frame: Frame) -> Frame:
    if rules.explode:
        frame = frame.explode(rules.explode, "@item")
    if rules.each:
        frame = _expand_each(rules, frame)
    if rules.repeat is not None:
        frame = _expand_repeat(rules, frame)
    for name, expression in rules.let.items():
        frame.add(f"let.{name}", expression.evaluate(frame))
    return frame


def _expand_each(rules: RowRules, frame: Frame) -> Frame:
    """Make one run per entry of [[rows.each]]; the entry's values become the columns each.NAME."""
    entries, size = len(rules.each), frame.size
    order = (np.arange(size)[:, None] + size * np.arange(entries)[None, :]).ravel()
    values = {
        name: pa.concat_arrays(unify_types([entry[name].evaluate(frame) for entry in rules.each])).take(pa.array(order))
        for name in rules.each[0]
    }
    expanded = frame.repeat(np.full(size, entries), "@each")
    for name, column in values.items():
        expanded.add(f"each.{name}", column)
    return expanded


def _expand_repeat(rules: RowRules, frame: Frame) -> Frame:
    assert rules.repeat is not None
    counts = cast_column(rules.repeat.evaluate(frame), "int", "[rows] repeat", frame)
    numbers = pc.fill_null(counts, -1).to_numpy(zero_copy_only=False)
    unfit = (numbers < 0) | (numbers > _MAX_REPEAT)
    frame.reject(unfit, lambda index: f"[rows] repeat: {counts[index].as_py()} is not between 0 and {_MAX_REPEAT:,}")
    return frame.repeat(np.where(unfit, 0, numbers), "@repeat")


def _select(runs: Runs, mask: pa.Array) -> Runs:
    chosen = np.flatnonzero(mask.to_numpy(zero_copy_only=False))
    return Runs(runs.frame.take(chosen), runs.trace[chosen], runs.span[chosen], runs.fraction[chosen])


def _number_within_row(rows: np.ndarray) -> np.ndarray:
    """Number the runs of each source row from 0; a row's runs stand together."""
    if len(rows) == 0:
        return np.zeros(0, dtype=np.uint64)
    first = np.flatnonzero(np.append(True, rows[1:] != rows[:-1]))
    counts = np.diff(np.append(first, len(rows)))
    return (np.arange(len(rows)) - np.repeat(first, counts)).astype(np.uint64)
