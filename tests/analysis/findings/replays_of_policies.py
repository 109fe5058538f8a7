"""Own replays of a policy's value from logs that chose at random: does the interval hold what the policy would give?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from trilemma_analysis.stats.off_policy import Logs, value_doubly_robust, value_snips

from tests.analysis.findings.sampled import read_bfcl, read_routellm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from trilemma_analysis.stats.off_policy import PolicyValue

    from tests.analysis.findings.sampled import FullLog

__all__ = ["DESIGNS", "METHODS", "PolicyScore", "list_policy_logs", "replay_policy", "write_policies"]

SIZES = (50, 100, 200, 500, 1000)
REPLAYS = 300
MOST_SEGMENTS = 20  # with more, some have no run of the model at all, and its value is refused
LEAST = 20  # intervals without which no share is written
METHODS: dict[str, Callable[[Logs], PolicyValue]] = {"SNIPS": value_snips, "doubly robust": value_doubly_robust}
# How the logging policy chose: the share of the model that is valued, everywhere alike or by segment. A router that
# sends hard segments to the model makes it look worse than it is to whoever averages its runs.
DESIGNS: dict[str, tuple[float, float]] = {
    "half": (0.5, 0.5),
    "a fifth": (0.2, 0.2),
    "one in twenty": (0.05, 0.05),
    "by segment, 80 % to 20 %": (0.8, 0.2),
    "by segment, 95 % to 5 %": (0.95, 0.05),
}


class PolicyScore(NamedTuple):
    """Shares of replays: refused; of those given, holding the truth. And of all, the naive interval holding it."""

    refused: float
    given: int
    held: float
    naively_held: float


def replay_policy(log: FullLog, design: tuple[float, float], n: int, replays: int) -> dict[str, PolicyScore]:
    """Value "always the last model" from logs of n inputs, by each method, and by the mean of the runs that match.

    ``design`` has the logged share of that model in the segment that is hardest for the models, and in the easiest.
    """
    rng = np.random.default_rng(n)
    truth = float(log.won[:, -1].mean())
    share = np.interp(rank_segments(log), (0.0, 1.0), design)
    hits: dict[str, list[tuple[bool, bool]]] = {name: [] for name in METHODS}
    naive = []
    for _ in range(replays):
        rows = rng.integers(0, log.won.shape[0], n)
        logs = draw_logs(log, rows, share[log.segment[rows]], rng)
        for name, method in METHODS.items():
            interval = method(logs).interval
            hits[name].append((interval is None, interval is not None and bool(interval.covers(truth))))
        naive.append(hold_naively(logs.reward[logs.action == log.won.shape[1] - 1], truth))
    scores = {}
    for name, both in hits.items():
        refused, held = (np.array(column) for column in zip(*both, strict=True))
        given = int((~refused).sum())
        scores[name] = PolicyScore(float(refused.mean()), given, held.sum() / max(1, given), float(np.mean(naive)))
    return scores


def rank_segments(log: FullLog) -> NDArray[np.float64]:
    """Return each segment's place, from 0 for the hardest to 1 for the easiest."""
    ease = np.bincount(log.segment, weights=log.won.mean(axis=1)) / np.bincount(log.segment)
    return np.argsort(np.argsort(ease)) / max(1, ease.size - 1)


def draw_logs(log: FullLog, rows: NDArray[np.intp], share: NDArray[np.float64], rng: np.random.Generator) -> Logs:
    """Choose a model for each input, the last one with its share and the others alike, and log what came of it."""
    last = log.won.shape[1] - 1
    other = rng.integers(0, last, rows.size)
    taken = rng.random(rows.size) < share
    action = np.where(taken, last, other)
    target = np.zeros((rows.size, last + 1))
    target[:, last] = 1.0
    context = log.segment[rows] if log.segment.max() < MOST_SEGMENTS else None
    return Logs.of(log.won[rows, action], action, np.where(taken, share, (1 - share) / last), target, context)


def hold_naively(rewards: NDArray[np.float64], truth: float) -> bool:
    """Return whether the mean of the runs that match, with its usual interval, holds the truth."""
    if rewards.size < 2:
        return False
    reach = 1.96 * rewards.std(ddof=1) / np.sqrt(rewards.size)
    return bool(abs(rewards.mean() - truth) <= reach)


def list_policy_logs(shared: Path) -> list[FullLog]:
    """Return the logs from which policies are valued; of the leaderboard five models, the best last."""
    board = read_bfcl(shared)
    order = np.argsort(board.won.mean(axis=0))
    chosen = order[np.linspace(0, order.size - 1, 5).astype(int)]
    routed = [read_routellm(shared, task) for task in ("mmlu", "gsm8k")]
    return [board.choose(chosen), *(log.choose(np.argsort(log.won.mean(axis=0))) for log in routed)]


def write_policies(shared: Path) -> str:
    """Replay all designs and return the section of the page."""
    rows = []
    for log in list_policy_logs(shared):
        for name, design in DESIGNS.items():
            for n in SIZES:
                scores = replay_policy(log, design, n, REPLAYS)
                cells = [_say_score(score) for score in scores.values()]
                naive = next(iter(scores.values())).naively_held
                rows.append(f"| {log.name} | {name} | {n:,} | {' | '.join(cells)} | {_say(naive)} |")
                print(rows[-1], flush=True)
    return f"""## Policies valued from logs

From inputs that every model was tried on, a log is made in which chance chose one for each, with known probabilities,
and "always the best model" is valued from it: {REPLAYS} logs each. Promised: intervals hold the value at least 93 % of
the time, or are refused. Beside it the mean of the runs that happen to match, with its usual interval. By segment: the
share that went to the best model falls from the hardest segment to the easiest, as a router's would. A dash: fewer than
{LEAST} logs gave an interval.

| log | logged share | n | {" | ".join(METHODS)} | matching runs |
| --- | --- | ---: | {" | ".join("---:" for _ in METHODS)} | ---: |
{chr(10).join(rows)}
"""


def _say_score(score: PolicyScore) -> str:
    held = _say(score.held) if score.given >= LEAST else "–"
    return held if not score.refused else f"{held} ({_say(score.refused)} refused)"


def _say(share: float) -> str:
    return f"{share * 100:.0f} %"
