"""Own the finding "what this guardrail does and costs": its blocks, whether they were right, its time and money."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, scale_estimate, to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Action, Effect, Evidence, Finding, Needed, Saving, Verdict
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.clustered import clustered_rate
from trilemma_analysis.stats.intervals import two_sided_z, wilson
from trilemma_analysis.stats.ratios import ratio_of_sums, share_of_sums
from trilemma_analysis.wording import say_count, say_money, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "guardrail_ledger"
QUESTIONS = ("guardrail_checks", "guardrail_costs")
LEAST_BLOCKS = 20  # fewer in the period are nobody's trouble, and their marks would settle nothing
LEAST_MARKS = 20
# More wrong blocks than right ones: it stops more of what should pass than of what should not. What a missed harm costs
# nobody recorded; where it is dear, a guardrail may be worth its wrong blocks, which the finding says under risk.
MOSTLY_RIGHT = 0.5
PRECISE = 0.1  # half width to which the share of right blocks is worth knowing
LEAST_IDLE = 1000  # checks without a block or change: then 19 times in 20 fewer than 1 in 333 would have any
MUCH_TIME = 0.05  # share of the run's time that is worth saving where nothing is ever stopped


@dataclass(frozen=True)
class Ledger:
    """One guardrail at one stage of one task."""

    row: dict[str, Any]
    precision: Estimate | None
    """Share of the marked blocks that were right; None without marks."""
    time: Estimate | None
    """Share of the run's time; None where times are unknown."""
    cost: Estimate | None
    """Of one check; None where it is free, unpriced or in several currencies."""

    @property
    def name(self) -> str:
        """Its name and stage, for people."""
        return f"{self.row['guardrail']} ({self.row['stage'] or 'no stage'})"

    @property
    def acts(self) -> int:
        """How often it stopped or changed anything."""
        return int(self.row["blocked"] + self.row["changed"])


def find(analysis: Analysis) -> list[Finding]:
    """Return a finding for each guardrail that blocks often, and for each that never does and takes much time."""
    rows = analysis.ask("guardrail_checks")
    if not rows:
        return []
    costs = {_key(row): row for row in analysis.ask("guardrail_costs")}
    ledgers = [_read(analysis, row, costs.get(_key(row))) for row in rows]
    return [found for one in ledgers if (found := _report(analysis, one)) is not None]


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["task_name"], row["guardrail"], row["stage"]


def _read(analysis: Analysis, row: dict[str, Any], costs: dict[str, Any] | None) -> Ledger:
    level = analysis.options.confidence
    precision = time = cost = None
    if row["mark_y"]:
        interval = clustered_rate(read_moments(row, "mark"), level).interval
        precision = to_estimate(interval, int(row["mark_n"]), "share", "Wilson, over inputs whose block was marked")
    if row["time_n"] and row["time_y"]:
        interval = share_of_sums(read_moments(row, "time"), level)
        time = to_estimate(interval, int(row["time_n"]), "share", "delta method on the logit scale, over inputs")
    if costs is not None and costs["check_x"] and not costs["unpriced"] and len(costs["currencies"]) <= 1:
        unit = next(iter(costs["currencies"]), "") or _currency(analysis, row["task_name"])
        interval = ratio_of_sums(read_moments(costs, "check", PICO), level)
        cost = to_estimate(interval, int(costs["check_n"]), unit, "delta method on the log scale, over checks")
    return Ledger(row, precision, time, cost)


def _currency(analysis: Analysis, task: str) -> str:
    return next((currency for one in analysis.of_task(task) for currency in one.currencies), "")


def _report(analysis: Analysis, one: Ledger) -> Finding | None:
    if one.row["blocked"] >= LEAST_BLOCKS:
        return _report_blocks(analysis, one)
    is_slow = one.time is not None and (one.time.low or 0) >= MUCH_TIME
    if not one.acts and one.row["checks"] >= LEAST_IDLE and is_slow:
        return _report_idle(analysis, one)
    return None


