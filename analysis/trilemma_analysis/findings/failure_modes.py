"""Own the finding "this is what it fails of": a task's failures ranked by what they cost, and those of the harness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.savings import identify
from trilemma_analysis.findings.finding import Effect, Evidence, Finding, Needed, Verdict
from trilemma_analysis.measures import PICO, read_moments
from trilemma_analysis.stats.clustered import clustered_rate
from trilemma_analysis.stats.intervals import two_sided_z, wilson
from trilemma_analysis.stats.unpaired import newcombe
from trilemma_analysis.wording import say_change, say_count, say_money, say_share, with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.measures import Measures

__all__ = ["KIND", "QUESTIONS", "find"]

KIND = "failure_modes"
QUESTIONS = ("failure_modes", "successful_runs", "combinations")
MOST_MODES = 50
LISTED = 3
# A mode that surely takes a tenth of a task's runs is worth a week of work; smaller ones are the noise of trade.
LEAST_RATE = 0.1
LEAST_RUNS = 20  # of a mode, before it is ranked
FEW_RUNS = 5  # of a mode that may be as frequent: before that, more data are not asked for
MOST_WANTED = 10.0  # times the runs there are: more than that is no advice
HARNESS_RATE = 0.005  # of a task's runs: failures that never reached a model are wrong at any rate, but not if rare
MOSTLY = 0.8


@dataclass(frozen=True)
class Mode:
    """One way in which a task fails."""

    name: str
    runs: int
    share: Estimate
    """Of the failures."""
    rate: Estimate
    """Of all runs with a known outcome."""
    spent: float | None
    lost: float | None
    currency: str
    unreached: int
    by_combination: dict[str, int]

    @property
    def impact(self) -> tuple[float, int, str]:
        """Return what to rank it by: money, then runs."""
        return -((self.spent or 0.0) + (self.lost or 0.0)), -self.runs, self.name


def find(analysis: Analysis) -> list[Finding]:
    """Return for each task the modes that take much of it, and the failures that never reached a model."""
    asked = analysis.ask("failure_modes", most_modes=MOST_MODES)
    if not asked:
        return []
    wins = {row["task_name"]: row for row in analysis.ask("successful_runs")}
    found = []
    for task in sorted({row["task_name"] for row in asked}):
        won = wins.get(task, {"successes": 0, "reached": 0, "valued": 0, "worth": 0.0})
        modes = _read_modes(analysis, task, [row for row in asked if row["task_name"] == task], won)
        # Where successes have neither tokens nor times the store does not hold them: their absence says nothing.
        held = won["successes"] > 0 and won["reached"] >= MOSTLY * won["successes"]
        harness = [one for one in modes if held and one.unreached >= MOSTLY * one.runs]
        found += _report_harness(analysis, task, harness)
        found += _report_modes(analysis, task, [one for one in modes if one not in harness], harness)
    return found


def _read_modes(analysis: Analysis, task: str, rows: Sequence[dict[str, Any]], won: dict[str, Any]) -> list[Mode]:
    """Return a task's modes by impact."""
    known = sum(one.known for one in analysis.of_task(task))
    worth = won["worth"] * PICO / won["valued"] if won["valued"] else 0.0
    return sorted((_read_mode(analysis, row, known, worth) for row in rows), key=lambda one: one.impact)


def _read_mode(analysis: Analysis, row: dict[str, Any], known: int, worth: float) -> Mode:
    level = analysis.options.confidence
    share = clustered_rate(read_moments(row, "mode"), level)
    alike = row["runs"] / max(row["inputs"], 1)  # a mode whose runs are of few inputs counts as so many fewer runs
    rate = wilson(row["runs"] / alike, max(known, row["runs"]) / alike, level)
    is_money = len(row["currencies"]) <= 1
    told = row["priced_losses"] or worth
    loss = row["loss"] * PICO * (row["runs"] / row["priced_losses"]) if row["priced_losses"] else worth * row["runs"]
    return Mode(
        name=row["mode"],
        runs=row["runs"],
        share=to_estimate(share.interval, int(row["mode_n"]), "share", "Wilson, over inputs that failed"),
        rate=to_estimate(rate, known, "share", "Wilson on the effective sample size"),
        spent=row["cost"] * PICO if is_money and row["priced"] else None,
        lost=loss if is_money and told else None,
        currency=next(iter(row["currencies"]), ""),
        unreached=row["unreached"],
        by_combination=dict(zip(row["combinations"], row["combination_runs"], strict=True)),
    )


