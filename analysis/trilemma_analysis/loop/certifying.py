"""Own the trust certificate of a task: what is vouched for, on which runs, and what ends it.

It ends on its date; when a drift finding fires on its combination; when the runs since, read as often as one likes,
rule out the success rate it states; and when the task is served by another combination. Once broken it stays so until
it is issued anew.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from trilemma.errors import ConfigurationError

from trilemma_analysis.analysis import analyse
from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.findings import Verdict, drift
from trilemma_analysis.loop.ledger import write_certificate
from trilemma_analysis.loop.model import Certificate, CertificateState
from trilemma_analysis.measures import measure_combinations
from trilemma_analysis.options import Options
from trilemma_analysis.scope import Scope
from trilemma_analysis.stats.reliability import pass_hat_k
from trilemma_analysis.stats.sequences import betting_sequence
from trilemma_analysis.wording import say_count, say_money, say_seconds, say_share

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.client import Store
    from trilemma_analysis.measures import Measures

__all__ = ["Floors", "check", "issue", "list_unmet"]

LEAST_KNOWN = 30  # runs with a known outcome, below which nothing is vouched for
LEAST_REPEATED = 20  # inputs tried k times, for pass^k
NEWEST = 50  # runs that tell which combination is in use
LEAST_NEWEST = 20
SLICES = 2000  # of the certificate's validity, for the reading of new runs


class Floors(NamedTuple):
    """What a certificate must vouch for to be of use to the one who asks."""

    success: float | None = None
    cost: float | None = None
    p95_s: float | None = None


def issue(
    analysis: Analysis,
    task: str,
    *,
    issued_at: datetime,
    valid_s: int,
    combination: str | None = None,
    k: int = 3,
    despite_drift: bool = False,
    floors: Floors | None = None,
) -> Certificate:
    """Write a task's certificate into the ledger, for the combination that serves it; see Certificate for what it says.

    Args:
        analysis: the look at the task's runs that is the evidence.
        task: its name.
        issued_at: from when on it is valid.
        valid_s: for how many seconds.
        combination: for this one rather than that of the newest runs.
        k: of pass^k.
        despite_drift: issue it although a drift finding says that figures from before no longer hold.
        floors: what it must vouch for.

    Raises:
        ConfigurationError: no such combination, too few outcomes, a drift, or a floor that is not met.
    """
    one = _find(analysis, task, combination)
    if one.known < LEAST_KNOWN:
        raise ConfigurationError(
            f"{task} on {one.label} has {one.known} runs with a known outcome in this period; a certificate needs "
            f"{LEAST_KNOWN}, {LEAST_KNOWN - one.known} more"
        )
    drifts = _find_drifts(analysis, one.label)
    if drifts and not despite_drift:
        raise ConfigurationError(
            f"{task} on {one.label} changed in this period ({', '.join(drifts)}): figures from before no longer hold. "
            "Take a --since after the change, or issue it all the same with --anyway"
        )
    made = _write(analysis, one, k, (issued_at, issued_at + timedelta(seconds=valid_s)), drifts)
    if unmet := list_unmet(made, floors or Floors()):
        raise ConfigurationError(f"no certificate for {task} on {one.label}: {'; '.join(unmet)}")
    write_certificate(analysis.store, made)
    return made


def check(store: Store, one: Certificate, at: datetime, *, record: bool = False) -> CertificateState:
    """Return whether a certificate still holds at a time; ``record`` writes into the ledger that it is broken."""
    if one.broken_at is not None and one.broken_at <= at:
        return CertificateState(certificate=one, checked_at=at, state="broken", reasons=one.broken_because)
    until = min(at, one.valid_until)
    new_runs, at_most = _read_new_runs(store, one, until)
    reasons = []
    if at_most is not None and at_most < one.success_at_least:
        reasons.append(
            f"the {say_count(new_runs)} runs since rule it out: success is at most {say_share(at_most)}, "
            f"not {say_share(one.success_at_least)}"
        )
    if until > one.until:
        reasons += _find_new_drifts(store, one, until)
        reasons += _find_other(store, one, until)
    if reasons and record:
        write_certificate(store, one.model_copy(update={"broken_at": at, "broken_because": tuple(reasons)}))
    state = "broken" if reasons else "expired" if at > one.valid_until else "valid"
    if state == "expired":
        reasons = [f"it was valid until {one.valid_until:%Y-%m-%d %H:%M} UTC: issue it anew"]
    return CertificateState(
        certificate=one,
        checked_at=at,
        state=state,
        reasons=tuple(reasons),
        new_runs=new_runs,
        new_success_at_most=at_most,
    )


def list_unmet(one: Certificate, floors: Floors) -> list[str]:
    """Return which floors a certificate does not vouch for, by the honest end of each interval."""
    unmet = []
    if floors.success is not None and one.success_at_least < floors.success:
        unmet.append(
            f"success is sure to be at least {say_share(one.success_at_least)}, not {say_share(floors.success)}"
        )
    currency = one.cost_per_run.unit if one.cost_per_run else ""
    for name, most, estimate, say in (
        ("cost per run", floors.cost, one.cost_per_run, lambda value: say_money(value, currency)),
        ("p95 latency", floors.p95_s, one.latency_p95, say_seconds),
    ):
        high = estimate.high if estimate else None
        if most is not None and (high is None or high > most):
            unmet.append(f"{name} may be {say(high) if high is not None else 'anything'}, more than {say(most)}")
    return unmet


def _find(analysis: Analysis, task: str, combination: str | None) -> Measures:
    """Return the measures of the combination that the newest runs use, or of the one named."""
    ones = {one.combination: one for one in analysis.of_task(task)}
    scope = analysis.scope
    if combination is None:
        used = _list_in_use(analysis.store, task, scope.service, scope.since, scope.until)
        combination = used[0][0]
    if combination not in ones:
        shown = ", ".join(repr(name) for name in ones)
        raise ConfigurationError(
            f"{combination!r} is no combination of task {task!r} in this period; there are: {shown}"
        )
    return ones[combination]


def _write(
    analysis: Analysis, one: Measures, k: int, times: tuple[datetime, datetime], drifts: tuple[str, ...]
) -> Certificate:
    scope, confidence = analysis.scope, analysis.options.confidence
    # The lower end of a two-sided interval errs on one side half as often as the interval does.
    sided = measure_combinations(analysis.store, scope, 2 * confidence - 1)
    (low,) = (each.success.low for each in sided if each.key == one.key)
    return Certificate(
        task=one.task,
        combination=one.combination,
        label=one.label,
        confidence=confidence,
        success_at_least=low or 0.0,
        success=one.success,
        k=k,
        pass_k=_measure_pass_k(analysis, one, k),
        cost_per_run=one.cost_per_run,
        latency_p95=one.latency_p95,
        runs=one.runs,
        known=one.known,
        inputs=one.inputs,
        service=scope.service,
        since=scope.since,
        until=scope.until,
        issued_at=times[0],
        valid_until=times[1],
        known_drifts=drifts,
    )


def _measure_pass_k(analysis: Analysis, one: Measures, k: int) -> Estimate | None:
    bound = {name: value for name, value in analysis.scope.parameters.items() if name != "tasks"}
    rows = analysis.store.ask("input_trials", **bound, task=one.task, combination=one.combination).to_pylist()
    enough = sum(row["inputs"] for row in rows if row["trials"] >= k)
    if k < 2 or enough < LEAST_REPEATED:
        return None
    counts = [row["inputs"] for row in rows]
    successes, trials = (np.repeat([row[name] for row in rows], counts) for name in ("successes", "trials"))
    interval = pass_hat_k(successes, trials, k, analysis.options.confidence)
    return to_estimate(interval, int(enough), "share", f"pass^{k} over inputs")


def _read_new_runs(store: Store, one: Certificate, until: datetime) -> tuple[int, float | None]:
    """Return how many runs came since the evidence, and what their success rate is at most, at every look at once."""
    if until <= one.until:
        return 0, None
    rows = store.ask(
        "adopted_slices",
        task=one.task,
        service=one.service,
        since=one.until,
        until=until,
        before=one.combination,
        after=one.combination,
        width_us=max(1, int((one.valid_until - one.issued_at) / timedelta(microseconds=1)) // SLICES),
    ).to_pylist()
    rates = [row["outcome_after"] / row["outcome_after_n"] / 1e6 for row in rows if row["outcome_after_n"]]
    n = sum(row["outcome_after_n"] for row in rows)
    if not rates:
        return 0, None
    return n, float(betting_sequence(np.clip(rates, 0, 1), confidence=one.confidence).high[-1])


def _find_new_drifts(store: Store, one: Certificate, until: datetime) -> list[str]:
    """Return the drift findings that came up since the evidence: over all of the time, and over the new alone."""
    found: dict[str, None] = {}
    for since, known in ((one.since, one.known_drifts), (one.until, ())):
        scope = Scope((one.task,), one.service, since, until, until)
        analysis = analyse(store, scope, Options(confidence=one.confidence))
        found |= {each: None for each in _find_drifts(analysis, one.label) if each not in known}
    return [f"it drifted: {each}" for each in found]


def _find_drifts(analysis: Analysis, label: str) -> tuple[str, ...]:
    """Return the ids of the findings that a combination changed for the worse."""
    found = drift.find(analysis)
    return tuple(sorted(one.id for one in found if one.where == label and one.verdict is Verdict.ACT))


def _find_other(store: Store, one: Certificate, until: datetime) -> list[str]:
    """Say which other combination serves the task now."""
    used = _list_in_use(store, one.task, one.service, one.until, until)
    total = sum(runs for _, runs in used)
    if total < LEAST_NEWEST or dict(used).get(one.combination, 0) * 2 >= total:
        return []
    name, runs = used[0] if used[0][0] != one.combination else used[1]
    return [
        f"the task is served by another combination now: {name or '(no LLM call)'}, {runs} of the newest {total} runs"
    ]


def _list_in_use(store: Store, task: str, service: str, since: datetime, until: datetime) -> list[tuple[str, int]]:
    rows = store.ask(
        "combinations_in_use", task=task, service=service, since=since, until=until.astimezone(UTC), newest=NEWEST
    ).to_pylist()
    return [(row["combination"], row["runs"]) for row in rows]
