"""Own replays of the report on samples of logs whose truth is known: how often it errs, and what its intervals hold.

``python -m tests.analysis.findings.replays`` replays all of it (ten minutes of CPU) and writes analysis/replays.md.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from trilemma_analysis.findings import Verdict, model_route
from trilemma_analysis.stats.noninferiority import GateVerdict
from trilemma_analysis.stats.paired import mcnemar_exact

from tests.analysis.findings.replays_of_policies import write_policies
from tests.analysis.findings.sampled import MARGIN, analyse_sample, list_logs
from tests.conftest import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trilemma_analysis.findings import Effect, Finding
    from trilemma_analysis.gates import GateResult

    from tests.analysis.findings.sampled import FullLog

__all__ = ["SIZES", "Score", "find_naively", "replay"]

SIZES = (50, 100, 200, 500, 1000)
REPLAYS = 100
PAGE = Path(__file__).resolve().parents[3] / "analysis" / "replays.md"
SIDES = ("saving", "quality", "cost", "latency")


class Score(NamedTuple):
    """What came of replays of one log.

    ``wrong`` and ``naively_wrong`` are shares of reports that call a model safe, or would have switched to one, that is
    worse by the margin; ``advised`` is the share with anything to act on. ``held`` has by (advised or not, side)
    whether each interval that was stated held the truth.
    """

    wrong: float
    naively_wrong: float
    advised: float
    held: dict[tuple[bool, str], list[bool]]

    def coverage(self, side: str, *, advised: bool) -> tuple[float, int]:
        """Return the share of intervals on a side that held the truth, and their number."""
        hits = self.held.get((advised, side), [])
        return (float(np.mean(hits)) if hits else float("nan")), len(hits)


def replay(log: FullLog, n: int, replays: int) -> Score:
    """Draw n inputs again and again, report on them, and compare with the truth of the whole log."""
    rng = np.random.default_rng(n)
    place = {name: index for index, name in enumerate(log.models)}
    errors, held = [], defaultdict(list)
    for _ in range(replays):
        sample = log.take(rng.integers(0, log.won.shape[0], n))
        analysis = analyse_sample(sample)
        pairs = {id(gate.comparison.stated.difference): find_pair(gate, place) for gate in analysis.gates}
        safe = [find_pair(gate, place) for gate in analysis.gates if gate.verdict is GateVerdict.SAFE]
        best = int(np.argmax(sample.won.mean(axis=0)))
        naive = log.difference(best, find_naively(sample, best)) <= -MARGIN
        errors.append((any(log.difference(*pair) <= -MARGIN for pair in safe), naive, bool(safe)))
        for finding in model_route.find(analysis):
            pair = pairs[id(finding.effects[0].estimate)]
            for side, hit in check_intervals(log, finding, pair):
                held[finding.verdict is Verdict.ACT, side].append(hit)
    wrong, naively_wrong, advised = (float(share) for share in np.mean(errors, axis=0))
    return Score(wrong, naively_wrong, advised, dict(held))


def find_pair(gate: GateResult, place: dict[str, int]) -> tuple[int, int]:
    """Return which models a gate compares."""
    return place[gate.comparison.baseline.combination], place[gate.comparison.candidate.combination]


def check_intervals(log: FullLog, finding: Finding, pair: tuple[int, int]) -> Iterator[tuple[str, bool]]:
    """Yield for each effect and the saving of a finding whether its interval holds what adopting it would bring."""
    truths = {"quality": log.difference, "cost": log.cost_ratio, "latency": log.latency_ratio}
    for effect in finding.effects:
        yield effect.side, holds(effect, truths[effect.side](*pair))
    if finding.saving is not None:
        stated = finding.saving.per_1000_runs
        yield "saving", (stated.low or 0.0) <= log.saving_per_1000(*pair) <= (stated.high or 0.0)


def holds(effect: Effect, truth: float) -> bool:
    """Return whether an effect's interval holds the truth; an end that is not bounded holds everything."""
    low, high = effect.estimate.low, effect.estimate.high
    return (low is None or low <= truth) and (high is None or truth <= high)


def find_naively(log: FullLog, baseline: int) -> int:
    """Return the cheapest (or where nothing has a cost, fastest) model not significantly worse (McNemar, 5 %)."""
    ours = log.won[:, [baseline]]
    p = 2 * mcnemar_exact((log.won & ~ours).sum(axis=0), (ours & ~log.won).sum(axis=0))
    costs = np.nanmean(log.cost, axis=0) if np.isfinite(log.cost).any() else np.nanmean(log.latency_s, axis=0)
    return int(np.argmin(np.where(p > 0.05, costs, np.inf)))


def write_page() -> str:
    """Replay everything and return the page."""
    rows = [_write_row(log, n) for log in list_logs(SHARED) for n in SIZES]
    return f"""# Replays

Made by `python -m tests.analysis.findings.replays`: reports on {REPLAYS} samples of each log, drawn with replacement
from inputs that every model was tried on, against the truth of the whole log. A report sees only its sample; the whole
log stands for the traffic that follows. Margin: {MARGIN * 100:g} points.

- **False safe**: share of reports that call any model safe that is worse by the margin or more (promised: at most 5 %).
  The naive rule beside it switches to the cheapest model that is not significantly worse than the best (McNemar, 5 %).
- **Advised**: share of reports with something to act on.
- **Held**: share of stated 95 % intervals that hold what adopting the finding brings, with their number: the saving per
  1,000 runs, the difference in success, the ratios of cost and latency. First of findings to act on (promised: at least
  90 %), then of all others, which name a model because of how it came out too.

routellm has no costs: they are assumed, by list prices of the day and four characters a token
(`tests/analysis/findings/sampled.py`). bfcl_vllm has none at all, and its models are five versions of a stack.

| log | n | false safe | naive | advised | saving held | success held | cost held | latency held |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{chr(10).join(rows)}

On bfcl.simple one input of 400 costs one model ten times the mean: a sample without it cannot know of it.

{write_policies(SHARED)}"""


def _write_row(log: FullLog, n: int) -> str:
    score = replay(log, n, REPLAYS)
    cells = [
        " · ".join(_say_coverage(*score.coverage(side, advised=advised)) for advised in (True, False)) for side in SIDES
    ]
    shares = [f"{share * 100:.1f} %" for share in (score.wrong, score.naively_wrong, score.advised)]
    row = f"| {log.name} | {n:,} | {' | '.join(shares)} | {' | '.join(cells)} |"
    print(row, flush=True)
    return row


def _say_coverage(share: float, number: int) -> str:
    return f"{share * 100:.0f} % of {number}" if number else "–"


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
