"""Hold the model to the rows: counts, rates, costs and latencies as computed by hand, and the same bytes each time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError
from trilemma.errors import ConfigurationError
from trilemma_analysis.client import connect
from trilemma_analysis.report import Report, build_report

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.client import Store
    from trilemma_analysis.report.model import Combination

START = datetime.fromtimestamp(START_NS / 1e9, UTC)


def build_one(directory: Path, runs: Runs, **choices: Any) -> Report:
    """Return the report of one batch of runs."""
    with make_store(directory) as store:
        add_runs(store, runs)
        return build_report(store, **choices)


def merge_all(store: Store) -> None:
    """Merge the parts of every table, as ClickHouse does in its own time."""
    tables = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    for name in store.query(tables)["name"].to_pylist():
        store.command(f"OPTIMIZE TABLE `{name}` FINAL")


def only(report: Report) -> Combination:
    """Return the one combination of the one task."""
    (task,) = report.tasks
    (one,) = task.combinations
    return one


def test_figures_are_those_of_the_rows(tmp_path: Path) -> None:
    """Ten runs: counts, success among known outcomes, cost per run and per success, and the median, by hand."""
    runs = Runs(
        10,
        outcome=["success"] * 6 + ["failure"] * 3 + [""],
        cost=[0.01] * 8 + [0.05, np.nan],
        duration_s=np.arange(1, 11),
        error=[""] * 8 + ["timeout", ""],
    )
    one = only(build_one(tmp_path, runs))
    assert (one.runs, one.known, one.unknown, one.unpriced, one.errors, one.calls) == (10, 9, 1, 1, 1, 10)
    assert one.success.value == pytest.approx(6 / 9)
    assert (one.success_if_unknown_fail, one.success_if_unknown_succeed) == (pytest.approx(0.6), pytest.approx(0.7))
    assert one.cost_per_run is not None
    assert one.cost_per_run.value == pytest.approx(0.13 / 9)
    assert one.cost_per_success is not None
    assert one.cost_per_success.value == pytest.approx(0.13 / 6)
    assert (one.latency_p50.value, one.latency_p50.low, one.latency_p50.high) == (5.0, 2.0, 9.0)
    assert (one.latency_p95.value, one.latency_p95.high) == (10.0, None)


def test_repeated_inputs_widen_the_interval(tmp_path: Path) -> None:
    """Fifty inputs tried ten times with one outcome each are fifty units, not five hundred."""
    inputs = np.repeat(np.arange(50), 10)
    runs = Runs(500, input_id=np.char.add("i", inputs.astype(str)), outcome=np.where(inputs % 5, "success", "failure"))
    one = only(build_one(tmp_path, runs))
    assert (one.inputs, one.success.n, one.success.value) == (50, 50, 0.8)
    assert (one.success.high or 0) - (one.success.low or 0) > 0.2


def test_same_rows_same_bytes(shop: str, report: Report) -> None:
    """Built again from the same store, the report is the same to the byte."""
    with connect(shop) as store:
        assert build_report(store).to_json() == report.to_json()


def test_order_of_arrival_and_merges_do_not_matter(tmp_path: Path) -> None:
    """The same runs inserted in another order and other batches, and merged, give the same bytes."""
    rng = np.random.default_rng(5)
    n = 300
    columns = {
        "model": np.where(np.arange(n) % 2, "a", "b"),
        "input_id": np.char.add("i", (np.arange(n) // 2).astype(str)),
        "outcome": np.where(rng.random(n) < 0.8, "success", "failure"),
        "cost": rng.lognormal(-5, 1, n),
        "duration_s": rng.lognormal(0, 1, n),
        "started_ns": START_NS + np.arange(n) * HOUR_NS,
    }
    texts = []
    for name, order in (("one", np.arange(n)), ("two", rng.permutation(n))):
        with make_store(tmp_path / name) as store:
            for part in np.array_split(order, 1 if name == "one" else 7):
                shuffled = {key: np.asarray(value)[part] for key, value in columns.items()}
                add_runs(store, Runs(part.size, **shuffled, ids=part))
            merge_all(store)
            texts.append(build_report(store).to_json())
    assert texts[0] == texts[1]


def test_json_round_trip(report: Report) -> None:
    """The JSON is the model: read back, it is equal, and its first key is the format."""
    text = report.to_json()
    assert Report.model_validate_json(text).to_json() == text
    assert next(iter(json.loads(text).items())) == ("format", "trilemma.report/1")


def test_report_is_frozen(report: Report) -> None:
    """Nobody changes a report."""
    with pytest.raises(ValidationError):
        report.tasks = ()  # type: ignore[misc]


def test_clock_is_not_read(report: Report) -> None:
    """The period ends with the newest run, and begins thirty days before."""
    assert report.period is not None
    assert report.period.as_of < datetime(2026, 6, 18, tzinfo=UTC)
    assert report.period.until - report.period.since == timedelta(days=30)


def test_baseline_is_the_one_with_most_runs(tmp_path: Path) -> None:
    """With 80 runs against 20 the baseline is the frequent one, however good the other looks."""
    runs = Runs(
        100, model=["often"] * 80 + ["rare"] * 20, outcome=["success"] * 70 + ["failure"] * 10 + ["success"] * 20
    )
    (task,) = build_one(tmp_path, runs).tasks
    assert (task.baseline, task.combinations[0].is_baseline) == ("often", True)
    assert task.baseline_reason == "most runs in the period (80)"


def test_reader_names_the_baseline(shop: str) -> None:
    """A baseline can be named; one that is not there is an error that lists what is."""
    name = "gpt-tiny · prompt=shop@v1"
    with connect(shop) as store:
        (task,) = build_report(store, task="support.refund", baselines={"support.refund": name}).tasks
        assert (task.baseline, task.baseline_reason) == (name, "named by the reader")
        with pytest.raises(
            ConfigurationError, match=r"'nope', which is no combination .* 'gpt-large · prompt=shop@v1'"
        ):
            build_report(store, task="support.refund", baselines={"support.refund": "nope"})


def test_margin_is_owned_by_the_task(shop: str) -> None:
    """With a margin of half a point for its task alone, the mini model is no longer shown safe."""
    with connect(shop) as store:
        built = build_report(store, margins={"support.refund": 0.005})
    (gate,) = [
        gate for task in built.tasks for gate in task.gates if "mini" in gate.candidate or "mini" in gate.baseline
    ][:1]
    assert gate.margin == 0.005
    assert {task.name: task.margin for task in built.tasks}["support.reply"] == 0.05
    assert not any(finding.kind == "model_route" and finding.verdict.value == "act" for finding in built.findings)


def test_open_candidate_says_what_would_settle_it(tmp_path: Path) -> None:
    """Forty pairs cannot settle five points: the gate says how many more inputs, and what they cost."""
    n = 40
    runs = Runs(
        2 * n,
        model=["large"] * n + ["small"] * n,
        input_id=[f"i{i % n}" for i in range(2 * n)],
        outcome=["failure"] * 3 + ["success"] * (n - 3) + ["success"] * 3 + ["failure"] * 2 + ["success"] * (n - 5),
        cost=[0.02] * n + [0.002] * n,
    )
    (task,) = build_one(tmp_path, runs, baselines={"support.refund": "large"}).tasks
    (gate,) = task.gates
    assert (gate.verdict, gate.paired, gate.n) == ("not enough data", True, n)
    assert gate.needed is not None
    assert gate.needed > 100
    assert gate.needed_cost == pytest.approx(gate.needed * 0.002)


def test_other_inputs_are_compared_unpaired(tmp_path: Path) -> None:
    """Without shared inputs the gate falls back to independent samples and says so."""
    runs = Runs(400, model=["large"] * 200 + ["small"] * 200, cost=[0.02] * 200 + [0.01] * 200)
    report = build_one(tmp_path, runs, baselines={"support.refund": "large"})
    (gate,) = report.tasks[0].gates
    assert (gate.paired, gate.verdict) == (False, "safe")
    assert "different inputs" in next(one for one in report.findings if one.kind == "model_route").what
    assert any(one.what == "no_input_ids" for one in report.tasks[0].integrity)


def test_period_and_service_choose_the_runs(tmp_path: Path) -> None:
    """Only runs of the service, from since on and before until, are in the report."""
    runs = Runs(48, started_ns=START_NS + np.arange(48) * HOUR_NS, service=["shop", "desk"] * 24)
    until = START + timedelta(hours=24)
    report = build_one(tmp_path, runs, service="shop", since="12h", until=until.isoformat())
    assert only(report).runs == 6
    assert report.period is not None
    assert (report.period.since, report.period.until) == (until - timedelta(hours=12), until)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"task": "nope"}, r"no task 'nope'; it holds: support\.refund, support\.reply"),
        ({"since": "last week"}, r"--since 'last week' is not a time"),
        ({"until": "30d"}, r"--until '30d' is not a time"),
        ({"since": "2030-01-01"}, r"the period is empty: since 2030-01-01"),
        ({"margin": 5}, r"margin = 5 cannot be: Input should be less than 1"),
        ({"runs_per_month": -1}, r"runs_per_month = -1 cannot be"),
        ({"margn": 0.02}, r"margn = 0\.02 cannot be: Extra inputs"),
    ],
)
def test_impossible_choices_are_named(shop: str, choices: dict[str, Any], words: str) -> None:
    """A task that is not there and a period that cannot be are errors that name the value and the next step."""
    with connect(shop) as store, pytest.raises(ConfigurationError, match=words):
        build_report(store, **choices)


def test_empty_store_gives_an_empty_report(tmp_path: Path) -> None:
    """A store without runs has a report that says so."""
    with make_store(tmp_path) as store:
        report = build_report(store)
    assert (report.period, report.tasks, report.findings) == (None, (), ())


def test_period_without_runs_gives_no_tasks(shop: str) -> None:
    """A period in which nothing ran has no tasks and no findings, and is no error."""
    with connect(shop) as store:
        report = build_report(store, since="2026-05-01", until="2026-06-10T00:00:30Z", task="support.refund")
        later = build_report(store, since="1s", until="2026-06-10T00:00:10Z", task="support.refund")
    assert report.tasks
    assert later.tasks == ()


def test_outcomes_never_told(tmp_path: Path) -> None:
    """Without outcomes there are costs and latencies, no rates, no baseline, and a warning how to tell outcomes."""
    report = build_one(tmp_path, Runs(50, outcome=""))
    one = only(report)
    assert (one.success.value, one.on_frontier, report.tasks[0].baseline) == (None, None, None)
    assert one.cost_per_run is not None
    assert [(check.level, check.what) for check in report.tasks[0].integrity] == [("warning", "no_outcomes")]


def test_missing_outcomes_and_prices_are_warned_of(tmp_path: Path) -> None:
    """One run in five without outcome or price, unevenly, is said in so many words."""
    model = np.where(np.arange(200) < 100, "a", "b")
    outcome = np.where(np.arange(200) < 40, "", "success")
    cost = np.where(np.arange(200) < 40, np.nan, 0.01)
    report = build_one(
        tmp_path, Runs(200, model=model, outcome=outcome, cost=cost, error=np.where(np.arange(200) < 10, "x", ""))
    )
    warned = {check.what for check in report.tasks[0].integrity if check.level == "warning"}
    assert warned == {"unknown_outcomes", "uneven_outcomes", "unpriced", "errors"}


def test_currencies_are_not_added_up(tmp_path: Path) -> None:
    """A combination paid in two currencies has no cost, and candidates in another currency no cost ratio."""
    model = ["mixed"] * 40 + ["euro"] * 40
    currency = ["USD", "EUR"] * 20 + ["EUR"] * 40
    (task,) = build_one(tmp_path, Runs(80, model=model, currency=currency, duration_s=[2.0] * 40 + [1.0] * 40)).tasks
    costs = {one.name: one.cost_per_run for one in task.combinations}
    assert costs["mixed"] is None
    assert costs["euro"] is not None
    assert "mixed_currency" in {check.what for check in task.integrity}


def test_period_ends_with_what_the_newest_run_did(tmp_path: Path) -> None:
    """Unless told, the period ends after the newest run's end, so that its last call is in it."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(n=2, duration_s=3.0))
        built = build_report(store)
        add_runs(store, Runs(1, task="", started_ns=START_NS + 2_500_000_000, ids=[""]), prefix="late")
        later = build_report(store)
    assert built.period is not None
    assert built.period.until - built.period.as_of == timedelta(seconds=3, microseconds=1)
    assert any("1 of 3 calls belong to no task" in one.detail for one in later.integrity)


