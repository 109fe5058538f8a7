"""Describe the chat completions format, which OpenAI and the many servers compatible with it speak."""

from typing import Any

from trilemma.folding import add_text, find_item
from trilemma.providers.spec import Content, Endpoint, Parts, Table

__all__ = ["CHAT", "COMPLETIONS", "name_output_type", "read_cost"]

_TEXT_KEYS = frozenset({"content", "refusal", "reasoning_content", "reasoning"})

PARTS: Parts = {
    "text": {"type": "=text", "content": "text"},
    "refusal": {"type": "=refusal", "content": "refusal"},
    "image_url": {"type": "=uri", "modality": "=image", "uri": "image_url.url"},
    "input_audio": {
        "type": "=blob",
        "modality": "=audio",
        "mime_type": "input_audio.format",
        "content": "input_audio.data",
    },
    "file": {"type": "=file", "file_id": "file.file_id"},
    "function": {"type": "=tool_call", "id": "id", "name": "function.name", "arguments": "function.arguments"},
    "custom": {"type": "=tool_call", "id": "id", "name": "custom.name", "arguments": "custom.input"},
}

_TICKS_PER_USD = 10**10  # xAI's unit of billing


def read_cost(body: dict[str, Any]) -> Any:
    """Return what the provider says it bills (USD): OpenRouter, Perplexity, xAI (whose models elsewhere say 0)."""
    usage = body["usage"]
    cost = usage.get("cost")
    if cost is None:
        ticks = usage.get("cost_in_usd_ticks")
        return ticks / _TICKS_PER_USD if ticks else None
    return cost.get("total_cost") if type(cost) is dict else cost


_REQUEST: Table = {
    "request_model": "model",
    "temperature": "temperature",
    "top_p": "top_p",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "stop_sequences": "stop",
    "choice_count": lambda body: None if body.get("n") == 1 else body.get("n"),
    "max_tokens": ("max_completion_tokens", "max_tokens"),
    "request_service_tier": "service_tier",
}

_RESPONSE: Table = {
    "response_id": "id",
    "response_model": "model",
    "finish_reasons": "choices[].finish_reason",
    "error_type": ("error.type", "error.code"),  # of a refusal under status 200, as some servers send it
    "system_fingerprint": "system_fingerprint",
    "service_tier": "service_tier",
    # First OpenAI's own place, then where compatible servers have it: Groq's streams, DeepSeek, Mistral, Together and
    # Hugging Face, GitHub Copilot, OpenRouter, Perplexity.
    "input_tokens": ("usage.prompt_tokens", "x_groq.usage.prompt_tokens"),
    "output_tokens": ("usage.completion_tokens", "x_groq.usage.completion_tokens"),
    "cache_read_tokens": (
        "usage.prompt_tokens_details.cached_tokens",
        "usage.prompt_cache_hit_tokens",
        "usage.num_cached_tokens",
        "usage.cached_tokens",
        "x_groq.usage.prompt_tokens_details.cached_tokens",
    ),
    "cache_write_tokens": ("usage.prompt_tokens_details.cache_write_tokens", "usage.cache_creation_input_tokens"),
    "audio_input_tokens": "usage.prompt_tokens_details.audio_tokens",
    "reasoning_tokens": (
        "usage.completion_tokens_details.reasoning_tokens",
        "usage.reasoning_tokens",
        "x_groq.usage.completion_tokens_details.reasoning_tokens",
    ),
    "audio_output_tokens": "usage.completion_tokens_details.audio_tokens",
    "cost": read_cost,
    "refused": lambda body: any((choice.get("message") or {}).get("refusal") for choice in body["choices"]) or None,
    "filtered": lambda body: list_filtered([*(body.get("prompt_filter_results") or ()), *body["choices"]]),
}


def list_filtered(places: list[dict[str, Any]]) -> list[str] | None:
    """Return the categories in which Azure's content filter cut one of these, the prompts and the choices."""
    results = [place.get("content_filter_results") or {} for place in places]
    found = {name for each in results for name, verdict in each.items() if (verdict or {}).get("filtered")}
    return sorted(found) or None


def name_output_type(kind: Any) -> str | None:
    """Return the conventions' word for a response format."""
    return {"text": "text", "json_object": "json", "json_schema": "json"}.get(kind) if type(kind) is str else None


def fold_chat(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a chat completion chunk."""
    get = chunk.get
    if get("usage") or get("x_groq") or not body.get("id"):
        body.update({key: value for key, value in chunk.items() if key != "choices" and value is not None})
    choices, content = body.get("choices"), False
    if choices is None:
        choices = body["choices"] = []
    for piece in get("choices") or ():
        choice = find_item(choices, piece.get("index"))
        if reason := piece.get("finish_reason"):
            choice["finish_reason"] = reason
        if delta := piece.get("delta"):
            message = choice.get("message") or choice.setdefault("message", {})
            for key, value in delta.items():
                if key in _TEXT_KEYS:
                    content = add_text(message, key, value) or content
                elif value is not None:
                    content = _merge(message, key, value) or content
    return content


def is_chat_text(chunk: dict[str, Any]) -> bool:
    """Tell whether a chunk adds a piece of text to one choice and nothing else."""
    choices = chunk["choices"]
    if len(choices) != 1 or chunk.get("usage"):
        return False
    choice = choices[0]
    return len(choice["delta"]) == 1 and bool(choice["delta"].get("content")) and choice["finish_reason"] is None


def fold_completion(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a legacy completion chunk, whose text stands in the choice itself."""
    content = fold_chat(body, chunk)
    for piece in chunk.get("choices") or ():
        content = add_text(find_item(body["choices"], piece.get("index")), "text", piece.get("text")) or content
    return content


def _merge(message: dict[str, Any], key: str, value: Any) -> bool:
    content = False
    if key == "tool_calls":
        calls = message.setdefault(key, [])
        for piece in value:
            content = _merge_call(find_item(calls, piece.get("index", len(calls))), piece) or content
    elif key == "function_call":
        content = _merge_function(message.setdefault(key, {}), value)
    else:
        message[key] = value
    return content


def _merge_call(call: dict[str, Any], piece: dict[str, Any]) -> bool:
    call.update({key: value for key, value in piece.items() if key in {"id", "type"} and value})
    return _merge_function(call.setdefault("function", {}), piece.get("function") or {})


def _merge_function(function: dict[str, Any], piece: dict[str, Any]) -> bool:
    if name := piece.get("name"):
        function["name"] = name
    return add_text(function, "arguments", piece.get("arguments"))


CHAT = Endpoint(
    path="/chat/completions",
    operation="chat",
    constants={"api_type": "chat_completions"},
    request={
        **_REQUEST,
        "reasoning_level": "reasoning_effort",
        "output_type": lambda body: name_output_type((body.get("response_format") or {}).get("type")),
        "message_count": "messages[#]",
        "tool_count": "tools[#]",
    },
    response={
        **_RESPONSE,
        "tool_call_names": (
            "choices[].message.tool_calls[].function.name",
            "choices[].message.tool_calls[].custom.name",
            "choices[].message.function_call.name",  # of before 2023-11
        ),
        "tool_call_ids": "choices[].message.tool_calls[].id",
    },
    fold=fold_chat,
    is_text=is_chat_text,
    content=Content(input="messages", output="choices", choices=True, parts=PARTS),
)

COMPLETIONS = Endpoint(
    path="/completions",
    operation="text_completion",
    request=_REQUEST,
    response=_RESPONSE,
    fold=fold_completion,
    content=Content(input="prompt", output="choices", choices=True, parts=PARTS),
)
