"""Hold the report to nine published logs: each trap that their READMEs name and a row can show is said unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from trilemma_analysis.importing.loader import import_files
from trilemma_analysis.importing.mapping import load_mapping
from trilemma_analysis.importing.rejects import Rejects
from trilemma_analysis.report import build_report

from tests.analysis.planted import make_store

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.report import Report

pytestmark = pytest.mark.shared


class Trap(NamedTuple):
    """A trap of a README, by its number there: what reports it where (a finding's kind, or ``note:`` and its key)."""

    number: int
    reported_by: str
    task: str
    words: str = ""
    """What the text of the finding or note has to say."""


TRAPS = {
    "aider_leaderboard": [
        Trap(1, "note:unpriced", "aider_polyglot", "have no price"),
        Trap(2, "doubted_runs", "aider_polyglot", "left exercises out"),
        Trap(3, "note:no_input_ids", "aider_edit", "cannot be compared on the same inputs"),
        Trap(4, "confounding", "aider_edit", "under one task version only"),
        Trap(6, "sentinels", "aider_polyglot", "average of a batch"),
    ],
    "bfcl_vllm": [
        *(Trap(1, "no_information", f"bfcl_vllm.{name}", "failed")
          for name in ("parallel", "parallel_multiple", "live_parallel", "live_parallel_multiple")),
        Trap(2, "failures_as_success", "bfcl_vllm.live_irrelevance", "every call failed"),
        Trap(3, "hidden_errors", "bfcl_vllm.multi_turn_miss_func", "have no length"),
        Trap(6, "confounding", "bfcl_vllm.simple_python", "Each tried an input once"),
        Trap(7, "input_faults", "bfcl_vllm.multi_turn_miss_func", "8 of 200 inputs"),
    ],
    "llmdrift": [
        Trap(1, "evaluator_changes", "llmdrift.prime", "parser.repo and parser.strict"),
        Trap(2, "odd_segments", "llmdrift.prime", "gpt-4-0613"),
        Trap(3, "evaluator_changes", "llmdrift.leetcode_easy", "judge.after_cleaning"),
        Trap(4, "made_up_times", "llmdrift.prime", "when the log was written"),
        Trap(4, "made_up_times", "llmdrift.sensitive_question", "when the log was written"),
        Trap(5, "confounding", "llmdrift.happy_number", "one after the other"),
        Trap(5, "sentinels", "llmdrift.leetcode_easy", "silent retries"),
        Trap(6, "cost_reconciliation", "llmdrift.prime", "lack input or output tokens"),
    ],
    "llmperf": [
        *(Trap(1, "hidden_errors", f"llmperf.{size}", "failed with an error") for size in ("7b", "13b", "70b")),
        Trap(2, "hidden_errors", "llmperf.7b", "have no length and are in no latency"),
        Trap(3, "hidden_errors", "llmperf.13b", "227 of 300 runs"),
        Trap(5, "sentinels", "llmperf.70b", "A limit ended them"),
        Trap(6, "confounding", "llmperf.70b", "one after the other"),
    ],
    "pandalm": [
        Trap(3, "evaluator_changes", "pandalm.compare", "says 'tie'"),
        Trap(5, "evaluator_changes", "pandalm.compare", "circular"),
    ],
    "routellm": [
        Trap(1, "note:unpriced", "routellm.mmlu", "have no price"),
        Trap(3, "doubted_runs", "routellm.mt_bench", "the judge failed"),
        Trap(5, "odd_segments", "routellm.mmlu", "high_school_mathematics"),
        Trap(6, "note:repeated_inputs", "routellm.mt_bench", "take inputs, not runs, as independent"),
        Trap(7, "doubted_runs", "routellm.gsm8k", "training data"),
        Trap(7, "doubted_runs", "routellm.mmlu", "training data"),
    ],
    "tau_bench_airline": [
        Trap(1, "note:repeated_inputs", "tau_bench.airline", "200 runs of 50 inputs"),
        Trap(3, "note:unpriced", "tau_bench.airline", "have no price"),
        Trap(4, "doubted_runs", "tau_bench.airline", "counted as a failure"),
    ],
    "vexp_swe_bench": [
        Trap(1, "cost_reconciliation", "swe_bench", "not by one factor"),
        Trap(2, "sentinels", "swe_bench", "output tokens a second"),
        Trap(3, "doubted_runs", "swe_bench", "does not show that vexp was in use"),
        Trap(4, "made_up_times", "swe_bench", "5 min"),
        Trap(5, "sentinels", "swe_bench", "limit of about $3.00"),
        Trap(6, "note:unpriced", "swe_bench", "300 of 400 runs"),
    ],
    # Its README gives no numbers: here in the order of its columns.
    "bfcl": [
        Trap(1, "note:no_outcomes", "bfcl.sql", "none of"),
        Trap(2, "failures_as_success", "bfcl.relevance", "every call failed"),
        Trap(3, "sentinels", "bfcl.simple", "cost"),
        Trap(4, "duplicates", "bfcl.simple", "on another day"),
        Trap(5, "cost_reconciliation", "bfcl.simple", "gemini-1.0-pro"),
    ],
}  # fmt: skip

# What no finding says, and why. A row of the log cannot show it, or it is a rule of method that the figures obey.
UNREPORTED = {
    ("aider_leaderboard", 5): "names that repeat differ in edit format, which is part of the combination's name",
    ("bfcl_vllm", 4): "a category that was left out of the file is no row",
    ("bfcl_vllm", 5): "small categories have wide intervals, and the gate says how many inputs more it takes",
    ("llmperf", 4): "the printed throughput is in no row",
    ("llmperf", 7): "the upper end of a quantile that few runs bound is left open",
    ("pandalm", 1): "items removed before release are no rows",
    (
        "pandalm",
        2,
    ): "the mapping makes the instruction the input: each combination has it once; the audit clusters",
    ("pandalm", 4): "one order of presentation: evaluator_audit asks whether a judge prefers a place",
    ("routellm", 2): "no oracle is proposed: routes are judged on inputs that did not choose them",
    ("routellm", 4): "the texts are not in the file, so that equal prompts cannot be seen",
    ("tau_bench_airline", 2): "pass^k is not estimated from pass^1 (stats/reliability.py)",
    (
        "tau_bench_airline",
        5,
    ): "neither time nor cost is in the log, which short runs could flatter",
    ("tau_bench_airline", 6): "faulty task definitions are in no row",
    ("vexp_swe_bench", 7): "the gate does not call it a difference",
}
NUMBERS = {
    "aider_leaderboard": 6, "bfcl_vllm": 7, "llmdrift": 6, "llmperf": 7, "pandalm": 5, "routellm": 7,
    "tau_bench_airline": 6, "vexp_swe_bench": 7, "bfcl": 5,
}  # fmt: skip


LOGS = [pytest.param(name, marks=pytest.mark.slow) if name == "bfcl" else name for name in TRAPS]


@pytest.mark.parametrize("name", LOGS)
def test_traps_of_a_published_log_are_reported(name: str, shared: Path, tmp_path: Path) -> None:
    """Every trap that rows can show is said by the finding or note listed, on its task and in its words."""
    file = shared / "data" / ("bfcl/requests_dev.parquet" if name == "bfcl" else f"published/{name}/data.parquet")
    with make_store(tmp_path) as store, Rejects(None) as rejects:
        import_files(load_mapping(name), [file], store, rejects)
        report = build_report(store, since="2000-01-01")
    missing = [trap for trap in TRAPS[name] if not is_reported(report, trap)]
    assert missing == []


def is_reported(report: Report, trap: Trap) -> bool:
    """Return whether the finding or note says the words of its task."""
    if trap.reported_by.startswith("note:"):
        key = trap.reported_by.removeprefix("note:")
        notes = [note for task in report.tasks for note in task.integrity if task.name == trap.task]
        return any(note.what == key and trap.words in note.detail for note in notes)
    return any(
        one.kind == trap.reported_by and one.task == trap.task and trap.words in f"{one.title} {one.what}"
        for one in report.findings
    )


def test_every_trap_has_its_place() -> None:
    """Each numbered trap of each README is either reported or has a reason why it is not."""
    told = {(name, trap.number) for name, traps in TRAPS.items() for trap in traps}
    assert told.isdisjoint(UNREPORTED)
    wanted = {(name, number) for name, last in NUMBERS.items() for number in range(1, last + 1)}
    assert told | set(UNREPORTED) == wanted
