"""Own settling by hand: what a store does by itself every minute, done now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SETTLE_STEPS", "settle"]

# In the order in which each makes the next one's work smaller; settle_progress writes down what the others have done.
SETTLE_STEPS = (
    "settle_duplicate_calls",
    "settle_task_runs",
    "settle_calls_hourly",
    "settle_calls_daily",
    "settle_progress",
)


def settle(run: Callable[[str], str], database: str = "trilemma") -> None:
    """Settle now what has arrived in `database`, which makes later queries fast; their answers do not change.

    What arrived in the last two minutes is settled too, but still computed at each query until then.
    """
    for step in SETTLE_STEPS:
        run(f"SYSTEM REFRESH VIEW {database}.{step}")
        run(f"SYSTEM WAIT VIEW {database}.{step}")
