"""Describe Bedrock's own format for every model, Converse, which Amazon's Nova models also speak when invoked."""

from typing import Any

from trilemma.folding import add_text
from trilemma.providers.spec import Content, Endpoint, Parts, Table

__all__ = ["CONTENT", "CONVERSE", "REQUEST", "RESPONSE", "fold_converse", "sum_counts"]

PARTS: Parts = {
    "text": {"type": "=text", "content": "text"},
    "reasoningContent": {"type": "=reasoning", "content": "reasoningContent.reasoningText.text"},
    "toolUse": {"type": "=tool_call", "id": "toolUse.toolUseId", "name": "toolUse.name", "arguments": "toolUse.input"},
    "toolResult": {"type": "=tool_call_response", "id": "toolResult.toolUseId", "response": "toolResult.content"},
}
CONTENT = Content(
    system="system",
    input="messages",
    output="output.message.content",
    finish="stopReason",
    tools="toolConfig.tools",
    parts=PARTS,
)


def fold_converse(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge a stream event into the response."""
    if piece := event.get("contentBlockDelta"):
        return _add_delta(_find_block(body, piece.get("contentBlockIndex")), piece.get("delta") or {})
    if piece := event.get("contentBlockStart"):
        tool = (piece.get("start") or {}).get("toolUse")
        if tool:
            _find_block(body, piece.get("contentBlockIndex"))["toolUse"] = {**tool}
    elif piece := event.get("messageStop"):
        body["stopReason"] = piece.get("stopReason")
    elif piece := event.get("metadata"):
        body.update(piece)
    return False


def is_converse_text(event: dict[str, Any]) -> bool:
    """Tell whether an event adds a piece of text, reasoning or arguments to a block."""
    piece = event.get("contentBlockDelta")
    delta = piece.get("delta") if piece else None
    if not delta:
        return False
    tool, reasoning = delta.get("toolUse"), delta.get("reasoningContent")
    return bool(delta.get("text") or (tool and tool.get("input")) or (reasoning and reasoning.get("text")))


def sum_counts(usage: Any, *names: str) -> int | None:
    """Add up counts of which the first must be there: cached input is counted apart, the conventions count it in."""
    if type(usage) is not dict or type(usage.get(names[0])) not in {int, float}:
        return None
    counts = [usage.get(name) for name in names]
    return int(sum([count for count in counts if isinstance(count, (int, float))]))


def _find_block(body: dict[str, Any], index: Any) -> dict[str, Any]:
    # Blocks come one after the other. Nova numbers each piece of text as a block of its own, past any sensible list.
    blocks = body.setdefault("output", {}).setdefault("message", {}).setdefault("content", [])
    if not blocks or body.get("block_index") != index:
        body["block_index"] = index
        blocks.append({})
    block: dict[str, Any] = blocks[-1]
    return block


def _add_delta(block: dict[str, Any], delta: dict[str, Any]) -> bool:
    if tool := delta.get("toolUse"):
        return add_text(block.setdefault("toolUse", {}), "input", tool.get("input"))
    if reasoning := delta.get("reasoningContent"):
        text = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {})
        return add_text(text, "text", reasoning.get("text")) or "redactedContent" in reasoning
    return add_text(block, "text", delta.get("text"))


def _name_tier(body: dict[str, Any]) -> Any:
    """Return the service tier; latency-optimized inference is one by its price."""
    if (body.get("performanceConfig") or {}).get("latency") == "optimized":
        return "latency_optimized"
    return (body.get("serviceTier") or {}).get("type")


def _sum_written_1h(body: dict[str, Any]) -> int | None:
    details = body["usage"].get("cacheDetails")
    return sum(entry["inputTokens"] for entry in details if entry["ttl"] == "1h") if details else None


def _input_tokens(body: dict[str, Any]) -> int | None:
    return sum_counts(body.get("usage"), "inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")


REQUEST: Table = {
    "request_model": "modelId",
    "max_tokens": "inferenceConfig.maxTokens",
    "temperature": "inferenceConfig.temperature",
    "top_p": "inferenceConfig.topP",
    "top_k": ("additionalModelRequestFields.top_k", "additionalModelRequestFields.inferenceConfig.topK"),
    "stop_sequences": "inferenceConfig.stopSequences",
    "reasoning_level": (
        "additionalModelRequestFields.output_config.effort",
        "additionalModelRequestFields.reasoningConfig.maxReasoningEffort",
        "additionalModelRequestFields.reasoning_effort",
    ),
    "output_type": lambda body: "json" if body["outputConfig"]["textFormat"]["type"] == "json_schema" else None,
    "request_service_tier": _name_tier,
    "guardrail_id": "guardrailConfig.guardrailIdentifier",
    "message_count": "messages[#]",
    "tool_count": "toolConfig.tools[#]",
}

RESPONSE: Table = {
    "response_model": "trace.promptRouter.invokedModelId",
    "finish_reasons": "stopReason",
    "guardrail_action": lambda body: "INTERVENED" if body["stopReason"] == "guardrail_intervened" else None,
    "service_tier": _name_tier,
    "input_tokens": _input_tokens,
    "output_tokens": "usage.outputTokens",
    "cache_read_tokens": "usage.cacheReadInputTokens",
    "cache_write_tokens": "usage.cacheWriteInputTokens",
    "cache_write_1h_tokens": _sum_written_1h,
    "processing_s": lambda body: body["metrics"]["latencyMs"] / 1000,
    "tool_call_names": "output.message.content[].toolUse.name",
    "tool_call_ids": "output.message.content[].toolUse.toolUseId",
}

CONVERSE = Endpoint(
    path="/model/{modelId}/converse",
    operation="chat",
    request=REQUEST,
    response=RESPONSE,
    fold=fold_converse,
    is_text=is_converse_text,
    content=CONTENT,
)
