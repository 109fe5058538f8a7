"""Own where things go in a chart of success against cost: the axes, and which points have room for a name."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["choose_labels", "find_domains", "shorten"]

NAME_LENGTH = 46
LABEL_PX = (5.9, 13)  # of a character across, of a line down


def shorten(name: str) -> str:
    """Return a name that fits beside an axis."""
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def find_domains(rows: list[dict[str, Any]], *, logarithmic: bool) -> tuple[list[float], list[float]]:
    """Return the ends of both axes: room for intervals, and for labels to the right; no rate beyond 0 and 1."""
    low, high = min(row["cost_low"] or row["cost"] for row in rows), max(row["cost_high"] for row in rows)
    if logarithmic:
        reach = max(math.log(high / low), 0.5)
        costs = [low * math.exp(-0.05 * reach), high * math.exp(0.3 * reach)]
    else:
        costs = [0.0, (high or 1.0) * 1.3]
    bottom, top = min(row["success_low"] for row in rows), max(row["success_high"] for row in rows)
    pad = max(0.08 * (top - bottom), 0.01)
    return costs, [max(0.0, bottom - pad), min(1.0, top + pad)]


def choose_labels(
    rows: list[dict[str, Any]],
    costs: list[float],
    rates: list[float],
    size: tuple[int, int],
    *,
    logarithmic: bool,
) -> None:
    """Give a label to each row whose label covers no point and no label given before: baseline first, then frontier."""

    def across(value: float) -> float:
        near, far, at = (math.log(v) if logarithmic else v for v in (*costs, value))
        return (at - near) / (far - near) * size[0]

    def down(value: float) -> float:
        return (rates[1] - value) / (rates[1] - rates[0]) * size[1]

    points = [(across(row["cost"]), down(row["success"])) for row in rows]
    taken = [(x - 6, x + 6, y) for x, y in points]
    order = sorted(
        range(len(rows)), key=lambda i: (rows[i]["role"] != "baseline", not rows[i]["frontier"], points[i][1])
    )
    for i in order:
        (x, y), text = points[i], shorten(rows[i]["name"])
        left, right, middle = x + 12, x + 14 + LABEL_PX[0] * len(text), y - 8
        others = taken[:i] + taken[i + 1 :]
        free = all(abs(middle - other) > LABEL_PX[1] or right < start or left > end for start, end, other in others)
        rows[i]["label"] = text if free else ""
        if free:
            taken.append((left, right, middle))
