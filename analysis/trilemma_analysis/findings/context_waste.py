"""Own the finding "context is paid for and never used": by source, from marks; and blocks that one context holds twice.

Whether a block is of use is taken from what was marked, never guessed. Its price is the task's average for a token of
input, cached ones included, and it is counted once, though a run of several calls pays for it in each.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from trilemma_analysis.estimate import Estimate, no_estimate, scale_estimate, to_estimate
from trilemma_analysis.evidence.savings import identify, keep_rest, save_part
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.clustered import clustered_rate
from trilemma_analysis.stats.intervals import two_sided_z, wilson
from trilemma_analysis.stats.ratios import share_of_sums
from trilemma_analysis.wording import say_count, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "Use", "find", "judge", "measure_use"]

KIND = "context_waste"
QUESTIONS = ("context_use", "input_prices")
LEAST_UNUSED = 0.8  # of a source's blocks: where more than one in five is used, to drop the source loses too much
LEAST_COST = 0.01  # of the task's bill, at the interval's lower end
LEAST_OPEN = 0.02  # of the bill that seems wasted before it is said that it is not settled
LEAST_MARKED = 10


class Use(NamedTuple):
    """How the blocks of one source are used in one task."""

    row: dict[str, Any]
    unused: Estimate
    """Share of the marked blocks that were of no use."""
    wasted: Estimate
    """Share of the task's bill that unused blocks of this source take, if those not marked are as those marked."""
    repeated: Estimate
    """Share of the bill that goes to blocks which the same context holds already."""
    bill: float


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each source that is surely hardly ever used, and each task that surely repeats blocks."""
    prices = {row["task_name"]: row for row in analysis.ask("input_prices")}
    findings, repeats = [], dict[str, Use]()
    for row in analysis.ask("context_use"):
        task = row["task_name"]
        if task not in prices or not prices[task]["cost"] or not analysis.of_task(task):
            continue
        use = measure_use(row, prices[task], analysis.options.confidence)
        if (verdict := judge(use)) is not None:
            findings.append(_report_unused(analysis, use, verdict))
        if (use.repeated.low or 0) >= max(LEAST_COST, repeats[task].repeated.low or 0 if task in repeats else 0):
            repeats[task] = use
    return findings + [_report_repeated(analysis, use) for use in repeats.values()]


def measure_use(row: dict[str, Any], price: dict[str, Any], level: float) -> Use:
    """Measure one row of sql/context_use.sql at the price of one of sql/input_prices.sql."""
    bill = price["cost"] * PICO
    of_bill = price["input_cost"] * PICO / price["input_tokens"] / bill  # a token, as a share of the bill
    unused, wasted = no_estimate("share"), no_estimate("share")
    if row["marked"]:
        rate = clustered_rate(read_moments(row, "unused"), level)
        unused = to_estimate(
            rate.interval, int(row["unused_y"]), "share", "Wilson on the effective sample size, over runs"
        )
    if row["lost_y"]:
        interval = share_of_sums(read_moments(row, "lost"), level)
        lost = to_estimate(interval, int(row["lost_n"]), "share", "delta method on the logit scale, over runs")
        wasted = scale_estimate(lost, row["tokens"] * of_bill)
    often = to_estimate(
        wilson(row["repeated"], row["blocks"], level), int(row["blocks"]), "share", "Wilson, over blocks"
    )
    each = row["repeated_tokens"] / row["repeated"] if row["repeated"] else 0.0
    return Use(row, unused, wasted, scale_estimate(often, row["blocks"] * each * of_bill), bill)


def judge(use: Use) -> Verdict | None:
    """Return whether a source surely wastes money, may do so, or is not worth a word."""
    if (use.unused.low or 0) >= LEAST_UNUSED and (use.wasted.low or 0) >= LEAST_COST:
        return Verdict.ACT
    seems = (use.unused.value or 0) > LEAST_UNUSED and (use.wasted.value or 0) >= LEAST_OPEN
    return Verdict.NOT_ENOUGH_DATA if seems and use.row["marked"] >= LEAST_MARKED else None


def _report_unused(analysis: Analysis, use: Use, verdict: Verdict) -> Finding:
    row, task, source = use.row, use.row["task_name"], use.row["source"] or "(no source)"
    needed = _need(use, analysis.options.confidence) if verdict is Verdict.NOT_ENOUGH_DATA else None
    is_open = verdict is Verdict.NOT_ENOUGH_DATA
    act = f"Leave {source} out of the context of {task}, or keep only what scores highest in it."
    return Finding(
        id=identify(KIND, task, row["source"]),
        kind=KIND,
        task=task,
        where=source,
        title=f"{task}: context from {source} is {'perhaps ' if is_open else ''}hardly ever used",
        what=(
            f"{say_count(row['blocks'])} blocks from {source} went into prompts ({say_count(row['tokens'])} tokens). "
            f"Of the {say_count(row['marked'])} that were marked, {with_interval(use.unused)} were of no use. If the "
            f"others are like them, {with_interval(use.wasted)} of the task's bill goes to such blocks."
        ),
        verdict=verdict,
        evidence=Evidence(n=int(row["marked"]), unit="marked blocks", questions=QUESTIONS),
        effects=(
            Effect(
                side="quality", what=f"blocks from {source} that were of no use", estimate=use.unused, is_level=True
            ),
            Effect(
                side="cost", what=f"cost per run, without what is unused of {source}", estimate=keep_rest(use.wasted)
            ),
        ),
        saving=None if is_open else save_part(analysis, task, use.wasted, use.bill),
        risk=(
            f"Up to {say_share(1 - (use.unused.low or 0))} of its blocks were of use, and runs may have succeeded for "
            "them. Blocks that were marked may not be like the others."
        ),
        change="Mark more blocks used or unused, in runs picked at random." if is_open else act,
        verification="Try it on a part of the traffic (trilemma.variant.context) and compare success and cost per run.",
        action=None if is_open else Action(kind="context", settings={"source": row["source"], "keep": False}),
        needed=needed,
    )


def _report_repeated(analysis: Analysis, use: Use) -> Finding:
    row, task, source = use.row, use.row["task_name"], use.row["source"] or "(no source)"
    return Finding(
        id=identify(KIND, task, "repeated"),
        kind=KIND,
        task=task,
        where=source,
        title=f"{task}: one context holds the same block more than once, {say_share(use.repeated.value)} of the bill",
        what=(
            f"{say_count(row['repeated'])} of {say_count(row['blocks'])} blocks from {source} are word for word one "
            f"that the same context holds already; they take {with_interval(use.repeated)} of the task's bill."
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=int(row["blocks"]), unit="blocks", questions=QUESTIONS),
        effects=(Effect(side="cost", what="cost per run, without repeats", estimate=keep_rest(use.repeated)),),
        saving=save_part(analysis, task, use.repeated, use.bill),
        risk="None is known: the text stays in the prompt once.",
        change=f"Drop blocks of {source} whose text the context already holds.",
        verification="Compare the blocks kept, the cost per run and success before and after.",
        action=Action(kind="context", settings={"source": row["source"], "drop_repeats": True}),
    )


def _need(use: Use, level: float) -> Needed:
    """Return how many more marks bring Wilson's lower end to the limit, at the rate seen."""
    rate, z = use.unused.value or 0.0, two_sided_z(level)
    wanted = math.ceil(z**2 * LEAST_UNUSED * (1 - LEAST_UNUSED) / (rate - LEAST_UNUSED) ** 2)
    return Needed(n=max(wanted - int(use.row["marked"]), 1), unit="blocks marked used or unused")
