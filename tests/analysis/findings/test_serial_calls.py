"""Hold the finding on calls in line: like calls that wait count, chains, tool loops and what overlaps do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from trilemma_analysis.findings.finding import Verdict

from tests.analysis.findings.planted_calls import add_calls, find_kind
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

N, STARTS = 200, START_NS + np.arange(200) * HOUR_NS
IDS = [f"r{i}" for i in range(N)]


def describe(number: int, **extra: Any) -> dict[str, Any]:
    """Return the attributes of a run's number-th call: one of several like ones, about another text."""
    return {
        "trilemma.request.hash": [f"{one}-{number}" for one in IDS],
        "trilemma.request.message_count": "2",
        "gen_ai.usage.input_tokens": str(500 + 37 * (number % 2)),
        "gen_ai.usage.output_tokens": "200",
        **extra,
    }


def find_in(directory: Path, gap_s: float, *extras: dict[str, Any]) -> list[Finding]:
    """Return the findings among runs of 10 s with calls of 2 s, each begun so long after the one before."""
    with make_store(directory) as store:
        add_runs(store, Runs(N, duration_s=10.0, started_ns=STARTS, model="other"))
        for number, extra in enumerate(extras):
            add_calls(
                store, IDS, number + 1, duration_s=2.0,
                started_ns=STARTS + int(number * gap_s * 1e9), extra=describe(number, **extra),
            )  # fmt: skip
        return find_kind(store, "serial_calls")


def test_like_calls_in_line_are_found(tmp_path: Path) -> None:
    """Four calls of 2 s in line, in runs of 10 s, could be one of 2 s: at best 6 of the 10 s are saved."""
    (found,) = find_in(tmp_path, 2.0, {}, {}, {}, {})
    assert found.verdict is Verdict.ACT
    assert found.action is not None
    assert found.action.kind == "parallel"
    at_best = found.effects[0].estimate
    assert (at_best.low or 0) <= 0.4001
    assert abs((at_best.value or 0) - 0.4) < 1e-6
    assert at_best.high == 1.0


def test_what_overlaps_already_is_no_finding(tmp_path: Path) -> None:
    """Calls begun at once wait for nothing."""
    assert find_in(tmp_path, 0.01, {}, {}, {}, {}) == []


def test_chains_and_tool_loops_are_no_finding(tmp_path: Path) -> None:
    """Requests that grow by the answers, ask for tools, have more messages, or are the same again may depend."""
    grown = [{"gen_ai.usage.input_tokens": str(500 + 200 * i)} for i in range(3)]
    tools = [{"trilemma.response.tool_call.names": '["look_up"]'}] * 3
    longer = [{"trilemma.request.message_count": str(2 + 2 * i)} for i in range(3)]
    same = [{"trilemma.request.hash": "the same"}] * 3
    for name, extras in {"grown": grown, "tools": tools, "longer": longer, "same": same}.items():
        assert find_in(tmp_path / name, 2.0, *extras) == [], name
