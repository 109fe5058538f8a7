"""Hold the prompt cache's arithmetic: what repeats at the full price, what is read already, what is written in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.analysis.findings.planted_calls import find_kind
from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

N = 600
PLAIN, READ = 2.5e-6, 2.5e-7  # of gpt-5.4, as in the price table
WRITE = 1.25 * PLAIN  # as some providers have it; the table has none for this model
OUTPUT = 0.004


def find_planted(
    directory: Path, *, read: int = 0, written: int = 0, alike: bool = True, gap_s: float = 60.0
) -> list[Finding]:
    """Return the findings on calls of 5,000 tokens; 4 KiB of each body, and perhaps 16 KiB, are those of the others."""
    plain = 5000 - read - written
    parts = {"input": plain * PLAIN, "cache_read": read * READ, "cache_write": written * WRITE, "output": OUTPUT}
    unique = np.char.add("x", np.arange(N).astype(str))
    shared = np.full(N, "s")
    deep = shared if alike else unique
    hashes = [f'["{a}a","{b}b"]' for a, b in zip(shared if alike else unique, deep, strict=True)]
    with make_store(directory) as store:
        extra: dict[str, Any] = {
            "gen_ai.response.model": "gpt-5.4",
            "gen_ai.usage.input_tokens": "5000",
            "gen_ai.usage.cache_read.input_tokens": str(read) if read else "",
            "gen_ai.usage.cache_write.input_tokens": str(written) if written else "",
            "trilemma.request.prefix_hashes": hashes,
            **{f"trilemma.cost.{name}": repr(cost) for name, cost in parts.items() if cost},
        }
        # Calls come in sixty bursts, a gap apart within each, so that the first of each must write the prefix anew.
        started = START_NS + np.arange(N) // 10 * 6 * HOUR_NS + (np.arange(N) % 10 * gap_s * 1e9).astype(np.int64)
        add_runs(store, Runs(N, model="gpt-5.4", cost=sum(parts.values()), started_ns=started, extra=extra))
        return find_kind(store, "prefix_cache")


def test_beginnings_paid_in_full_are_found(tmp_path: Path) -> None:
    """Of ten calls nine could read 16 KiB, 4,096 tokens, at a tenth of the price."""
    (found,) = find_planted(tmp_path)
    share = 1 - (found.effects[0].estimate.value or 0)
    per_ten = 9 * 4096 * (PLAIN - READ)
    assert share == pytest.approx(per_ten / (10 * (5000 * PLAIN + OUTPUT)), rel=0.02)
    assert found.saving is not None
    assert found.saving.per_1000_runs.value == pytest.approx(per_ten * 100, rel=0.02)


@pytest.mark.parametrize(
    "planted", [{"read": 4200}, {"alike": False}, {"gap_s": 900.0}], ids=["read already", "not alike", "too rare"]
)
def test_nothing_is_found_where_nothing_is_to_be_saved(tmp_path: Path, planted: dict[str, Any]) -> None:
    """Beginnings that are read, that differ, or that come when the cache has expired, are not promised."""
    assert find_planted(tmp_path, **planted) == []


def test_writes_that_nobody_reads_are_a_loss(tmp_path: Path) -> None:
    """Writing 4,000 tokens in each call, and reading none, costs a quarter more for them."""
    (found,) = find_planted(tmp_path, written=4000, alike=False)
    share = 1 - (found.effects[0].estimate.value or 0)
    assert share == pytest.approx(4000 * (WRITE - PLAIN) / (1000 * PLAIN + 4000 * WRITE + OUTPUT), rel=0.01)
    assert found.action is not None
    assert found.action.settings["enabled"] is False


def test_writes_that_are_read_are_none(tmp_path: Path) -> None:
    """Writing 400 tokens and reading 4,200 in each call pays."""
    assert find_planted(tmp_path, written=400, read=4200) == []
