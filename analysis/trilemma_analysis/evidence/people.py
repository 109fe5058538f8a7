"""Own how far people agree with each other on the same runs: the most that any judge can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.evidence.verdicts import is_polar
from trilemma_analysis.stats.agreement import krippendorff_alpha

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trilemma_analysis.stats.intervals import Interval

__all__ = ["Ceiling", "measure_ceiling"]


@dataclass(frozen=True)
class Ceiling:
    """Agreement among people: of pairs of them on one run, and alpha over all."""

    people: int
    items: int
    agreement: float
    alpha: Interval


def measure_ceiling(rows: Iterable[Mapping[str, Any]], task: str, confidence: float) -> Ceiling | None:
    """Return the ceiling from rows of sql/human_verdicts.sql; None where no two people answered the same question.

    Evaluations by different names count as the same question where they share two verdicts that are no plain yes or no.
    """
    mine = [row for row in rows if row["task_name"] == task]
    names = _find_annotators(mine)
    if len(names) < 2:
        return None
    labels = sorted({said for row in mine for said in row["verdicts"]})
    table, counts = [], []
    for row in mine:
        told = {who: labels.index(said) for who, said in zip(row["evaluators"], row["verdicts"], strict=True)}
        table.append([told.get(name, -1) for name in names])
        counts.append(row["runs"])
    seen = np.repeat(np.asarray(table, dtype=np.intp), counts, axis=0)
    seen = seen[(seen >= 0).sum(axis=1) > 1]
    if not seen.size:
        return None
    pairs = [(seen[:, i], seen[:, j]) for i, j in combinations(range(len(names)), 2)]
    both = sum(int(((a >= 0) & (b >= 0)).sum()) for a, b in pairs)
    same = sum(int(((a >= 0) & (a == b)).sum()) for a, b in pairs)
    return Ceiling(len(names), len(seen), same / both, krippendorff_alpha(seen, confidence))


def _find_annotators(rows: list[Mapping[str, Any]]) -> list[str]:
    """Return the names of those who share two verdicts with another; of a yes or no nobody knows the question."""
    said: dict[str, set[str]] = {}
    for row in rows:
        for who, verdict in zip(row["evaluators"], row["verdicts"], strict=True):
            said.setdefault(who, set()).add(verdict)
    fit = {name: labels for name, labels in said.items() if not is_polar(labels)}
    return sorted(
        name
        for name, labels in fit.items()
        if any(other != name and len(labels & theirs) > 1 for other, theirs in fit.items())
    )
