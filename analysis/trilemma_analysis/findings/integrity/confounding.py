"""Own the finding "these were not used side by side": comparing combinations compares periods or versions too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma_analysis.evidence.doubting import by_task, doubt, list_names
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.wording import say_count

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding
    from trilemma_analysis.measures import Measures

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "confounding"
QUESTIONS = ("combinations", "run_shapes")
LEAST_RUNS = 20
LEAST_OVERLAP = 0.1  # of the shorter of two periods


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task whose combinations had periods, or task versions, of their own."""
    found = []
    shapes = dict(by_task(analysis.ask("run_shapes")))
    for task in sorted({one.task for one in analysis.measures}):
        ones = [one for one in analysis.of_task(task) if one.runs >= LEAST_RUNS]
        if one := _compare_periods(analysis, task, ones):
            found.append(one)
        if one := _compare_versions(task, ones, shapes.get(task, [])):
            found.append(one)
    return found


def _compare_periods(analysis: Analysis, task: str, ones: list[Measures]) -> Finding | None:
    chosen = analysis.baselines.get(task)
    if len(ones) < 2:
        return None
    baseline = chosen.measures if chosen else max(ones, key=lambda one: (one.runs, one.combination))
    apart = [one for one in ones if one.key != baseline.key and _overlap(baseline, one) < LEAST_OVERLAP]
    if not apart:
        return None
    single = all(one.has_input_ids and one.runs == one.inputs for one in (baseline, *apart))
    return doubt(
        KIND,
        task,
        "periods",
        title=(
            f"{say_count(len(apart))} of {say_count(len(ones) - 1)} combinations did not run at the time of the "
            "baseline"
        ),
        what=(
            f"{list_names([one.label for one in apart])} and the baseline {baseline.label} ran one after the other: "
            "what else "
            "differed between these times (provider, load, inputs, evaluator, code) is part of every difference "
            "between them."
            + (
                " Each tried an input once, so that the noise from one period to another cannot be seen either."
                if single
                else ""
            )
        ),
        n=sum(one.runs for one in (baseline, *apart)),
        unit="runs",
        questions=QUESTIONS[:1],
        doubts=("quality", "cost", "latency"),
        verdict=Verdict.NOT_ENOUGH_DATA,
        risk="A day on which the provider was slow or wrong is taken for a property of the model or version.",
        change=(
            "Run both at the same time on a part of the traffic (trilemma.variant), or look at what the change cannot "
            "touch."
        ),
        verification="Tasks that the change cannot touch show no difference between the same two periods.",
    )


def _overlap(one: Measures, other: Measures) -> float:
    """Return how much of the shorter period the two share; a moment within the other's period is shared."""
    shared = min(one.last_us, other.last_us) - max(one.first_us, other.first_us)
    shorter = min(one.last_us - one.first_us, other.last_us - other.first_us)
    return float(shared >= 0) if shorter == 0 else shared / shorter


def _compare_versions(task: str, ones: list[Measures], rows: list[dict[str, Any]]) -> Finding | None:
    """Find combinations each of which ran under one task version, which others did not."""
    keys = {one.combination for one in ones}
    versions = {row["combination"]: tuple(row["versions"]) for row in rows if row["versions"]}
    single = {name: each for name, each in versions.items() if len(each) == 1 and name in keys}
    distinct = sorted({each for (each,) in single.values()})
    if len(single) < 2 or len(distinct) < 2 or len(single) * 2 < len(keys):
        return None
    return doubt(
        KIND,
        task,
        "versions",
        title="combinations ran under different versions of the task",
        what=(
            f"{say_count(len(single))} of {say_count(len(keys))} combinations ran under one task version only, of "
            f"{say_count(len(distinct))} in all ({list_names(distinct)}): model and version cannot be told apart."
        ),
        n=sum(one.runs for one in ones),
        unit="runs",
        questions=QUESTIONS[1:],
        doubts=("quality", "cost", "latency"),
        verdict=Verdict.NOT_ENOUGH_DATA,
        risk="What a newer version of the task does better is taken for the model's doing.",
        change="Compare combinations within one version, or run the baseline under the new version too.",
    )
