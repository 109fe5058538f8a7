"""Own what a change saves: from a cost ratio, or a share of cost, to money per 1,000 runs and per month."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

from trilemma_analysis.estimate import Estimate, scale_estimate
from trilemma_analysis.findings.finding import Saving

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis
    from trilemma_analysis.measures import Measures

__all__ = ["identify", "keep_rest", "name_currency", "save_by_ratio", "save_by_share", "save_part"]


def save_by_ratio(analysis: Analysis, baseline: Measures, ratio: Estimate | None) -> Saving | None:
    """Return what it saves that a run of the baseline costs ``ratio`` of what it costs; None if that is unknown.

    What a run costs is itself an estimate: both uncertainties are in the interval.
    """
    if ratio is None or baseline.cost_per_run is None:
        return None
    share = Estimate(
        value=None if ratio.value is None else 1 - ratio.value,
        low=None if ratio.high is None else 1 - ratio.high,
        high=None if ratio.low is None else 1 - ratio.low,
        n=ratio.n,
        unit="share",
        method=ratio.method,
    )
    per_run = baseline.cost_per_run
    return _save(_multiply(per_run, share), analysis.monthly_runs(baseline))


def save_by_share(share: Estimate, cost_per_run: float, currency: str, runs_per_month: float | None) -> Saving:
    """Return what a share of a known cost per run comes to."""
    return _save(scale_estimate(share, cost_per_run, currency), runs_per_month)


def save_part(analysis: Analysis, task: str, share: Estimate, total: float) -> Saving | None:
    """Return what a share of a sum spent on a task comes to, per 1,000 runs and per month at the task's traffic.

    Args:
        analysis: of the report.
        task: a task with runs.
        share: the part of ``total`` that need not be spent.
        total: in the task's currency; None is returned where it is 0 or the currencies are several.
    """
    runs, currency = sum(one.runs for one in analysis.of_task(task)), name_currency(analysis, task)
    if not total or not runs or currency is None:
        return None
    return save_by_share(share, total / runs, currency, analysis.monthly(task, runs))


def name_currency(analysis: Analysis, task: str) -> str | None:
    """Return the currency of a task's costs, '' where nothing is priced, None where there are several."""
    currencies = {currency for one in analysis.of_task(task) for currency in one.currencies}
    return None if len(currencies) > 1 else next(iter(currencies), "")


def keep_rest(share: Estimate) -> Estimate:
    """Return what is left when a share of the cost goes, as the ratio of cost after to before."""
    value, low, high = (None if end is None else 1 - end for end in (share.value, share.high, share.low))
    return share.model_copy(update={"value": value, "low": low, "high": high, "unit": "ratio"})


def identify(kind: str, task: str, *places: str) -> str:
    """Return a finding's id: the same for the same kind, task and place, whatever the data."""
    digest = hashlib.sha256("\x1f".join((kind, task, *places)).encode()).hexdigest()[:8]
    return f"{kind}:{task}:{digest}"


def _save(per_run: Estimate, runs_per_month: float | None) -> Saving:
    per_1000 = scale_estimate(per_run, 1000)
    monthly = None if runs_per_month is None else scale_estimate(per_1000, runs_per_month / 1000)
    return Saving(per_1000_runs=per_1000, runs_per_month=runs_per_month, per_month=monthly)


def _multiply(amount: Estimate, share: Estimate) -> Estimate:
    """Return an amount > 0 times a share of it, negative where more is spent, both estimated.

    Source: the method of variance estimates recovery, Zou and Donner 2008, for a product to first order.
    """
    value = (amount.value or 0.0) * (share.value or 0.0)

    def reach(amount_end: float | None, share_end: float | None) -> float | None:
        if amount_end is None or share_end is None or amount.value is None or share.value is None:
            return None
        return math.hypot(share.value * (amount_end - amount.value), amount.value * (share_end - share.value))

    saves = (share.value or 0.0) >= 0
    below = reach(amount.low if saves else amount.high, share.low)
    above = reach(amount.high if saves else amount.low, share.high)
    return Estimate(
        value=value,
        low=None if below is None else value - below,
        high=None if above is None else value + above,
        n=min(amount.n, share.n),
        unit=amount.unit,
        method=f"{share.method}; times the cost per run",
    )
