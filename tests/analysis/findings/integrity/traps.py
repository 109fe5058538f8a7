"""Own planted traps: one task for each, whose data are wrong in one way, beside tasks in which nothing is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tests.analysis.planted import HOUR_NS, START_NS, Runs, add_runs
from tests.analysis.planted_verdicts import add_verdicts, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from trilemma_analysis.client import Store

__all__ = ["CLEAN", "TRAPS", "Change", "N", "add_tasks", "fill_traps"]

Change: TypeAlias = "Callable[[np.random.Generator, str, dict[str, Any]], None]"
N = 200
DAY_NS = 24 * HOUR_NS
CLEAN = ("clean.one", "clean.two", "two_kinds")
INPUT_PRICE, OUTPUT_PRICE = 2.5e-6, 10e-6  # of gpt-4o on the planted days

# task: kind of the one finding that its data deserve
TRAPS = {
    "copied": "duplicates",
    "hollow": "failures_as_success",
    "empty": "failures_as_success",
    "hiding": "hidden_errors",
    "averaged": "sentinels",
    "shared_out": "sentinels",
    "capped": "sentinels",
    "free": "sentinels",
    "limited": "sentinels",
    "partly_counted": "sentinels",
    "stalled": "sentinels",
    "unjudged": "missing_outcomes",
    "parsed": "evaluator_changes",
    "circular": "evaluator_changes",
    "apart": "confounding",
    "versioned": "confounding",
    "batched": "made_up_times",
    "numbered": "made_up_times",
    "dull": "no_information",
    "dull_segment": "no_information",
    "odd": "odd_segments",
    "faulty": "input_faults",
    "marked": "doubted_runs",
    "mispriced": "cost_reconciliation",
    "uncounted": "cost_reconciliation",
    "parts": "aggregates",
    "orphaned": "aggregates",
}


def fill_traps(store: Store, seed: int = 3) -> None:
    """Insert all tasks."""
    add_tasks(store, {task: _CHANGES.get(task) for task in (*CLEAN, *TRAPS)}, seed)
    _add_evaluations(store)
    # The spans of half of one model's runs never came: their calls name runs that are not there.
    lost = "ALTER TABLE stored_spans DELETE WHERE startsWith(task_id, 'orphaned-other-1') SETTINGS mutations_sync = 1"
    store.command(lost)


def add_tasks(store: Store, changes: dict[str, Change | None], seed: int) -> None:
    """Insert the runs of two models of each task, sound but for what its change does to their columns."""
    parts = [
        _make_runs(np.random.default_rng([seed, number, place]), task, model, change)
        for number, (task, change) in enumerate(changes.items())
        for place, model in enumerate(("gpt-4o", "other"))
    ]
    sizes = [len(part["ids"]) for part in parts]
    extras = sorted({name for part in parts for name in part["extra"]})

    def join(values: list[Any]) -> NDArray[Any]:
        return np.concatenate([np.broadcast_to(each, size) for each, size in zip(values, sizes, strict=True)])

    columns = {name: join([part[name] for part in parts]) for name in parts[0] if name != "extra"}
    texts = {name: join([np.asarray(part["extra"].get(name, ""), dtype=object) for part in parts]) for name in extras}
    add_runs(store, Runs(sum(sizes), extra=texts, **columns), prefix="")


def _make_runs(rng: np.random.Generator, task: str, model: str, change: Change | None) -> dict[str, Any]:
    outputs = rng.integers(20, 600, N)
    inputs = rng.integers(200, 3000, N)
    columns: dict[str, Any] = {
        "task": task,
        "model": model,
        "input_id": np.char.add("i", np.arange(N).astype(str)),
        "outcome": np.where(rng.random(N) < 0.8, "success", "failure"),
        "cost": np.round(inputs * INPUT_PRICE + outputs * OUTPUT_PRICE, 12),
        "duration_s": rng.lognormal(0.5, 0.5, N),
        "started_ns": START_NS + rng.integers(0, 14 * DAY_NS, N),
        "error": np.full(N, "", dtype=object),
        "extra": {
            "gen_ai.usage.input_tokens": inputs,
            "gen_ai.usage.output_tokens": outputs.astype(object),
            "trilemma.cost.source": "import",
        },
    }
    if change is not None:
        change(rng, model, columns)
    numbers = np.arange(len(columns["input_id"])).astype(str)
    return {**columns, "ids": np.char.add(f"{task}-{model}-", numbers)}


def _copied(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    """Every fourth run of one model is there again two days later."""
    if model == "other":
        return
    rows = np.concatenate([np.arange(N), np.arange(0, N, 4)])
    for name in ("input_id", "outcome", "cost", "duration_s", "started_ns", "error"):
        columns[name] = columns[name][rows]
    columns["extra"] = {k: v if isinstance(v, str) else v[rows] for k, v in columns["extra"].items()}
    columns["started_ns"][N:] += 2 * DAY_NS


def _hollow(_: np.random.Generator, __: str, columns: dict[str, Any]) -> None:
    columns["error"][:12] = "api_error"
    columns["outcome"][:12] = "success"


def _empty(_: np.random.Generator, __: str, columns: dict[str, Any]) -> None:
    columns["extra"]["gen_ai.usage.output_tokens"][:12] = 0
    columns["outcome"][:12] = "success"
    columns["cost"] = _price(columns)


def _hiding(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    """A third of one model's runs are refused at once: no length, no tokens, no cost."""
    if model == "gpt-4o":
        columns["error"][::3] = "rate_limited"
        columns["outcome"] = np.where(columns["error"] == "", columns["outcome"], "failure")
        columns["duration_s"] = np.where(columns["error"] == "", columns["duration_s"], 0.0)


