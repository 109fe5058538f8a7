"""Replay the route by segment on real outcomes: 57 MMLU subjects, two models, whose truth is all 14,000 questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.analysis.findings.no_effect import ALPHA, MARGIN
from tests.analysis.findings.policies import split_by_segment

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.shared

STRONG, WEAK = "gpt-4-1106-preview", "mistralai/Mixtral-8x7B-Instruct-v0.1"
PRICES = (1.0, 0.04)  # the log has none; this ratio is an assumption, and no outcome hangs on it
REPLAYS, SAMPLE = 60, 3000


class Subjects(NamedTuple):
    """The questions that both models answered: number of the subject, and who was right."""

    subject: NDArray[np.int64]
    strong: NDArray[np.bool_]
    weak: NDArray[np.bool_]


def read_subjects(shared: Path) -> Subjects:
    """Read the questions, one row each."""
    path = shared / "data" / "published" / "routellm" / "data.parquet"
    table = pq.read_table(path, columns=["task", "subtask", "unit_id", "model", "correct"])
    table = table.filter(pc.equal(table["task"], "mmlu"))
    sides = [table.filter(pc.equal(table["model"], name)).sort_by("unit_id") for name in (STRONG, WEAK)]
    assert sides[0]["unit_id"].equals(sides[1]["unit_id"])
    _, subject = np.unique(sides[0]["subtask"].to_numpy(), return_inverse=True)
    strong, weak = (side["correct"].to_numpy().astype(bool) for side in sides)
    return Subjects(subject, strong, weak)


def test_route_by_subject_is_rarely_wrong(shared: Path) -> None:
    """Of samples of 3,000 questions, at most 5 % (and chance) route subjects at a true loss of the margin.

    On the half that chose it a route looks better than it is, on the other half it looks as it is.
    """
    all_of_it = read_subjects(shared)
    gap = all_of_it.weak.astype(int) - all_of_it.strong
    rng = np.random.default_rng(1)
    wrong, flattered, honest, covered = [], [], [], []
    for _ in range(REPLAYS):
        drawn = rng.integers(0, gap.size, SAMPLE)
        cell = 2 * all_of_it.subject[drawn] + rng.integers(0, 2, SAMPLE)
        costs = [np.full(SAMPLE, price) for price in PRICES]
        split = split_by_segment(cell, (all_of_it.strong[drawn], costs[0]), [(all_of_it.weak[drawn], costs[1])])
        assert split is not None
        for one in split.policies:
            routed = np.isin(all_of_it.subject, [int(name[1:]) for name in one.routes])
            truth = float((gap * routed).mean())
            seen = one.held_out.difference
            flattered.append((one.in_sample.difference.value or 0.0) - truth)
            honest.append((seen.value or 0.0) - truth)
            covered.append((seen.low or -1.0) <= truth <= (seen.high or 1.0))
        best = split.find_safe(ALPHA, 1.0)
        routed = np.isin(all_of_it.subject, [] if best is None else [int(name[1:]) for name in best.routes])
        wrong.append(best is not None and (gap * routed).mean() <= -MARGIN)
    print(
        f"wrong {np.mean(wrong)}, flattered {np.mean(flattered)}, honest {np.mean(honest)}, covered {np.mean(covered)}"
    )
    assert np.mean(wrong) <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / REPLAYS)
    assert np.mean(flattered) > 0.005
    assert abs(np.mean(honest)) < 0.005
    assert np.mean(covered) >= 0.9
