"""Own the check of experiments: variants that got more or fewer units than their weights give by chance."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from trilemma_analysis.evidence.mix_claim import MixClaim
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Evidence, Finding, Verdict
from trilemma_analysis.stats.balance import SampleRatio, check_sample_ratio
from trilemma_analysis.wording import say_count, say_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis

__all__ = ["claim_ratios"]

STEADY = 1e-6  # weights that differ by more over time were changed: then no one ratio is planned


def claim_ratios(analysis: Analysis, kind: str, questions: tuple[str, ...]) -> list[MixClaim]:
    """Return for each experiment with steady weights the claim that units were not assigned by them."""
    experiments: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in analysis.ask("experiment_units"):
        experiments[row["experiment"]].append(row)
    claims = []
    for name, rows in sorted(experiments.items()):
        planned = _read_plan(rows)
        if planned is not None:
            names, units, weights = planned
            found = check_sample_ratio(units, weights)
            tasks = sorted({task for row in rows for task in row["tasks"]})
            place = tasks[0] if len(tasks) == 1 else "", name
            claims.append(MixClaim(found.p_value, partial(_report, place, names, found, (kind, questions))))
    return claims


def _read_plan(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[int], list[float]] | None:
    """Return variants, units and weights; variants that nobody got are one, with the weight that is left."""
    if any(row["least"] <= 0 or row["most"] - row["least"] > STEADY for row in rows):
        return None
    names, units = [row["variant"] for row in rows], [int(row["units"]) for row in rows]
    weights = [float(row["most"]) for row in rows]
    missing = sorted({name for row in rows for name in row["variants"]} - set(names))
    left = 1 - sum(weights)
    if missing and left > STEADY:
        return [*names, "/".join(missing)], [*units, 0], [*weights, left]
    return (names, units, weights) if len(names) > 1 and abs(left) <= 1e-3 else None


def _report(
    place: tuple[str, str],
    names: Sequence[str],
    found: SampleRatio,
    about: tuple[str, tuple[str, ...]],
    p_value: float,
) -> Finding | None:
    if not found.is_mismatch:
        return None
    (task, name), (kind, questions) = place, about
    units = float(found.observed.sum())
    seen = "; ".join(
        f"{variant} {say_count(got)} ({say_share(got / units)}, planned {say_share(planned / units)})"
        for variant, got, planned in zip(names, found.observed.tolist(), found.expected.tolist(), strict=True)
    )
    return Finding(
        id=identify(kind, task, "ratio", name),
        kind=kind,
        task=task,
        where=name,
        title=f"Experiment {name} is broken: its variants did not get the units they were to get",
        what=(
            f"Of {say_count(units)} units: {seen}. Chance does this with p = {p_value:.2g}, adjusted for all claims of "
            "this report."
        ),
        verdict=Verdict.DONT,
        evidence=Evidence(n=int(units), unit="units", questions=questions, p_value=p_value),
        risk=(
            "Whatever loses units of one variant (a crash, a filter, a cache, a lost span) does not lose them at "
            "random: the variants are not comparable."
        ),
        change=f"Do not read {name}; find where its units are lost, mend it, and start it again with a new salt.",
        verification="The same check over the time after the new start.",
        doubts=("quality", "cost", "latency"),
    )
