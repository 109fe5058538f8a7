"""Own the audit of one judge by one truth: agreement, errors of each kind, bias of the share that it reports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trilemma_analysis.estimate import Estimate, to_estimate
from trilemma_analysis.evidence.verdicts import ENOUGH_PAIRS, YES, to_codes
from trilemma_analysis.findings.finding import Verdict
from trilemma_analysis.stats.agreement import Accuracy, cohen_kappa, judge_accuracy
from trilemma_analysis.stats.clustered import clustered_rate, design_effect
from trilemma_analysis.stats.intervals import Interval, wilson
from trilemma_analysis.stats.prediction_powered import JudgedMean, mean_with_judge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trilemma_analysis.evidence.verdicts import Judge, Truth

__all__ = ["LEAST_OF_EACH", "USELESS_BELOW", "Audit", "audit", "count_said", "decide"]

# Kappa below this is "slight" (Landis and Koch 1977): such a judge stands for at most 4 % of the labels it would save.
USELESS_BELOW = 0.2
LEAST_OF_EACH = 10  # runs that are right, and that are wrong: with fewer, kappa hangs on single runs


@dataclass(frozen=True)
class Audit:
    """What is known of one judge held to one truth."""

    judge: Judge
    truth: Truth
    n: int
    rarest: int
    """Runs whose truth is not the most frequent one."""
    agreement: Estimate
    kappa: Interval
    accuracy: Accuracy | None
    rate_of: str
    """The verdict whose share is corrected."""
    reported: float
    mean: JudgedMean
    stretch: float
    """By how much repeated inputs widen an interval."""
    missed: tuple[str, float]
    """The true verdict that it sees least, and in which share of its runs."""

    @property
    def corrected(self) -> Estimate:
        """The true share of the verdict, helped by the judge."""
        method = "PPI++" if self.mean.is_useful else "labels alone, Student's t"
        return to_estimate(_clip(_widen(self.mean.interval, self.stretch)), self.n, "share", method)

    @property
    def bias(self) -> Estimate:
        """The share that the judge reports minus the true one."""
        return to_estimate(_widen(self.mean.bias, self.stretch), self.n, "share", "mean difference, Student's t")

    @property
    def is_biased(self) -> bool:
        """Whether the bias is beyond chance."""
        return _sureness(_widen(self.mean.bias, self.stretch)) > 1


def audit(judge: Judge, truth: Truth, confidence: float) -> Audit:
    """Hold a judge to a truth: agreement, kappa, errors of each kind, and the share it reports against the true one."""
    polar = judge.is_polar
    told, said, labels = to_codes(truth, polar=polar)
    stretch = 1.0 if truth.clusters is None else math.sqrt(float(design_effect(truth.clusters)))
    if truth.clusters is None:
        agreement = wilson(float((told == said).sum()), float(told.size), confidence)
        units = told.size
    else:
        agreement, units = clustered_rate(truth.clusters, confidence).interval, int(truth.clusters.n)
    kappa = _widen(cohen_kappa(told, said, confidence), stretch) if told.size > 1 else _nothing()
    rate_of, mean = _correct(judge, labels, told, said, confidence)
    return Audit(
        judge=judge,
        truth=truth,
        n=int(told.size),
        rarest=int(told.size - np.bincount(told).max()),
        agreement=to_estimate(agreement, units, "share", "Wilson" if truth.clusters is None else "Wilson over inputs"),
        kappa=kappa,
        accuracy=judge_accuracy(told == 1, said == 1, confidence) if polar else None,
        rate_of=rate_of,
        reported=count_said(judge, rate_of) / judge.judged,
        mean=mean,
        stretch=stretch,
        missed=_find_missed(told, said, labels),
    )


def _find_missed(told: NDArray[np.intp], said: NDArray[np.intp], labels: list[str]) -> tuple[str, float]:
    seen = [code for code in range(len(labels)) if (told == code).any()]
    recalls = [(float((said[told == code] == code).mean()), labels[code]) for code in seen]
    share, label = min(recalls, default=(1.0, ""))
    return label, share


def _correct(
    judge: Judge,
    labels: list[str],
    told: NDArray[np.intp],
    said: NDArray[np.intp],
    confidence: float,
) -> tuple[str, JudgedMean]:
    """Correct the share of yes; of other verdicts that with the surest bias, its interval made for choosing it."""
    wanted = ["yes"] if judge.is_polar else labels
    level = 1 - (1 - confidence) / len(wanted)
    made = []
    for label in wanted:
        code, both = labels.index(label), max(told.size, 2)
        rest_n = judge.judged - told.size
        rest_yes = min(max(count_said(judge, label) - int((said == code).sum()), 0), rest_n)
        rest = np.concatenate([np.ones(rest_yes), np.zeros(rest_n - rest_yes)])
        y, f = (np.resize(np.asarray(one == code, dtype=float), both) for one in (told, said))
        made.append((label, mean_with_judge(y, f, rest, level)))
    return max(made, key=lambda one: (_sureness(one[1].bias), one[0]))


def count_said(judge: Judge, label: str) -> int:
    """Return in how many runs a judge said this; of a yes or no, ``yes`` and ``no`` stand for all words like them."""
    if judge.is_polar:
        return sum(runs for said, runs in judge.said.items() if (said in YES) == (label == "yes"))
    return judge.said.get(label, 0)


def _sureness(bias: Interval) -> float:
    reach = float(bias.high - bias.estimate)
    return abs(float(bias.estimate)) / reach if reach > 0 else 0.0


def decide(one: Audit) -> Verdict:
    """Return whether a judge may be used, by the honest end of kappa's interval; both truths must have been seen."""
    if one.n < ENOUGH_PAIRS or one.rarest < LEAST_OF_EACH or not np.isfinite(one.kappa.estimate):
        return Verdict.NOT_ENOUGH_DATA
    if float(one.kappa.high) < USELESS_BELOW:
        return Verdict.DONT
    return Verdict.ACT if float(one.kappa.low) > USELESS_BELOW else Verdict.NOT_ENOUGH_DATA


def _widen(interval: Interval, stretch: float) -> Interval:
    middle = interval.estimate
    return Interval(middle - (middle - interval.low) * stretch, middle, middle + (interval.high - middle) * stretch)


def _clip(interval: Interval) -> Interval:
    return Interval(*(np.clip(end, 0.0, 1.0) for end in (interval.low, interval.estimate, interval.high)))


def _nothing() -> Interval:
    return Interval(*(np.asarray(np.nan) for _ in range(3)))
