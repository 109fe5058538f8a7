"""Own what a record's span must say, and how it is compared: each difference in meaning once, with its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from trilemma.registry import fields

from tests.wire_score.prices import is_priced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.wire_score.corpus import Record

__all__ = ["FIELDS", "Miss", "compare", "expect"]

# The conventions count what the recordings' `expected` counts apart; and what is no model's work has no tokens.
#   input_tokens     "all input, cached included": Anthropic and Bedrock exclude it (input_tokens_incl_cache).
#   input_tokens     what is billed as input: Gemini's promptTokenCount leaves out what its own tools put in.
#   output_tokens    "reasoning included": Gemini's candidatesTokenCount leaves thoughts out, and is not there when 0.
#   finish_reasons   Vertex AI gives numbers to clients that ask for them, which none of these SDKs does: not compared.
#   tool_calls       of Gemini's interactions, the recordings do not read the steps: not compared.
#   error_type       any, where the provider gave no type: then it is its code, or the SDK's exception.
#   stream_complete  our span says so by a stream read to its end with no error, and what comes last in it: the
#                    reason to finish, or the count of output tokens.
#   request_model    of a form or a plain path, the recordings do not say it: then ours is not compared.
#   endpoint "other" the recordings' own reader knows none of these bodies: only the call itself is compared.
#   cost             must be there where the table has the model, and its counts do not contradict each other.
_THOUGHTS_APART = ("gemini.",)

# Endpoints at which a model works: their spans have model, tokens, finish reasons and tool calls.
_MODEL_WORK = (
    "aleph_alpha.",
    "anthropic.messages",
    "bedrock.converse",
    "bedrock.invoke",
    "cohere.",
    "gemini.embed",
    "gemini.generate",
    "gemini.interactions",
    "huggingface.",
    "ollama.",
    "openai.audio.",
    "openai.chat",
    "openai.completions",
    "openai.embeddings",
    "openai.images",
    "openai.moderations",
    "openai.responses",
    "replicate.predictions",
    "sagemaker.invoke",
    "watsonx.",
)
_NO_MODEL_WORK = (
    "openai.responses.other",  # compacting and listing what is stored
)
FIELDS = (
    "spans",
    "http_status",
    "error_type",
    "request_model",
    "response_model",
    "response_id",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "finish_reasons",
    "tool_call_names",
    "tool_call_ids",
    "stream_complete",
    "embedding_dimension",
    "cost",
)
_ANY = "any"


class Miss(NamedTuple):
    """Be one field that differs."""

    id: str
    field: str
    expected: Any
    got: Any


def compare(
    record: Record, spans: Iterable[Mapping[str, Any]], *, read: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, tuple[Any, Any, bool]]:
    """Return {field: (expected, got, whether right)} of every field that either side says something about."""
    found_spans = list(spans)
    expected, is_work = expect(record), does_model_work(record)
    found = read(found_spans[0]) if found_spans else {}
    found["spans"] = len(found_spans)
    found["stream_complete"] = _is_complete(found) if record["stream"] else None
    expected["cost"] = _ANY if _must_have_cost(record, expected) else None
    compared = {}
    for name in FIELDS if record["endpoint"] != "other" else FIELDS[:3]:
        want, got = expected.get(name), found.get(name)
        if name == "cost" and want is None:
            continue  # what the table does not price, the provider itself may
        if name.startswith("tool_call") and record["endpoint"] == "gemini.interactions":
            continue
        if name == "finish_reasons" and want is None and record["expected"].get(name):
            continue
        if name == "embedding_dimension" and want is None:
            continue  # asked for, not returned
        if name == "request_model" and want is None and not (is_work and isinstance(record["request_body"], dict)):
            continue  # of a form or a plain path
        if want is not None or got is not None:
            compared[name] = want, got, (got is not None if want == _ANY else want == got)
    return compared


def does_model_work(record: Record) -> bool:
    """Tell whether a record is a model's work, rather than the keeping of files, jobs, caches and results."""
    endpoint = record["endpoint"]
    # What is fetched was made, and billed, by another call: semconv's fetch_response has no usage.
    asks = record["method"] == "POST"
    return asks and endpoint.startswith(_MODEL_WORK) and not endpoint.startswith(_NO_MODEL_WORK)


