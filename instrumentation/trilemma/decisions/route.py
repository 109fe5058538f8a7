"""Own routing: what could have been chosen, what was, with which probability, by which policy, and why."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from trilemma.arguments import check_number, check_text, to_text
from trilemma.decisions.decision import CHOSEN, REASON, decide
from trilemma.errors import ArgumentError
from trilemma.task import current_task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["route"]

_random = random.SystemRandom()  # the app's own seeds must not decide who gets which model


def route(
    name: str,
    candidates: Sequence[str] | Mapping[str, float],
    *,
    chosen: str | None = None,
    probability: float | None = None,
    reason: str | None = None,
    policy_version: str | int | None = None,
) -> str:
    """Record a routing decision and return what was chosen.

    With weights as `candidates` and nothing `chosen`, one is drawn by them, and its probability is recorded: the logs
    can then say what another policy would have given. Where your own code has `chosen`, give the `probability` with
    which it did if there was chance in it; 1 is not assumed. `reason` and `policy_version` say why, and by which rules.
    Raises ArgumentError for what cannot be meant: nothing to choose from, a choice that is no candidate.
    """
    check_text("route", "name", name)
    where = f"route {name!r}"
    weights = (
        {each: check_number(where, "candidates", weight) for each, weight in candidates.items()}
        if hasattr(candidates, "items")
        else None
    )
    options = list(candidates)
    if not options:
        raise ArgumentError(f"{where}: candidates={candidates!r} is empty; name what can be chosen")
    chance = check_number(where, "probability", probability)
    if chosen is None:
        chosen, chance = _draw(where, options, weights)
    elif chosen not in options:
        raise ArgumentError(f"{where}: chosen={chosen!r} is no candidate; these are: {', '.join(map(str, options))}")
    elif chance is None and weights is not None:
        chance = (weights[chosen] or 0.0) / sum(weight or 0.0 for weight in weights.values())
    if chance is not None and not 0 < chance <= 1:
        raise ArgumentError(f"{where}: probability={chance!r} must be above 0 and at most 1")
    if (task := current_task()) is not None and "trilemma.variant.route" not in task.attributes:
        task.note_variant("route", name if policy_version is None else f"{name}@{to_text(policy_version)}")
    facts = {
        CHOSEN: to_text(chosen),
        "trilemma.decision.candidates": [to_text(option) for option in options],
        "trilemma.decision.probability": chance,
        REASON: None if reason is None else to_text(reason),
        "trilemma.decision.policy_version": None if policy_version is None else to_text(policy_version),
    }
    decide("route", name, facts)
    return chosen


def _draw(where: str, options: list[str], weights: Mapping[str, float | None] | None) -> tuple[str, float]:
    if weights is None:
        if len(options) > 1:
            raise ArgumentError(f"{where}: give chosen=..., or candidates with weights to draw from")
        return options[0], 1.0
    known = [weight or 0.0 for weight in weights.values()]
    if min(known) < 0 or sum(known) <= 0:
        raise ArgumentError(f"{where}: the weights {known} must be 0 or more, and one of them above 0")
    [chosen] = _random.choices(options, known)
    return chosen, (weights[chosen] or 0.0) / sum(known)
