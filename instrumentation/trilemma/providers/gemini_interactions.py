"""Describe Google's Interactions API: models and agents by steps, stored or not, streamed as events."""

from typing import Any

from trilemma.folding import add_text, find_item
from trilemma.providers.gemini_content import sum_of, tokens_of
from trilemma.providers.spec import Content, Endpoint, Parts

__all__ = ["INTERACTIONS"]

_STEPS: Parts = {
    "text": {"type": "=text", "content": "text"},
    "user_input": {"type": "=text", "content": "content[].text"},
    "model_output": {"type": "=text", "content": "content[].text", "role": "=assistant"},
    "thought": {"type": "=reasoning", "content": "summary[].text", "role": "=assistant"},
    "function_call": {"type": "=tool_call", "id": "id", "name": "name", "arguments": "arguments", "role": "=assistant"},
    "function_result": {"type": "=tool_call_response", "id": "call_id", "response": "result", "role": "=tool"},
}


def fold_interaction(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge an event of an interaction: its frame at start and end, steps and pieces of them between."""
    if delta := event.get("delta"):
        step, kind = find_item(body.setdefault("steps", []), event.get("index")), delta.get("type")
        if kind == "arguments_delta":
            return add_text(step, "arguments", delta.get("arguments"))
        holder = find_item(step.setdefault("summary" if kind == "thought_summary" else "content", []), 0)
        return add_text(holder, "text", (delta.get("content") or delta).get("text"))
    if started := event.get("step"):
        find_item(body.setdefault("steps", []), event.get("index")).update(started)
    else:
        body.update({key: value for key, value in {**event, **(event.get("interaction") or {})}.items() if value})
    return False


INTERACTIONS = Endpoint(
    path="/interactions",
    operation="generate_content",
    request={
        "request_model": "model",
        "agent_id": "agent",
        "max_tokens": "generation_config.max_output_tokens",
        "temperature": "generation_config.temperature",
        "top_p": "generation_config.top_p",
        "seed": "generation_config.seed",
        "stop_sequences": "generation_config.stop_sequences",
        "reasoning_level": "generation_config.thinking_level",
        "request_service_tier": "service_tier",
        "previous_response_id": "previous_interaction_id",
        "tool_count": "tools[#]",
    },
    response={
        "response_id": "id",
        "response_model": "model",
        "response_status": "status",
        "finish_reasons": "status",
        "service_tier": "service_tier",
        "input_tokens": sum_of("total_input_tokens", "total_tool_use_tokens"),
        "output_tokens": sum_of("total_output_tokens", "total_thought_tokens"),
        "cache_read_tokens": "usage.total_cached_tokens",
        "reasoning_tokens": "usage.total_thought_tokens",
        "audio_input_tokens": tokens_of("AUDIO", "input_tokens_by_modality"),
        "audio_output_tokens": tokens_of("AUDIO", "output_tokens_by_modality"),
        "image_input_tokens": tokens_of("IMAGE", "input_tokens_by_modality"),
        "image_output_tokens": tokens_of("IMAGE", "output_tokens_by_modality"),
        "tool_call_names": "steps[function_call].name",
        "tool_call_ids": "steps[function_call].id",
        "error_type": "error.code",
    },
    fold=fold_interaction,
    content=Content(system="system_instruction", input="input", output="steps", finish="status", parts=_STEPS),
)
