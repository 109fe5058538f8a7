"""Own what a record's span must say: where it means another thing than the recordings' `expected`, with the reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.wire_score.prices import is_priced

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.wire_score.corpus import Record

__all__ = ["ANY", "FIELDS", "does_model_work", "expect", "list_unread"]

ANY = "any"
"""What a field must be where the recordings do not say which value, only that there is one."""

_OTHER_TIER = re.compile(r'"serviceTier":\s*\{"type":\s*"(flex|priority|reserved)"')
_CALL = ("spans", "http_status", "error_type")
_NAMES = ("request_model", "response_model", "response_id")
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_ANSWER = ("finish_reasons", "tool_call_names", "tool_call_ids", "stream_complete", "embedding_dimension", "cost")
FIELDS = (*_CALL, *_NAMES, *_TOKENS, *_ANSWER)

# Endpoints at which a model works: their spans have model, tokens, finish reasons and tool calls. Others are the
# keeping of files, jobs, caches and results; what is fetched of these was made, and billed, by another call (semconv's
# fetch_response has no usage), and a count of tokens is no use of them.
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
_ENDED = ("succeeded", "failed", "canceled", "aborted")

# Of these bodies the recordings' own reader knows nothing.
_OPAQUE = ("other", "openai.responses.other", "huggingface.inference", "sagemaker.invoke")


def does_model_work(record: Record) -> bool:
    """Tell whether a record is a model's work."""
    endpoint = record["endpoint"]
    return record["method"] == "POST" and endpoint.startswith(_MODEL_WORK) and endpoint not in _OPAQUE


def expect(record: Record) -> dict[str, Any]:
    """Return what the span of a record's call must say, by the registry's names; None where it must say nothing."""
    expected: dict[str, Any] = {"spans": 1, "http_status": record["status"]}
    is_work = does_model_work(record)
    # A job that failed was fetched well: the failure is of the call that made it. A provider may give no type: then it
    # is its code, or the SDK's exception.
    if record["expected"].get("is_error") and (is_work or record["status"] >= 400):
        expected["error_type"] = record["expected"].get("error_type") or ANY
    if is_work:
        expected |= expect_work(record)
        if record["stream"] and record["status"] < 400:
            expected["stream_complete"] = record["expected"].get("stream_complete")
    return expected


def expect_work(record: Record) -> dict[str, Any]:
    """Return what the span of the model's work must say that a record's response brings."""
    said = record["expected"]
    calls = said.get("tool_calls") or ()
    expected = {
        "request_model": said.get("request_model"),
        "response_model": said.get("response_model") or None,
        "response_id": said.get("response_id") or None,
        **_expect_tokens(record),
        "finish_reasons": _strings(said.get("finish_reasons")),
        "tool_call_names": _strings([call["name"] for call in calls]),
        "tool_call_ids": _strings([call["id"] for call in calls]),
        "embedding_dimension": said.get("embedding_dim"),
    }
    if record["endpoint"] == "replicate.predictions":
        # A prediction that has only begun, or goes on, has not finished for a reason.
        expected["finish_reasons"] = tuple(w for w in expected["finish_reasons"] or () if w in _ENDED) or None
    return expected | {"cost": ANY if _must_have_cost(record, expected) else None}


