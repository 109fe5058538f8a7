"""Own logs in which every input was tried with everything, and stores that hold a sample of such a log.

Everything from the rows of SQL to the findings is the real thing; only the rows are counted here, so that a report
takes milliseconds and can be replayed many times against the truth of the whole log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from trilemma_analysis.analysis import Analysis, analyse
from trilemma_analysis.options import Options
from trilemma_analysis.scope import Scope

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray
    from trilemma_analysis.client import Store

__all__ = ["MARGIN", "FullLog", "analyse_sample", "list_logs", "read_bfcl", "read_routellm", "read_vllm"]

MARGIN = 0.05
TASK = "task"
START = datetime(2024, 7, 25, tzinfo=UTC)
# What routellm does not have, as an assumption: list prices per million tokens of the day (input, output), 4 characters
# a token, and one token for the letter that answers a question of MMLU.
PRICES_USD = {"gpt-4-1106-preview": (10.0, 30.0), "mistralai/Mixtral-8x7B-Instruct-v0.1": (0.6, 0.6)}
CHARACTERS = 4.0


@dataclass(frozen=True)
class FullLog:
    """Each input's outcome, cost and latency under each model, shape (inputs, models); nan where it is not known.

    ``segment`` is what is known of an input before it is answered, from 0, shape (inputs,).
    """

    name: str
    models: tuple[str, ...]
    won: NDArray[np.bool_]
    cost: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    segment: NDArray[np.intp]

    def take(self, rows: NDArray[np.intp]) -> FullLog:
        """Return the log of some of its inputs, one of them perhaps several times."""
        return FullLog(
            self.name, self.models, self.won[rows], self.cost[rows], self.latency_s[rows], self.segment[rows]
        )

    def choose(self, models: NDArray[np.intp]) -> FullLog:
        """Return the log of some of its models."""
        names = tuple(self.models[place] for place in models)
        chosen = (self.won[:, models], self.cost[:, models], self.latency_s[:, models])
        return FullLog(self.name, names, *chosen, self.segment)

    def difference(self, baseline: int, candidate: int) -> float:
        """Return by how much the candidate's success rate is higher."""
        return float(self.won[:, candidate].mean() - self.won[:, baseline].mean())

    def saving_per_1000(self, baseline: int, candidate: int) -> float:
        """Return what 1,000 runs cost less with the candidate."""
        return float(1000 * (np.nanmean(self.cost[:, baseline]) - np.nanmean(self.cost[:, candidate])))

    def cost_ratio(self, baseline: int, candidate: int) -> float:
        """Return mean cost to mean cost, on the inputs priced under both."""
        both = np.isfinite(self.cost[:, baseline]) & np.isfinite(self.cost[:, candidate])
        return float(self.cost[both, candidate].mean() / self.cost[both, baseline].mean())

    def latency_ratio(self, baseline: int, candidate: int) -> float:
        """Return the geometric mean of the latencies' ratio, on the inputs timed under both."""
        return float(np.exp(np.nanmean(np.log(self.latency_s[:, candidate] / self.latency_s[:, baseline]))))


