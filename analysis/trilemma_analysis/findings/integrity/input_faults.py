"""Own the finding "these inputs fail whatever is used": a fault of the harness or the input, not of a model."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.evidence.doubting import doubt, list_names
from trilemma_analysis.wording import say_count, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "input_faults"
QUESTIONS = ("faulty_inputs",)
LEAST_COMBINATIONS = 3
LEAST_INPUTS = 3
CHANCE = 0.05  # of those found, at most so many by chance, if errors fell on runs at the rate of the other inputs


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task in which inputs end with an error in each of at least three combinations."""
    errors: dict[str, int] = defaultdict(int)
    for one in analysis.measures:
        errors[one.task] += one.errors if one.has_input_ids else 0
    tasks = [task for task, count in sorted(errors.items()) if count >= LEAST_INPUTS * LEAST_COMBINATIONS]
    if not tasks:
        return []
    rows = analysis.ask(QUESTIONS[0], chosen_tasks=tasks, least_combinations=LEAST_COMBINATIONS)
    return [_report(row) for row in rows if row["faulty_inputs"] >= LEAST_INPUTS and not _is_chance(row)]


def _is_chance(row: dict[str, Any]) -> bool:
    """Tell whether so many would fail everywhere if errors fell on runs at the rate of the other inputs."""
    rest = row["runs"] - row["faulty_runs"]
    rate = (row["failed"] - row["faulty_runs"] + 1) / (rest + 1)
    return bool(rate**LEAST_COMBINATIONS * row["inputs"] > CHANCE * row["faulty_inputs"])


def _report(row: dict[str, Any]) -> Finding:
    share = row["faulty_runs"] / row["failed"]
    return doubt(
        KIND,
        row["task_name"],
        title=f"{say_count(row['faulty_inputs'])} inputs end with an error whatever is used",
        what=(
            f"{say_count(row['faulty_inputs'])} of {say_count(row['inputs'])} inputs failed with an error in each of "
            "their "
            f"{say_count(row['faulty_runs'])} runs, by at least {LEAST_COMBINATIONS} combinations; they make "
            f"{say_share(share)} of "
            f"all errors here. First: {list_names(row['examples'])}. An error that goes with the input is one of the "
            "harness "
            "or the data; it counts against every model alike."
        ),
        n=int(row["inputs"]),
        unit="inputs",
        questions=QUESTIONS,
        doubts=("quality",),
        risk=(
            "Error rates and success rates are worse than the models are; a fallback or retry would be paid for "
            "nothing."
        ),
        change="Mend these inputs or leave them out (no outcome), and do not count their errors as a model's.",
    )
