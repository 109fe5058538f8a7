"""Describe the format of generateContent and embedContent, which the Gemini API and Vertex AI speak."""

from collections.abc import Callable
from typing import Any

from trilemma.folding import add_text, find_item
from trilemma.providers.spec import Content, Parts, Table

__all__ = ["CONTENT", "EMBED", "EMBEDDED", "GENERATE", "GENERATED", "fold_content", "sum_of", "tokens_of"]

# By the key that a part has; the first that is there, for a thought has a text too.
PARTS: Parts = {
    "thought": {"type": "=reasoning", "content": "text"},
    "text": {"type": "=text", "content": "text"},
    "functionCall": {
        "type": "=tool_call",
        "id": "functionCall.id",
        "name": "functionCall.name",
        "arguments": "functionCall.args",
    },
    "functionResponse": {
        "type": "=tool_call_response",
        "id": "functionResponse.id",
        "response": "functionResponse.response",
    },
    "inlineData": {"type": "=blob", "mime_type": "inlineData.mimeType", "content": "inlineData.data"},
    "fileData": {"type": "=uri", "mime_type": "fileData.mimeType", "uri": "fileData.fileUri"},
}
_OUTPUT_TYPES = {"IMAGE": "image", "AUDIO": "speech", "application/json": "json", "text/plain": "text"}
# Vertex AI's names of traffic, in the words of the Gemini API's service tiers.
_TIERS = {"ON_DEMAND": "standard", "ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority"}


