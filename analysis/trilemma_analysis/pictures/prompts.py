"""Own the pictures of prompts: what each version achieves and costs, and how that went over time."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.pictures.marks import by_task, name_versions, read_time, share_of, width_of
from trilemma_analysis.pictures.picture import Frame, Mark, Picture

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.measures import Measures

__all__ = ["ASKS", "KINDS", "NEEDS", "QUESTIONS", "TITLE", "TOPIC", "make"]

TOPIC = "prompts"
TITLE = "Prompts"
ASKS = "Which version of a prompt succeeds more often, at what cost, and since when is it in use?"
NEEDS = "Prompts are named and versioned with `trilemma.prompt`."
KINDS = ("prompt_version",)
QUESTIONS = ("combinations", "traffic")
MOST = 12  # combinations in one picture


def make(analysis: Analysis) -> list[Picture]:
    """Return the pictures of each task that has more than one version of a prompt."""
    tasks = sorted({one.task for one in analysis.measures})
    versioned = {task: ones for task in tasks if _has_versions(ones := analysis.of_task(task))}
    over_time = _draw_time(analysis) if versioned else {}
    return [
        picture
        for task, ones in versioned.items()
        for picture in (*_draw_versions(analysis, task, ones), over_time.get(task))
        if picture is not None
    ]


def _draw_versions(analysis: Analysis, task: str, ones: list[Measures]) -> list[Picture]:
    """Return success and cost of each combination with a version; no cost where currencies differ."""
    most = sorted((one for one in ones if _version(one)), key=lambda one: -one.runs)[:MOST]
    shown = sorted(most, key=lambda one: (one.first_us, one.label))
    frame = Frame(TOPIC, task, analysis.options.confidence)
    rates = [Mark(name=one.label, group=_version(one), estimate=one.success) for one in shown]
    costs = [
        Mark(name=one.label, group=_version(one), estimate=one.cost_per_run)
        for one in shown
        if one.cost_per_run is not None
    ]
    pictures = [frame.draw("Which version succeeds?", "success rate", rates, question="combinations")]
    if len(units := {mark.estimate.unit for mark in costs}) == 1:
        axis = f"cost per run ({units.pop() or 'currency not stated'})"
        pictures.append(frame.draw("What does it cost?", axis, costs, question="combinations"))
    return pictures


def _draw_time(analysis: Analysis) -> dict[str, Picture]:
    width_s, level = width_of(analysis), analysis.options.confidence
    rows = analysis.ask("traffic", width_s=width_s)
    return {
        task: Frame(TOPIC, task, level).draw(
            "How did each version do over time?",
            "success rate",
            [
                Mark(name=version, at=read_time(bucket, width_s), estimate=share_of(won, known, level))
                for (version, bucket), (known, won) in sorted(_sum_versions(lines).items())
            ],
            question="traffic",
            form="lines",
        )
        for task, lines in by_task(rows).items()
    }


def _sum_versions(lines: list[dict[str, Any]]) -> dict[tuple[str, int], tuple[int, int]]:
    """Return known outcomes and successes by version and bucket, where there are any."""
    known: Counter[tuple[str, int]] = Counter()
    won: Counter[tuple[str, int]] = Counter()
    for row in lines:
        if row["prompt_version"] and row["known"]:
            place = name_versions(row["prompt_name"], row["prompt_version"]), row["bucket"]
            known[place] += row["known"]
            won[place] += row["successes"]
    return {place: (count, won[place]) for place, count in known.items()}


def _has_versions(ones: list[Measures]) -> bool:
    versions: dict[str, set[str]] = defaultdict(set)
    for one in ones:
        if "prompt_version" in one.axes:
            versions[one.axes.get("prompt_name", "")].add(one.axes["prompt_version"])
    return any(len(found) > 1 for found in versions.values())


def _version(one: Measures) -> str:
    version = one.axes.get("prompt_version", "")
    return name_versions(one.axes.get("prompt_name", ""), version) if version else ""
