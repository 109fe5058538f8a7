"""Hold the semantic cache's finding: thresholds are advised where marks bear them, and only there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.findings.semantic_cache import Cache, judge

from tests.analysis.findings.planted_calls import add_decisions, add_marks, find_kind
from tests.analysis.planted import Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.findings import Finding

MARGIN = 0.05


def find_planted(directory: Path, n: int, marked: float) -> list[Finding]:
    """Return the findings on hits of which those below 0.9 are wrong in three of ten, and those above never."""
    rng = np.random.default_rng(7)
    alike = rng.uniform(0.8, 0.999, n).round(3)
    wrong = (alike < 0.9) & (rng.random(n) < 0.3)
    marks = np.where(rng.random(n) < marked, np.where(wrong, "wrong", "right"), "")
    ids = [f"r{i}" for i in range(n)]
    facts: dict[str, Any] = {
        "trilemma.decision.chosen": "hit",
        "trilemma.cache.kind": "semantic",
        "trilemma.cache.similarity": alike.astype(str),
        "trilemma.cache.saved_cost": "0.01",
    }
    with make_store(directory) as store:
        add_runs(store, Runs(n))
        add_decisions(store, ids, "cache", extra=facts)
        add_marks(store, ids, marks)
        return find_kind(store, "semantic_cache")


def test_safe_threshold_is_advised(tmp_path: Path) -> None:
    """With every hit marked, the advice is a threshold near 0.9, where the wrong ones end, and what it costs."""
    (found,) = find_planted(tmp_path, 1000, 1.0)
    assert found.verdict is Verdict.ACT
    assert found.action is not None
    assert 0.85 <= float(str(found.action.settings["least_similarity"])) <= 0.91
    wrong = found.effects[0].estimate
    assert (wrong.low or 0) <= 0.15 <= (wrong.high or 0)
    assert found.saving is not None
    assert -1000 * 0.01 * 0.55 <= (found.saving.per_1000_runs.value or 0) < 0


def test_without_marks_the_finding_is_open(tmp_path: Path) -> None:
    """Hits that nobody marked are not taken for right: the finding says how many marks would do."""
    (found,) = find_planted(tmp_path, 100, 0.0)
    assert found.verdict is Verdict.NOT_ENOUGH_DATA
    assert found.needed is not None
    assert 50 <= found.needed.n <= 100


def draw_cache(rng: np.random.Generator, rates: list[float], marked: int) -> Cache:
    """Return a cache with as many marked hits in each band, most alike first."""
    bands = [
        {
            "band": 99 - i,
            "hits": marked,
            "marked": marked,
            "wrong": int(rng.binomial(marked, rate)),
            "saved": 0,
            "priced": 0,
        }
        for i, rate in enumerate(rates)
    ]
    return Cache("t", "c", marked * len(rates), tuple(bands))


def test_unsafe_thresholds_are_rarely_advised() -> None:
    """Where hits are wrong beyond the margin at every likeness, at most 2.5 % of replays (plus noise) say otherwise."""
    rng = np.random.default_rng(8)
    verdicts = [judge(draw_cache(rng, [MARGIN + 1e-9] * 8, 100), MARGIN, 0.95) for _ in range(1000)]
    safe = [verdict is None or verdict is Verdict.ACT for verdict, _ in verdicts]
    assert np.mean(safe) <= 0.045


def test_cache_wrong_at_any_likeness_is_switched_off() -> None:
    """Where three of ten hits are wrong in each band, no threshold helps."""
    verdict, least = judge(draw_cache(np.random.default_rng(9), [0.3] * 8, 100), MARGIN, 0.95)
    assert (verdict, least) == (Verdict.DONT, None)


def test_safe_cache_is_left_alone() -> None:
    """Where one in a hundred hits is wrong, nothing is said."""
    assert judge(draw_cache(np.random.default_rng(9), [0.01] * 8, 100), MARGIN, 0.95) == (None, None)
