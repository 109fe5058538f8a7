"""Own a shop that traces all that pictures show: decisions and their marks, evaluations, token counts, segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tests.analysis.planted import HOUR_NS, LABELS, START_NS, Runs, add_runs
from tests.analysis.planted_verdicts import add_verdicts, say
from tests.analysis.traced_ledger import fill_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from trilemma_analysis.client import Store

__all__ = ["RUNS", "TASK", "fill_traced_shop"]

TASK = "support.answer"
RUNS = 400  # of each of two combinations
DAYS = 14
SOURCES = (("manual", 300, 0.7), ("forum", 900, 0.1))  # of context blocks: tokens, and the share that is of use


def fill_traced_shop(store: Store, seed: int = 3) -> None:
    """Insert two weeks of one task: a router, two prompt versions, two segments, a guardrail, a fallback, a cache."""
    rng = np.random.default_rng(seed)
    for model, rates, cost, version in (("large", (0.95, 0.9), 0.02, "v1"), ("small", (0.94, 0.6), 0.002, "v2")):
        hard = rng.random(RUNS) < 0.4
        won = rng.random(RUNS) < np.where(hard, rates[1], rates[0])
        prefix = f"{model}-"
        add_runs(store, _describe_runs(rng, model=model, cost=cost, version=version, hard=hard, won=won), prefix=prefix)
        add_verdicts(store, TASK, "judge", "judge", say(won ^ (rng.random(RUNS) < 0.1)), prefix=prefix)
        people = rng.random(RUNS) < 0.2
        add_verdicts(store, TASK, "correct", "human", say(won, people), prefix=prefix)
        _add_decisions(store, prefix, _describe_decisions(rng, model, hard))
        _mark_decisions(store, rng, prefix)
    fill_ledger(store, TASK)


def _describe_runs(
    rng: np.random.Generator, *, model: str, cost: float, version: str, hard: NDArray[np.bool_], won: NDArray[np.bool_]
) -> Runs:
    tokens = rng.integers(1500, 2500, RUNS)
    return Runs(
        RUNS,
        task=TASK,
        model=model,
        input_id=[f"input-{i}" for i in range(RUNS)],
        outcome=np.where(won, "success", "failure"),
        cost=cost * rng.lognormal(0, 0.3, RUNS),
        duration_s=rng.lognormal(0, 0.4, RUNS),
        started_ns=_spread_times(),
        request_hash=[f"request-{i}" for i in rng.integers(0, RUNS // 2, RUNS)],
        extra={
            "gen_ai.prompt.name": "answer",
            "gen_ai.prompt.version": version,
            "trilemma.task.segment": np.where(hard, "complaint", "question"),
            "gen_ai.usage.input_tokens": tokens,
            "gen_ai.usage.cache_read.input_tokens": np.where(rng.random(RUNS) < 0.6, 1024, 0),
        },
    )


def _spread_times() -> NDArray[np.int64]:
    return START_NS + np.linspace(0, DAYS * 24 * HOUR_NS, RUNS, endpoint=False).astype(np.int64)


def _describe_decisions(rng: np.random.Generator, model: str, hard: NDArray[np.bool_]) -> list[list[dict[str, Any]]]:
    """Return, of each run, the attributes of its decisions after their common beginning ``trilemma.``."""
    stops = np.where(rng.random(RUNS) < 0.08, "blocked", np.where(rng.random(RUNS) < 0.05, "changed", "passed"))
    hits = np.where(rng.random(RUNS) < 0.3, "hit", "miss")
    failed = rng.random(RUNS) < 0.15
    tries = [[("failed", model), ("accepted", "spare")] if bad else [("accepted", model)] for bad in failed]
    return [
        [
            {"decision.kind": "route", "decision.name": "by-length", "decision.chosen": model,
             "decision.policy_version": "2"},
            {"decision.kind": "guardrail", "decision.name": "pii", "guardrail.stage": "output",
             "decision.chosen": stops[i]},
            {"decision.kind": "cache", "decision.name": "answers", "cache.kind": "semantic",
             "decision.chosen": hits[i]},
            {"decision.kind": "context", "decision.name": "search",
             "context.block.ids": '["0","1"]',
             "context.block.sources": '["manual","forum"]',
             "context.block.hashes": '["a","b"]',
             "context.block.tokens": f"[{SOURCES[0][1]},{SOURCES[1][1] + int(hard[i])}]",
             "context.block.kept": "[true,true]", "context.block.reasons": '["",""]',
             "context.block.scores": '["0.9","0.4"]'},
            *({"decision.kind": "fallback", "decision.name": "models", "decision.chosen": option,
               "fallback.attempt": place, "fallback.result": result}
              for place, (result, option) in enumerate(tries[i], 1)),
        ]
        for i in range(RUNS)
    ]  # fmt: skip


def _add_decisions(store: Store, prefix: str, decisions: list[list[dict[str, Any]]]) -> None:
    """Insert each decision as a span d0, d1, ... beneath its run."""
    started = _spread_times()
    flat = [(i, number, one) for i, ones in enumerate(decisions) for number, one in enumerate(ones)]
    common = {"trilemma.task.name": TASK}
    facts = [
        [*common.items(), ("trilemma.task.id", f"{prefix}{i}"), *((f"trilemma.{k}", str(v)) for k, v in one.items())]
        for i, _, one in flat
    ]
    ids = [f"{prefix}{i}" for i, _, _ in flat]
    n = len(flat)
    store.insert_arrow(
        "otel_traces",
        pa.table(
            {
                "Timestamp": pa.array([int(started[i]) for i, _, _ in flat], pa.timestamp("ns", "UTC")),
                "TraceId": ids,
                "SpanId": [f"d{number}{one}" for one, (_, number, _) in zip(ids, flat, strict=True)],
                "ParentSpanId": [f"t{one}" for one in ids],
                "SpanName": [str(one["decision.name"]) for _, _, one in flat],
                "SpanKind": ["Internal"] * n,
                "ServiceName": ["shop"] * n,
                "ScopeName": ["trilemma"] * n,
                "SpanAttributes": pa.array(facts, LABELS),
                "Duration": pa.array([20_000_000 + 1000 * i for i, _, _ in flat], pa.uint64()),
                "StatusCode": ["Unset"] * n,
            }
        ),
    )


def _mark_decisions(store: Store, rng: np.random.Generator, prefix: str) -> None:
    """Mark the guardrail's and the cache's decisions right or wrong, and the context's blocks used or unused."""

    def mark(number: int, labels: Sequence[str], block: str | None = None) -> None:
        about = {} if block is None else {"trilemma.context.block.id": block}
        spans = [f"d{number}{prefix}{i}" for i in range(RUNS)]
        add_verdicts(store, TASK, "trilemma.decision", "human", labels, prefix=prefix, spans=spans, attributes=about)

    for number, right in ((1, 0.7), (2, 0.95)):
        mark(number, np.where(rng.random(RUNS) < right, "right", "wrong").tolist())
    for block, (_, _, use) in enumerate(SOURCES):
        mark(3, np.where(rng.random(RUNS) < use, "used", "unused").tolist(), str(block))
