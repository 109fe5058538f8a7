"""Run the review of drafts, days after they were written: `python -m tests.demo.app.review FOLDER`.

Another process than the app, as in real life: it knows a task by its id only.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import trilemma

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_S = 86_400.0
NEVER_READ, READ_TWICE = 0.04, 0.03  # shares of the drafts


class Reading(NamedTuple):
    """One reading of one draft: when, and whether only its tone was looked at."""

    at: float
    draft: dict[str, Any]
    skimmed: bool


def main() -> None:
    """Read the drafts one to three days after they were written, and say which could be sent as they were."""
    lines = (Path(sys.argv[1]) / "drafts.jsonl").read_text(encoding="utf-8").splitlines()
    readings = [reading for line in lines for reading in plan_readings(json.loads(line))]
    for at, draft, skimmed in sorted(readings, key=lambda reading: (reading.at, reading.draft["task_id"])):
        time.sleep(max(0.0, at - time.time()))
        judge(draft, skimmed=skimmed)


def plan_readings(draft: dict[str, Any]) -> Iterator[Reading]:
    """Yield the readings of one draft: most get one, some none, and some a skimming that a second one corrects."""
    chance = Random(f"review/{draft['ticket_id']}/{draft['draft']}")
    fate, wait_days = chance.random(), chance.uniform(1, 3)
    if fate < NEVER_READ:
        return
    if fate < NEVER_READ + READ_TWICE:
        yield Reading(draft["written_at"] + wait_days * DAY_S / 2, draft, skimmed=True)
    yield Reading(draft["written_at"] + wait_days * DAY_S, draft, skimmed=False)


def judge(draft: dict[str, Any], *, skimmed: bool) -> None:
    """Tell the outcome of the task that wrote `draft`; a later one takes the place of an earlier one."""
    names_order = draft["order_id"] in draft["draft"]
    if names_order or skimmed:
        trilemma.outcome(draft["task_id"], "success", source="human")
    else:
        trilemma.outcome(draft["task_id"], "failure", failure_mode="no_order_number", source="human")
    if not skimmed:
        label = "yes" if names_order else "no"
        trilemma.evaluate("names_order", score=float(names_order), label=label, task_id=draft["task_id"])


if __name__ == "__main__":
    main()