def test_calls_outside_tasks_are_counted(tmp_path: Path) -> None:
    """Calls that belong to no task are left out, and the report says how many."""
    with make_store(tmp_path) as store:
        add_runs(store, Runs(10))
        add_runs(store, Runs(5, task="", ids=[""] * 5), prefix="outside")
        report = build_report(store)
    assert any("5 of 15 calls belong to no task" in one.detail for one in report.integrity)


def test_free_calls_cost_nothing(tmp_path: Path) -> None:
    """A cost of 0 is a cost: it is shown as 0, not as unknown."""
    one = only(build_one(tmp_path, Runs(30, cost=0.0)))
    assert one.cost_per_run is not None
    assert (one.cost_per_run.value, one.unpriced) == (0, 0)


def test_short_sight_is_not_stretched_to_a_month(tmp_path: Path) -> None:
    """An hour of traffic gives savings per 1,000 runs, and per month only when the reader states the traffic."""
    n = 200
    runs = Runs(
        2 * n,
        model=["large"] * n + ["small"] * n,
        input_id=[f"i{i % n}" for i in range(2 * n)],
        cost=[0.02] * n + [0.01] * n,
    )
    with make_store(tmp_path) as store:
        add_runs(store, runs)
        chosen = {"support.refund": "large"}
        reports = [build_report(store, baselines=chosen, runs_per_month=runs) for runs in (None, 10_000)]
    seen, stated = (one.saving for report in reports for one in report.findings if one.kind == "model_route")
    assert seen is not None
    assert stated is not None
    assert (seen.per_month, seen.per_1000_runs.value) == (None, pytest.approx(10))
    assert stated.per_month is not None
    assert stated.per_month.value == pytest.approx(100)


def test_runs_without_a_length_have_a_period(tmp_path: Path) -> None:
    """Where no run says how long it took, the period ends with the start of the newest."""
    report = build_one(tmp_path, Runs(3, duration_s=np.nan, started_ns=START_NS + np.arange(3) * HOUR_NS))
    assert report.period is not None
    assert report.period.until == START + timedelta(hours=2, microseconds=1)
