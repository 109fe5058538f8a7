"""Own the finding "failures are counted as successes": runs whose every call failed, was cut off, refused or empty."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trilemma_analysis.estimate import to_estimate
from trilemma_analysis.evidence.doubting import doubt, label_of, list_names
from trilemma_analysis.findings.finding import Effect
from trilemma_analysis.stats.intervals import wilson
from trilemma_analysis.wording import say_count, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.findings.finding import Finding

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "failures_as_success"
QUESTIONS = ("run_shapes", "signed_successes")
LEAST_RUNS = 3  # of a task: one may be a run that did without the model
# Runs that answered nothing count from the first few; those cut off or refused may have been judged right all the same.
LEAST_SIGNED_SHARE = 0.01


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each task with successes that have no answer behind them."""
    hollow: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    successes: dict[str, int] = defaultdict(int)
    worst: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))

    def count(task: str, why: str, label: str, runs: int) -> None:
        if runs:
            hollow[task][why] += runs
            worst[task][label] += runs

    for row in analysis.ask("run_shapes"):
        label = label_of(analysis, row)
        successes[row["task_name"]] += row["successes"]
        count(row["task_name"], "every call failed", label, row["hollow_errors"])
        count(row["task_name"], "the calls gave no token", label, row["hollow_outputs"])
    signed: dict[str, int] = defaultdict(int)
    for row in analysis.ask("signed_successes"):
        signed[row["task_name"]] += row["runs"]
    for row in analysis.ask("signed_successes"):
        if signed[row["task_name"]] >= LEAST_SIGNED_SHARE * successes[row["task_name"]]:
            count(row["task_name"], f"every call was {row['sign']}", label_of(analysis, row), row["runs"])
    return [
        _report(analysis, task, dict(whys), successes[task], worst[task])
        for task, whys in sorted(hollow.items())
        if sum(whys.values()) >= LEAST_RUNS
    ]


def _report(analysis: Analysis, task: str, whys: dict[str, int], successes: int, worst: dict[str, int]) -> Finding:
    runs = sum(whys.values())
    share = to_estimate(
        wilson(runs, successes, analysis.options.confidence), successes, "share", "Wilson, of the successes"
    )
    reasons = "; ".join(f"{why}: {say_count(n)}" for why, n in sorted(whys.items()))
    places = sorted(worst, key=lambda label: (-worst[label], label))
    return doubt(
        KIND,
        task,
        title=f"{say_count(runs)} runs without an answer are counted as successes",
        what=(
            f"Of {say_count(successes)} successes, {with_interval(share)} have no answer behind them ({reasons}). "
            f"Where no answer happens to be the right one (nothing to call, nothing to find), an error scores as "
            f"ability. Most: {list_names([f'{label} ({say_count(worst[label])})' for label in places])}; its success "
            f"rate is at most so much too high."
        ),
        n=successes,
        unit="successes",
        questions=QUESTIONS,
        doubts=("quality",),
        effects=[Effect(side="quality", what="successes without an answer", estimate=share, is_level=True)],
        change=(
            "Let the evaluation fail a run whose calls failed or gave nothing (task.fail(...)), or leave it without an "
            f"outcome; until then read the success rate as up to {say_share(share.high)} of the successes lower."
        ),
    )
