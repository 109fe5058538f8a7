"""Own the finding "streams stall": what part of their time readers wait in the middle of an answer."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Verdict
from trilemma_analysis.measures import read_moments
from trilemma_analysis.stats.ratios import share_of_sums
from trilemma_analysis.wording import say_count, say_seconds, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "stalls"
QUESTIONS = ("stalls",)
STALL_S = 2.0  # a stream that reads like speech says some ten words in this time: everybody notices
LEAST_SHARE = 0.02  # of the time of all streams, at the interval's lower end
LEAST_STALLED = 20


def find(analysis: Analysis) -> list[Finding]:
    """Return per task the model whose streams surely spend more than 2 % of their time in stalls."""
    rows = analysis.ask("stalls", least_s=STALL_S)
    level = 1 - analysis.alpha / max(len(rows), 1)
    by_task: dict[str, list[tuple[Estimate, dict[str, Any]]]] = defaultdict(list)
    for row in rows:
        interval = share_of_sums(read_moments(row, "stall"), level)
        share = to_estimate(interval, int(row["stall_n"]), "share", "delta method on the logit scale, over ten minutes")
        if row["stalled"] >= LEAST_STALLED and (share.low or 0) >= LEAST_SHARE:
            by_task[row["task_name"]].append((share, row))
    return [
        _report(task, *min(ones, key=lambda one: (-(one[0].low or 0), one[1]["model"])))
        for task, ones in by_task.items()
    ]


def _report(task: str, share: Estimate, row: dict[str, Any]) -> Finding:
    model, often = row["model"], row["stalled"] / row["streams"]
    mean_s = row["stall_x"] / row["stalled"] / 1e6
    return Finding(
        id=identify(KIND, task, model),
        kind=KIND,
        task=task,
        where=model,
        title=f"{task}: streams of {model} stand still for {say_share(share.value)} of their time",
        what=(
            f"{say_count(row['stalled'])} of {say_count(row['streams'])} streams ({say_share(often)}) wait "
            f"{say_seconds(STALL_S)} or more between two chunks, after their answer has begun: {say_seconds(mean_s)} "
            f"on average, {say_seconds(row['longest_us'] / 1e6)} at most, {with_interval(share)} of the time of all of "
            "them. Only the longest wait of a stream is known; streams with hidden reasoning are left out."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=int(row["streams"]), unit="streams", questions=QUESTIONS),
        effects=(Effect(side="latency", what="time in which streams stand still", estimate=share, is_level=True),),
        risk=(
            "A stall may be on the way and not the provider's: a proxy that buffers, or a client that reads slowly. "
            "A stream that is given up in the middle has been billed so far."
        ),
        change=(
            f"Compare with another region or provider of {model}, and limit the wait between two chunks in the client "
            f"(its read time-out), with a retry where nothing has been shown yet."
        ),
        verification="Run the report again on the days after: this finding goes, or its share falls.",
    )
