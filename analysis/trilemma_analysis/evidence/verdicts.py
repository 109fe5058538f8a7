"""Own what evaluators said beside what is true: counts per pair of verdicts, and the truth each is held to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trilemma_analysis.measures import read_moments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from trilemma_analysis.stats.moments import Moments

__all__ = ["AGGREGATED", "ENOUGH_PAIRS", "YES", "Judge", "Truth", "is_polar", "read_judges"]

# Words by which an evaluation or a person says that a run was right, or was not; of an evaluator that uses one of
# either list, every verdict that is not in the first says that it was not.
YES = frozenset(
    ("yes", "true", "pass", "passed", "good", "correct", "right", "success", "succeeded", "accepted", "ok", "1")
)
NO = frozenset(("no", "false", "fail", "failed", "bad", "incorrect", "wrong", "failure", "rejected", "0"))
AGGREGATED = ("majority", "consensus", "adjudicated", "gold")  # made of others' verdicts: no annotator of its own
GENERAL = "correct"  # what `trilemma label` asks unless told otherwise: whether the run was right
ENOUGH_PAIRS = 20  # human labels from which on they are preferred to outcomes, and an outcome can be circular


@dataclass
class Truth:
    """What a person, or the run's outcome, said of runs that an evaluator judged."""

    source: str
    name: str
    pairs: dict[tuple[int, str, str], int] = field(default_factory=dict)
    """Runs by (bucket of time, truth, verdict)."""
    clusters: Moments | None = None
    """Over inputs, agreements and runs; None where inputs were not repeated."""

    @property
    def n(self) -> int:
        """The runs that both judged."""
        return sum(self.pairs.values())

    @property
    def label(self) -> str:
        """Its name for people."""
        return "the runs' outcomes" if self.source == "outcome" else f"{self.name} (people)"


@dataclass
class Judge:
    """One evaluator in one task."""

    task: str
    name: str
    source: str
    said: dict[str, int] = field(default_factory=dict)
    truths: dict[tuple[str, str], Truth] = field(default_factory=dict)

    @property
    def judged(self) -> int:
        """The runs it judged."""
        return sum(self.said.values())

    @property
    def is_polar(self) -> bool:
        """Whether it says yes or no."""
        return is_polar(self.said)

    @property
    def of_outcomes(self) -> Truth | None:
        """What it said beside outcomes, whatever it judges."""
        return self.truths.get(("outcome", "outcome"))

    def choose_truth(self) -> Truth | None:
        """Return the best truth for what it judges: people asked the same, else the outcome; None where there is none.

        An outcome that always agrees is left out: it may be made from the evaluator's own verdict.
        """
        people = [one for one in self.truths.values() if one.source == "human" and self._asks_the_same(one)]
        people.sort(key=lambda one: (-one.n, not any(word in one.name.lower() for word in AGGREGATED), one.name))
        outcome = self.of_outcomes if self.is_polar and self.source in {"judge", ""} else None
        if outcome is not None and outcome.n and not _is_circular(outcome):
            return people[0] if people and people[0].n >= ENOUGH_PAIRS else outcome
        return people[0] if people else None

    @property
    def is_circular(self) -> bool:
        """Whether it and the outcome never differ, over so many runs that one is likely made from the other."""
        return self.is_polar and self.of_outcomes is not None and _is_circular(self.of_outcomes)

    def _asks_the_same(self, truth: Truth) -> bool:
        labels = {told for _, told, _ in truth.pairs}
        if truth.name == self.name or (truth.name == GENERAL and self.is_polar and is_polar(labels)):
            return True
        return not self.is_polar and not is_polar(labels) and len(labels & set(self.said)) > 1


def is_polar(labels: Iterable[str]) -> bool:
    """Return whether labels are those of a yes or no."""
    return any(label in YES or label in NO for label in labels)


def read_judges(rows: Iterable[Mapping[str, Any]], clusters: Iterable[Mapping[str, Any]]) -> list[Judge]:
    """Return the evaluators other than people, from rows of sql/verdict_pairs.sql and sql/verdict_clusters.sql."""
    judges: dict[tuple[str, str, str], Judge] = {}
    for row in rows:
        if row["source"] == "human":
            continue
        key = row["task_name"], row["evaluator"], row["source"]
        judge = judges.setdefault(key, Judge(*key))
        if not row["truth_source"]:
            judge.said[row["verdict"]] = judge.said.get(row["verdict"], 0) + row["runs"]
            continue
        named = row["truth_source"], row["truth"]
        truth = judge.truths.setdefault(named, Truth(*named))
        truth.pairs[row["bucket"], row["truth_verdict"], row["verdict"]] = row["runs"]
    for row in clusters:
        judge_of = judges.get((row["task_name"], row["evaluator"], row["source"]))  # none if it says too many things
        found = None if judge_of is None else judge_of.truths.get((row["truth_source"], row["truth"]))
        if found is not None and row["agreed_y"] > row["agreed_n"]:
            found.clusters = read_moments(dict(row), "agreed")
    return [judges[key] for key in sorted(judges)]


def to_codes(truth: Truth, *, polar: bool) -> tuple[NDArray[np.intp], NDArray[np.intp], list[str]]:
    """Return truth and verdict of each run that both judged, as numbers into the labels that are returned too.

    Of a yes or no the labels are ``no`` and ``yes``, in that order; an outcome counts as one.
    """
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for (_, told, said), runs in truth.pairs.items():
        counts[(_to_yes(told), _to_yes(said)) if polar else (told, said)] += runs
    labels = ["no", "yes"] if polar else sorted({label for pair in counts for label in pair})
    ordered = sorted(counts)
    runs_of = [counts[pair] for pair in ordered]
    codes = (np.repeat([labels.index(pair[side]) for pair in ordered], runs_of) for side in (0, 1))
    first, second = (np.asarray(one, dtype=np.intp) for one in codes)
    return first, second, labels


def _to_yes(label: str) -> str:
    return "yes" if label in YES else "no"


def _is_circular(outcome: Truth) -> bool:
    return outcome.n >= ENOUGH_PAIRS and all(_to_yes(told) == _to_yes(said) for _, told, said in outcome.pairs)
