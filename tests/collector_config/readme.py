"""Write the generated sections of collector_config/README.md: `python -m tests.collector_config.readme`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from trilemma.registry import fields

from tests.analysis.planted import make_store

if TYPE_CHECKING:
    from trilemma_analysis.client import Store

__all__ = ["README", "fill", "list_columns"]

FOLDER = Path(__file__).resolve().parents[2] / "collector_config"
README = FOLDER / "README.md"

VIEWS = {
    "llm_calls": "One row per call to a provider.",
    "task_runs": "One row per run of a task, with its last outcome and the sums of its calls.",
    "tasks": "`task_runs` without what its calls say.",
    "spans": "Every span, of calls and tasks too, as it came.",
    "evaluations": "One row per judgement (`gen_ai.evaluation.result`).",
    "outcomes": "Every outcome ever told of a task; `tasks` has the last one.",
    "content": "Each distinct part of a prompt or an answer, by its hash; filled only when content is switched on.",
    "calls_hourly": "Calls of an hour by task, model, prompt and variant, with latency sketches.",
    "calls_daily": "The same of a day (UTC).",
    "tasks_daily": "Runs of a day (UTC) by task and combination, with the outcomes told by now.",
    "decisions": "One row per decision, of any kind, with the last that was learned of it.",
    "variants": "`decisions` of experiments: who got which variant, with which probability.",
    "prompts": "`decisions` on prompts: which version was used.",
    "context_blocks": "One row per block of a context: kept or dropped, and whether it was of use.",
    "guardrails": "`decisions` of guardrails: verdict, and whether it was right.",
    "routes": "`decisions` on routes.",
    "fallback_attempts": "`decisions` of fallbacks: one row per option tried.",
    "cache_lookups": "`decisions` of caches: hit or miss, and what was saved.",
    "decision_marks": "Every mark ever given of a decision or a block; `decisions` has the last one.",
    "call_signs": "One row per call with a sign: truncated, refused, filtered, blocked, invalid, retried.",
    "task_signs": "What the calls of a run, in order, say of fallbacks, repeats, tool loops and failed formats.",
    "task_terms": "What a task may cost, how long it may take, whom it is for.",
    "predictions": "One row per adopted finding: what it promised (`trilemma adopt`), as written last.",
    "measurements": "One row per adopted finding that was measured since (`trilemma verify`), as measured last.",
    "certificates": "One row per task with a trust certificate (`trilemma certificate`), as written last.",
}

# Columns that are not concepts of the registry, or mean something else in a view than on a call.
OWN = {
    "trace_id": "Trace.",
    "span_id": "Span.",
    "parent_span_id": "Parent span; '' for a root.",
    "started_at": "Start.",
    "duration_s": "Length in seconds; NULL where a log did not know it.",
    "name": "Span name.",
    "kind": "Span kind.",
    "service_name": "Resource attribute service.name.",
    "scope_name": "Instrumentation scope; `trilemma` for ours.",
    "scope_version": "Version of the instrumentation.",
    "status_code": "Unset, Ok or Error.",
    "status_message": "Status description.",
    "attributes": "Attributes that have no column of their own.",
    "resource_attributes": "Attributes of the resource.",
    "outcome_at": "When the outcome was told.",
    "evaluated_at": "When it was judged.",
    "models": "Distinct models asked, sorted.",
    "combination": "Models, prompt and variant in words; the unit that reports compare.",
    "call_count": "Calls.",
    "error_count": "Calls that failed.",
    "priced_count": "Calls with a known price.",
    "llm_duration_s": "Sum of the calls' lengths.",
    "first_request_hash": "Hash of the first call's request.",
    "request_hashes": "Hashes of all requests, in order.",
    "hash": "Hash of the text.",
    "text": "The text.",
    "last_seen_at": "When it was last sent.",
    "hour": "Hour, UTC.",
    "day": "Day, UTC.",
    "duration_sum_s": "Sum of lengths.",
    "duration_sketch": "DDSketch state of lengths: `quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(duration_sketch)`.",
    "time_to_first_content_sketch": "The same of the time to the first content.",
    "superseded_by": "For a second span of one call: the span that counts.",
    "trace_state": "W3C trace state.",
    "event_times": "Times of the span's events.",
    "event_names": "Names of the span's events.",
    "event_attributes": "Attributes of the span's events.",
    "link_trace_ids": "Traces that the span links to.",
    "link_span_ids": "Spans that the span links to.",
    "link_trace_states": "Trace states of the links.",
    "link_attributes": "Attributes of the links.",
    "received_at": "When the row arrived.",
    "category": "call, task or span.",
    "mark": "What was learned of it later: right, wrong, used or unused; '' for nothing yet.",
    "marked_at": "When that was learned.",
    "run_count": "Runs.",
    "success_count": "Runs that succeeded.",
    "failure_count": "Runs that failed.",
    "unknown_count": "Runs of which nothing has been told.",
    "duration_quantiles_s": "Half and 95 % of the runs took no longer, to one percent (DDSketch).",
    "signs": "The signs, in words.",
    "is_truncated": "Whether the answer was cut at its limit of tokens.",
    "is_refused": "Whether the model refused.",
    "is_filtered": "Whether the provider's content filter cut the prompt or the answer.",
    "is_blocked": "Whether the provider's guardrail intervened.",
    "is_invalid": "Whether the answer did not fit the schema that it was asked for.",
    "is_retried": "Whether the SDK tried more than once.",
    "is_prefix_reused": "Whether part of the prompt came from the provider's cache.",
    "fallback_count": "Calls to another model right after one that failed.",
    "fallbacks": "From which model to which.",
    "repeat_count": "Calls whose request had been made before in the run.",
    "tool_loop_length": "The longest row of calls that ask for just the same tools; 0 without tools, 1 without a loop.",
    "format_retry_count": "Calls that repeat a request for JSON with more messages, as instructor does.",
    "truncated_count": "Calls cut at their limit of tokens.",
    "refused_count": "Calls refused by the model.",
    "filtered_count": "Calls cut by a content filter.",
    "blocked_count": "Calls in which a guardrail of the provider's intervened.",
    "invalid_count": "Calls whose answer did not fit its schema.",
    "experiment": "Name of the experiment.",
    "variants": "Its variants.",
    "context": "Name of the context.",
    "source": "Where the block is from.",
    "fingerprint": "Fingerprint of its text.",
    "tokens": "Its tokens; NULL where unknown.",
    "score": "Its score; NULL where unknown.",
    "is_kept": "Whether it went into the prompt.",
    "guardrail": "Name of the guardrail.",
    "verdict": "passed, changed or blocked.",
    "route": "Name of the route.",
    "fallback": "Name of the fallback.",
    "cache": "Name of the cache.",
    "is_hit": "Whether an answer was found.",
    "finding_id": "Id of the finding.",
    "finding_kind": "Kind of the finding.",
    "title": "What it says to do.",
    "action": "Kind of the change: route, cache, prompt, ...",
    "baseline": "The combination whose runs it changes; '' for all runs of the task.",
    "candidate": "The combination that they run as afterwards; '' where it is not told apart.",
    "adopted_at": "When the change went live.",
    "horizon_s": "Within how many seconds it is to show what it is worth.",
    "note": "The user's own words.",
    "document": "All of it as JSON.",
    "written_at": "When the row was written.",
    "result": "held, broken, partly or not enough data.",
    "method": "holdout or time series; '' where nothing could be measured.",
    "runs": "Runs since the adoption that it was measured on.",
    "measured_until": "Up to when runs were looked at.",
    "state": "valid or broken, as last written; dates and drift are checked at each reading.",
    "success_at_least": "The success rate that it vouches for.",
    "issued_at": "When it was issued.",
    "valid_until": "Its last moment.",
}


def fill(readme: str, store: Store) -> str:
    """Return the README with its generated sections as the store's views and the question files now are."""
    tables = "\n".join(_describe_view(store, name, text) for name, text in VIEWS.items())
    filled = _put(_put(readme, "columns", tables), "questions", _write_questions("questions"))
    return _put(filled, "decisions", _write_questions("questions/decisions"))


