"""Own the building of a report: ask, measure, decide, and write it all into the model."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from trilemma.version import VERSION

from trilemma_analysis.analysis import Analysis, analyse
from trilemma_analysis.estimate import known_ratio
from trilemma_analysis.findings import choose_finders, find_all
from trilemma_analysis.frontier import place_on_frontier
from trilemma_analysis.integrity import check_store, check_task
from trilemma_analysis.loop.calibrating import calibrate
from trilemma_analysis.loop.certifying import check
from trilemma_analysis.loop.ledger import read_certificates, read_measurements, read_predictions
from trilemma_analysis.options import read_options
from trilemma_analysis.pictures import choose_topics, make_pictures
from trilemma_analysis.questions import load_question
from trilemma_analysis.report.changes import CHANGE_QUESTIONS, find_changes
from trilemma_analysis.report.model import Advice, Combination, Gate, Integrity, Period, Report, TaskReport
from trilemma_analysis.scope import Scope, find_scope
from trilemma_analysis.snapshot import take_snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from trilemma_analysis.client import Store
    from trilemma_analysis.findings import Finding
    from trilemma_analysis.frontier import FrontierPlace
    from trilemma_analysis.gates import Baseline, GateResult
    from trilemma_analysis.loop.model import Measurement, Prediction
    from trilemma_analysis.measures import Measures
    from trilemma_analysis.options import Options
    from trilemma_analysis.pictures import Picture, Topic

__all__ = ["build_report"]

# What the tables of a report rest on; its findings name their own.
QUESTIONS = (
    "period",
    "combinations",
    "latency_clusters",
    "latency_at_ranks",
    "pair_outcomes",
    "pair_amounts",
    "frontier_bootstrap",
    "integrity",
    *CHANGE_QUESTIONS,
    "ledger_predictions",
    "ledger_measurements",
    "ledger_certificates",
)


def build_report(
    store: Store,
    *,
    task: str | Sequence[str] | None = None,
    service: str | None = None,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    topic: str | None = None,
    pictures: bool = True,
    **choices: Any,
) -> Report:
    """Build the report of a store; the same rows and choices give the same bytes.

    Args:
        store: an open store with our schema.
        task: one task name or several; None means all.
        service: a service name; None means all.
        since: a time, or a length back from the end such as ``30d`` (the default), ``12h``, ``2w``.
        until: a time, which is excluded; None means up to and with the newest run.
        topic: only the findings and pictures of one topic (and findings that doubt the data); None means all.
        pictures: whether to make pictures: not for the terminal and Markdown, which do not draw.
        choices: fields of :class:`trilemma_analysis.options.Options`: ``margin`` and ``margins`` (largest loss of
            success rate that is acceptable, 0.05 is 5 points), ``confidence``, ``baselines``, ``runs_per_month``,
            ``seed``.

    Raises:
        ConfigurationError: an unknown task or topic, an impossible period or choice, or a baseline that is not there.
        StoreError: the store refused.
    """
    tasks = (task,) if isinstance(task, str) else tuple(task or ())
    options = read_options(choices)
    topics = choose_topics(topic)
    kinds = None if topic is None else topics[0].KINDS
    topics = topics if pictures else ()
    questions = _list_questions(topics, kinds)
    scope = find_scope(store, tasks=tasks, service=service, since=since, until=until)
    if scope is None:
        return _write(
            options, service or "", None, questions, integrity=_check_store(store, Scope.ever(tasks, service or ""))
        )
    looked_at = scope if kinds is not None else replace(scope, since=scope.before)
    with take_snapshot(store, looked_at, questions) as snapshot:
        return _build(snapshot, scope, options, topics=topics, kinds=kinds)


def _build(
    store: Store, scope: Scope, options: Options, *, topics: Sequence[Topic], kinds: Collection[str] | None
) -> Report:
    analysis = analyse(store, scope, options)
    places = place_on_frontier(store, scope, analysis.measures, confidence=options.confidence, seed=options.seed)
    findings = find_all(analysis, kinds)
    return _write(
        options,
        scope.service,
        scope,
        _list_questions(topics, kinds),
        measures=analysis.measures,
        tasks=[_write_task(analysis, name, places) for name in sorted({one.task for one in analysis.measures})],
        findings=findings,
        pictures=make_pictures(analysis, topics),
        integrity=_check_store(store, scope),
        following=_follow(analysis, findings) if kinds is None else None,
    )


def _follow(analysis: Analysis, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what changed, what our last advice did, and how the certificates stand at the end of the period."""
    store, scope = analysis.store, analysis.scope
    made = read_measurements(store, scope.tasks)
    certificates = [check(store, one, scope.until) for one in read_certificates(store, scope.tasks)]
    return {
        "changes": find_changes(analysis, findings),
        "advice": tuple(_write_advice(one, made) for one in read_predictions(store, scope.tasks)),
        "calibration": calibrate(made.values()),
        "certificates": tuple(certificates),
    }


def _write_advice(one: Prediction, made: dict[str, Measurement]) -> Advice:
    return Advice(
        finding_id=one.finding.id,
        task=one.finding.task,
        title=one.finding.title,
        adopted_at=one.adopted_at,
        ends_at=one.ends_at,
        note=one.note,
        predicted=tuple(each for each in one.finding.effects if not each.is_level),
        measurement=made.get(one.finding.id),
    )


