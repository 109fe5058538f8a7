"""Hold the shipped mappings of published logs: all rows load, and published figures come out of SQL over the spans."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from trilemma_analysis.client import connect
from trilemma_analysis.importing.loader import import_files
from trilemma_analysis.importing.mapping import load_mapping
from trilemma_analysis.importing.rejects import Rejects

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.shared

# set: (rows, task runs, calls, evaluations)
SIZES = {
    "aider_leaderboard": (167, 28_445, 28_445, 0),
    "bfcl_vllm": (29_687, 29_687, 29_687, 0),
    "llmdrift": (12_624, 12_624, 12_624, 24_254),
    "llmperf": (2_845, 2_845, 2_845, 0),
    "pandalm": (999, 999, 0, 5_994),
    "routellm": (31_362, 31_362, 31_362, 639),
    "tau_bench_airline": (200, 200, 200, 0),
    "vexp_swe_bench": (400, 400, 100, 0),
}
SHARE = "SELECT countIf(outcome = 'success') / countIf(outcome != 'unknown') * 100 FROM task_runs WHERE "
VERDICTS = (
    "WITH pairs AS (SELECT task_id, anyIf(label, evaluation_name = 'human_majority') AS human, "
    "anyIf(label, evaluation_name = 'judge.gpt35') AS judge FROM evaluations GROUP BY task_id) "
)

# (set, metric and filter in its expected.json, SQL): the figure itself is read from expected.json.
FIGURES = [
    *(("llmdrift", "mean(correct) * 100", f"task == 'prime' and model == '{model}'",
       f"{SHARE} task_name = 'llmdrift.prime' AND has(models, '{model}')")
      for model in ("gpt-4-0314", "gpt-4-0613", "gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")),
    *(("llmdrift", "mean(answered) * 100", f"task == 'sensitive_question' and model == '{model}'",
       f"{SHARE} task_name = 'llmdrift.sensitive_question' AND has(models, '{model}')")
      for model in ("gpt-4-0314", "gpt-4-0613")),
    *(("vexp_swe_bench", "mean(resolved) * 100", f"agent == '{agent}'", f"{SHARE} variant = '{agent}'")
      for agent in ("vexp + Claude Code", "Live-SWE-Agent", "OpenHands", "Sonar Foundation")),
    ("vexp_swe_bench", "mean(cost_usd)", "agent == 'vexp + Claude Code'", "SELECT avg(cost) FROM llm_calls"),
    ("tau_bench_airline", "pass^1 = mean over tasks of C(successes, 1) / C(trials, 1)", "",
     "SELECT avg(outcome = 'success') FROM task_runs"),
    ("tau_bench_airline", "pass^4 = mean over tasks of C(successes, 4) / C(trials, 4)", "",
     "SELECT avg(good = 4) FROM (SELECT countIf(outcome = 'success') AS good FROM task_runs GROUP BY input_id)"),
    *(("routellm", "mean(correct) * 100", f"task == 'mmlu' and model == '{model}'",
       f"{SHARE} task_name = 'routellm.mmlu' AND has(models, '{model}')")
      for model in ("gpt-4-1106-preview", "mistralai/Mixtral-8x7B-Instruct-v0.1")),
    *(("routellm", "mean(score)", f"task == 'mt_bench' and model == '{model}'{more}",
       f"SELECT avg(score) FROM evaluations JOIN task_runs USING (task_id) WHERE has(models, '{model}')")
      for model, more in (("martian", ""), ("unify", " and score >= 0"))),
    ("llmperf", "median(output_tokens / latency_s)",
     "provider == 'anyscale' and model_size == '70b' and error_code.isnull()",
     ("SELECT median(output_tokens / duration_s) FROM llm_calls "
      "WHERE provider = 'anyscale' AND task_name = 'llmperf.70b' AND error_type = ''")),
    *(("pandalm", f"count(human_majority == {number})", f"human_majority == {number}",
       f"SELECT count() FROM evaluations WHERE evaluation_name = 'human_majority' AND label = '{label}'")
      for number, label in ((0, "tie"), (1, "first"), (2, "second"))),
    ("pandalm", "share of items where judge_gpt35 (null counted as tie) equals human_majority, * 100", "",
     VERDICTS + "SELECT avg(if(judge = 'unreadable', 'tie', judge) = human) * 100 FROM pairs"),
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(SIZES))
def test_published_log(name: str, shared: Path, address: str) -> None:
    """Every row of the log loads; each published figure listed above is what SQL gives, to its printed digits."""
    folder = shared / "data" / "published" / name
    figures = {
        (entry["metric"], entry["filter"]): entry for entry in json.loads((folder / "expected.json").read_text())
    }
    with connect(address) as store, Rejects(None) as rejects:
        counts = import_files(load_mapping(name), [folder / "data.parquet"], store, rejects)
        assert (counts.rows, counts.tasks, counts.calls, counts.evaluations) == SIZES[name]
        assert (counts.loaded, rejects.shown) == (counts.rows, [])
        for _, metric, where, sql in (figure for figure in FIGURES if figure[0] == name):
            entry = figures[metric, where]
            assert entry["reproduces"] == "exact"
            found = store.query(f"SELECT ({sql}) AS x")["x"][0].as_py()
            assert round(found, entry["precision"]) == entry["value"], (metric, where)