def list_columns(store: Store, view: str) -> dict[str, str]:
    """Return the columns of a view and their types."""
    rows = store.query("DESCRIBE TABLE {view:Identifier}", view=view).to_pylist()
    return {row["name"]: row["type"] for row in rows}


def _describe_view(store: Store, view: str, text: str) -> str:
    lines = [f"\n### {view}\n", text, "", "| column | type | meaning |", "|---|---|---|"]
    known = fields()
    for name, kind in list_columns(store, view).items():
        meaning = OWN.get(name) or known[name].doc
        attribute = f" (`{known[name].attribute}`)" if name in known and name not in OWN else ""
        lines.append(f"| {name} | {kind.replace('|', '/')} | {meaning}{attribute} |")
    return "\n".join(lines) + "\n"


def _write_questions(folder: str) -> str:
    parts = []
    for number, path in enumerate(sorted((FOLDER / folder).glob("*.sql")), 1):
        sql = path.read_text(encoding="utf-8")
        question = re.search(r"^-- question: (.*)$", sql, flags=re.MULTILINE)
        assert question is not None, path
        body = re.sub(r"^--.*\n", "", sql, flags=re.MULTILINE)
        parts.append(f"\n{number}. **{question[1]}** `{folder}/{path.name}`\n\n```sql\n{body}```\n")
    return "".join(parts)


def _put(text: str, section: str, content: str) -> str:
    return re.sub(
        rf"(<!-- {section} -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{content}\n{found[2]}",
        text,
        flags=re.DOTALL,
    )


def main() -> None:
    """Write the README anew."""
    with tempfile.TemporaryDirectory() as folder, make_store(f"{folder}/store") as store:
        README.write_text(fill(README.read_text(encoding="utf-8"), store), encoding="utf-8")


if __name__ == "__main__":
    main()
