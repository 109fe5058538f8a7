"""Hold the cache's arithmetic: what counts as a hit, in order of arrival, within its time to live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from trilemma_analysis.findings import Verdict, repeated_requests
from trilemma_analysis.report import build_report

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

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
        (row,) = store.ask("repeated_requests", **EVER, ttls_s=[ttl_s]).to_pylist()
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


def test_shortest_time_to_live_that_saves_nearly_as_much_is_chosen(tmp_path: Path) -> None:
    """Requests every half hour are answered as well within an hour as within a week; daily ones need longer."""
    for name, gap_h, wanted_s in (("often", 0.5, 86_400.0), ("daily", 20.0, 604_800.0)):
        with make_store(tmp_path / name) as store:
            times = hours(*(gap_h * np.arange(60)))
            add_runs(store, Runs(60, started_ns=times, request_hash="h", duration_s=0.001))
            rows = store.ask("repeated_requests", **EVER, ttls_s=list(repeated_requests.TTLS_S)).to_pylist()
        assert repeated_requests.choose_ttl(rows)["ttl_s"] == wanted_s


def find_repeats(directory: Path, outcome: Any) -> list[Finding]:
    """Return the findings of a task in which half of 400 requests are one of forty that repeat within the day."""
    n = 400
    hashes = np.where(np.arange(n) % 2, np.char.add("often", (np.arange(n) // 2 % 40).astype(str)), np.arange(n))
    with make_store(directory) as store:
        times = START_NS + np.arange(n) * HOUR_NS // 10
        add_runs(store, Runs(n, started_ns=times, request_hash=hashes, duration_s=0.5, outcome=outcome))
        return [one for one in build_report(store).findings if one.kind == "repeated_requests"]


def test_right_answers_are_worth_keeping(tmp_path: Path) -> None:
    """Where repeats succeed, the saving and the bound of wrong hits are stated and the cache is advised."""
    (found,) = find_repeats(tmp_path, "success")
    assert found.verdict.value == "act"
    assert found.action is not None
    assert found.action.settings["cache_kind"] == "exact"
    wrong = next(effect.estimate for effect in found.effects if effect.side == "quality")
    assert (wrong.low, wrong.value) == (0.0, 0.0)
    assert 0 < (wrong.high or 0) < 0.05
    cost = next(effect.estimate for effect in found.effects if effect.side == "cost")
    assert (cost.low or 0) <= 1 - 160 / 400 <= (cost.high or 1)


def test_wrong_answers_are_not(tmp_path: Path) -> None:
    """Where a third of the repeats fail, a cache would keep mistakes."""
    (found,) = find_repeats(tmp_path, np.where(np.arange(400) % 6 == 1, "failure", "success"))
    assert (found.verdict.value, found.action) == ("don't", None)


def test_unknown_answers_are_not_taken_for_right(tmp_path: Path) -> None:
    """Where nobody told an outcome, the finding says how many would do."""
    (found,) = find_repeats(tmp_path, "")
    assert found.verdict.value == "not enough data"
    assert found.needed is not None
    assert found.needed.n > 20


def test_harmful_cache_is_rarely_advised() -> None:
    """Where hits are wrong just beyond the margin, at most 2.5 % of replays (plus noise) advise the cache."""
    rng = np.random.default_rng(5)
    failed = rng.binomial(300, 0.1, 2000)  # half of the runs are hits: a loss of 5 points
    judged = [
        repeated_requests.judge(
            repeated_requests.bound_wrong({"answers_known": 300, "answers_failed": int(x)}, 0.95), 0.5, 0.05
        )
        for x in failed
    ]
    assert np.mean([one is Verdict.ACT for one in judged]) <= 0.035
