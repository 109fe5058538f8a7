"""Own experiments: which variant a unit gets, stable by hash, and the probability with which it got it.

The rule, for other languages to repeat: ``digest = sha256(f"{salt}|{unit_id}")`` in UTF-8, where the salt is the
experiment's name unless given. The first 8 bytes, as a big-endian number over 2^64, choose among the variants in their
order, each as wide as its weight; the next 8 choose the holdout the same way; the next 8, in hexadecimal digits, stand
for the unit in the records.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import TYPE_CHECKING

from trilemma.arguments import check_number, check_text, check_word, to_text
from trilemma.decisions.decision import CHOSEN, Decision, decide
from trilemma.errors import ArgumentError
from trilemma.task import AXES, current_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

__all__ = ["Assignment", "Experiment", "experiment"]

UNITS = ("user", "session", "task", "customer", "request")
LABELS = (*AXES, "label")
_RANGE = float(2**64)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one unit got. ``str()`` of it is the variant's name.

    ``probability`` is that of this variant for a unit drawn at random, holdout included; 1 for a unit that is not
    eligible, which gets the first variant, the control.
    """

    experiment: str
    variant: str
    probability: float
    is_holdout: bool
    is_eligible: bool
    decision: Decision

    def __str__(self) -> str:
        return self.variant


class Experiment:
    """Variants to be compared, made by `experiment`; `assign` says which one a unit gets."""

    def __init__(  # noqa: PLR0917  # only `experiment` calls it
        self, name: str, weights: Mapping[str, float], unit: str, holdout: float, axis: str, salt: str
    ) -> None:
        total = sum(weights.values())
        self.name = name
        self.unit = unit
        self.holdout = holdout
        self.axis = axis
        self.salt = salt
        self.variants = tuple(weights)
        self.control = self.variants[0]
        self.shares = {variant: weight / total for variant, weight in weights.items()}
        self._ends = list(accumulate(self.shares.values()))

    def assign(self, unit_id: str | int | UUID | None = None, *, eligible: bool = True) -> Assignment:
        """Return the variant of a unit (default: the current task), the same each time, and record it once per task.

        A unit that is not eligible, or in the holdout, gets the control. Raises ArgumentError without a unit's id
        outside a task.
        """
        task = current_task()
        if unit_id is None:
            if task is None:
                raise ArgumentError(f"experiment {self.name!r}: assign(unit_id) needs an id outside a task")
            unit_id = task.id
        if task is not None and (known := task.assignments.get(self.name)) is not None:
            return known  # type: ignore[no-any-return]
        assignment = self._decide(to_text(unit_id), eligible=eligible)
        if task is not None:
            task.assignments[self.name] = assignment
            if self.axis:
                task.note_variant(self.axis, assignment.variant)
        return assignment

    def _decide(self, unit_id: str, *, eligible: bool) -> Assignment:
        digest = sha256(f"{self.salt}|{unit_id}".encode()).digest()
        is_holdout = eligible and int.from_bytes(digest[8:16], "big") / _RANGE < self.holdout
        variant = (
            self._draw(int.from_bytes(digest[:8], "big") / _RANGE) if eligible and not is_holdout else self.control
        )
        probability = 1.0
        if eligible:
            probability = (1 - self.holdout) * self.shares[variant] + (self.holdout if variant == self.control else 0)
        facts = {
            CHOSEN: variant,
            "trilemma.decision.candidates": list(self.variants),
            "trilemma.decision.probability": probability,
            "trilemma.decision.unit": self.unit,
            "trilemma.decision.unit_hash": digest[16:24].hex(),
            "trilemma.decision.eligible": eligible,
            "trilemma.decision.holdout": is_holdout,
        }
        return Assignment(self.name, variant, probability, is_holdout, eligible, decide("variant", self.name, facts))

    def _draw(self, point: float) -> str:
        for variant, end in zip(self.variants, self._ends, strict=True):
            if point < end:
                return variant
        return self.variants[-1]  # rounding: the last end may fall short of 1


def experiment(
    name: str,
    variants: Mapping[str, float] | Sequence[str],
    *,
    unit: str = "task",
    holdout: float = 0.0,
    axis: str | None = None,
    salt: str | None = None,
) -> Experiment:
    """Describe an experiment. No service is asked: who gets what follows from hashes alone, in every process.

    `variants` are names, or names with their weights; the first one is the control. `unit` says what is assigned: user,
    session, customer, task or request. `holdout` is the share of units that get the control whatever the weights, so
    that the whole can be valued. `axis` (context, guardrail, route, fallback, cache, or label) also makes the variant
    part of the task's combination. `salt` (default: the name) keeps assignments of experiments apart.
    Raises ArgumentError for what cannot be meant.
    """
    where = f"experiment {name!r}"
    weights = dict(variants) if hasattr(variants, "keys") else dict.fromkeys(variants, 1.0)
    checked = {
        check_text(where, "variants", each): check_number(where, "variants", weight) for each, weight in weights.items()
    }
    if not checked or any(weight is None or weight <= 0 for weight in checked.values()):
        raise ArgumentError(f"{where}: variants={variants!r} must be one or more names, each with a weight above 0")
    share = check_number(where, "holdout", holdout)
    if share is None or not 0 <= share < 1:
        raise ArgumentError(f"{where}: holdout={holdout!r} must be a share from 0 to below 1")
    return Experiment(
        check_text("experiment", "name", name),
        {each: weight for each, weight in checked.items() if weight is not None},
        check_word(where, "unit", unit, UNITS),
        share,
        "" if axis is None else check_word(where, "axis", axis, LABELS),
        to_text(name if salt is None else salt),
    )
