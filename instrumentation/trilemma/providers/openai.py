"""Describe OpenAI's API, and who else serves it: chat completions, responses, embeddings, completions."""

from typing import Any

from trilemma.providers.spec import Endpoint, Provider, Table

_TEXT_KEYS = frozenset({"content", "refusal", "reasoning_content", "reasoning"})

_SAMPLING: Table = {
    "request_model": "model",
    "temperature": "temperature",
    "top_p": "top_p",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "stop_sequences": "stop",
    "choice_count": lambda body: None if body.get("n") == 1 else body.get("n"),
    "request_service_tier": "service_tier",
}

_COMPLETION: Table = {
    "response_id": "id",
    "response_model": "model",
    "finish_reasons": "choices[].finish_reason",
    "system_fingerprint": "system_fingerprint",
    "service_tier": "service_tier",
    "input_tokens": "usage.prompt_tokens",
    "output_tokens": "usage.completion_tokens",
    "cache_read_tokens": ("usage.prompt_tokens_details.cached_tokens", "usage.prompt_cache_hit_tokens"),
    "cache_write_tokens": "usage.prompt_tokens_details.cache_write_tokens",
    "audio_input_tokens": "usage.prompt_tokens_details.audio_tokens",
    "reasoning_tokens": "usage.completion_tokens_details.reasoning_tokens",
    "audio_output_tokens": "usage.completion_tokens_details.audio_tokens",
    "cost": "usage.cost",
}


