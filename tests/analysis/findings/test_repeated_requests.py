"""Hold the cache's arithmetic: what counts as a hit, in order of arrival, within its time to live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

EVER = {
    "tasks": [],
    "service": "",
    "since": datetime(2020, 1, 1, tzinfo=UTC),
    "until": datetime(2040, 1, 1, tzinfo=UTC),
}


def count_hits(directory: Path, ttl_s: float, **columns: Any) -> dict[str, Any]:
    """Return the row of the question over one task."""
    n = len(columns["started_ns"])
    with make_store(directory) as store:
        add_runs(store, Runs(n, **columns))
        (row,) = store.ask("repeated_requests", **EVER, ttl_s=ttl_s).to_pylist()
    return row


def hours(*values: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return times in hours from the start."""
    return START_NS + (np.array(values) * HOUR_NS).astype(np.int64)


def test_time_to_live_runs_from_the_kept_response(tmp_path: Path) -> None:
    """At 0, 0.5, 1, 1.5 and 2.2 h with one hour to live: kept, hit, hit, kept anew (0 has expired), hit."""
    row = count_hits(
        tmp_path, 3600, started_ns=hours(0, 0.5, 1, 1.5, 2.2), request_hash="h", duration_s=0.001, cost=1.0
    )
    assert (row["requests"], row["hits"]) == (5, 3)
    assert row["cost_x"] == 3e12


def test_request_sent_before_the_response_is_no_hit(tmp_path: Path) -> None:
    """Two requests in flight at once are both sent."""
    row = count_hits(tmp_path, 3600, started_ns=hours(0, 0.001), request_hash="h", duration_s=60.0)
    assert row["hits"] == 0


def test_other_model_is_another_request(tmp_path: Path) -> None:
    """The key is model and request together."""
    row = count_hits(tmp_path, 3600, started_ns=hours(0, 0.1), request_hash="h", model=["a", "b"])
    assert row["hits"] == 0


def test_failed_call_is_not_kept(tmp_path: Path) -> None:
    """An error is nothing a cache would repeat."""
    row = count_hits(tmp_path, 3600, started_ns=hours(0, 0.1, 0.2), request_hash="h", error=["timeout", "", ""])
    assert (row["requests"], row["hits"]) == (2, 1)


def test_hits_on_a_wrong_answer_are_counted(tmp_path: Path) -> None:
    """A hit repeats the outcome of the run whose response was kept."""
    outcome = ["failure", "success", "success"]
    row = count_hits(tmp_path, 3600, started_ns=hours(0, 0.1, 0.2), request_hash="h", outcome=outcome)
    assert (row["hits"], row["hits_failed"]) == (2, 2)


def test_requests_without_a_hash_are_left_out(tmp_path: Path) -> None:
    """Nothing is known of a request whose hash was not recorded."""
    row = count_hits(tmp_path, 3600, started_ns=hours(0, 0.1), request_hash=["", "h"])
    assert row["requests"] == 1
