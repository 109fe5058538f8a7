"""Be the first process of the test app: run tasks that decide here and in the service, and print the ledger."""

from __future__ import annotations

import json
import sys
import urllib.request

import trilemma
from opentelemetry.propagate import inject

trilemma.instrument(service_name="shop")
EXPERIMENT = trilemma.experiment("refund.context", {"top-3": 1, "top-10": 1}, unit="user", holdout=0.1, axis="context")


def fail() -> str:
    """Be down."""
    raise ConnectionError("down")


def run(port: int, number: int) -> dict[str, object]:
    """Run one task; return what was decided in it, by kind."""
    with trilemma.task(
        "support.refund", input_id=f"case-{number}", segment="pro" if number % 2 else "free", customer=f"c{number}",
        budget=0.01, deadline_s=5,
    ) as task:  # fmt: skip
        assignment = EXPERIMENT.assign(f"user-{number}")
        route = trilemma.route("model", {"small": 0.8, "large": 0.2}, policy_version="p1", reason="test")
        headers: dict[str, str] = {}
        inject(headers)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/{number}", headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            remote = json.load(response)
        trilemma.fallback("answer", {"small": fail, "large": lambda: "yes"} if number % 2 else {"small": lambda: "yes"})
        if number % 5 == 0:
            task.fail("wrong_amount")
        else:
            task.succeed(value=3)
    return {
        "task_id": task.id,
        "variant": [assignment.variant, assignment.probability],
        "route": [route, {"small": 0.8, "large": 0.2}[route]],
        "fallback": ["large" if number % 2 else "small", 2 if number % 2 else 1],
        **remote,
    }


if __name__ == "__main__":
    for planted in range(int(sys.argv[2])):
        print(json.dumps(run(int(sys.argv[1]), planted)), flush=True)