def fold_content(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a chunk of generated content: a whole response with pieces of its candidates, and the usage so far."""
    usage, content = {**(body.get("usageMetadata") or {}), **(chunk.get("usageMetadata") or {})}, False
    body.update({key: value for key, value in chunk.items() if key != "candidates"}, usageMetadata=usage)
    for piece in chunk.get("candidates") or ():
        candidate = find_item(body.setdefault("candidates", []), piece.get("index"))
        parts = candidate.setdefault("content", {"role": "model"}).setdefault("parts", [])
        candidate.update({key: value for key, value in piece.items() if key != "content" and value is not None})
        for part in (piece.get("content") or {}).get("parts") or ():
            content = _fold_part(parts, part) or content
    return content


def _fold_part(parts: list[dict[str, Any]], part: dict[str, Any]) -> bool:
    if type(part.get("text")) is not str:
        parts.append(part)
        return bool(part)
    if not part["text"]:
        return False
    if not parts or "text" not in parts[-1] or parts[-1].get("thought") != part.get("thought"):
        parts.append({**part, "text": []})
    return add_text(parts[-1], "text", part["text"])


def sum_of(*names: str) -> Callable[[dict[str, Any]], int | None]:
    """Return a source that adds up counts of the usage; proto3 leaves out those that are 0."""

    def add(body: dict[str, Any]) -> int | None:
        usage = body.get("usageMetadata") or body["usage"]
        counts = [usage[name] for name in names if type(usage.get(name)) is int]
        return sum(counts) if counts else None

    return add


def tokens_of(modality: str, *places: str) -> Callable[[dict[str, Any]], int | None]:
    """Return a source of the tokens of one modality; a document is read, and billed, as images of its pages."""

    def find(body: dict[str, Any]) -> int | None:
        usage = body.get("usageMetadata") or body["usage"]
        each = [item for place in places for item in usage.get(place) or ()]
        found = [item for item in each if item["modality"].upper().replace("DOCUMENT", "IMAGE") == modality]
        return sum(item.get("tokenCount") or item["tokens"] for item in found) or None

    return find


def _reasoning_level(body: dict[str, Any]) -> str | None:
    config = body["generationConfig"]["thinkingConfig"]  # the SDK passes on what is in it as it was given
    level = config.get("thinkingLevel") or config.get("thinking_level")
    budget = config.get("thinkingBudget", config.get("thinking_budget"))
    return level.lower() if level else None if budget is None else str(budget)


def _output_type(body: dict[str, Any]) -> str | None:
    config = body["generationConfig"]
    asked = (*(config.get("responseModalities") or ()), config.get("responseMimeType"))
    return next((_OUTPUT_TYPES[each] for each in asked if each in _OUTPUT_TYPES), None)


def _service_tier(body: dict[str, Any]) -> str | None:
    traffic = body["usageMetadata"].get("trafficType")
    return body["usageMetadata"].get("serviceTier") or (_TIERS.get(traffic, traffic.lower()) if traffic else None)


def _count_searches(body: dict[str, Any]) -> int | None:
    # Gemini 3 is billed by search query, older models by request that searched (ai.google.dev/gemini-api/docs/pricing).
    grounding = [each.get("groundingMetadata") or {} for each in body["candidates"]]
    count = sum(1 for each in grounding for query in each.get("webSearchQueries") or () if query)
    return (min(count, 1) if body["modelVersion"].startswith(("gemini-1", "gemini-2")) else count) or None


def _sum_embedded(body: dict[str, Any]) -> Any:
    if "predictions" in body:
        return sum(int(each["embeddings"]["statistics"]["token_count"]) for each in body["predictions"])
    return body["usageMetadata"].get("promptTokenCount")


def _embedding_dimension(body: dict[str, Any]) -> int | None:
    first = body.get("embedding") or (body.get("embeddings") or [None])[0] or body["predictions"][0]["embeddings"]
    return len(first["values"]) or None


GENERATE: Table = {
    "max_tokens": "generationConfig.maxOutputTokens",
    "temperature": "generationConfig.temperature",
    "top_p": "generationConfig.topP",
    "top_k": "generationConfig.topK",
    "seed": "generationConfig.seed",
    "frequency_penalty": "generationConfig.frequencyPenalty",
    "presence_penalty": "generationConfig.presencePenalty",
    "stop_sequences": "generationConfig.stopSequences",
    "choice_count": lambda body: n if (n := body["generationConfig"]["candidateCount"]) != 1 else None,
    "reasoning_level": _reasoning_level,
    "output_type": _output_type,
    "request_service_tier": "serviceTier",
    "message_count": "contents[#]",
    "tool_count": lambda body: sum(len(tool.get("functionDeclarations") or (tool,)) for tool in body["tools"]),
}
GENERATED: Table = {
    "response_id": "responseId",
    "response_model": "modelVersion",
    "finish_reasons": ("candidates[].finishReason", "promptFeedback.blockReason"),
    "service_tier": _service_tier,
    "input_tokens": sum_of("promptTokenCount", "toolUsePromptTokenCount"),
    "output_tokens": sum_of("candidatesTokenCount", "thoughtsTokenCount"),
    "cache_read_tokens": "usageMetadata.cachedContentTokenCount",
    "reasoning_tokens": "usageMetadata.thoughtsTokenCount",
    "audio_input_tokens": tokens_of("AUDIO", "promptTokensDetails", "toolUsePromptTokensDetails"),
    "audio_output_tokens": tokens_of("AUDIO", "candidatesTokensDetails"),
    "audio_cache_read_tokens": tokens_of("AUDIO", "cacheTokensDetails"),
    "image_input_tokens": tokens_of("IMAGE", "promptTokensDetails", "toolUsePromptTokensDetails"),
    "image_output_tokens": tokens_of("IMAGE", "candidatesTokensDetails"),
    "image_cache_read_tokens": tokens_of("IMAGE", "cacheTokensDetails"),
    "web_search_count": _count_searches,
    "tool_call_names": "candidates[].content.parts[].functionCall.name",
    "tool_call_ids": "candidates[].content.parts[].functionCall.id",
}
CONTENT = Content(system="systemInstruction.parts", input="contents", output="candidates", choices=True, parts=PARTS)

EMBED: Table = {
    "message_count": ("requests[#]", "instances[#]"),
    "embedding_dimension": "parameters.outputDimensionality",
}
EMBEDDED: Table = {"input_tokens": _sum_embedded, "embedding_dimension": _embedding_dimension}
