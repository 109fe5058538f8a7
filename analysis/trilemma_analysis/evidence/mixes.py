"""Own what moved a task's success between two halves of its time: other traffic, other rates, other evaluators."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trilemma_analysis.estimate import to_estimate
from trilemma_analysis.stats.intervals import two_sided_z
from trilemma_analysis.stats.mix import Groups, MixSplit, is_simpson, split_change, standardise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trilemma_analysis.estimate import Estimate
    from trilemma_analysis.stats.intervals import Interval

    Grouping = tuple[str, Callable[[dict[str, Any]], str]]

__all__ = ["Shift", "add_up", "choose_group", "p_value_of", "split_success"]

LEAST_IN_GROUP = 20  # runs of a group in both halves together; smaller groups are taken as one
MOSTLY_NAMED = 0.8  # share of runs that must name a segment for the segments to be the traffic's mix
REST = "(rest)"


@dataclass(frozen=True)
class Shift:
    """How a success rate moved between the halves, and with which groups of runs."""

    by: str
    """What tells groups apart: ``inputs`` (segments), ``combinations``, ``inputs or combinations``, ``evaluators``."""
    groups: tuple[str, ...]
    before: Groups
    after: Groups
    split: MixSplit
    standardised: Interval | None
    """The second half's rate at the first half's mix; None where the first half has a group that the second lacks."""

    @property
    def p_mix(self) -> float:
        """Return the two-sided p-value of "the mix changed nothing"."""
        return p_value_of(self.split.mix)

    @property
    def overlap(self) -> float:
        """Return the share of the runs of the half with less of them that are of groups which both halves have."""
        both = (self.before.n > 0) & (self.after.n > 0)
        return float(min(self.before.share[both].sum(), self.after.share[both].sum()))

    @property
    def known(self) -> tuple[float, float]:
        """Return the runs with an outcome, before and after (as independent ones)."""
        return float(self.before.n.sum()), float(self.after.n.sum())

    def estimate(self, part: Interval) -> Estimate:
        """Return a part of the split with what it rests on."""
        return to_estimate(part, round(sum(self.known)), "share", "Kitagawa's split, delta method")

    def is_turned(self, alpha: float) -> bool:
        """Return whether the mix surely turns the comparison round: the groups moved the other way than the total."""
        return is_simpson(self.before, self.after, alpha)

    def movers(self, count: int) -> list[int]:
        """Return the groups whose share moved most, first those that moved the rate most by it."""
        middle = np.nan_to_num(np.where(self.before.n > 0, self.before.mean, self.after.mean))
        whole = float((self.before.n * np.nan_to_num(self.before.mean)).sum() / self.before.n.sum())
        moved = np.abs((self.after.share - self.before.share) * (middle - whole))
        return [int(at) for at in np.argsort(-moved, kind="stable")[:count]]


def choose_group(rows: Sequence[dict[str, Any]]) -> Grouping:
    """Return what tells groups of runs apart, in a word and as a name: segment, combination, or both of them."""
    runs = sum(row["runs"] for row in rows)
    named = sum(row["runs"] for row in rows if row["segment"])
    if named < MOSTLY_NAMED * runs or len({row["segment"] for row in rows}) < 2:
        return "combinations", lambda row: row["combination"] or "(no call)"
    if len({row["combination"] for row in rows}) < 2:
        return "inputs", lambda row: row["segment"] or "(no segment)"
    return (
        "inputs or combinations",
        lambda row: f"{row['segment'] or '(no segment)'} with {row['combination'] or '(no call)'}",
    )


def split_success(
    rows: Sequence[dict[str, Any]],
    grouping: Grouping,
    design_effect: float,
    confidence: float,
) -> Shift | None:
    """Split the change of success between rows of both halves; None with fewer than two groups, or an empty half.

    Args:
        rows: of sql/mix_halves.sql, of one task.
        grouping: what tells groups apart, in a word and as a name, as from choose_group.
        design_effect: by which repeated inputs make runs count less.
        confidence: of the intervals.
    """
    counts = add_up(rows, grouping[1])
    names = sorted(counts)
    table = np.array([counts[name] for name in names], dtype=float).reshape(len(names), 4) / design_effect
    if len(names) < 2 or not (table[:, 0].sum() and table[:, 2].sum()):
        return None
    before, after = Groups.of_rates(table[:, 0], table[:, 1]), Groups.of_rates(table[:, 2], table[:, 3])
    there = bool((after.n[before.n > 0] > 0).all())
    return Shift(
        by=grouping[0],
        groups=tuple(names),
        before=before,
        after=after,
        split=split_change(before, after, confidence),
        standardised=standardise(after, before.share, confidence) if there else None,
    )


def add_up(rows: Sequence[dict[str, Any]], group_of: Callable[[dict[str, Any]], str]) -> dict[str, list[int]]:
    """Return (known, successes) before and after per group; groups of a few runs are one."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in rows:
        at = 2 * bool(row["is_after"])
        mine = counts[group_of(row)]
        mine[at] += row["known"]
        mine[at + 1] += row["successes"]
    small = [name for name, mine in counts.items() if mine[0] + mine[2] < LEAST_IN_GROUP]
    rest = [sum(column) for column in zip(*(counts.pop(name) for name in small), strict=True)]
    if rest and rest[0] + rest[2]:
        counts[REST] = rest
    return dict(counts)


def p_value_of(interval: Interval, confidence: float = 0.95) -> float:
    """Return the two-sided p-value of 0 by a normal interval around an estimate; 1 where nothing was seen to vary."""
    error = float(interval.high - interval.low) / 2 / two_sided_z(confidence)
    if not error > 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(float(interval.estimate)) / error))