def fold_chat(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a chat completion chunk; text is kept as a list of pieces."""
    if chunk.get("usage") or not body.get("id"):
        body.update({key: value for key, value in chunk.items() if key != "choices" and value is not None})
    full, content = body.setdefault("choices", []), False
    for choice in chunk.get("choices") or ():
        index = choice.get("index")
        if type(index) is not int or not 0 <= index < 128:
            index = 0
        while len(full) <= index:
            full.append({"message": {}})
        if reason := choice.get("finish_reason"):
            full[index]["finish_reason"] = reason
        if (delta := choice.get("delta")) and _merge_delta(full[index]["message"], delta):
            content = True
    return content


def _merge_delta(message: dict[str, Any], delta: dict[str, Any]) -> bool:
    content = False
    for key, value in delta.items():
        if key in _TEXT_KEYS:
            if value and type(value) is str:
                message.setdefault(key, []).append(value)
                content = True
        elif key == "tool_calls":
            content = _merge_tool_calls(message.setdefault(key, []), value or []) or content
        elif value is not None:
            message[key] = value
    return content


def _merge_tool_calls(calls: list[dict[str, Any]], pieces: list[dict[str, Any]]) -> bool:
    content = False
    for piece in pieces:
        index = piece.get("index")
        if type(index) is not int:
            index = len(calls)
        while len(calls) <= index < 1024:
            calls.append({"function": {"arguments": []}})
        call, function = calls[index], piece.get("function") or {}
        if identity := piece.get("id"):
            call["id"] = identity
        if name := function.get("name"):
            call["function"]["name"] = name
        if arguments := function.get("arguments"):
            call["function"]["arguments"].append(arguments)
            content = True
    return content


def _output_type(kind: Any) -> str | None:
    return {"text": "text", "json_object": "json", "json_schema": "json"}.get(kind) if type(kind) is str else None


def fold_completion(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a legacy completion chunk: the text of a choice stands in the choice itself."""
    deltas = [{**choice, "delta": {"content": choice.get("text")}} for choice in chunk.get("choices") or () if choice]
    return fold_chat(body, {**chunk, "choices": deltas})


_RESPONSE_DELTAS = {
    "response.output_text.delta": ("content", "content_index", "text"),
    "response.refusal.delta": ("content", "content_index", "refusal"),
    "response.reasoning_text.delta": ("content", "content_index", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "text"),
    "response.function_call_arguments.delta": ("", "", "arguments"),
    "response.custom_tool_call_input.delta": ("", "", "input"),
}


def fold_response(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge a Responses event: whole responses at start and end, items and pieces of them between."""
    response, kind = event.get("response"), event.get("type") or ""
    if response:
        seen = body.get("output")
        body.update(response)
        body["output"] = response.get("output") or seen or []
    elif kind.endswith(".delta"):
        place, piece = _RESPONSE_DELTAS.get(kind), event.get("delta")
        if place and piece:
            _find_part(body, event, place).setdefault(place[2], []).append(piece)
        return bool(piece)
    elif kind in {"response.output_item.added", "response.output_item.done"}:
        item = _find_item(body.setdefault("output", []), event.get("output_index"))
        item.update(event.get("item") or {})
        if kind.endswith("added"):
            item.update({key: [] for key in ("content", "summary", "arguments", "input") if key in item})
    elif kind == "error":
        body["error"] = event
    return False


def _find_part(body: dict[str, Any], event: dict[str, Any], place: tuple[str, str, str]) -> dict[str, Any]:
    item = _find_item(body.setdefault("output", []), event.get("output_index"))
    return _find_item(item.setdefault(place[0], []), event.get(place[1])) if place[0] else item


def _find_item(items: Any, index: Any) -> dict[str, Any]:
    index = index if type(index) is int and 0 <= index < 1024 else 0
    while len(items) <= index:
        items.append({})
    item: dict[str, Any] = items[index]
    return item


def _count_input(body: dict[str, Any]) -> int | None:
    value = body.get("input")
    return len(value) if isinstance(value, list) else 1 if isinstance(value, str) else None


def _finish_reason(body: dict[str, Any]) -> Any:
    details = body.get("incomplete_details")
    return (details.get("reason") if type(details) is dict else None) or body.get("status")


def _embedding_dimension(body: dict[str, Any]) -> int | None:
    vector = body["data"][0].get("embedding") if body.get("data") else None
    if isinstance(vector, str):  # base64 of 4-byte floats
        return (len(vector) * 3 // 4 - vector.count("=", -2)) // 4
    return len(vector) if isinstance(vector, list) else None


CHAT = Endpoint(
    path="/chat/completions",
    operation="chat",
    constants={"api_type": "chat_completions"},
    request={
        **_SAMPLING,
        "max_tokens": ("max_completion_tokens", "max_tokens"),
        "reasoning_level": "reasoning_effort",
        "output_type": lambda body: _output_type((body.get("response_format") or {}).get("type")),
        "message_count": "messages[#]",
        "tool_count": "tools[#]",
    },
    response={
        **_COMPLETION,
        "tool_call_names": "choices[].message.tool_calls[].function.name",
        "tool_call_ids": "choices[].message.tool_calls[].id",
    },
    fold=fold_chat,
)

RESPONSES = Endpoint(
    path="/responses",
    operation="chat",
    constants={"api_type": "responses"},
    request={
        "request_model": "model",
        "max_tokens": "max_output_tokens",
        "temperature": "temperature",
        "top_p": "top_p",
        "reasoning_level": "reasoning.effort",
        "output_type": lambda body: _output_type(((body.get("text") or {}).get("format") or {}).get("type")),
        "request_service_tier": "service_tier",
        "previous_response_id": "previous_response_id",
        "conversation_id": ("conversation.id", "conversation"),
        "message_count": _count_input,
        "tool_count": "tools[#]",
    },
    response={
        "response_id": "id",
        "response_model": "model",
        "response_status": "status",
        "finish_reasons": _finish_reason,
        "service_tier": "service_tier",
        "conversation_id": "conversation.id",
        "input_tokens": "usage.input_tokens",
        "output_tokens": "usage.output_tokens",
        "cache_read_tokens": "usage.input_tokens_details.cached_tokens",
        "cache_write_tokens": "usage.input_tokens_details.cache_write_tokens",
        "reasoning_tokens": "usage.output_tokens_details.reasoning_tokens",
        "tool_call_names": "output[function_call].name",
        "tool_call_ids": "output[function_call].call_id",
        "error_type": "error.code",
        "cost": "usage.cost",
    },
    fold=fold_response,
)

EMBEDDINGS = Endpoint(
    path="/embeddings",
    operation="embeddings",
    request={
        "request_model": "model",
        "encoding_formats": "encoding_format",
        "embedding_dimension": "dimensions",
        "message_count": _count_input,
    },
    response={
        "response_model": "model",
        "response_id": "id",
        "input_tokens": "usage.prompt_tokens",
        "embedding_dimension": _embedding_dimension,
        "cost": "usage.cost",
    },
)

COMPLETIONS = Endpoint(
    path="/completions",
    operation="text_completion",
    request={**_SAMPLING, "max_tokens": "max_tokens"},
    response=_COMPLETION,
    fold=fold_completion,
)

PROVIDER = Provider(
    name="openai",
    module="openai",
    transport="stainless",
    hosts={
        "openai.azure.com": "azure.ai.openai",
        "api.deepseek.com": "deepseek",
        "api.groq.com": "groq",
        "api.mistral.ai": "mistral_ai",
        "api.moonshot.ai": "moonshot_ai",
        "api.perplexity.ai": "perplexity",
        "api.x.ai": "x_ai",
        "openrouter.ai": "openrouter",
    },
    headers={
        "x-request-id": ("request_id", 0),
        "openai-processing-ms": ("processing_s", 0.001),
        "x-ratelimit-remaining-requests": ("remaining_requests", 1),
        "x-ratelimit-remaining-tokens": ("remaining_tokens", 1),
    },
    error_types=("type", "code"),
    aliases={"service_tier": "openai.response.service_tier"},
    endpoints=(
        CHAT,
        RESPONSES,
        EMBEDDINGS,
        COMPLETIONS,
        Endpoint("/images/generations", "generate_content", request={"request_model": "model"}),
        Endpoint("/audio/speech", "generate_content", request={"request_model": "model"}),
        Endpoint("/audio/transcriptions", "generate_content", request={"request_model": "model"}),
        Endpoint("/moderations", "moderation", request={"request_model": "model"}),
    ),
)
