"""Own what findings about the data share: how one is written, how names and places are listed, tests on counts."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Needed, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trilemma_analysis.analysis import Analysis

__all__ = ["by_task", "compare_shares", "doubt", "label_of", "list_names"]

SHOWN = 5


def doubt(
    kind: str,
    task: str,
    *places: str,
    title: str,
    what: str,
    n: int,
    unit: str,
    questions: tuple[str, ...],
    doubts: tuple[str, ...],
    change: str,
    risk: str = "",
    verification: str = "",
    where: str = "",
    verdict: Verdict = Verdict.ACT,
    effects: Sequence[Effect] = (),
    p_value: float | None = None,
    needed: Needed | None = None,
) -> Finding:
    """Return a finding about the data of a task; what is not said of risk and verification is said here."""
    return Finding(
        id=identify(kind, task, *places),
        kind=kind,
        task=task,
        where=where or task,
        title=f"{task}: {title}" if task else title,
        what=what,
        verdict=verdict,
        evidence=Evidence(n=n, unit=unit, questions=questions, p_value=p_value),
        effects=tuple(effects),
        risk=risk or "Advice on this task rests on the figures in doubt until this is settled.",
        change=change,
        verification=verification or "Build this report again: the finding is gone, or smaller.",
        needed=needed,
        doubts=doubts,
    )


def by_task(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the rows of each task; they come sorted by task."""
    for task, group in groupby(rows, key=lambda row: str(row["task_name"])):
        yield task, list(group)


def label_of(analysis: Analysis, row: dict[str, Any]) -> str:
    """Return the name for people of a row's combination."""
    for one in analysis.measures:
        if one.key == (row["task_name"], row["combination"]):
            return one.label
    return str(row["combination"])


def list_names(names: Sequence[str], shown: int = SHOWN) -> str:
    """Say the first names and how many more there are."""
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest > 0 else "")


def compare_shares(counts: Sequence[Sequence[float]]) -> float:
    """Return the p-value of "the rows of this table have the same shares": Pearson's, or Fisher's for few.

    Rows with nothing are left out, and rows expected to hold fewer than five of a kind are taken together, so that
    chi-square keeps its error (Cochran 1954).
    """
    table = np.asarray([row for row in counts if sum(row)], dtype=float)
    if table.shape[0] < 2 or not table.sum(axis=0).all():
        return 1.0
    share = table.sum(axis=0) / table.sum()
    small = table.sum(axis=1) * share.min() < 5
    merged = np.vstack([table[~small], table[small].sum(axis=0, keepdims=True)]) if small.any() else table
    if merged.shape[0] < 2:
        return 1.0
    if merged.shape == (2, 2):
        return float(stats.fisher_exact(merged.astype(int)).pvalue)
    return float(stats.chi2_contingency(merged, correction=False).pvalue)
