"""Own how figures read in a sentence: shares in percent, differences in points, money, times, counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from trilemma_analysis.estimate import Estimate

__all__ = [
    "say_change",
    "say_count",
    "say_money",
    "say_points",
    "say_range",
    "say_ratio",
    "say_seconds",
    "say_share",
    "with_interval",
]

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


def say_share(value: float | None) -> str:
    """Say 0.913 as 91.3 %."""
    return "?" if value is None else f"{value * 100:.1f} %"


def say_points(value: float | None) -> str:
    """Say -0.013 as −1.3 points."""
    return "?" if value is None else f"{_sign(value * 100, 1)} points"


def say_ratio(value: float | None) -> str:
    """Say 0.42 as −58 %, 1.5 as +50 %, and what is beyond 10 as × 12."""
    if value is None:
        return "?"
    return f"× {value:.3g}" if value >= 10 else f"{_sign((value - 1) * 100, 0 if abs(value - 1) >= 0.1 else 1)} %"


def say_money(value: float | None, currency: str) -> str:
    """Say an amount with three figures or cents, whichever is finer: $1,234, $12.30, $0.00420."""
    if value is None:
        return "?"
    size = abs(value)
    digits = 0 if size >= 1000 else 2 if size >= 1 or not size else min(12, 2 - math.floor(math.log10(size)))
    number = f"{size:,.{digits}f}" if size else "0"
    symbol = _SYMBOLS.get(currency)
    sign = "−" if value < 0 else ""
    return f"{sign}{symbol}{number}" if symbol else f"{sign}{number} {currency or 'units'}"


def say_seconds(value: float | None) -> str:
    """Say 0.0123 as 12 ms, 1.234 as 1.23 s, 312 as 5.2 min."""
    if value is None:
        return "?"
    if value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.3g} min"


def say_count(value: float | None) -> str:
    """Say 12345 as 12,345; None as an unknown number."""
    return "?" if value is None else f"{round(value):,}"


def say_change(estimate: Estimate) -> str:
    """Say a difference or ratio with its interval: −1.3 points (−2.4 to −0.2)."""
    say = say_points if estimate.unit == "share" else say_ratio
    return f"{say(estimate.value)} ({say_range(estimate, say)})"


def say_range(estimate: Estimate, say: Callable[[float | None], str]) -> str:
    """Say an interval without the units that the value has said; an end that the data do not bound is an ellipsis."""
    ends = ("…" if end is None else say(end) for end in (estimate.low, estimate.high))
    low, high = (end.removesuffix(" points").removesuffix(" %") for end in ends)
    return f"{low} to {high}"


def with_interval(estimate: Estimate) -> str:
    """Say an estimate with its interval, by its unit."""
    say: Callable[[float | None], str]
    if estimate.unit == "share":
        say = say_share
    elif estimate.unit == "s":
        say = say_seconds
    elif estimate.unit == "ratio":
        say = say_ratio
    else:

        def say(value: float | None) -> str:
            return say_money(value, estimate.unit)

    return f"{say(estimate.value)} ({say_range(estimate, say)})"


def _sign(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    if not text.strip("0."):
        return f"±{text}"
    return f"−{text}" if value < 0 else f"+{text}"
