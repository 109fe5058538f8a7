"""Own the choice of a route by segment: what one half of the inputs would choose, and what that is worth on the other.

Choosing the best of many on the inputs that it is judged on flatters it (winner's curse). Here neither half judges its
own choice; a route is safe when the test on the half that did not choose it says so, and both ways are paid for.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from trilemma_analysis.evidence.routed import Routed, can_show, value_policy
from trilemma_analysis.stats.noninferiority import PairTable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OTHER", "Policy", "Split", "split_inputs"]

OTHER = "(other)"  # segments too small to be named stay where they are
CHOICE_Z = 0.84  # a segment is routed where a loss of the margin is ruled out with 80 %: the choice may be bold
DIFFER = 0.01  # error of "segments differ in what the candidate loses": a route by them needs them to
WAYS = 2
_COST, _LATENCY = ("n", "x", "y", "xx", "yy", "xy"), ("n", "sum", "squares")


@dataclass(frozen=True)
class Policy:
    """A candidate per segment, as one half chose it; on that half, and on the other, which did not."""

    half: int
    """Which one chose it."""
    routes: dict[str, str]
    in_sample: Routed
    held_out: Routed
    p_value: float
    """Of "it loses the margin or more", on the other half, for trying it both ways."""


@dataclass(frozen=True)
class Split:
    """The inputs of a task that its baseline shares with candidates, by segment and half."""

    feature: str
    margin: float
    confidence: float
    rows: tuple[dict[str, Any], ...]

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        """Return what each half chooses, if it routes anything and leaves anything; surest first."""
        found = []
        for half in (0, 1):
            routes = self._choose((half,))
            kept = {row["segment"] for row in self.rows} - set(routes)
            if routes and (kept or len(set(routes.values())) > 1):
                held_out = self._value(routes, (1 - half,))
                p_value = min(1.0, WAYS * held_out.test.p_noninferior)
                found.append(Policy(half, routes, self._value(routes, (half,)), held_out, p_value))
        return tuple(sorted(found, key=lambda one: (one.p_value, one.half)))

    @cached_property
    def in_sample(self) -> Routed:
        """Return what the route looks like that all inputs choose, on all inputs: flattered."""
        return self._value(self._choose((0, 1)), (0, 1))

    @property
    def looks_free(self) -> bool:
        """Return whether it looks as if routing by segment saved money and lost no success."""
        return bool(self.policies) and self.in_sample.saves and (self.in_sample.difference.value or 0.0) >= 0

    @property
    def p_worse(self) -> float:
        """Return the p-value of "what a half chooses is no worse on the other", for both ways."""
        return min(1.0, WAYS * min(one.held_out.test.p_worse for one in self.policies))

    @property
    def count(self) -> int:
        """Return the number of segments."""
        return len({row["segment"] for row in self.rows})

    @property
    def edges(self) -> dict[str, float]:
        """Return up to how many tokens an input counts as small, and as middle."""
        if self.feature != "input_size":
            return {}
        most = {
            size: max((row["most_tokens"] for row in self.rows if row["segment"] == size), default=0.0)
            for size in ("small", "middle")
        }
        return {f"{size}_tokens_at_most": float(tokens) for size, tokens in most.items()}

    def find_safe(self, alpha: float, plain_ratio: float) -> Policy | None:
        """Return the safe route that saves most, and more than the best safe plain one.

        Compared on all inputs: a half in which what is routed happens to be frequent would choose, and the other, in
        which it is rare, would say what it saves.
        """
        able = [
            one
            for one in self._list_useful(plain_ratio)
            if one.p_value <= alpha and can_show(one.held_out.test.n, self.margin, alpha / WAYS)
        ]
        return min(able, key=lambda one: (self._value(one.routes, (0, 1)).cost, one.half), default=None)

    def find_near(self, plain_ratio: float) -> Policy | None:
        """Return the surest route that would be worth it if it were safe."""
        return next(iter(self._list_useful(plain_ratio)), None)

    def _list_useful(self, plain_ratio: float) -> list[Policy]:
        if not self._differ():
            return []
        return [one for one in self.policies if one.held_out.saves and one.held_out.cost < plain_ratio]

    def _differ(self) -> bool:
        """Return whether segments surely differ in what some candidate loses: Cochran's Q, Bonferroni."""
        names = {row["candidate"] for row in self.rows}
        return any(self._heterogeneity(name) <= DIFFER / len(names) for name in names)

    def _heterogeneity(self, candidate: str) -> float:
        by_segment: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows:
            if row["candidate"] == candidate:
                by_segment[row["segment"]].append(row)
        sums = np.array([_sum_differences(rows) for rows in by_segment.values()])
        n, total, squares = sums.T
        # The variance that all segments would have alike, so that one without a difference does not weigh all.
        variance = squares.sum() / n.sum() - (total.sum() / n.sum()) ** 2
        if n.size < 2 or variance <= 0:
            return 1.0
        q = float((n * (total / n - total.sum() / n.sum()) ** 2).sum() / variance)
        return float(stats.chi2.sf(q, n.size - 1))

    def _choose(self, halves: tuple[int, ...]) -> dict[str, str]:
        """Return per segment the cheapest candidate that is likely within the margin there; none: the baseline."""
        cells: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows:
            if row["half"] in halves and row["segment"] != OTHER:
                cells[row["segment"], row["candidate"]].append(row)
        good: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for (segment, candidate), rows in cells.items():
            n, total, squares = _sum_differences(rows)
            error = math.sqrt((squares + 1) / (n + 2) / n)
            ours, theirs = (sum(row[f"cost_{name}"] for row in rows) for name in ("y", "x"))
            if total / n - CHOICE_Z * error > -self.margin and 0 < theirs < ours:
                good[segment].append((theirs / ours, candidate))
        return {segment: min(ones)[1] for segment, ones in sorted(good.items())}

    def _value(self, routes: dict[str, str], halves: tuple[int, ...]) -> Routed:
        """Judge a route on some halves: a segment that stays changes nothing on inputs of its largest comparison."""
        differences: Counter[int] = Counter()
        amounts = dict.fromkeys([*(f"cost_{name}" for name in _COST), *(f"latency_{name}" for name in _LATENCY)], 0.0)
        single = True
        for row in _pick_rows(self.rows, routes, halves):
            routed = row["segment"] in routes
            for difference, count in zip(row["differences"], row["counts"], strict=True):
                differences[difference if routed else 0] += count
            for name in _COST:
                amounts[f"cost_{name}"] += row[f"cost_{name if routed else name.replace('x', 'y')}"]
            amounts["latency_n"] += row["latency_n"]
            if routed:
                amounts["latency_sum"] += row["latency_sum"]
                amounts["latency_squares"] += row["latency_squares"]
            single = single and row["most_trials"] == 1
        ordered = sorted(differences)
        pairs = PairTable(np.array(ordered) / 1e4, np.array([differences[d] for d in ordered], dtype=float), single)
        return value_policy(pairs, amounts, self.margin, self.confidence)


