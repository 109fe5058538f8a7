"""Hold the tail finding: the planted cause of slow runs is named with its share, and without a tail nothing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.analysis.findings.planted_calls import find_kind
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

N = 1000
SLOW = np.arange(N) % 10 == 3
RNG = np.random.default_rng(2)
USUAL_S = RNG.lognormal(np.log(2), 0.3, N)


def find_in(directory: Path, extra_s: float, **extra: Any) -> list[Finding]:
    """Return the findings where every tenth run takes so much longer, and its call says why."""
    runs = Runs(
        N,
        duration_s=USUAL_S + SLOW * extra_s,
        started_ns=START_NS + np.arange(N) * HOUR_NS,
        extra={name: np.where(SLOW, value[1], value[0]) for name, value in extra.items()},
    )
    with make_store(directory) as store:
        add_runs(store, runs)
        return find_kind(store, "latency_tails")


@pytest.mark.parametrize(
    ("noun", "extra"),
    [
        ("waits between attempts", {"http.request.resend_count": ("", "2"), "trilemma.retry.wait": ("", "20")}),
        ("waits for the first content", {"trilemma.response.time_to_first_content": ("0.5", "20")}),
        ("stalls", {"trilemma.response.time_to_first_content": ("0.5", "0.5"),
                    "trilemma.response.longest_stall": ("0.1", "20")}),
        ("streaming long answers", {"trilemma.response.time_to_first_content": ("0.5", "0.5"),
                                    "gen_ai.usage.output_tokens": ("100", "2000")}),
    ],
)  # fmt: skip
def test_cause_is_named(tmp_path: Path, noun: str, extra: dict[str, Any]) -> None:
    """Twenty seconds of one cause in every tenth run are named, and make nine tenths of the slow runs' time."""
    (found,) = find_in(tmp_path, 20.0, **extra)
    assert noun in found.title
    share = found.effects[1].estimate
    assert 0.85 <= (share.value or 0) <= 1.0
    assert (share.low or 0) > 0.5


def test_ordinary_tail_is_no_finding(tmp_path: Path) -> None:
    """Where every tenth run takes twice as long, the p95 is not far from the p50."""
    assert find_in(tmp_path, 2.0, **{"trilemma.response.time_to_first_content": ("0.5", "2.5")}) == []