def expect(record: Record) -> dict[str, Any]:
    """Return what a record's span must say, by the registry's names; None where it must say nothing."""
    said = record["expected"]
    expected: dict[str, Any] = {"spans": 1, "http_status": record["status"]}
    is_work = does_model_work(record)
    # A job that failed was fetched well: the failure is of the call that made it.
    if said.get("is_error") and (is_work or record["status"] >= 400):
        expected["error_type"] = said.get("error_type") or _ANY
    if not is_work:
        return expected
    calls = said.get("tool_calls") or ()
    expected |= {
        "request_model": said.get("request_model"),
        "response_model": said.get("response_model") or None,
        "response_id": said.get("response_id") or None,
        "input_tokens": _first(said.get("input_tokens_incl_cache"), said.get("input_tokens")),
        "output_tokens": said.get("output_tokens"),
        "cache_read_tokens": said.get("cached_input_tokens"),
        "cache_write_tokens": said.get("cache_creation_tokens"),
        "reasoning_tokens": said.get("reasoning_tokens"),
        "finish_reasons": _strings(said.get("finish_reasons")),
        "tool_call_names": _strings([call["name"] for call in calls]),
        "tool_call_ids": _strings([call["id"] for call in calls]),
        "embedding_dimension": said.get("embedding_dim"),
    }
    if record["stream"] and record["status"] < 400:
        expected["stream_complete"] = said.get("stream_complete")
    if record["endpoint"].startswith(_THOUGHTS_APART):
        usage = said.get("usage_raw") or {}
        by_tools = usage.get("toolUsePromptTokenCount") or usage.get("total_tool_use_tokens")
        expected["input_tokens"] = _add(expected["input_tokens"], by_tools)
        expected["output_tokens"] = _add(expected["output_tokens"], expected["reasoning_tokens"])
    return expected


def _add(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _strings(values: list[Any] | None) -> tuple[str, ...] | None:
    return tuple(value for value in values or () if isinstance(value, str) and value) or None


def _is_complete(found: Mapping[str, Any]) -> bool | None:
    if found.get("stream_end") is None:
        return None
    is_finished = bool(found.get("finish_reasons")) or found.get("output_tokens") is not None
    return found["stream_end"] == "exhausted" and found.get("error_type") is None and is_finished


def _must_have_cost(record: Record, expected: Mapping[str, Any]) -> bool:
    """Tell whether the price table has the model that answered, by its own look-up, and there are tokens to price."""
    counts = [expected.get(f"{kind}_tokens") for kind in ("input", "output", "cache_read", "cache_write")]
    tokens_in, tokens_out, read, written = counts
    if tokens_in is None or record["expected"].get("is_error"):
        return False
    if (record["expected"].get("usage_raw") or {}).get("trafficType") not in (None, 1, "ON_DEMAND"):
        return False  # Vertex AI's flex and priority traffic, whose prices the table does not have
    if (tokens_out is None and expected["embedding_dimension"] is None) or tokens_in < (read or 0) + (written or 0):
        return False
    models = (expected["response_model"], expected["request_model"])
    return any(is_priced(record["url"], model) for model in models if model)


def read_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a span's attributes by the registry's names, strings of a list as a tuple."""
    read = {}
    for name, entry in fields().items():
        value = attributes.get(entry.attribute)
        if value is not None:
            read[name] = value
    return read


def read_any_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same for another instrumentation's span, which may use older names of the conventions, or its own."""
    read = {}
    for name, entry in fields().items():
        for attribute in (entry.attribute, *entry.aliases):
            value = attributes.get(attribute)
            if value is not None:
                read[name] = _to_strings(value) if entry.type == "string[]" else value
                break
    return read


def _to_strings(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else (str(value),)