def _averaged(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    columns["duration_s"] = 1.2345678912 if model == "gpt-4o" else 2.3456789123


def _shared_out(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    columns["cost"] = 0.0024264 if model == "gpt-4o" else 0.0002772
    columns["extra"]["trilemma.cost.source"] = "price_table"


def _capped(rng: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    limit = 128 if model == "gpt-4o" else 151
    columns["extra"]["gen_ai.usage.output_tokens"] = np.where(rng.random(N) < 0.8, limit, limit - 1)
    columns["cost"] = _price(columns)


def _free(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    columns["cost"] = np.where((np.arange(N) < 40) & (model == "other"), 0.0, columns["cost"])


def _limited(rng: np.random.Generator, _: str, columns: dict[str, Any]) -> None:
    """Runs that would cost more than $2 are ended a little above it."""
    wanted = rng.lognormal(-0.5, 1.0, N)
    columns["cost"] = np.where(wanted > 2, 2 + 0.04 * rng.random(N), wanted)
    columns["extra"]["trilemma.cost.source"] = "price_table"


def _two_kinds(rng: np.random.Generator, _: str, columns: dict[str, Any]) -> None:
    """Sound: a sixth of the runs miss the provider's cache and cost four times as much, each kind within 3 %."""
    columns["cost"] = np.where(np.arange(N) % 6 == 0, 0.0095, 0.0024) * (1 - 0.02 * rng.random(N))
    columns["extra"]["trilemma.cost.source"] = "price_table"


def _partly_counted(rng: np.random.Generator, _: str, columns: dict[str, Any]) -> None:
    columns["duration_s"] = rng.lognormal(4.5, 0.3, N)
    columns["extra"]["gen_ai.usage.output_tokens"] = rng.integers(30, 150, N)
    columns["cost"] = _price(columns)


def _stalled(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    if model == "gpt-4o":
        columns["duration_s"][5], columns["duration_s"][77] = 1801.25, 700.5


def _unjudged(rng: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    """Outcomes are missing where a run was slow, and ten times as often of one model."""
    much = 0.5 if model == "other" else 0.05
    columns["outcome"] = np.where((columns["duration_s"] > 1.5) & (rng.random(N) < much), "", columns["outcome"])


def _apart(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    columns["started_ns"] = columns["started_ns"] + (15 * DAY_NS if model == "other" else 0)


def _versioned(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    columns["extra"]["trilemma.task.version"] = "1.2" if model == "other" else "1.1"


def _batched(_: np.random.Generator, __: str, columns: dict[str, Any]) -> None:
    columns["started_ns"] = START_NS + (np.arange(N) // 100) * DAY_NS


def _numbered(_: np.random.Generator, __: str, columns: dict[str, Any]) -> None:
    columns["started_ns"] = START_NS + np.arange(N) * 60 * 10**9


def _dull(_: np.random.Generator, __: str, columns: dict[str, Any]) -> None:
    columns["outcome"] = "failure"


def _dull_segment(_: np.random.Generator, __: str, columns: dict[str, Any]) -> None:
    columns["extra"]["trilemma.task.segment"] = np.where(np.arange(N) < 40, "hard", "mixed")
    columns["outcome"] = np.where(np.arange(N) < 40, "failure", columns["outcome"])


def _odd(rng: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    """One model fails in one of five segments, where the other does as well as ever."""
    columns["extra"]["trilemma.task.segment"] = np.char.add("s", (np.arange(N) % 5).astype(str))
    if model == "gpt-4o":
        lost = (np.arange(N) % 5 == 3) & (rng.random(N) < 0.95)
        columns["outcome"] = np.where(lost, "failure", columns["outcome"])


def _faulty(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    """Six inputs fail with an error whatever is used; three prompts make six combinations."""
    bad = np.isin(np.arange(N) % 100, range(6))
    columns["input_id"] = np.char.add("i", (np.arange(N) % 100).astype(str))
    columns["error"] = np.where(bad, "harness", "").astype(object)
    columns["outcome"] = np.where(bad, "failure", columns["outcome"])
    columns["extra"]["trilemma.variant"] = np.where(np.arange(N) < 100, "a", "b")


def _mispriced(rng: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    if model == "gpt-4o":
        columns["cost"] = columns["cost"] * 0.8 * rng.lognormal(0, 0.1, N)


def _uncounted(_: np.random.Generator, __: str, columns: dict[str, Any]) -> None:
    columns["extra"]["gen_ai.usage.input_tokens"] = ""


def _parts(_: np.random.Generator, model: str, columns: dict[str, Any]) -> None:
    if model == "gpt-4o":
        half = np.asarray(columns["cost"]) / 2
        columns["extra"]["trilemma.cost.input"] = [repr(float(c)) for c in half]
        columns["extra"]["trilemma.cost.output"] = [repr(float(c) * 0.7) for c in half]


def _price(columns: dict[str, Any]) -> NDArray[np.float64]:
    tokens = columns["extra"]
    outputs = np.asarray(tokens["gen_ai.usage.output_tokens"], dtype=float)
    return np.round(tokens["gen_ai.usage.input_tokens"] * INPUT_PRICE + outputs * OUTPUT_PRICE, 12)


_CHANGES = {name: change for name in (*CLEAN, *TRAPS) if (change := globals().get(f"_{name}")) is not None}


def _add_evaluations(store: Store) -> None:
    rng = np.random.default_rng(8)
    truth = rng.random(N) < 0.6
    for name, flips in (("parser.strict", 0.02), ("parser.loose", 0.25)):
        labels = say(truth ^ (rng.random(N) < flips))
        add_verdicts(store, "parsed", name, "system", labels, prefix="parsed-gpt-4o-")
    people = [truth ^ (rng.random(N) < 0.12) for _ in range(3)]
    for name, said in (("a", people[0]), ("b", people[1]), ("c", people[2]), ("majority", sum(people) >= 2)):
        add_verdicts(store, "circular", name, "human", say(said), prefix="circular-gpt-4o-")
    marks = ["contaminated" if number < 10 else "" for number in range(N)]
    add_verdicts(store, "marked", "trilemma.doubt", "import", marks, prefix="marked-gpt-4o-")
    for task in CLEAN[:2]:  # two checks that agree but for a few
        for name, flips in (("check.one", 0.0), ("check.two", 0.02)):
            add_verdicts(store, task, name, "system", say(truth ^ (rng.random(N) < flips)), prefix=f"{task}-gpt-4o-")
