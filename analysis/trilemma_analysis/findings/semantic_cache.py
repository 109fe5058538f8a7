"""Own the finding on a semantic cache: how many hits are wrong, by how alike they are, and which threshold is safe.

Thresholds are tried from the strictest down, each must pass, and the first that does not ends the search: so the one
advised is wrongly called safe no more often than a single test would be (fixed-sequence testing; Maurer, Hothorn and
Lehmacher 1995; Angelopoulos et al. 2021, "Learn then test").
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, no_estimate, to_estimate
from trilemma_analysis.evidence.savings import identify, name_currency
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Saving, Verdict
from trilemma_analysis.measures import PICO
from trilemma_analysis.stats.intervals import two_sided_z, wilson
from trilemma_analysis.wording import say_count, say_money, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "Cache", "choose_threshold", "find", "judge"]

KIND = "semantic_cache"
QUESTIONS = ("semantic_hits",)
LEAST_HITS = 20  # a cache that answers fewer is not worth a word yet
START = 2  # the strictest threshold tried has this many times the marked hits with which a flawless cache would pass


@dataclass(frozen=True)
class Cache:
    """The hits of one cache in one task, in bands of similarity, most alike first."""

    task: str
    name: str
    lookups: int
    bands: tuple[dict[str, Any], ...]

    def sum(self, column: str, least: int = -1) -> int:
        """Return a column's sum over hits at or above a similarity in hundredths; -1 takes in those not told."""
        return sum(int(row[column]) for row in self.bands if row["band"] >= least)

    def wrong(self, level: float, least: int = -1) -> Estimate:
        """Return the share of such hits that are wrong, by those that were marked."""
        marked = self.sum("marked", least)
        if not marked:
            return no_estimate("share")
        return to_estimate(wilson(self.sum("wrong", least), marked, level), marked, "share", "Wilson, over marked hits")


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each cache whose threshold is surely too low, or not known to be safe."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("semantic_hits"):
        rows[row["task_name"], row["cache"]].append(row)
    caches = [Cache(*key, ones[0]["lookups"], tuple(ones[::-1])) for key, ones in rows.items()]
    return [
        _report(analysis, one, verdict, least)
        for one in caches
        if one.sum("hits") >= LEAST_HITS and analysis.of_task(one.task)
        for verdict, least in [judge(one, analysis.options.margin_of(one.task), analysis.options.confidence)]
        if verdict is not None
    ]


def judge(cache: Cache, margin: float, level: float) -> tuple[Verdict | None, int | None]:
    """Return the verdict and the threshold (in hundredths) to go to; None for a cache that is safe as it is."""
    wrong = cache.wrong(level)
    if wrong.high is not None and wrong.high <= margin:
        return None, None
    if (wrong.low or 0) <= margin:
        return Verdict.NOT_ENOUGH_DATA, None
    least = choose_threshold(cache, margin, level)
    return (Verdict.DONT, None) if least is None else (Verdict.ACT, least)


def choose_threshold(cache: Cache, margin: float, level: float) -> int | None:
    """Return the lowest threshold at which, as at each stricter one, hits are surely right often enough."""
    chosen, least_marked = None, START * two_sided_z(level) ** 2 * (1 / margin - 1)
    for row in cache.bands:
        if row["band"] < 0 or cache.sum("marked", row["band"]) < least_marked:
            continue
        if (cache.wrong(level, row["band"]).high or 1.0) > margin:
            break
        chosen = int(row["band"])
    return chosen


def _report(analysis: Analysis, one: Cache, verdict: Verdict, least: int | None) -> Finding:
    level, margin = analysis.options.confidence, analysis.options.margin_of(one.task)
    wrong, hits, currency = one.wrong(level), one.sum("hits"), name_currency(analysis, one.task) or ""
    needed = _need(one, wrong, margin, level) if verdict is Verdict.NOT_ENOUGH_DATA else None
    worth = (
        f", which saved {say_money(one.sum('saved') * PICO, currency)} by its own count" if one.sum("priced") else ""
    )
    return Finding(
        id=identify(KIND, one.task, one.name),
        kind=KIND,
        task=one.task,
        where=one.name,
        title=f"{one.task}: {_TITLES[verdict].format(name=one.name, share=say_share(wrong.value))}",
        what=(
            f"{one.name} answered {say_count(hits)} of {say_count(one.lookups)} look-ups{worth}. {_say_wrong(wrong)} "
            f"{_say_bands(one, level)}"
        ).rstrip(),
        verdict=verdict,
        evidence=Evidence(n=one.sum("marked"), unit="marked hits", questions=QUESTIONS),
        effects=_list_effects(analysis, one, wrong, least),
        saving=_lose(analysis, one, least, currency) if verdict is Verdict.ACT and least is not None else None,
        risk=(
            "Marks are taken for a fair sample of the hits: where only complaints are marked, fewer are wrong than "
            "stated. Answers that were right then may be stale now."
        ),
        change=_name_change(one, verdict, least, needed),
        verification="Mark a random sample of hits (trilemma.mark) and look at the share that is wrong again.",
        action=None
        if least is None
        else Action(
            kind="cache", settings={"cache_kind": "semantic", "cache": one.name, "least_similarity": least / 100}
        ),
        needed=needed,
    )


