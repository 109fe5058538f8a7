"""Own the findings: one file each, an analysis in, findings out. A new one is a new file here, and nothing else.

Each module of this folder that has a ``find(analysis) -> list[Finding]`` is a finding; it also says its ``KIND`` (the
module's name) and its ``QUESTIONS`` (the SQL it rests on). Those in ``integrity/`` are about the data: advice about a
task, on a side of the triangle that one of them doubts, names it in ``rests_on``.
"""

from __future__ import annotations

import pkgutil
from collections import defaultdict
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from trilemma_analysis.findings import integrity
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Saving, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection

    from trilemma_analysis.analysis import Analysis

__all__ = [
    "Action",
    "Effect",
    "Evidence",
    "Finding",
    "Needed",
    "Saving",
    "Verdict",
    "choose_finders",
    "find_all",
    "list_finders",
]

_ORDER = (Verdict.ACT, Verdict.DONT, Verdict.NOT_ENOUGH_DATA)


class Finder(Protocol):
    """What a finding's module offers."""

    __name__: str
    KIND: str
    QUESTIONS: tuple[str, ...]

    def find(self, analysis: Analysis) -> list[Finding]:
        """Return what is found."""


@cache
def list_finders() -> tuple[Finder, ...]:
    """Return the modules of all findings: those about the data first, each folder by name."""
    names = [
        f"{package.__name__}.{found.name}"
        for package in (integrity, import_module(__name__))
        for found in pkgutil.iter_modules(package.__path__)
        if not found.ispkg
    ]
    return tuple(cast("Finder", module) for module in map(import_module, names) if hasattr(module, "find"))


def choose_finders(kinds: Collection[str] | None = None) -> tuple[Finder, ...]:
    """Return the finders of some kinds, and those about the data, which may doubt what the others find; None: all."""
    about_data = f"{integrity.__name__}."
    return tuple(
        one for one in list_finders() if kinds is None or one.KIND in kinds or one.__name__.startswith(about_data)
    )


def find_all(analysis: Analysis, kinds: Collection[str] | None = None) -> list[Finding]:
    """Return all findings: what doubts the data, what to act on by monthly saving, what not to do, what is open.

    Given kinds, only those of them, and those that doubt the data.
    """
    found = _cross_refer([finding for finder in choose_finders(kinds) for finding in finder.find(analysis)])
    return sorted(
        found,
        key=lambda one: (
            not one.doubts,
            _ORDER.index(one.verdict),
            -_worth(one),
            one.kind,
            one.task,
            one.where,
            one.id,
        ),
    )


def _cross_refer(found: list[Finding]) -> list[Finding]:
    """Let each finding name those that doubt its figures: of its task or of the whole store, on one of its sides."""
    doubts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in found:
        for side in one.doubts:
            doubts[one.task, side].append(one.id)
    return [one if one.doubts else _refer(one, doubts) for one in found]


def _refer(one: Finding, doubts: dict[tuple[str, str], list[str]]) -> Finding:
    sides = {effect.side for effect in one.effects}
    ids = {each for side in sides for task in (one.task, "") for each in doubts.get((task, side), ())}
    return one.model_copy(update={"rests_on": tuple(sorted(ids))}) if ids else one


def _worth(finding: Finding) -> float:
    if finding.saving is None:
        return 0.0
    monthly = finding.saving.per_month or finding.saving.per_1000_runs
    return monthly.value or 0.0
