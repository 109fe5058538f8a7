"""Hold the stall finding: what stands still amid an answer counts, what a model thinks first does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests.analysis.findings.planted_calls import find_kind
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

N = 2000


def find_in(directory: Path, stalled: int, **extra: Any) -> list[Finding]:
    """Return the findings among streams of 5 s, of which so many, in two spells, stand still for 4 s more."""
    is_stalled = (np.arange(N) % 1000) < stalled // 2
    attributes = {
        "gen_ai.request.stream": "true",
        "gen_ai.response.time_to_first_chunk": "0.5",
        "trilemma.response.time_to_first_content": "0.6",
        "trilemma.response.longest_stall": np.where(is_stalled, "4.0", "0.3"),
        **extra,
    }
    runs = Runs(
        N,
        duration_s=np.where(is_stalled, 9.0, 5.0),
        started_ns=START_NS + np.arange(N) * HOUR_NS // 4,
        extra=attributes,
    )
    with make_store(directory) as store:
        add_runs(store, runs)
        return find_kind(store, "stalls")


def test_stalls_are_found_with_their_share(tmp_path: Path) -> None:
    """Where one stream in ten stands still for 4 of its 9 s, that share of the time is in the interval."""
    (found,) = find_in(tmp_path, 200)
    share = found.effects[0].estimate
    assert (share.low or 0) <= 200 * 4 / (200 * 9 + 1800 * 5) <= (share.high or 0)
    assert "200 of 2,000 streams" in found.what


def test_rare_stalls_are_no_finding(tmp_path: Path) -> None:
    """One stream in a hundred that stands still is not worth a change."""
    assert find_in(tmp_path, 20) == []


def test_thinking_is_no_stall(tmp_path: Path) -> None:
    """A wait that may lie before the first content is none, and neither is one of a model that reasons unseen."""
    late = {"trilemma.response.time_to_first_content": "4.6"}
    assert find_in(tmp_path / "late", 200, **late) == []
    assert find_in(tmp_path / "reasoning", 200, **{"gen_ai.usage.reasoning.output_tokens": "300"}) == []
