"""Own the finding "this segment cannot be right": a combination nearly always fails there, and only that one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.estimate import to_estimate
from trilemma_analysis.evidence.doubting import by_task, compare_shares, doubt, label_of
from trilemma_analysis.findings.finding import Effect
from trilemma_analysis.stats.intervals import wilson
from trilemma_analysis.wording import say_count, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "odd_segments"
QUESTIONS = ("segment_shapes",)
LEAST_RUNS = 20  # of the combination in the segment
FAILING = 0.2  # at most: below what guessing among five gives
WORKING = 0.5  # at least, of the same combination in all other segments
BETTER = 2.0  # others there do at least so many times as well


@dataclass(frozen=True)
class _Cell:
    """A combination in a segment, in all others, and the other combinations in it: (successes, known)."""

    row: dict[str, Any]
    here: tuple[int, int]
    elsewhere: tuple[int, int]
    others: tuple[int, int]

    @property
    def p_value(self) -> float:
        """Return the larger of two: "as elsewhere" and "as the others here"."""
        here = [self.here[0], self.here[1] - self.here[0]]
        return max(compare_shares([here, [won, n - won]]) for won, n in (self.elsewhere, self.others))


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task with a combination that fails in one segment alone, and alone in that segment."""
    cells = [cell for _, rows in by_task(analysis.ask(QUESTIONS[0])) for cell in _list_cells(rows)]
    odd: dict[str, list[tuple[_Cell, float]]] = defaultdict(list)
    for cell, p_value in zip(cells, adjust_claims([cell.p_value for cell in cells]), strict=True):
        if p_value <= analysis.alpha and _is_odd(cell):
            odd[cell.row["task_name"]].append((cell, p_value))
    return [_report(analysis, task, found) for task, found in odd.items()]


def _list_cells(rows: list[dict[str, Any]]) -> list[_Cell]:
    segments: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2, dtype=int))
    combinations: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(2, dtype=int))
    counts = [np.array([row["successes"], row["known"]], dtype=int) for row in rows]
    for row, count in zip(rows, counts, strict=True):
        segments[row["segment"]] = segments[row["segment"]] + count
        combinations[row["combination"]] = combinations[row["combination"]] + count
    cells = []
    for row, count in zip(rows, counts, strict=True):
        elsewhere, others = combinations[row["combination"]] - count, segments[row["segment"]] - count
        if count[1] >= LEAST_RUNS and elsewhere[1] >= LEAST_RUNS and others[1] >= LEAST_RUNS:
            cells.append(_Cell(row, *((int(won), int(n)) for won, n in (count, elsewhere, others))))
    return cells


def _is_odd(cell: _Cell) -> bool:
    here, elsewhere, others = (won / n for won, n in (cell.here, cell.elsewhere, cell.others))
    return here <= FAILING and elsewhere >= WORKING and others >= BETTER * max(here, 1 / cell.here[1])


def _report(analysis: Analysis, task: str, odd: list[tuple[_Cell, float]]) -> Finding:
    level = analysis.options.confidence
    odd = sorted(
        odd, key=lambda one: (one[0].here[0] / one[0].here[1], one[0].row["segment"], one[0].row["combination"])
    )
    texts, effects = [], []
    for cell, _ in odd[:5]:
        rate = to_estimate(wilson(*cell.here, level), cell.here[1], "share", "Wilson")
        place = f"{label_of(analysis, cell.row)} in {cell.row['segment']}"
        texts.append(
            f"{place}: {with_interval(rate)} of {say_count(cell.here[1])} runs, against "
            f"{say_share(cell.elsewhere[0] / cell.elsewhere[1])} in its other segments and "
            f"{say_share(cell.others[0] / cell.others[1])} of the others there"
        )
        effects.append(Effect(side="quality", what=f"success of {place}", estimate=rate, is_level=True))
    segments = sorted({cell.row["segment"] for cell, _ in odd})
    return doubt(
        KIND,
        task,
        where=f"{task}: {', '.join(segments[:5])}",
        title=f"success in {', '.join(segments[:3])} is implausible",
        what=(
            f"{'; '.join(texts)}. A pooled success rate hides this: look at the segments one by one before saying "
            "that a "
            "combination got better or worse. Below what guessing gives, a fault of format, parser or evaluation, or "
            "an "
            "answer that is always the same, is likelier than a lack of ability."
        ),
        n=sum(cell.here[1] for cell, _ in odd),
        unit="runs",
        questions=QUESTIONS,
        doubts=("quality",),
        effects=effects,
        p_value=max(p_value for _, p_value in odd),
        risk="A router learned from this sends a segment away from a model for the fault of an evaluation.",
        change="Read some of these answers and how they were scored; leave the segment out until that is clear.",
    )