def list_unread(record: Record) -> set[str]:
    """Return the fields that the recordings' own reader does not read of a record: compared only where it has them."""
    said, endpoint = record["expected"], record["endpoint"]
    unread = {
        "request_model",
        "cost",
        "embedding_dimension",
    }  # of a form or a URL; of the provider's own bill; asked for
    if endpoint in _OPAQUE:
        unread |= {*_NAMES, *_TOKENS, *_ANSWER}
    if not does_model_work(record):
        unread |= {*_NAMES, "stream_complete"}
    if endpoint.startswith(("openai.audio.", "openai.images")):
        unread |= {*_NAMES, "stream_complete", "cache_read_tokens", "reasoning_tokens"}
    if endpoint.startswith("watsonx."):
        unread |= {"stream_complete"}  # it knows no end of such a stream
    if endpoint == "gemini.interactions":
        unread |= {"tool_call_names", "tool_call_ids"}  # they are in the steps, which it does not read
    if not _strings(said.get("finish_reasons")) and said.get("finish_reasons"):
        unread |= {"finish_reasons"}  # Vertex AI gives numbers to clients that ask for them; none of these SDKs does
    if endpoint == "bedrock.invoke" and not said.get("usage_raw"):
        unread |= {*_TOKENS}  # it adds up the tokens of results that have none
    if said.get("usage_from") == "headers":
        unread |= {"cache_read_tokens", "cache_write_tokens"}  # of the headers it reads input and output only
    return unread


def _expect_tokens(record: Record) -> dict[str, int | None]:
    said = record["expected"]
    usage = said.get("usage_raw") or {}
    cached, written = said.get("cached_input_tokens"), said.get("cache_creation_tokens")
    # All input, cached included, as the conventions count it: Anthropic and Bedrock exclude that. The images' reader
    # keeps their usage as it is.
    tokens_in = _first(said.get("input_tokens_incl_cache"), said.get("input_tokens"))
    tokens_out, reasoning = said.get("output_tokens"), said.get("reasoning_tokens")
    if record["endpoint"].startswith("openai.images"):
        tokens_in, tokens_out = (
            _first(tokens_in, usage.get("input_tokens")),
            _first(tokens_out, usage.get("output_tokens")),
        )
    if record["endpoint"] == "bedrock.invoke" and not usage and not tokens_out:
        tokens_out = None  # a sum over results without counts
    if record["endpoint"].startswith("gemini."):
        # What is billed as input: promptTokenCount leaves out what Gemini's own tools put in. Output includes
        # reasoning: candidatesTokenCount leaves thoughts out, and is not there when 0.
        by_tools = usage.get("toolUsePromptTokenCount") or usage.get("total_tool_use_tokens")
        tokens_in, tokens_out = _add(tokens_in, by_tools), _add(tokens_out, reasoning)
    return dict(zip(_TOKENS, (tokens_in, tokens_out, cached, written, reasoning), strict=True))


def _must_have_cost(record: Record, expected: Mapping[str, Any]) -> bool:
    """Tell whether the price table has the model, and counts that do not contradict each other, at the common tier."""
    tokens_in, tokens_out, read, written, _ = (expected[name] for name in _TOKENS)
    if tokens_in is None or record["expected"].get("is_error"):
        return False
    is_odd = tokens_in < (read or 0) + (written or 0) or _sum_parts(record) > (tokens_out or 0)
    if is_odd or (tokens_out is None and expected["embedding_dimension"] is None):
        return False
    body = record["request_body"] if isinstance(record["request_body"], dict) else {}
    if (body.get("performanceConfig") or {}).get("latency") == "optimized":
        return False  # Bedrock's other tier, which the table does not have
    if _OTHER_TIER.search(str(record["response_body"])):
        return False  # nor these of its
    if str((record["expected"].get("usage_raw") or {}).get("trafficType")).startswith("ON_DEMAND_"):
        return False  # Vertex AI's other tiers: flex and priority
    return any(
        is_priced(record["url"], model) for model in (expected["response_model"], expected["request_model"]) if model
    )


def _sum_parts(record: Record) -> int:
    """Add up the parts of the output that a record's usage says."""
    usage = record["expected"].get("usage_raw") or {}
    details = usage.get("completion_tokens_details") or {}
    return sum(details.get(f"{part}_tokens") or 0 for part in ("reasoning", "audio"))


def _add(*counts: int | None) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _strings(values: list[Any] | None) -> tuple[str, ...] | None:
    return tuple(value for value in values or () if isinstance(value, str) and value) or None
