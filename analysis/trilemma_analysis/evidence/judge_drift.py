"""Own the search for the time at which a judge's errors changed: more of them, or others."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from trilemma_analysis.claims import adjust_claims
from trilemma_analysis.estimate import to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.evidence.verdicts import YES
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Verdict
from trilemma_analysis.stats.changepoint import Change, Series, find_change
from trilemma_analysis.stats.unpaired import newcombe
from trilemma_analysis.wording import say_change, say_count, say_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.evidence.verdicts import Judge, Truth

__all__ = ["find_judge_drifts"]

_Rates = tuple[tuple[float, float], tuple[float, float], float]


def find_judge_drifts(
    analysis: Analysis, judges: Sequence[Judge], width_s: int, kind: str, questions: tuple[str, ...]
) -> list[Finding]:
    """Return a finding for each judge whose agreement with its truth, or whose leniency, changed beyond chance.

    Both series of all judges are one family of claims; of a judge's two the surer is reported.
    """
    tried = [
        (judge, truth, change, buckets)
        for judge in judges
        if (truth := judge.choose_truth()) is not None
        for series, buckets in _read_series(judge, truth)
        if (change := find_change(series)) is not None
    ]
    best: dict[tuple[str, str, str], tuple[float, Judge, Truth, Change, list[int]]] = {}
    p_values = adjust_claims([change.p_value for _, _, change, _ in tried])
    for (judge, truth, change, buckets), p in zip(tried, p_values, strict=True):
        key = judge.task, judge.name, judge.source
        if p <= analysis.alpha and (key not in best or p < best[key][0]):
            best[key] = p, judge, truth, change, buckets
    return [_report(analysis, best[key], width_s, kind, questions) for key in sorted(best)]


def _read_series(judge: Judge, truth: Truth) -> list[tuple[Series, list[int]]]:
    """Return agreement over time, and of a yes or no the mean of verdict minus truth."""
    n: dict[int, int] = defaultdict(int)
    agreed: dict[int, int] = defaultdict(int)
    kind: dict[int, int] = defaultdict(int)
    for (bucket, told, said), runs in truth.pairs.items():
        told_yes, said_yes = told in YES, said in YES
        n[bucket] += runs
        agreed[bucket] += runs if (told_yes == said_yes if judge.is_polar else told == said) else 0
        kind[bucket] += runs * (said_yes - told_yes)
    buckets = sorted(n)
    counts, same, lenient = (np.array([one[bucket] for bucket in buckets], dtype=float) for one in (n, agreed, kind))
    found = [(Series.of_rates(counts, same), buckets)]
    if judge.is_polar:
        mean = lenient.sum() / counts.sum()
        wrong = (counts - same).sum() / counts.sum()  # of 1 or -1 each, so that their mean square is their share
        found.append((Series.of_sums(counts, lenient, wrong - mean**2), buckets))
    return found


def _report(
    analysis: Analysis,
    found: tuple[float, Judge, Truth, Change, list[int]],
    width_s: int,
    kind: str,
    questions: tuple[str, ...],
) -> Finding:
    p_value, judge, truth, change, buckets = found
    at = datetime.fromtimestamp(buckets[change.start] * width_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    inside = set(buckets[change.start : change.stop])
    before, after = (_rates(judge, truth, inside, want=want) for want in (False, True))
    effects = [
        Effect(
            side="quality",
            what=what,
            estimate=to_estimate(
                newcombe(old[0], old[1], new[0], new[1], analysis.options.confidence),
                int(old[1] + new[1]),
                "share",
                "Newcombe, after minus before",
            ),
            is_level=True,
        )
        for what, old, new in (("change of agreement", before[0], after[0]), ("change of its yes", before[1], after[1]))
        if new[1] and old[1] and (what == "change of agreement" or judge.is_polar)
    ]
    agreement = effects[0].estimate
    return Finding(
        id=identify(kind, judge.task, judge.name, judge.source, "drift"),
        kind=kind,
        task=judge.task,
        where=judge.name,
        title=f"{judge.task}: {judge.name} judges otherwise than before about {at}",
        what=(
            f"Its agreement with {truth.label} went from {say_share(before[0][0] / before[0][1])} to "
            f"{say_share(after[0][0] / after[0][1])} ({say_change(agreement)}) on {say_count(agreement.n)} runs "
            f"(p = {p_value:.2g}, for trying every time and adjusted for all claims of this report)."
            + (_say_yes(before, after) if judge.is_polar else "")
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=agreement.n, unit="runs with verdict and truth", questions=questions, p_value=p_value),
        effects=tuple(effects),
        risk="Rates that rest on this judge are not comparable over that time: a change in them may be its own.",
        change=f"Find out what changed in {judge.name} about {at} (its model, its prompt), and judge older runs again.",
        verification="Let the judge of today judge a hundred runs from before, and compare.",
    )


def _say_yes(before: _Rates, after: _Rates) -> str:
    said = f"{say_share(after[1][0] / after[1][1])}, before to {say_share(before[1][0] / before[1][1])}"
    return (
        f" Of these runs it says yes to {said}; the truth does to {say_share(after[2])}, before {say_share(before[2])}."
    )


def _rates(judge: Judge, truth: Truth, inside: set[int], *, want: bool) -> _Rates:
    """Return (agreed, runs), (said yes, runs) and the true share of yes, of the buckets inside or outside."""
    n = agreed = said_yes = told_yes = 0
    for (bucket, told, said), runs in truth.pairs.items():
        if (bucket in inside) == want:
            n += runs
            same = (told in YES) == (said in YES) if judge.is_polar else told == said
            agreed += runs * same
            said_yes += runs * (said in YES)
            told_yes += runs * (told in YES)
    return (float(agreed), float(n)), (float(said_yes), float(n)), told_yes / n if n else 0.0