def _report_modes(analysis: Analysis, task: str, modes: Sequence[Mode], harness: Sequence[Mode]) -> list[Finding]:
    named = [one for one in modes if one.name and one.runs >= FEW_RUNS]
    if len(named) < 2:  # one mode alone is the failure rate by another name
        return []
    much = [one for one in named if one.runs >= LEAST_RUNS and (one.rate.low or 0) >= LEAST_RATE]
    if much:
        return [_rank(analysis, task, (modes, harness), much)]
    open_ones = [one for one in named if (one.rate.value or 0) > LEAST_RATE]
    asked = [(one, more) for one in open_ones if (more := _count_more(analysis, one)) is not None]
    return [_report_open(analysis, task, *asked[0])] if asked else []


def _rank(
    analysis: Analysis, task: str, failed: tuple[Sequence[Mode], Sequence[Mode]], much: Sequence[Mode]
) -> Finding:
    """Rank the modes of the first kind; those of the second, the harness's, are counted among the failures alone."""
    (modes, harness), top = failed, much[0]
    lost = sum(one.runs for one in harness)
    failures = sum(one.runs for one in modes) + lost
    listed = list(modes[:LISTED])
    covered = sum(one.runs for one in listed) / failures
    rest = f" and {len(modes) - LISTED} more" if len(modes) > LISTED else ""
    where = _find_place(analysis, task, top)
    return Finding(
        id=identify(KIND, task),
        kind=KIND,
        task=task,
        where=where[0].label if where else task,
        title=f"{task}: {say_share(top.rate.value)} of the runs fail of {_name(top)}",
        what=(
            f"{say_count(failures)} runs failed{_say_lost(lost)}, by {_say_order(modes)}: "
            + "; ".join(_say_mode(one) for one in listed)
            + f"{rest}. These make up {say_share(covered)} of the failures."
            + (
                f" {where[0].label} has more of {_name(top)} than the others, by {say_change(where[1])}."
                if where
                else ""
            )
        ),
        verdict=Verdict.ACT,
        evidence=Evidence(n=failures, unit="failed runs", questions=QUESTIONS),
        effects=tuple(
            effect
            for one in much[:LISTED]
            for effect in (
                Effect(side="quality", what=f"runs that fail of {_name(one)}", estimate=one.rate, is_level=True),
                Effect(side="quality", what=f"failures that are {_name(one)}", estimate=one.share, is_level=True),
            )
        ),
        risk=(
            "A mode is a word that somebody or something chose: two words may be one cause."
            + (" Combinations may have served different inputs." if where else "")
        ),
        change=f"Read ten runs that failed of {_name(top)}, and mend their common cause first.",
        verification=f"The share of {_name(top)} among the runs of the next weeks in this report.",
    )


def _say_lost(lost: int) -> str:
    return f", {say_count(lost)} of them before they reached a model; the others" if lost else ""


def _say_order(modes: Sequence[Mode]) -> str:
    return "what they cost" if any(one.spent or one.lost for one in modes) else "their number"


def _say_mode(one: Mode) -> str:
    money = []
    if one.spent is not None:
        money.append(f"{say_money(one.spent, one.currency)} spent")
    if one.lost is not None:
        money.append(f"{say_money(one.lost, one.currency)} lost")
    amounts = f", {', '.join(money)}" if money else ""
    return f"{_name(one)} {say_count(one.runs)} runs, {with_interval(one.share)} of the failures{amounts}"


def _name(one: Mode) -> str:
    return f"“{one.name[:60]}”" if one.name else "no stated mode"


