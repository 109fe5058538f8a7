"""Own a store in which advice was taken: four tasks, a cheaper model for each, and the day of the switch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from trilemma_analysis.analysis import open_analysis
from trilemma_analysis.client import connect
from trilemma_analysis.findings import find_all
from trilemma_analysis.loop.adopting import predict
from trilemma_analysis.loop.ledger import write_prediction

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trilemma_analysis.client import Store

__all__ = ["HORIZON_S", "SWITCH", "add_days", "adopted", "loop_store", "store"]

START = datetime.fromtimestamp(START_NS / 1e9, UTC)
DAYS = 16
SWITCH = START + timedelta(days=DAYS)
HORIZON_S = DAYS * 86_400
COSTS = {"gpt-large": 0.02, "gpt-mini": 0.002}


def add_days(
    store: Store,
    task: str,
    model: str,
    rate: float,
    n: int,
    *,
    since: float,
    days: float,
    prefix: str,
    shared: bool = False,
) -> None:
    """Insert n runs of a model over some days, from a day on; ``shared`` inputs are those of other models too."""
    rng = np.random.default_rng(len(prefix) * 1000 + sum(map(ord, prefix)))
    runs = Runs(
        n,
        task=task,
        model=model,
        input_id=np.char.add("i" if shared else f"{prefix}i", np.arange(n).astype(str)),
        outcome=np.where(rng.random(n) < rate, "success", "failure"),
        cost=COSTS[model] * rng.lognormal(0, 0.3, n),
        duration_s=rng.lognormal(0, 0.3, n) * (2.0 if model == "gpt-large" else 0.8),
        started_ns=START_NS + ((since + np.linspace(0, days, n, endpoint=False)) * 24 * HOUR_NS).astype(np.int64),
    )  # fmt: skip
    add_runs(store, runs, prefix=prefix)


def fill(store: Store) -> None:
    """Insert the runs before the switch and since, and adopt the advice of before."""
    for task in ("good", "bad", "whole", "asleep"):
        for model in COSTS:
            add_days(store, task, model, 0.95, 400, since=0, days=DAYS, prefix=f"{task}{model}", shared=True)
    add_days(store, "steady", "gpt-large", 0.9, 1600, since=0, days=2 * DAYS, prefix="steady")
    analysis = open_analysis(store, until=SWITCH)
    assert analysis is not None
    for one in find_all(analysis):
        if one.kind == "model_route" and one.action is not None:
            write_prediction(store, predict(analysis, one, adopted_at=SWITCH, horizon_s=HORIZON_S))
    # A holdout of a third, or a sixth: as good as it was, and bad.
    add_days(store, "good", "gpt-mini", 0.95, 1600, since=DAYS, days=DAYS, prefix="good-mini")
    add_days(store, "good", "gpt-large", 0.95, 800, since=DAYS, days=DAYS, prefix="good-large")
    add_days(store, "bad", "gpt-mini", 0.6, 1000, since=DAYS, days=DAYS, prefix="bad-mini")
    add_days(store, "bad", "gpt-large", 0.95, 200, since=DAYS, days=DAYS, prefix="bad-large")
    # All were switched at once; and nobody was.
    add_days(store, "whole", "gpt-mini", 0.95, 1600, since=DAYS, days=DAYS, prefix="whole-mini")
    add_days(store, "asleep", "gpt-large", 0.95, 400, since=DAYS, days=DAYS, prefix="asleep-large")


@pytest.fixture(scope="session")
def loop_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of the store."""
    directory = tmp_path_factory.mktemp("loop") / "store"
    with make_store(directory) as store:
        fill(store)
    return f"chdb://{directory}"


@pytest.fixture
def store(loop_store: str) -> Iterator[Store]:
    """Open the store."""
    with connect(loop_store) as opened:
        yield opened


@pytest.fixture
def adopted(tmp_path: Path) -> Iterator[Store]:
    """Open an empty store of the test's own."""
    with make_store(tmp_path / "own") as opened:
        yield opened
