"""Own the finding "sums do not equal their parts": runs and kept sums against calls, cost parts against costs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trilemma_analysis.evidence.doubting import doubt
from trilemma_analysis.wording import say_count, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "aggregates"
QUESTIONS = ("run_shapes", "call_shapes", "rollup_totals")
LEAST_CALLS = 20
LEAST_SHARE = 0.01  # calls of a run may lie beyond the end of the period


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task whose runs or cost parts do not add up, and one where the kept sums do not."""
    of_runs: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    of_calls: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in analysis.ask("run_shapes"):
        _add(of_runs[row["task_name"]], row["calls"], row["input_tokens"] + row["output_tokens"])
    for row in analysis.ask("call_shapes"):
        tokens = row["input_tokens"] + row["output_tokens"]
        _add(of_calls[row["task_name"]], row["in_runs"], tokens, row["split"], row["unequal"])
    found = []
    for task in sorted({*of_runs, *of_calls}):
        (runs_calls, run_tokens), (calls, tokens, split, unequal) = of_runs[task], of_calls[task]
        if _differ(runs_calls, calls, LEAST_CALLS) or (calls and _differ(run_tokens, tokens, LEAST_CALLS)):
            found.append(_report_runs(task, runs_calls, calls, run_tokens, tokens))
        if unequal >= LEAST_CALLS and unequal >= LEAST_SHARE * split:
            found.append(_report_parts(task, unequal, split))
    return [*found, *_find_rollups(analysis)]


def _add(sums: list[int], *values: int) -> None:
    for place, value in enumerate(values):
        sums[place] += value


def _differ(one: int, other: int, least: int) -> bool:
    return abs(one - other) >= max(least, LEAST_SHARE * max(one, other))


def _report_runs(task: str, runs_calls: int, calls: int, run_tokens: int, tokens: int) -> Finding:
    missing = runs_calls > calls
    return doubt(
        KIND,
        task,
        "runs",
        title="what the runs add up to is not what their calls add up to",
        what=(
            f"The runs count {say_count(runs_calls)} calls and {say_count(run_tokens)} tokens; the calls that name "
            "them are "
            f"{say_count(calls)}, with {say_count(tokens)} tokens. "
            + (
                "Calls were deleted or have expired: questions about calls see a part of the period only."
                if missing
                else "Runs are missing (their span never came), or came twice: cost per run leaves out what these "
                "calls cost."
            )
        ),
        n=max(runs_calls, calls),
        unit="calls",
        questions=QUESTIONS[:2],
        doubts=("cost", "latency"),
        change="Look for processes that ended without sending their spans, and at the time that calls are kept (TTL).",
    )


def _report_parts(task: str, unequal: int, split: int) -> Finding:
    return doubt(
        KIND,
        task,
        "parts",
        title=f"the parts of {say_count(unequal)} costs do not add up to the total",
        what=(
            f"Of {say_count(split)} calls with a cost in parts, in {say_count(unequal)} "
            f"({say_share(unequal / split)}) input, cache, "
            "output and other costs differ from the total by more than 1 %."
        ),
        n=split,
        unit="calls",
        questions=QUESTIONS[1:2],
        doubts=("cost",),
        change=(
            "Find out which of the two is right where the costs are written; savings by part (cache, output) rest on "
            "the parts."
        ),
    )


def _find_rollups(analysis: Analysis) -> list[Finding]:
    rows = analysis.ask("rollup_totals")
    if not rows:
        return []
    worst = max(rows, key=lambda row: (abs(row["calls"] - row["daily_calls"]), row["day"]))
    return [
        doubt(
            KIND,
            "",
            "rollups",
            where="the whole store",
            title=f"sums by hour or day differ from the calls on {say_count(len(rows))} days",
            what=(
                f"Most on {worst['day']}: {say_count(worst['calls'])} calls, {say_count(worst['hourly_calls'])} by "
                "the hour, "
                f"{say_count(worst['daily_calls'])} by the day. Calls that were deleted or have expired are still in "
                "the sums, "
                "and calls written past the tables' views are in none."
            ),
            n=len(rows),
            unit="days",
            questions=QUESTIONS[2:],
            doubts=(),
            risk="Boards read the sums, this report reads the calls: the two do not show the same.",
            change=(
                "Compare with the time that calls are kept; delete the stored sums of those days to have them "
                "computed anew."
            ),
        )
    ]
