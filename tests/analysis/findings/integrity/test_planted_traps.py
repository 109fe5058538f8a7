"""Hold the findings about the data to planted traps: each is found with its size, and nothing is said of sound data."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings import list_finders
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.findings.integrity.traps import CLEAN, TRAPS, N, add_tasks, fill_traps
from tests.analysis.planted import make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.client import Store
    from trilemma_analysis.findings import Finding


def find_doubts(store: Store) -> dict[str, list[Finding]]:
    """Return what the findings about the data say, by task."""
    scope = find_scope(store, since="2020-01-01")
    assert scope is not None
    analysis = analyse(store, scope, Options())
    found: dict[str, list[Finding]] = defaultdict(list)
    for finder in list_finders():
        if ".integrity." in str(finder):
            for one in finder.find(analysis):
                found[one.task].append(one)
    return found


@pytest.fixture(scope="module", name="found")
def _found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Finding]]:
    with make_store(tmp_path_factory.mktemp("traps")) as store:
        fill_traps(store)
        return find_doubts(store)


@pytest.mark.parametrize("task", TRAPS)
def test_each_trap_is_found_and_nothing_else(found: dict[str, list[Finding]], task: str) -> None:
    """A task that is wrong in one way has one finding, of that kind, which doubts some side of the triangle."""
    (one,) = found[task]
    assert one.kind == TRAPS[task]
    assert one.doubts
    assert one.id.startswith(f"{one.kind}:{task}:")


def test_sound_tasks_are_not_doubted(found: dict[str, list[Finding]]) -> None:
    """Nothing is said of tasks whose data are sound, nor of the store as a whole."""
    assert [one.title for task in (*CLEAN, "") for one in found[task]] == []


def read_level(found: dict[str, list[Finding]], task: str) -> tuple[float, float]:
    """Return the interval of the first effect of a task's finding."""
    estimate = found[task][0].effects[0].estimate
    return estimate.low or 0, estimate.high or 1


@pytest.mark.parametrize(
    ("task", "truth"),
    [
        ("mispriced", 0.8),  # a discount
        ("parsed", 0.25 * 0.98 + 0.75 * 0.02),  # one parser or the other flips
        ("odd", 0.05 * 0.8),  # success of the one model in the one segment
        ("hollow", 24 / (24 + 0.8 * 2 * (N - 12))),
    ],
)
def test_sizes_are_in_their_intervals(found: dict[str, list[Finding]], task: str, truth: float) -> None:
    """What a finding says of size holds the planted truth."""
    low, high = read_level(found, task)
    assert low <= truth <= high


def test_worst_case_bounds_hold_the_truth(found: dict[str, list[Finding]]) -> None:
    """Of outcomes that are missing for a reason, the bounds contain the rate that all of them have."""
    low, high = read_level(found, "unjudged")
    assert low <= 0.8 <= high
    assert found["unjudged"][0].needed is not None


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("copied", "50 of"),
        ("limited", "$2.00"),
        ("hiding", "67 of 200"),
        ("capped", "128 (gpt-4o), 151 (other)"),
        ("numbered", "every 60 s"),
        ("faulty", "6 of 100 inputs"),
        ("marked", "10 of 400 runs"),
        ("free", "40 of 400 calls"),
        ("versioned", "1.1, 1.2"),
        ("orphaned", "Runs are missing"),
        ("stalled", "30 min"),
    ],
)
def test_counts_are_those_planted(found: dict[str, list[Finding]], task: str, words: str) -> None:
    """Each finding names what was planted."""
    assert words in f"{found[task][0].title} {found[task][0].what}"


def test_little_is_said_of_many_sound_tasks(tmp_path: Path) -> None:
    """Of 60 sound tasks whose outcomes are missing at random, in four segments each, none is doubted."""

    def lose(rng: np.random.Generator, _: str, columns: dict[str, Any]) -> None:
        columns["outcome"] = np.where(rng.random(N) < 0.1, "", columns["outcome"])
        columns["extra"]["trilemma.task.segment"] = np.char.add("s", rng.integers(0, 4, N).astype(str))

    with make_store(tmp_path) as store:
        add_tasks(store, {f"sound{number}": lose for number in range(60)}, seed=9)
        found = find_doubts(store)
    assert {task: [one.title for one in each] for task, each in found.items() if each} == {}


def test_kept_sums_that_differ_from_the_calls_are_told(tmp_path: Path) -> None:
    """Days whose stored sums lack the calls are one finding about the whole store."""
    with make_store(tmp_path) as store:
        add_tasks(store, {"shop": None}, seed=1)
        store.command(
            "INSERT INTO settle_marks (step, settled_until) VALUES ('settle_calls_daily', now64(3) + toIntervalHour(1))"
        )
        (one,) = find_doubts(store)[""]
    assert one.kind == "aggregates"
    assert "0 by the day" in one.what
