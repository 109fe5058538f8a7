"""Own look-ups in a cache of answers: hit or miss, how alike, what was saved; later, whether the hit was right."""

from __future__ import annotations

from trilemma.arguments import check_number, check_text, check_word
from trilemma.decisions.decision import CHOSEN, Decision
from trilemma.errors import ArgumentError

__all__ = ["Lookup", "cache"]

KINDS = ("exact", "prefix", "semantic")


class Lookup(Decision):
    """One look-up, made by `cache`: a miss, unless told otherwise."""

    __slots__ = ()

    def hit(
        self, *, similarity: float | None = None, saved_cost: float | None = None, saved_s: float | None = None
    ) -> None:
        """Say that an answer was found: how alike its request was (0 to 1), and what not asking again saved."""
        where = f"cache {self.name!r}"
        alike = check_number(where, "similarity", similarity)
        if alike is not None and not 0 <= alike <= 1:
            raise ArgumentError(f"{where}: similarity={similarity!r} must be from 0 to 1")
        self.facts |= {
            CHOSEN: "hit",
            "trilemma.cache.similarity": alike,
            "trilemma.cache.saved_cost": check_number(where, "saved_cost", saved_cost),
            "trilemma.cache.saved_duration": check_number(where, "saved_s", saved_s),
        }

    def miss(self, *, similarity: float | None = None) -> None:
        """Say that none was; `similarity` is that of the nearest, which was not near enough."""
        nearest = check_number(f"cache {self.name!r}", "similarity", similarity)
        self.facts |= {CHOSEN: "miss", "trilemma.cache.similarity": nearest}

    @property
    def is_hit(self) -> bool:
        """Whether an answer was found."""
        return bool(self.facts[CHOSEN] == "hit")


def cache(name: str, *, kind: str = "exact") -> Lookup:
    """Record a look-up: ``with trilemma.cache("answers", kind="semantic") as look: ... look.hit(similarity=0.93)``.

    `kind` is exact, prefix or semantic. Keep `id`, and tell `trilemma.mark` when a hit turns out wrong. Raises
    ArgumentError for what cannot be meant.
    """
    checked = check_word(f"cache {name!r}", "kind", kind, KINDS)
    return Lookup("cache", check_text("cache", "name", name), {"trilemma.cache.kind": checked, CHOSEN: "miss"})