def _report_blocks(analysis: Analysis, one: Ledger) -> Finding:
    verdict, row = _decide(one), one.row
    wrong = None if one.precision is None else _leave(one.precision)
    titles = {
        Verdict.ACT: f"most blocks of {one.name} are wrong",
        Verdict.DONT: f"the blocks of {one.name} are mostly right: keep it",
        Verdict.NOT_ENOUGH_DATA: f"too few marks to say whether {one.name} blocks rightly",
    }
    change = {
        Verdict.ACT: f"Loosen {row['guardrail']}, or let a person decide what it stops; mark what it then lets pass.",
        Verdict.DONT: "Nothing; go on marking some of its blocks.",
        Verdict.NOT_ENOUGH_DATA: "Mark a random sample of its blocks: trilemma.mark(decision_id, 'right' or 'wrong').",
    }
    return Finding(
        id=identify(KIND, row["task_name"], row["guardrail"], row["stage"]),
        kind=KIND,
        task=row["task_name"],
        where=one.name,
        title=f"{row['task_name']}: {titles[verdict]}",
        what=" ".join(
            [_say_verdicts(analysis, one), *_say_marks(one), *_say_false(analysis, one, wrong), *_say_price(one)]
        ),
        verdict=verdict,
        evidence=Evidence(n=int(row["mark_y"]), unit="marked blocks", questions=QUESTIONS),
        effects=_level_effects(one),
        saving=_save(analysis, one, wrong) if verdict is Verdict.ACT and wrong is not None else None,
        risk=(
            "Marks tell of the blocks that somebody looked at; those who were blocked wrongly complain more often. "
            "What a right block saves is not recorded: where a single miss is dear, more wrong blocks may be worth it."
        ),
        change=change[verdict],
        verification="Mark twenty random blocks a month; the share of right ones in this report.",
        action=Action(
            kind="guardrail", settings={"guardrail": row["guardrail"], "stage": row["stage"], "change": "loosen"}
        )
        if verdict is Verdict.ACT
        else None,
        needed=Needed(n=_count_needed(analysis, one), unit="marks of blocks")
        if verdict is Verdict.NOT_ENOUGH_DATA
        else None,
    )


def _decide(one: Ledger) -> Verdict:
    """Return whether its blocks are right more often than wrong, by the honest end of the interval."""
    if one.precision is None or one.row["mark_y"] < LEAST_MARKS:
        return Verdict.NOT_ENOUGH_DATA
    if (1.0 if one.precision.high is None else one.precision.high) < MOSTLY_RIGHT:
        return Verdict.ACT
    return Verdict.DONT if (one.precision.low or 0) > MOSTLY_RIGHT else Verdict.NOT_ENOUGH_DATA


def _count_needed(analysis: Analysis, one: Ledger) -> int:
    """Return the marks that tell the share of right blocks to ten points, or from a half if that is nearer."""
    z, marked = two_sided_z(analysis.options.confidence), int(one.row["mark_y"])
    value = 0.5 if one.precision is None or marked < LEAST_MARKS else one.precision.value or 0.0
    wanted = z**2 * value * (1 - value) / PRECISE**2
    if abs(value - MOSTLY_RIGHT) >= PRECISE / 2:
        wanted = max(wanted, z**2 * value * (1 - value) / (value - MOSTLY_RIGHT) ** 2)
    return max(math.ceil(max(wanted, LEAST_MARKS)) - marked, 1)


def _leave(share: Estimate) -> Estimate:
    """Return the share of wrong blocks."""
    ends = {"value": share.value, "low": share.high, "high": share.low}
    return share.model_copy(update={name: None if end is None else 1 - end for name, end in ends.items()})


def _say_verdicts(analysis: Analysis, one: Ledger) -> str:
    row = one.row
    level = analysis.options.confidence
    share = to_estimate(wilson(row["runs_blocked"], row["runs"], level), row["runs"], "share", "Wilson")
    texts = f"Of {say_count(row['checks'])} checks it blocked {say_count(row['blocked'])}"
    changed = f", changed {say_count(row['changed'])}" if row["changed"] else ""
    failed = f" and raised in {say_count(row['failed'])}" if row["failed"] else ""
    return f"{texts}{changed}{failed}: {with_interval(share)} of the runs were stopped."


