"""Own what a report and its findings share: the scope, the choices, and what was measured and decided once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from trilemma_analysis.comparisons import compare
from trilemma_analysis.gates import choose_baselines, find_candidates, find_incumbents, run_gates
from trilemma_analysis.measures import measure_combinations
from trilemma_analysis.options import read_options
from trilemma_analysis.scope import find_scope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from trilemma_analysis.client import Store
    from trilemma_analysis.gates import Baseline, GateResult
    from trilemma_analysis.measures import Measures
    from trilemma_analysis.options import Options
    from trilemma_analysis.scope import Scope

__all__ = ["Analysis", "analyse", "open_analysis"]

MONTH = timedelta(days=30)
LEAST_SPAN = timedelta(days=1)  # a shorter sight of the traffic is not stretched to a month


@dataclass(frozen=True)
class Analysis:
    """One look at a store; findings read from it and may ask the store more."""

    store: Store
    scope: Scope
    options: Options
    measures: tuple[Measures, ...]
    baselines: dict[str, Baseline]
    gates: tuple[GateResult, ...]
    answers: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict, repr=False, compare=False)
    """Rows of the questions asked so far, by question and parameters: see `ask`."""

    def ask(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a question over the scope, asked once however many findings and pictures want them."""
        bound = {**self.scope.parameters, **parameters}  # with the scope: an analysis of another one shares the answers
        asked = name, repr(sorted(bound.items()))
        if asked not in self.answers:
            self.answers[asked] = self.store.ask(name, **bound).to_pylist()
        return self.answers[asked]

    def is_candidate(self, result: GateResult) -> bool:
        """Return whether a gate was run against the task's baseline, and not against a dearer incumbent."""
        return self.baselines[result.comparison.baseline.task].measures.key == result.comparison.baseline.key

    @property
    def alpha(self) -> float:
        """Return the error that a claim family of one task (safe), or all claims of the report, may have."""
        return 1 - self.options.confidence

    def of_task(self, task: str) -> list[Measures]:
        """Return a task's combinations."""
        return [one for one in self.measures if one.task == task]

    def monthly(self, task: str, runs: float) -> float | None:
        """Return what a number of runs of a task in the period comes to in 30 days, at the traffic seen.

        None when less than a day of the task was seen.
        """
        ones = self.of_task(task)
        seen = timedelta(microseconds=max(one.last_us for one in ones) - min(one.first_us for one in ones))
        return None if seen < LEAST_SPAN else runs * (MONTH / seen)

    def monthly_runs(self, one: Measures) -> float | None:
        """Return the runs per month of a combination: as the reader states them, else at the traffic seen."""
        if self.options.runs_per_month is not None:
            return self.options.runs_per_month
        return self.monthly(one.task, one.runs)


def analyse(store: Store, scope: Scope, options: Options) -> Analysis:
    """Measure the combinations, choose baselines, and run the gate over all candidates."""
    measures = measure_combinations(store, scope, options.confidence)
    baselines = choose_baselines(measures, options.baselines)
    margins = {one.task: options.margin_of(one.task) for one in measures}
    pairs = [*find_candidates(measures, baselines), *find_incumbents(measures, baselines)]
    comparisons = compare(store, scope, pairs, margins, options.confidence)
    gates = run_gates(comparisons, baselines, 1 - options.confidence)
    return Analysis(store, scope, options, tuple(measures), baselines, tuple(gates))


def open_analysis(
    store: Store,
    *,
    task: str | Sequence[str] | None = None,
    service: str | None = None,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    **choices: Any,
) -> Analysis | None:
    """Look at a store as `build_report` does, with its arguments; None when nothing lies in the period."""
    tasks = (task,) if isinstance(task, str) else tuple(task or ())
    options = read_options(choices)
    scope = find_scope(store, tasks=tasks, service=service, since=since, until=until)
    return None if scope is None else analyse(store, scope, options)