def split_inputs(rows: Sequence[dict[str, Any]], margin: float, confidence: float) -> Split | None:
    """Return the rows of sql/segment_pairs.sql for one task and feature; None where a half is empty."""
    if {row["half"] for row in rows} != {0, 1}:
        return None
    return Split(rows[0]["feature"], margin, confidence, tuple(rows))


def _pick_rows(rows: Sequence[dict[str, Any]], routes: dict[str, str], halves: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return one comparison per segment: that of its candidate, or the one with most inputs where it stays."""
    by_segment: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["half"] in halves:
            by_segment[row["segment"]][row["candidate"]].append(row)
    picked = []
    for segment, by_candidate in sorted(by_segment.items()):
        largest = min(by_candidate, key=lambda name: (-sum(row["inputs"] for row in by_candidate[name]), name))
        picked += by_candidate.get(routes.get(segment, largest), [])
    return picked


def _sum_differences(rows: Sequence[dict[str, Any]]) -> tuple[float, float, float]:
    """Return the inputs, the sum of their differences, and of the squares."""
    values = np.concatenate([np.array(row["differences"], dtype=float) / 1e4 for row in rows])
    counts = np.concatenate([np.array(row["counts"], dtype=float) for row in rows])
    return float(counts.sum()), float(counts @ values), float(counts @ values**2)
