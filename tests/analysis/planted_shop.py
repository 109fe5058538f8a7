"""Own one shop with five planted truths, for the tests of findings and report; all else is the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from trilemma_analysis.client import Store

__all__ = ["DAYS", "REFUNDS", "TRUTHS", "fill_shop"]

DAYS = 20
REFUNDS = 700

TRUTHS = {
    ("model_route", "support.refund", "act"),  # mini is as good as large, for a tenth of the cost
    ("model_route", "support.refund", "don't"),  # tiny is worse
    ("prompt_version", "support.reply", "act"),  # v2 is worse than v1
    ("repeated_requests", "support.triage", "act"),  # a third of the mails are alike
    ("drift", "support.summary", "act"),  # success falls on day 12
}


def fill_shop(store: Store, seed: int = 1) -> None:
    """Insert the runs of twenty days."""
    rng = np.random.default_rng(seed)

    def add(task: str, model: str, rates: NDArray[np.float64], **columns: object) -> None:
        _add(store, rng, task, model, rates, **columns)

    for model, rate, cost, seconds in (
        ("gpt-large", 0.95, 0.02, 2.0),
        ("gpt-mini", 0.95, 0.002, 0.8),
        ("gpt-tiny", 0.8, 0.001, 0.5),
    ):
        add("support.refund", model, np.full(REFUNDS, rate), cost=cost, seconds=seconds, unknown=0.01)
    for version, rate in (("v1", 0.94), ("v2", 0.78)):
        add("support.reply", "claude-sonnet", np.full(350, rate), cost=0.004, seconds=3.0, version=version)
    days = np.arange(600) * DAYS / 600
    add("support.summary", "claude-haiku", np.where(days < 12, 0.96, 0.75), cost=0.0003, seconds=0.7)
    hashes = np.where(rng.random(900) < 0.35, "mail-from-a-machine", np.char.add("mail-", np.arange(900).astype(str)))
    add("support.triage", "gpt-mini", np.full(900, 0.97), cost=0.0002, seconds=0.4, request_hash=hashes)


def _add(
    store: Store,
    rng: np.random.Generator,
    task: str,
    model: str,
    rates: NDArray[np.float64],
    *,
    cost: float,
    seconds: float,
    version: str = "v1",
    unknown: float = 0.0,
    request_hash: NDArray[np.str_] | str = "",
) -> None:
    n = rates.size
    won = np.where(rng.random(n) < rates, "success", "failure")
    # Drawn apart from the rest: requests come when they come, not every so many minutes to the nanosecond.
    jitter = np.random.default_rng(n).integers(0, HOUR_NS // 4, n)
    runs = Runs(
        n,
        task=task,
        model=model,
        input_id=np.char.add("input-", np.arange(n).astype(str)),
        outcome=np.where(rng.random(n) < unknown, "", won),
        cost=cost * rng.lognormal(0, 0.3, n),
        duration_s=seconds * rng.lognormal(0, 0.4, n),
        started_ns=START_NS + np.linspace(0, DAYS * 24 * HOUR_NS, n, endpoint=False).astype(np.int64) + jitter,
        request_hash=request_hash,
        extra={"gen_ai.prompt.name": "shop", "gen_ai.prompt.version": version},
    )
    add_runs(store, runs, prefix=f"{task}-{model}-{version}-")
