"""Hold the snapshot to its promise: it changes how long a report takes, never a byte of it, and leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from trilemma_analysis import snapshot
from trilemma_analysis.client import connect
from trilemma_analysis.report import Report, build_report

from tests.analysis.planted import make_store
from tests.analysis.report.test_build import merge_all
from tests.bench.findings import insert_runs

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.client import Store

RUNS = 1500
TASKS = ["support.refund", "docs.extract"]


def list_databases(store: Store) -> list[str]:
    """Return the names of all databases that reports have made."""
    sql = "SELECT name FROM system.databases WHERE name LIKE '%report%'"
    return [str(name) for name in store.query(sql)["name"].to_pylist()]


@pytest.fixture(scope="module", name="company")
def _company(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fill a store with the runs of the benchmark: decisions, evaluations, late outcomes, shared inputs."""
    directory = tmp_path_factory.mktemp("company")
    with make_store(directory) as store:
        insert_runs(store, RUNS, 0, RUNS)
    return f"chdb://{directory}"


@pytest.fixture(scope="module", name="report")
def _report(company: str) -> Report:
    """Build the report from the views: there are too few runs for a snapshot."""
    with connect(company) as store:
        return build_report(store, task=TASKS)


@pytest.fixture(name="always")
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every report take a snapshot."""
    monkeypatch.setattr(snapshot, "LEAST_RUNS", 1)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("choices", [{"task": TASKS}, {"task": "docs.extract", "service": "shop-api", "since": "12d"}])
def test_snapshot_changes_no_byte(company: str, choices: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all time, or of a service and a part of the time: the same bytes with and without a snapshot."""
    with connect(company) as store:
        taken = build_report(store, **choices).to_json()
        assert list_databases(store) == []
        monkeypatch.setattr(snapshot, "LEAST_RUNS", RUNS + 1)
        assert taken == build_report(store, **choices).to_json()


@pytest.mark.usefixtures("always")
def test_same_rows_in_other_order_same_bytes(tmp_path: Path, report: Report) -> None:
    """The same spans and events in other batches, the last ones first, shuffled, and merged give the same bytes."""
    with make_store(tmp_path) as store:
        for first in range(RUNS - 300, -1, -300):
            insert_runs(store, RUNS, first, first + 300, order="cityHash64(TraceId, Timestamp)")
        merge_all(store)
        assert build_report(store, task=TASKS).to_json() == report.to_json()
    assert report.findings


@pytest.mark.usefixtures("always")
def test_reader_without_rights_gets_the_same_report(company: str, report: Report) -> None:
    """Who may only read gets the same bytes from the views."""
    with connect(company) as store:
        store.command("SET readonly = 2")
        assert build_report(store, task=TASKS).to_json() == report.to_json()


@pytest.mark.usefixtures("always")
def test_snapshot_that_was_left_behind_is_dropped(company: str) -> None:
    """What a report that was killed a day ago left is dropped by the next one; what runs now is not."""
    with connect(company) as store:
        old, new = f"{store.database}_report_1_00000000", f"{store.database}_report_9000000000_00000000"
        for name in (old, new):
            store.command(f"CREATE DATABASE {name}")
        build_report(store, task="docs.extract")
        assert list_databases(store) == [new]
        store.command(f"DROP DATABASE {new}")


@pytest.mark.usefixtures("always")
def test_error_in_a_report_leaves_nothing(company: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that fails midway drops its snapshot, and the connection asks its own database again."""

    def fail(*_: object) -> None:
        raise RuntimeError("midway")

    monkeypatch.setattr("trilemma_analysis.report.build.find_all", fail)
    with connect(company) as store:
        with pytest.raises(RuntimeError, match="midway"):
            build_report(store)
        assert list_databases(store) == []
        assert store.ask("task_names").num_rows == 12