def _say_marks(one: Ledger) -> list[str]:
    row = one.row
    if one.precision is None:
        return ["No block was ever marked right or wrong: what the blocked runs would have been, nobody knows."]
    sources = f" by {' and '.join(row['mark_sources'])}" if row["mark_sources"] else ""
    texts = [
        f"{say_count(row['mark_y'])} blocks were marked{sources}: {with_interval(one.precision)} of them were right."
    ]
    passes = row["right_passes"] + row["wrong_passes"]
    if passes:
        missed = say_count(row["wrong_passes"])
        texts.append(f"Of {say_count(passes)} passes that were marked, {missed} should have been stopped.")
    return texts


def _say_false(analysis: Analysis, one: Ledger, wrong: Estimate | None) -> list[str]:
    monthly = analysis.monthly(one.row["task_name"], float(one.row["blocked"]))
    if wrong is None or monthly is None:
        return []
    count = scale_estimate(wrong, monthly, "runs")
    ends = " to ".join("…" if end is None else say_count(end) for end in (count.low, count.high))
    text = f"At the traffic seen that is {say_count(count.value)} ({ends}) wrong blocks a month"
    each = _cost_of_failure(one)
    currency = _currency(analysis, one.row["task_name"])
    if each is None or count.value is None:
        return [f"{text}; what one costs is not recorded (trilemma.task(failure_cost=...))."]
    return [f"{text}, at {say_money(each, currency)} a failure {say_money(each * count.value, currency)}."]


def _cost_of_failure(one: Ledger) -> float | None:
    return one.row["loss"] * PICO / one.row["losses"] if one.row["losses"] else None


def _say_price(one: Ledger) -> list[str]:
    texts = []
    if one.time is not None:
        texts.append(f"It takes {with_interval(one.time)} of the runs' time.")
    if one.cost is not None:
        texts.append(f"A check costs {with_interval(one.cost)}.")
    return texts


def _level_effects(one: Ledger) -> tuple[Effect, ...]:
    found = (
        ("quality", "blocks that were right, of those marked", one.precision),
        ("latency", "share of the runs' time", one.time),
        ("cost", "one check", one.cost),
    )
    return tuple(
        Effect(side=side, what=what, estimate=estimate, is_level=True) for side, what, estimate in found if estimate
    )


def _save(analysis: Analysis, one: Ledger, wrong: Estimate) -> Saving | None:
    """Return what the wrong blocks cost, where the price of a failure is known."""
    each, row = _cost_of_failure(one), one.row
    if each is None:
        return None
    per_1000 = scale_estimate(wrong, each * row["blocked"] / row["runs"] * 1000, _currency(analysis, row["task_name"]))
    runs = analysis.monthly(row["task_name"], float(row["runs"]))
    monthly = None if runs is None else scale_estimate(per_1000, runs / 1000)
    return Saving(per_1000_runs=per_1000, runs_per_month=runs, per_month=monthly)


def _report_idle(analysis: Analysis, one: Ledger) -> Finding:
    row = one.row
    rarely = to_estimate(
        wilson(0.0, float(row["checks"]), analysis.options.confidence), int(row["checks"]), "share", "Wilson"
    )
    idle = f"In {say_count(row['checks'])} checks it neither blocked nor changed anything:"
    left = None if one.time is None else _leave(one.time).model_copy(update={"unit": "ratio"})
    effects = () if left is None else (Effect(side="latency", what="latency without it, to now", estimate=left),)
    return Finding(
        id=identify(KIND, row["task_name"], row["guardrail"], row["stage"]),
        kind=KIND,
        task=row["task_name"],
        where=one.name,
        title=f"{row['task_name']}: {one.name} never stopped anything and takes {say_share(_taken(one))} of the time",
        what=" ".join([f"{idle} at most {say_share(rarely.high)} of runs would give it cause.", *_say_price(one)]),
        verdict=Verdict.ACT,
        evidence=Evidence(n=int(row["checks"]), unit="checks", questions=QUESTIONS),
        effects=(*effects, *(effect for effect in _level_effects(one) if effect.side == "cost")),
        risk="It may be there for what is rare and dear: ask what it is for before you move it.",
        change=f"Let {row['guardrail']} run beside the call instead of before or after it, or on a sample of the runs.",
        verification="The latency of this task in the next report.",
        action=Action(
            kind="guardrail", settings={"guardrail": row["guardrail"], "stage": row["stage"], "change": "beside"}
        ),
    )


def _taken(one: Ledger) -> float | None:
    return None if one.time is None else one.time.value