def _check_store(store: Store, scope: Scope) -> list[Integrity]:
    checks = check_store(store.ask("integrity", **scope.parameters).to_pylist()[0])
    return [Integrity(level=one.level, task="", what=one.key, detail=one.detail) for one in checks]


def _write(
    options: Options,
    service: str,
    scope: Scope | None,
    questions: Sequence[str],
    *,
    measures: Sequence[Measures] = (),
    tasks: Sequence[TaskReport] = (),
    findings: Sequence[Finding] = (),
    pictures: Sequence[Picture] = (),
    integrity: Sequence[Integrity] = (),
    following: dict[str, Any] | None = None,
) -> Report:
    return Report(
        trilemma_version=VERSION,
        service=service,
        period=None if scope is None else _write_period(scope, measures),
        options=options,
        tasks=tuple(tasks),
        findings=tuple(findings),
        pictures=tuple(pictures),
        integrity=tuple(integrity),
        **(following or {}),
        questions={name: load_question(name).sql for name in questions},
        parameters={name: str(value) for name, value in scope.parameters.items()} if scope else {},
    )


def _list_questions(topics: Sequence[Topic] = (), kinds: Collection[str] | None = None) -> list[str]:
    named = [one.QUESTIONS for one in choose_finders(kinds)] + [one.QUESTIONS for one in topics]
    return list(dict.fromkeys([*QUESTIONS, *(name for names in named for name in names)]))


def _write_period(scope: Scope, measures: Sequence[Measures]) -> Period:
    first_us = min((one.first_us for one in measures), default=int(scope.as_of.timestamp() * 1e6))
    first_at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=first_us)
    return Period(since=scope.since, until=scope.until, first_at=first_at, as_of=scope.as_of)


def _write_task(analysis: Analysis, name: str, places: dict[tuple[str, str], FrontierPlace]) -> TaskReport:
    ones, baseline = analysis.of_task(name), analysis.baselines.get(name)
    currencies = sorted({currency for one in ones for currency in one.currencies})
    ordered = sorted(
        ones, key=lambda one: (not _is_baseline(one, baseline), -(one.success.value or 0), one.combination)
    )
    gates = [one for one in analysis.gates if one.comparison.baseline.task == name and analysis.is_candidate(one)]
    return TaskReport(
        name=name,
        runs=sum(one.runs for one in ones),
        margin=analysis.options.margin_of(name),
        confidence=analysis.options.confidence,
        currency=currencies[0] if len(currencies) == 1 else "",
        baseline=baseline.measures.label if baseline else None,
        baseline_reason=baseline.reason if baseline else "no combination has a known outcome",
        runs_per_month=analysis.monthly_runs(baseline.measures) if baseline else None,
        combinations=tuple(_write_combination(one, baseline, places.get(one.key)) for one in ordered),
        gates=tuple(_write_gate(one) for one in sorted(gates, key=_rank_gate)),
        integrity=tuple(
            Integrity(level=one.level, task=name, what=one.key, detail=one.detail) for one in check_task(ones)
        ),
    )


def _write_combination(one: Measures, baseline: Baseline | None, place: FrontierPlace | None) -> Combination:
    unknown = one.runs - one.known
    return Combination(
        name=one.label,
        models=one.models,
        axes=one.axes,
        is_baseline=_is_baseline(one, baseline),
        runs=one.runs,
        inputs=one.inputs,
        known=one.known,
        unknown=unknown,
        unpriced=one.unpriced,
        errors=one.errors,
        calls=one.calls,
        success=one.success,
        success_if_unknown_fail=one.successes / one.runs,
        success_if_unknown_succeed=(one.successes + unknown) / one.runs,
        cost_per_run=one.cost_per_run,
        cost_per_call=one.cost_per_call,
        cost_per_success=one.cost_per_success,
        latency_p50=one.latency_p50,
        latency_p95=one.latency_p95,
        on_frontier=place.on_frontier if place else None,
        frontier_probability=place.probability if place else None,
    )


def _write_gate(result: GateResult) -> Gate:
    made = result.comparison
    return Gate(
        candidate=made.candidate.label,
        baseline=made.baseline.label,
        differs_in=made.differs_in,
        verdict=result.verdict.value,
        margin=made.margin,
        paired=made.paired,
        n=made.test.n,
        difference=made.difference,
        cost_ratio=made.cost_ratio,
        latency_ratio=made.latency_ratio,
        discordance=made.test.discordance,
        p_noninferior=result.p_noninferior,
        p_worse=result.p_worse,
        needed=result.needed,
        needed_cost=result.needed_cost,
    )


def _is_baseline(one: Measures, baseline: Baseline | None) -> bool:
    return baseline is not None and one.key == baseline.measures.key


def _rank_gate(result: GateResult) -> tuple[int, float, str]:
    """Order the gate: safe first, then open, then worse; within each the cheapest first."""
    order = {"safe": 0, "not enough data": 1, "worse": 2}[result.verdict.value]
    return order, known_ratio(result.comparison.cost_ratio), result.comparison.candidate.combination