class SampledStore:
    """Answers the questions that measures and comparisons ask, for one task in which each run has its own input."""

    def __init__(self, log: FullLog) -> None:
        self._log = log
        self._places = {name: place for place, name in enumerate(log.models)}

    def ask(self, question: str, **parameters: Any) -> Rows:
        """Return the rows that sql/<question>.sql would give."""
        return Rows(getattr(self, f"_ask_{question}")(parameters))

    def _ask_combinations(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._measure(name) for name in sorted(self._log.models)]

    def _measure(self, name: str) -> dict[str, Any]:
        place = self._places[name]
        won, cost = self._log.won[:, place].astype(float), np.rint(self._log.cost[:, place] * 1e12)
        priced = np.isfinite(cost)
        spent, one = np.where(priced, cost, 0.0), np.ones(won.size)
        axes = ("prompt_name", "prompt_version", *(f"variant_{axis}" for axis in ("context", "guardrail", "route")))
        return {
            "task_name": TASK, "combination": name, "models": [name],
            **dict.fromkeys((*axes, "variant_fallback", "variant_cache", "variant"), ""),
            "first_at": int(START.timestamp() * 1e6), "last_at": int((START + timedelta(days=30)).timestamp() * 1e6),
            "runs": won.size, "named": won.size, "inputs": won.size, "known": won.size, "successes": int(won.sum()),
            "errors": 0, "unpriced": int((~priced).sum()), "calls": won.size,
            "timed": int(np.isfinite(self._log.latency_s[:, place]).sum()),
            "currencies": ["USD"] if priced.any() else [],
            **_sum("outcome", won, one, one > 0), **_sum("run_cost", spent, priced * one, priced),
            **_sum("call_cost", spent, priced * one, priced), **_sum("success_cost", spent, won * priced, priced),
        }  # fmt: skip

    def _ask_latency_at_ranks(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        rows = []
        for name, ranks in zip(parameters["rank_combinations"], parameters["ranks"], strict=True):
            timed = self._log.latency_s[:, self._places[name]]
            ordered = np.sort(np.rint(timed[np.isfinite(timed)] * 1e9))
            found = [int(ordered[rank - 1]) if rank else 0 for rank in ranks]
            rows.append({"task_name": TASK, "combination": name, "latencies_ns": found})
        return rows

    def _ask_pair_outcomes(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        rows = []
        for ours, theirs in zip(parameters["pair_baselines"], parameters["pair_candidates"], strict=True):
            won = self._log.won.astype(int)
            values, counts = np.unique(won[:, self._places[theirs]] - won[:, self._places[ours]], return_counts=True)
            rows += [
                {"task_name": TASK, "baseline": ours, "candidate": theirs, "difference": float(value),
                 "most_trials": 1, "inputs": int(count)}
                for value, count in zip(values, counts, strict=True)
            ]  # fmt: skip
        return rows

    def _ask_pair_amounts(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        rows = []
        for ours, theirs in zip(parameters["pair_baselines"], parameters["pair_candidates"], strict=True):
            a, b = self._places[ours], self._places[theirs]
            x, y = np.rint(self._log.cost[:, b] * 1e12), np.rint(self._log.cost[:, a] * 1e12)
            both = np.isfinite(x) & np.isfinite(y)
            logs = np.log(self._log.latency_s[:, b] / self._log.latency_s[:, a])
            logs = logs[np.isfinite(logs)]
            sums = _sum("cost", np.where(both, x, 0.0), np.where(both, y, 0.0), both)
            timed = {"latency_n": logs.size, "latency_sum": logs.sum(), "latency_squares": (logs**2).sum()}
            rows.append({"task_name": TASK, "baseline": ours, "candidate": theirs, **sums, **timed})
        return rows


class Rows(list[dict[str, Any]]):
    """Rows as an answer of the store gives them."""

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return them."""
        return self


def _sum(prefix: str, x: NDArray[np.float64], y: NDArray[np.float64], units: NDArray[np.bool_]) -> dict[str, float]:
    sums = {"x": x.sum(), "y": y.sum(), "xx": x @ x, "yy": y @ y, "xy": x @ y}
    return {f"{prefix}_n": int(units.sum())} | {f"{prefix}_{name}": float(value) for name, value in sums.items()}


def analyse_sample(log: FullLog) -> Analysis:
    """Analyse a log as a report would."""
    until = START + timedelta(days=31)
    scope = Scope((), "", START, until, until)
    return analyse(cast("Store", SampledStore(log)), scope, Options(margin=MARGIN))


def list_logs(shared: Path) -> list[FullLog]:
    """Return the logs that are replayed."""
    return [
        read_bfcl(shared), read_bfcl(shared, "simple"), read_routellm(shared, "mmlu"), read_routellm(shared, "gsm8k"),
        read_vllm(shared),
    ]  # fmt: skip


@cache
def read_bfcl(shared: Path, category: str | None = None) -> FullLog:
    """Read one snapshot of the Berkeley leaderboard, all its categories or one, and the models with a price."""
    columns = ["snapshot", "model_key", "category", "test_id", "correct", "cost_usd", "latency_s"]
    kept = (pc.field("snapshot").cast("string") == "2024-07-25") & pc.field("correct").is_valid()
    if category is not None:
        kept &= pc.field("category") == category
    table = pq.read_table(shared / "data" / "bfcl" / "requests_dev.parquet", columns=columns).filter(kept)
    models, segment, test = (_text(table, name) for name in columns[1:4])
    name = "bfcl" if category is None else f"bfcl.{category}"
    log = _pivot(name, (models, np.char.add(segment, test), segment), *(_numbers(table, name) for name in columns[4:]))
    return log.choose(np.flatnonzero(np.isfinite(log.cost).any(axis=0)))


@cache
def read_routellm(shared: Path, task: str) -> FullLog:
    """Read the strong and the weak model on one benchmark, at assumed prices; segments are subjects, or lengths."""
    table = pq.read_table(shared / "data" / "published" / "routellm" / "data.parquet")
    table = table.filter(pc.field("task") == task)
    models, asked, answered = _text(table, "model"), _numbers(table, "prompt_chars"), _numbers(table, "response_chars")
    price_in, price_out = (np.array([PRICES_USD[model][side] for model in models]) for side in (0, 1))
    tokens_out = np.where(np.isfinite(answered), answered / CHARACTERS, 1.0)
    cost = (asked / CHARACTERS * price_in + tokens_out * price_out) / 1e6
    longer = np.searchsorted(np.quantile(asked, [0.25, 0.5, 0.75]), asked).astype(str)
    segment = _text(table, "subtask") if task == "mmlu" else longer
    keys = (models, _text(table, "unit_id"), segment)
    return _pivot(f"routellm.{task}", keys, _numbers(table, "correct"), cost, np.full(cost.size, np.nan))


@cache
def read_vllm(shared: Path) -> FullLog:
    """Read five versions of a serving stack under one model; a version stands for a model, and nothing has a cost."""
    table = pq.read_table(shared / "data" / "published" / "bfcl_vllm" / "data.parquet")
    table = table.filter(pc.field("model") == "openai/gpt-oss-120b")
    segment, latency_s = _text(table, "task"), _numbers(table, "latency_s")
    keys = (_text(table, "version"), np.char.add(segment, _text(table, "unit_id")), segment)
    return _pivot("bfcl_vllm", keys, _numbers(table, "correct"), np.full(latency_s.size, np.nan), latency_s)


def _text(table: pa.Table, name: str) -> NDArray[np.str_]:
    return np.asarray(table[name].to_numpy(zero_copy_only=False)).astype(str)


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(zero_copy_only=False)).astype(float)


def _pivot(
    name: str,
    keys: tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_]],
    *columns: NDArray[np.float64],
) -> FullLog:
    """Put rows of (model, input, segment) into tables of inputs by models; keep the inputs that all models have."""
    models, column = np.unique(keys[0], return_inverse=True)
    inputs, first, row = np.unique(keys[1], return_index=True, return_inverse=True)
    tables = []
    for values in columns:
        table = np.full((inputs.size, models.size), np.nan)
        table[row, column] = values
        tables.append(table)
    full = np.isfinite(tables[0]).all(axis=1)
    segment = np.unique(keys[2][first][full], return_inverse=True)[1]
    won, cost, latency_s = (table[full] for table in tables)
    return FullLog(name, tuple(map(str, models)), won > 0, cost, latency_s, segment)
