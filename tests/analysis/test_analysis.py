"""Hold that an analysis asks the store each question once, and never takes one answer for another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from trilemma_analysis.analysis import open_analysis

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs, make_store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

N = 120


def test_a_question_is_asked_once_for_each_scope_and_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same question is answered from memory; with other parameters, or over another period, it is asked anew."""
    with make_store(tmp_path / "store") as store:
        add_runs(store, Runs(N, started_ns=START_NS + np.arange(N) * HOUR_NS))
        analysis = open_analysis(store)
        assert analysis is not None
        asked: Counter[str] = Counter()
        ask = type(store).ask

        def count(self: Any, name: str, **parameters: Any) -> Any:
            asked[name] += 1
            return ask(self, name, **parameters)

        monkeypatch.setattr(type(store), "ask", count)

        def runs(one: Any, width_s: int) -> list[int]:
            return [row["known"] for row in one.ask("series", width_s=width_s, least_runs=1)]

        by_day = runs(analysis, 86_400)
        assert sum(by_day) == N
        assert runs(analysis, 86_400) == by_day
        assert asked["series"] == 1
        assert len(runs(analysis, 3600)) == N
        since = datetime.fromtimestamp(START_NS / 1e9, UTC) + timedelta(hours=20)
        later = replace(analysis, scope=replace(analysis.scope, since=since))
        assert sum(runs(later, 86_400)) == N - 20
        assert asked["series"] == 3
