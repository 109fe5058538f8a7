"""Describe the bodies of models invoked on Bedrock: what each maker's format calls what, in one table for all.

A model's id does not say its maker where it is the ARN of a profile, an import or an endpoint. But the formats share no
key with two meanings, so that one table reads them all. What a body lacks, Bedrock itself counts: in a stream's last
chunk, and in the headers of a whole response.
"""

from collections.abc import Callable
from typing import Any

from trilemma.providers.bedrock_converse import sum_counts
from trilemma.providers.spec import Table

__all__ = ["METRICS", "REQUEST", "RESPONSE"]

METRICS = "amazon-bedrock-invocationMetrics"
_COUNT_HEADERS = {
    "x-amzn-bedrock-input-token-count": "inputTokenCount",
    "x-amzn-bedrock-output-token-count": "outputTokenCount",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokenCount",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokenCount",
    "x-amzn-bedrock-invocation-latency": "invocationLatency",
}


def _read_metrics(body: dict[str, Any]) -> dict[str, Any]:
    if found := body.get(METRICS):
        return dict(found)
    headers = body["ResponseMetadata"]["HTTPHeaders"]
    return {
        name: int(headers[header]) for header, name in _COUNT_HEADERS.items() if headers.get(header, "").isdecimal()
    }


def _add_results(body: dict[str, Any]) -> dict[str, Any]:
    """Add up the counts of Titan's results."""
    counts = [result.get("tokenCount") for result in body.get("results") or ()]
    return {"tokenCount": sum(counts)} if None not in counts and counts else {}


_PLACES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "body": dict,
    "usage": lambda body: body.get("usage"),
    "results": _add_results,
    "metrics": _read_metrics,
}


def _count(*choices: str) -> Callable[[dict[str, Any]], int | None]:
    """Return a function that adds up counts ("place name name ...") where the first name is there, of the choices."""
    split = [choice.split() for choice in choices]

    def count(body: dict[str, Any]) -> int | None:
        sums = (sum_counts(_PLACES[place](body), *names) for place, *names in split)
        return next((total for total in sums if total is not None), None)

    return count


def _embedding_dimension(body: dict[str, Any]) -> int | None:
    found: Any = body.get("embedding") or body.get("embeddings") or ()
    if type(found) is dict:  # by type, then one for each text
        found = next(iter(found.values()))
    while type(found[0]) is list:
        found = found[0]
    return len(found) if type(found[0]) in {float, int} else None


def _response_id(body: dict[str, Any]) -> Any:
    found = body.get("id") or body.get("generation_id")
    return str(found) if type(found) is int else found  # AI21's


def _service_tier(body: dict[str, Any]) -> Any:
    if body.get("performanceConfigLatency") == "optimized":
        return "latency_optimized"
    return body.get("serviceTier") or (body.get("usage") or {}).get("service_tier")


# The makers' names for one thing, in this order: Anthropic, OpenAI and who speaks its format; Nova; Titan; Llama;
# older Claude and Jurassic; SageMaker's containers.
REQUEST: Table = {
    "request_model": "modelId",
    "max_tokens": (
        *("max_tokens", "max_completion_tokens", "inferenceConfig.maxTokens", "inferenceConfig.max_new_tokens"),
        *("textGenerationConfig.maxTokenCount", "max_gen_len", "max_tokens_to_sample", "maxTokens"),
        "parameters.max_new_tokens",
    ),
    "temperature": ("temperature", "inferenceConfig.temperature", "textGenerationConfig.temperature"),
    "top_p": ("top_p", "p", "inferenceConfig.topP", "inferenceConfig.top_p", "textGenerationConfig.topP", "topP"),
    "top_k": ("top_k", "k", "inferenceConfig.topK", "inferenceConfig.top_k"),
    "stop_sequences": (
        *("stop_sequences", "stop", "inferenceConfig.stopSequences", "textGenerationConfig.stopSequences"),
        "stopSequences",
    ),
    "reasoning_level": ("output_config.effort", "reasoning_effort"),
    "embedding_dimension": ("dimensions", "embeddingConfig.outputEmbeddingLength", "output_dimension"),
    "encoding_formats": ("embeddingTypes", "embedding_types"),
    "message_count": ("messages[#]", "texts[#]", "documents[#]"),
    "tool_count": ("tools[#]", "toolConfig.tools[#]"),
    "guardrail_id": "guardrailIdentifier",
    "request_service_tier": _service_tier,
}

RESPONSE: Table = {
    "response_id": _response_id,
    "response_model": "model",
    "finish_reasons": (
        *("stop_reason", "stopReason", "choices[].finish_reason", "choices[].stop_reason"),
        *("results[].completionReason", "completionReason", "generations[].finish_reason", "finish_reason"),
        *("outputs[].stop_reason", "completions[].finishReason.reason", "artifacts[].finishReason", "finish_reasons"),
    ),
    "guardrail_action": "amazon-bedrock-guardrailAction",
    "service_tier": _service_tier,
    "input_tokens": _count(
        "usage input_tokens cache_creation_input_tokens cache_read_input_tokens",
        "usage inputTokens cacheReadInputTokenCount cacheWriteInputTokenCount",
        "usage prompt_tokens",
        "body prompt_token_count",
        "body inputTextTokenCount",
        "metrics inputTokenCount cacheReadInputTokenCount cacheWriteInputTokenCount",
    ),
    "output_tokens": _count(
        *("usage output_tokens", "usage outputTokens", "usage completion_tokens", "body generation_token_count"),
        *("body totalOutputTextTokenCount", "results tokenCount", "metrics outputTokenCount"),
    ),
    "cache_read_tokens": _count(
        "usage cache_read_input_tokens", "usage cacheReadInputTokenCount", "metrics cacheReadInputTokenCount"
    ),
    "cache_write_tokens": _count(
        "usage cache_creation_input_tokens", "usage cacheWriteInputTokenCount", "metrics cacheWriteInputTokenCount"
    ),
    "cache_write_1h_tokens": "usage.cache_creation.ephemeral_1h_input_tokens",
    "reasoning_tokens": "usage.completion_tokens_details.reasoning_tokens",
    "embedding_dimension": _embedding_dimension,
    "processing_s": lambda body: _read_metrics(body)["invocationLatency"] / 1000,
    "tool_call_names": (
        *("content[tool_use].name", "output.message.content[].toolUse.name"),
        *("choices[].message.tool_calls[].function.name", "tool_calls[].name"),
    ),
    "tool_call_ids": (
        *("content[tool_use].id", "output.message.content[].toolUse.toolUseId"),
        "choices[].message.tool_calls[].id",
    ),
}
