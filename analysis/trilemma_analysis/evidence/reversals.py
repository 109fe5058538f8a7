"""Own the guard against totals that segments contradict: a combination worse in all, and better in a segment."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from scipy import stats

from trilemma_analysis.estimate import to_estimate
from trilemma_analysis.evidence.mix_claim import MixClaim
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Verdict
from trilemma_analysis.stats.unpaired import independent_score_z, newcombe
from trilemma_analysis.wording import say_change, say_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.gates import GateResult

__all__ = ["claim_reversals"]

LEAST_IN_SEGMENT = 20  # runs with an outcome of each of the two, for a segment to be heard
_Counts = tuple[float, float, float, float]


@dataclass(frozen=True)
class Reversal:
    """A comparison, and its two most contrary segments: (successes, runs) of baseline and candidate in each."""

    result: GateResult
    better: tuple[str, _Counts]
    worse: tuple[str, _Counts]
    p_value: float


def claim_reversals(
    analysis: Analysis, halves: Mapping[str, Sequence[dict[str, Any]]], kind: str, questions: tuple[str, ...]
) -> list[MixClaim]:
    """Return for each task the claim that of some pair of combinations one segment says the opposite of another.

    The p-value of a pair is that of a qualitative interaction: the larger of the two smallest one-sided p-values, each
    for all segments (Bonferroni; after Gail and Simon 1985). Of a task the surest pair is claimed, for all its pairs.
    """
    found: dict[str, list[Reversal]] = defaultdict(list)
    for result in analysis.gates:
        task = result.comparison.baseline.task
        reversal = _compare(result, halves[task])
        if reversal is not None:
            found[task].append(reversal)
    claims = []
    for _, ones in sorted(found.items()):
        surest = min(ones, key=lambda one: (one.p_value, one.result.comparison.candidate.combination))
        report = partial(_report, analysis, surest, kind, questions)
        claims.append(MixClaim(min(1.0, surest.p_value * len(ones)), report))
    return claims


def _compare(result: GateResult, rows: Sequence[dict[str, Any]]) -> Reversal | None:
    """Compare two combinations in each segment; None where fewer than two segments were served by both."""
    pair = result.comparison
    counts: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    for row in rows:
        for at, one in ((0, pair.baseline), (2, pair.candidate)):
            if row["combination"] == one.combination and row["segment"]:
                effect = max(one.known / one.effective_n, 1.0) if one.effective_n else 1.0
                counts[row["segment"]][at] += row["successes"] / effect
                counts[row["segment"]][at + 1] += row["known"] / effect
    heard = {
        name: (mine[0], mine[1], mine[2], mine[3])
        for name, mine in counts.items()
        if min(mine[1], mine[3]) >= LEAST_IN_SEGMENT
    }
    if len(heard) < 2:
        return None
    z = {name: float(independent_score_z(*mine, 0.0)) for name, mine in heard.items()}
    best, worst = max(z, key=lambda name: (z[name], name)), min(z, key=lambda name: (z[name], name))
    p = max(float(stats.norm.sf(z[best])), float(stats.norm.cdf(z[worst]))) * len(heard)
    return Reversal(result, (best, heard[best]), (worst, heard[worst]), min(p, 1.0))


def _report(analysis: Analysis, one: Reversal, kind: str, questions: tuple[str, ...], p_value: float) -> Finding | None:
    pair, level = one.result.comparison, analysis.options.confidence
    gaps = {
        name: to_estimate(newcombe(*mine, level), round(mine[1] + mine[3]), "share", "Newcombe, within the segment")
        for name, mine in (one.better, one.worse)
    }
    better, worse = gaps[one.better[0]], gaps[one.worse[0]]
    margin = pair.margin
    if (better.value or 0) < margin or (worse.value or 0) > -margin:
        return None
    task, candidate, baseline = pair.baseline.task, pair.candidate.label, pair.baseline.label
    return Finding(
        id=identify(kind, task, "segments"),
        kind=kind,
        task=task,
        where=candidate,
        title=f"{task}: whether {candidate} is worse than {baseline} hangs on the segment",
        what=(
            f"Over all inputs {candidate} succeeds {say_change(pair.difference)} against {baseline}. But in "
            f"“{one.worse[0]}” it is {say_change(worse)}, and in “{one.better[0]}” {say_change(better)} "
            f"(p = {p_value:.2g} that not both hold, adjusted for all claims of this report). The total is that of "
            "this mix of segments, and of no other."
        ),
        verdict=Verdict.DONT,
        evidence=Evidence(
            n=better.n + worse.n, unit="runs of the two in these segments", questions=questions, p_value=p_value
        ),
        effects=(
            Effect(side="quality", what=f"success in “{one.better[0]}”, candidate minus baseline", estimate=better),
            Effect(side="quality", what=f"success in “{one.worse[0]}”, candidate minus baseline", estimate=worse),
        ),
        risk=f"The two segments are the most contrary of those seen; on {say_count(better.n + worse.n)} runs.",
        change="Do not judge these two by the total: compare them per segment, and route by segment if both are kept.",
        verification="Success per segment of the next weeks.",
        doubts=("quality",),
    )
