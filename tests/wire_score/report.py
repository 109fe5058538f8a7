"""Own the score's report: the sums by field, provider and endpoint, every miss, as text or JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.wire_score.known import find_reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.wire_score.runner import Scored

__all__ = ["render", "sum_up"]


def sum_up(scored: Iterable[Scored], seconds: float) -> dict[str, Any]:
    """Return the whole score as one JSON object.

    A difference in which the corpus is wrong (known.json) is neither compared nor a miss: it is listed as `explained`.
    """
    total, by_field, by_provider = _Sum(), {}, {}
    misses, explained, drivers = [], [], Counter[str]()
    records = 0
    for one in scored:
        records += 1
        drivers[one.driver or "not driven"] += 1
        of_provider = by_provider.setdefault(one.provider, {"sum": _Sum(), "endpoints": {}})
        of_endpoint = of_provider["endpoints"].setdefault(one.endpoint, _Sum())
        sums = total, of_provider["sum"], of_endpoint
        for each in sums:
            each.records += 1
        for name, (expected, got, right) in one.fields.items():
            miss = {"id": one.id, "field": name, "expected": expected, "got": got}
            if not right and (reason := find_reason(one, name)):
                explained.append({**miss, "reason": reason})
                continue
            for each in (*sums, by_field.setdefault(name, _Sum())):
                each.add(right=right)
            if not right:
                misses.append({**miss, "provider": one.provider, "endpoint": one.endpoint, "driver": one.driver})
    return {
        "records": records,
        "seconds": round(seconds, 1),
        "total": total.as_json(),
        "by_field": {name: each.as_json() for name, each in sorted(by_field.items())},
        "by_provider": {
            name: {
                "records": each["sum"].records,
                **each["sum"].as_json(),
                "endpoints": {
                    key: {"records": e.records, **e.as_json()} for key, e in sorted(each["endpoints"].items())
                },
            }
            for name, each in sorted(by_provider.items())
        },
        "by_driver": dict(drivers.most_common()),
        "misses": misses,
        "explained": explained,
    }


class _Sum:
    def __init__(self) -> None:
        self.records = self.compared = self.right = 0

    def add(self, *, right: bool) -> None:
        self.compared += 1
        self.right += right

    def as_json(self) -> dict[str, int]:
        return {"compared": self.compared, "right": self.right, "misses": self.compared - self.right}


def render(score: dict[str, Any]) -> str:
    """Return the score as text: sums first, then every miss."""
    lines = [f"{'field':22}{'compared':>10}{'right':>10}{'misses':>8}"]
    lines += [_row(name, each, 22) for name, each in score["by_field"].items()]
    lines += ["", f"{'provider, endpoint':44}{'records':>8}{'compared':>10}{'right':>10}{'misses':>8}"]
    for provider, sums in score["by_provider"].items():
        lines.append(_row(provider, sums, 44, records=True))
        if len(sums["endpoints"]) > 1:
            lines += [_row(f"  {name}", each, 44, records=True) for name, each in sums["endpoints"].items()]
    for title, key in (("Misses", "misses"), ("Differences in which the corpus is wrong", "explained")):
        lines += ["", f"{title}: {len(score[key])}"]
        lines += [_describe(miss) for miss in score[key]]
    drivers = ", ".join(f"{name} {count}" for name, count in score["by_driver"].items())
    total = score["total"]
    share = total["right"] / total["compared"] if total["compared"] else 0.0
    lines += [
        "",
        f"{score['records']} records ({drivers}) in {score['seconds']} s",
        f"{total['right']} of {total['compared']} fields right ({share:.2%}); {total['misses']} misses",
    ]
    return "\n".join(lines)


def _row(name: str, each: dict[str, Any], width: int, *, records: bool = False) -> str:
    count = f"{each['records']:8}" if records else ""
    return f"{name:{width}}{count}{each['compared']:10}{each['right']:10}{each['misses']:8}"


def _describe(miss: dict[str, Any]) -> str:
    expected, got = (json.dumps(miss[key], ensure_ascii=False, default=str)[:160] for key in ("expected", "got"))
    where = f"{miss['provider']} {miss['endpoint']}" if "provider" in miss else miss["reason"]
    return f"  {miss['id']}  {miss['field']}: expected {expected}, got {got}  ({where})"
