"""Describe Mistral's API: OpenAI's format with thinking blocks, agents, fill-in-the-middle, conversations, OCR."""

from dataclasses import replace
from typing import Any, Literal

from trilemma.folding import add_text, find_item
from trilemma.providers.chat_completions import CHAT, PARTS, fold_chat, is_chat_text
from trilemma.providers.embeddings import EMBEDDINGS
from trilemma.providers.media import MODERATIONS, SPEECH, TRANSCRIPTIONS
from trilemma.providers.spec import Content, Endpoint, Hook, Provider

_PARTS = {**PARTS, "thinking": {"type": "=reasoning", "content": "thinking[].text"}}
_MODEL = {"request_model": "model"}


def fold_chunk(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a chunk, whose text may be a list of blocks, and which may be an error."""
    if chunk.get("object") == "error":
        body["error"] = {"type": chunk.get("type") or chunk.get("code") or "error"}
        return False
    content = fold_chat(body, chunk)
    for piece in chunk.get("choices") or ():
        blocks = (piece.get("delta") or {}).get("content")
        for block in blocks if type(blocks) is list else ():
            message = find_item(body["choices"], piece.get("index")).setdefault("message", {})
            content = add_text(message, "content", block.get("text")) or content
            for thought in block.get("thinking") or ():
                content = add_text(message, "reasoning_content", thought.get("text")) or content
    return content


def fold_event(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge an event of a conversation's stream."""
    kind = event.get("type") or ""
    if kind in {"conversation.response.started", "conversation.response.done"}:
        body.update({key: value for key, value in event.items() if key not in {"type", "created_at"} and value})
    elif kind == "conversation.response.error":
        body["error"] = {"type": str(event.get("code") or "error")}
    elif kind == "message.output.delta":
        output = find_item(body.setdefault("outputs", []), event.get("output_index"))
        output.update({"type": "message.output", "role": "assistant", "model": event.get("model")})
        piece = event.get("content")
        return add_text(output, "content", piece.get("text") if isinstance(piece, dict) else piece)
    elif kind == "function.call.delta":
        output = find_item(body.setdefault("outputs", []), event.get("output_index"))
        output.update({"type": "function.call", **{key: event.get(key) for key in ("name", "tool_call_id", "model")}})
        return add_text(output, "arguments", event.get("arguments"))
    return False


_CHAT = replace(
    CHAT,
    path="/v1/chat/completions",
    constants={},
    request={**CHAT.request, "seed": "random_seed"},
    fold=fold_chunk,
    is_text=is_chat_text,
    content=Content(input="messages", output="choices", choices=True, parts=_PARTS),
)
_FIM = replace(_CHAT, path="/v1/fim/completions", operation="text_completion")
_VERTEX = ("/rawPredict", "/streamRawPredict")
_OCR = Endpoint("/v1/ocr", "generate_content", request=_MODEL, response={"response_model": "model"})
_START = Endpoint(
    "/v1/conversations",
    "chat",
    request={
        **_MODEL,
        "max_tokens": "completion_args.max_tokens",
        "temperature": "completion_args.temperature",
        "top_p": "completion_args.top_p",
        "tool_count": "tools[#]",
        "conversation_id": "{conversation_id}",
    },
    response={
        "conversation_id": "conversation_id",
        "response_model": lambda body: body["outputs"][-1].get("model"),
        "input_tokens": "usage.prompt_tokens",
        "output_tokens": "usage.completion_tokens",
        "tool_call_names": "outputs[function.call].name",
        "tool_call_ids": "outputs[function.call].tool_call_id",
        "error_type": "error.type",
    },
    fold=fold_event,
    content=Content(system="instructions", input="inputs", output="outputs", parts=_PARTS),
)
_HOOKS: tuple[tuple[Literal["call", "wait", "tracer"], str, str], ...] = (
    ("call", "basesdk", "BaseSDK.do_request"),
    ("call", "basesdk", "BaseSDK.do_request_async"),
    ("wait", "utils.retries", "_get_sleep_interval"),
    ("tracer", "_hooks.tracing", "get_or_create_otel_tracer"),
)

PROVIDER = Provider(
    name="mistral_ai",
    module="mistralai",
    transport="httpx_client",
    headers={
        "mistral-correlation-id": ("request_id", 0),
        "x-ratelimit-remaining-req-minute": ("remaining_requests", 1),
        "x-ratelimit-remaining-tokens-minute": ("remaining_tokens", 1),
    },
    error_types=("type", "code"),
    hooks=tuple(
        Hook(kind, f"{root}.{module}", name)
        for root in ("mistralai.client", "mistralai", "mistralai.azure.client", "mistralai.gcp.client")
        for kind, module, name in _HOOKS
    ),
    endpoints=(
        _CHAT,
        replace(_CHAT, path="/v1/agents/completions"),
        replace(_CHAT, path="/models/chat/completions"),  # Azure's, and below Vertex AI's
        *(replace(_FIM, path=path, when=lambda body: "prompt" in body) for path in _VERTEX),
        *(replace(_CHAT, path=path, when=lambda body: "messages" in body) for path in _VERTEX),
        _FIM,
        replace(EMBEDDINGS, path="/v1/embeddings"),
        _START,
        replace(_START, path="/v1/conversations/{conversation_id}"),
        replace(_START, path="/v1/conversations/{conversation_id}/restart"),
        _OCR,
        replace(_OCR, path="/providers/mistral/azure/ocr"),
        replace(TRANSCRIPTIONS, path="/v1/audio/transcriptions"),
        replace(SPEECH, path="/v1/audio/speech"),
        replace(MODERATIONS, path="/v1/moderations"),
        replace(MODERATIONS, path="/v1/chat/moderations"),
        replace(MODERATIONS, path="/v1/classifications", operation="classify"),
        replace(MODERATIONS, path="/v1/chat/classifications", operation="classify"),
    ),
)