def _find_place(analysis: Analysis, task: str, mode: Mode) -> tuple[Measures, Estimate] | None:
    """Return the combination with surely more of a mode than the others together, and by how much."""
    ones = [one for one in analysis.of_task(task) if one.known]
    if len(ones) < 2:
        return None
    level = 1 - (1 - analysis.options.confidence) / len(ones)
    known, runs = sum(one.known for one in ones), sum(mode.by_combination.values())
    best: tuple[Measures, Estimate] | None = None
    for one in ones:
        mine, effect = mode.by_combination.get(one.combination, 0), max(one.known / max(one.effective_n, 1.0), 1.0)
        others = max(known - one.known, runs - mine)
        if not others:
            continue
        interval = newcombe((runs - mine) / effect, others / effect, mine / effect, one.known / effect, level)
        gap = to_estimate(interval, one.known, "share", "Newcombe, for the choice among combinations")
        if (gap.low or 0) > 0 and (best is None or (gap.value or 0) > (best[1].value or 0)):
            best = one, gap
    return best


def _count_more(analysis: Analysis, mode: Mode) -> int | None:
    """Return how many more runs would show whether the mode takes as much as it seems; None where too many would."""
    rate, z = mode.rate.value or 0.0, two_sided_z(analysis.options.confidence)
    wanted = max(z**2 * rate * (1 - rate) / (rate - LEAST_RATE) ** 2, LEAST_RUNS / rate)
    more = math.ceil(wanted) - mode.rate.n
    return more if 0 < more <= MOST_WANTED * mode.rate.n else None


def _report_open(analysis: Analysis, task: str, mode: Mode, more: int) -> Finding:
    costs = [one.cost_per_run for one in analysis.of_task(task)]
    per_run = costs[0].value if len(costs) == 1 and costs[0] is not None else None
    return Finding(
        id=identify(KIND, task),
        kind=KIND,
        task=task,
        where=task,
        title=f"{task}: perhaps more than a tenth of the runs fail of {_name(mode)}",
        what=(
            f"{say_count(mode.runs)} of {say_count(mode.rate.n)} runs with an outcome failed of {_name(mode)}: "
            f"{with_interval(mode.rate)}. That is too few to say whether it is worth a search for its cause."
        ),
        verdict=Verdict.NOT_ENOUGH_DATA,
        evidence=Evidence(n=mode.rate.n, unit="runs", questions=QUESTIONS),
        effects=(Effect(side="quality", what=f"runs that fail of {_name(mode)}", estimate=mode.rate, is_level=True),),
        risk="A mode seen in few runs may be the accident of a day.",
        change=f"Nothing yet; let {task} run on, and keep telling why it fails.",
        verification="This report, when there are more runs.",
        needed=Needed(
            n=more,
            unit="runs",
            cost=None if per_run is None else per_run * more,
            currency="" if costs[0] is None or per_run is None else costs[0].unit,
        ),
    )


def _report_harness(analysis: Analysis, task: str, modes: Sequence[Mode]) -> list[Finding]:
    """Report failures that never reached a model: no tokens, no time, and no guardrail that stopped them."""
    unreached, known = sum(one.unreached for one in modes), sum(one.known for one in analysis.of_task(task))
    if unreached < LEAST_RUNS or unreached < HARNESS_RATE * known:
        return []
    share = to_estimate(
        wilson(float(unreached), float(max(known, unreached)), analysis.options.confidence), known, "share", "Wilson"
    )
    names = ", ".join(_name(one) for one in modes[:LISTED])
    return [
        Finding(
            id=identify(KIND, task, "harness"),
            kind=KIND,
            task=task,
            where=task,
            title=f"{task}: {say_count(unreached)} failures never reached a model",
            what=(
                f"{with_interval(share)} of the runs failed without a token and without a moment in a model ({names}), "
                "while successes have both, and no guardrail stopped them. That is the harness failing, not the model; "
                "in success rates they count against whichever combination they ran under."
            ),
            verdict=Verdict.ACT,
            evidence=Evidence(n=unreached, unit="failed runs without tokens or time", questions=QUESTIONS),
            effects=(Effect(side="quality", what="runs lost before the model", estimate=share, is_level=True),),
            risk="If calls were made that nothing traced, these are failures of a model after all: trace them.",
            change="Mend what breaks before the call, run these inputs again, or tell their outcome as unknown.",
            verification="No run of this task fails without a call in the next report.",
            doubts=("quality", "cost", "latency"),
        )
    ]