_TITLES = {
    Verdict.ACT: "{share} of the answers of {name} are wrong; ask for more likeness",
    Verdict.DONT: "{share} of the answers of {name} are wrong, at any likeness",
    Verdict.NOT_ENOUGH_DATA: "whether the answers of {name} are right is not known well enough",
}


def _say_wrong(wrong: Estimate) -> str:
    if wrong.value is None:
        return "No hit was marked right or wrong."
    return f"Of {say_count(wrong.n)} marked hits {with_interval(wrong)} were wrong."


def _say_bands(one: Cache, level: float) -> str:
    """Say the wrong share in the three bands with most marked hits, most alike first."""
    known = sorted(
        (row for row in one.bands if row["marked"] and row["band"] >= 0), key=lambda row: -int(row["marked"])
    )
    said = []
    for row in sorted(known[:3], key=lambda row: -int(row["band"])):
        share = to_estimate(wilson(row["wrong"], row["marked"], level), int(row["marked"]), "share", "Wilson")
        said.append(f"at {row['band'] / 100:.2f}, {with_interval(share)} of {say_count(row['marked'])}")
    return f"By similarity: {'; '.join(said)}." if said else ""


def _list_effects(analysis: Analysis, one: Cache, wrong: Estimate, least: int | None) -> tuple[Effect, ...]:
    effects = []
    if wrong.value is not None:
        effects.append(Effect(side="quality", what="hits that are wrong", estimate=wrong, is_level=True))
    if least is not None:
        after = one.wrong(analysis.options.confidence, least)
        what = f"hits that are wrong, from a similarity of {least / 100:.2f} on"
        effects.append(Effect(side="quality", what=what, estimate=after, is_level=True))
    return tuple(effects)


def _lose(analysis: Analysis, one: Cache, least: int, currency: str) -> Saving | None:
    """Return what the hits below the threshold saved, which is lost with them: a negative saving."""
    runs, lost = sum(each.runs for each in analysis.of_task(one.task)), one.sum("saved") - one.sum("saved", least)
    if not one.sum("priced") or not currency:
        return None
    value = -lost * PICO / runs * 1000
    per_1000 = Estimate(
        value=value, low=value, high=value, n=one.sum("priced"), unit=currency, method="as the app told"
    )
    monthly_runs = analysis.monthly(one.task, runs)
    monthly = None
    if monthly_runs is not None:
        ends = dict.fromkeys(("value", "low", "high"), value * monthly_runs / 1000)
        monthly = per_1000.model_copy(update=ends)
    return Saving(per_1000_runs=per_1000, runs_per_month=monthly_runs, per_month=monthly)


def _need(one: Cache, wrong: Estimate, margin: float, level: float) -> Needed | None:
    """Return how many more marks settle it at the rate seen: Wilson's nearer end is then the margin."""
    rate, z = wrong.value or 0.0, two_sided_z(level)
    if rate == margin:
        return None
    wanted = math.ceil(z**2 * margin * (1 - margin) / (margin - rate) ** 2)
    more = max(wanted - wrong.n, 1)
    return Needed(n=more, unit="hits marked right or wrong") if more <= one.lookups * 10 else None


def _name_change(one: Cache, verdict: Verdict, least: int | None, needed: Needed | None) -> str:
    if verdict is Verdict.ACT and least is not None:
        kept = one.sum("hits", least) / one.sum("hits")
        return (
            f"Let {one.name} answer only from a similarity of {least / 100:.2f} on: {say_share(kept)} of its hits stay."
        )
    if verdict is Verdict.DONT:
        return f"Switch {one.name} off for {one.task}, or tell requests apart by more than likeness: customers, dates."
    if needed is None:
        return "Mark more hits right or wrong."
    return f"Mark {say_count(needed.n)} more hits right or wrong, picked at random."
