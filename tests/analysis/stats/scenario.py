"""Own what a scenario is: a planted truth, replayed many times, and how often something must be so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Hits = NDArray[np.bool_]
    Run = Callable[[np.random.Generator, int, int], Hits]

__all__ = ["ALPHA", "SIZES", "Scenario", "cover", "err"]

SIZES = (50, 200, 1000)
ALPHA = 0.05


@dataclass(frozen=True)
class Scenario:
    """A planted truth, and the share of replays in which something must (or must not) be so."""

    method: str
    truth: str
    least: float
    most: float
    run: Run
    """(rng, n, replays) to one bool per replay: the interval covered, or the claim was false, ..."""
    what: str = "coverage"
    sizes: tuple[int, ...] = SIZES
    quick: int = 1000
    """Replays in ``make test``."""


def cover(method: str, truth: str, run: Run, *, sparse: bool = False, sizes: tuple[int, ...] = SIZES) -> Scenario:
    """Ask for 93 to 97 %; where outcomes are so sparse that no interval can err that often, for at least 93 %."""
    return Scenario(method, truth, 0.93, 1.0 if sparse else 0.97, run, sizes=sizes)


def err(method: str, truth: str, run: Run, what: str, sizes: tuple[int, ...] = SIZES) -> Scenario:
    """Ask for at most 5 % of false claims."""
    return Scenario(method, truth, 0.0, 0.05, run, what, sizes)
