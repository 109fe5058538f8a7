"""Hold the service tiers: advised where a deadline leaves the time, at the table's prices, and else not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from trilemma.price import price_call
from trilemma_analysis.analysis import analyse
from trilemma_analysis.findings.service_tier import find
from trilemma_analysis.options import Options
from trilemma_analysis.scope import find_scope

from tests.analysis.planted import HOUR_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

MODEL = "gpt-5.4-mini"
N = 600
START_NS = 1_794_000_000 * 10**9  # 2026-11-06: the table prices tiers from 2026-10-12 on


def price(tokens: int, **more: Any) -> float:
    """Return what a call costs by the table."""
    record = {
        "provider": "openai",
        "request_model": MODEL,
        "input_tokens": tokens,
        "output_tokens": tokens // 10,
        **more,
    }
    cost = price_call(record, START_NS / 1e9).get("cost")
    assert cost is not None
    return float(cost)


def find_tiers(directory: Path, deadline: Any, *, paid: str = "", times: int = 1, starts: Any = None) -> list[Finding]:
    """Report on runs of one call with a deadline each ('' for none), served at a tier; ``times`` makes them dearer."""
    tokens = np.random.default_rng(1).integers(800, 1600, N) * times
    tier = {"service_tier": paid} if paid else {}
    with make_store(directory) as store:
        runs = Runs(
            N,
            model=MODEL,
            cost=np.array([price(int(count), **tier) for count in tokens]),
            duration_s=2.0,
            started_ns=START_NS + (np.linspace(0, 20 * 24 * HOUR_NS, N).astype(np.int64) if starts is None else starts),
            extra={
                "trilemma.task.deadline": deadline,
                "gen_ai.usage.input_tokens": tokens,
                "gen_ai.usage.output_tokens": tokens // 10,
                "trilemma.response.service_tier": paid,
            },
        )
        add_runs(store, runs)
        scope = find_scope(store)
        assert scope is not None
        return find(analyse(store, scope, Options()))


def test_batch_where_a_day_is_time_enough(tmp_path: Path) -> None:
    """Half the runs have two days: in a batch they cost half, which is a quarter of the bill."""
    (found,) = find_tiers(tmp_path, np.where(np.arange(N) % 2, "172800", "60"))
    assert (found.verdict.value, found.action and found.action.kind) == ("act", "batch")
    (effect,) = found.effects
    assert (effect.estimate.low or 0) <= 0.75 <= (effect.estimate.high or 0)
    assert effect.estimate.value == pytest.approx(0.75, abs=0.01)
    assert found.saving is not None


def test_flex_where_a_quarter_of_an_hour_is(tmp_path: Path) -> None:
    """An hour is too short for a batch and long enough for flex, at the table's price."""
    (found,) = find_tiers(tmp_path, "3600")
    assert found.action is not None
    assert found.action.settings == {"service_tier": "flex"}
    ratio = price(1000, service_tier="flex") / price(1000)
    assert found.effects[0].estimate.value == pytest.approx(ratio, abs=0.001)


def test_priority_that_nobody_needs(tmp_path: Path) -> None:
    """Runs of two seconds with a minute to spare pay for priority in vain."""
    (found,) = find_tiers(tmp_path, "60", paid="priority")
    assert found.action is not None
    assert found.action.settings == {"service_tier": "default"}
    ratio = price(1000) / price(1000, service_tier="priority")
    assert found.effects[0].estimate.value == pytest.approx(ratio, abs=0.001)


@pytest.mark.parametrize(("deadline", "paid"), [("60", ""), ("5", "priority"), ("", "priority"), ("", "")])
def test_nothing_where_somebody_waits_or_nobody_said(tmp_path: Path, deadline: str, paid: str) -> None:
    """A short deadline needs its tier; without one, a small bill is not worth asking."""
    assert find_tiers(tmp_path, deadline, paid=paid) == []


def test_deadline_is_asked_for_where_it_matters(tmp_path: Path) -> None:
    """A nightly job with a large bill and no deadline: the finding says what a batch would save if there were time."""
    nightly = np.sort(np.random.default_rng(2).integers(0, 20, N)) * 24 * HOUR_NS
    (found,) = find_tiers(tmp_path, "", times=400, starts=nightly)
    assert found.verdict.value == "not enough data"
    assert found.action is None
    assert "deadline_s" in found.change


def test_no_deadline_is_asked_of_people(tmp_path: Path) -> None:
    """The same bill, but spread over the day as people send it: no batch is suggested."""
    assert find_tiers(tmp_path, "", times=400) == []
