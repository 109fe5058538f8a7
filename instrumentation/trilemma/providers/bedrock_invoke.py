"""Describe models invoked on Bedrock, and on SageMaker: which operation it is, and how its stream is merged."""

from typing import Any

from trilemma.folding import add_text, find_item
from trilemma.providers.anthropic_messages import MESSAGES, fold_message
from trilemma.providers.bedrock_bodies import METRICS, REQUEST, RESPONSE
from trilemma.providers.bedrock_converse import CONTENT, fold_converse
from trilemma.providers.chat_completions import CHAT, fold_completion
from trilemma.providers.spec import Endpoint
from trilemma.record import read_json

__all__ = ["INVOKE", "SAGEMAKER"]

_IMAGE_MODELS = ("stability.", "canvas", "titan-image", "stable-", "sd3")
# Where a chunk of a format that is one flat object has its text: Titan, Llama, Claude 2, Cohere Command.
_TEXT_KEYS = frozenset({"outputText", "generation", "completion", "text"})
_CONVERSE_KEYS = frozenset({"messageStart", "contentBlockStart", "contentBlockDelta", "messageStop", "metadata"})


def fold_invoke(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge a chunk, a maker's JSON in Bedrock's envelope."""
    chunk = read_json(event["chunk"]["bytes"])
    if metrics := chunk.pop(METRICS, None):
        body[METRICS] = metrics
    if type(chunk.get("choices")) is list:
        return _fold_choices(body, chunk)
    if not _CONVERSE_KEYS.isdisjoint(chunk):
        return fold_converse(body, chunk)
    if "_" in (chunk.get("type") or ""):
        return fold_message(body, chunk)
    return _fold_flat(body, chunk)


def fold_payload(_: dict[str, Any], event: dict[str, Any]) -> bool:
    """Tell that a part of a SageMaker stream came: bytes cut anywhere, in a format of the container's choice."""
    return bool(event.get("PayloadPart"))


def _fold_choices(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    content = fold_completion(body, chunk)
    for piece in chunk["choices"]:  # Mistral on Bedrock has a message for a delta, and its own word for the reason
        choice = find_item(body["choices"], piece.get("index"))
        if message := piece.get("message"):
            content = fold_completion(body, {"choices": [{**piece, "delta": message}]}) or content
        if reason := piece.get("stop_reason"):
            choice["finish_reason"] = reason
    return content


def _fold_flat(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    content = False
    for index, piece in enumerate(chunk.get("outputs") or ()):  # Mistral's older format
        output = find_item(body.setdefault("outputs", []), index)
        content = add_text(output, "text", piece.get("text")) or content
        output["stop_reason"] = piece.get("stop_reason") or output.get("stop_reason")
    for key, value in {**chunk, **(chunk.get("response") or {})}.items():  # Cohere's last chunk holds the whole
        if key in _TEXT_KEYS:
            content = add_text(body, key, value) or content
        elif value is not None and key not in {"outputs", "response"}:
            body[key] = value
    return content


def _is_embedding(body: dict[str, Any]) -> bool:
    return "embed" in _model(body) or "texts" in body or "embeddingConfig" in body


def _is_image(body: dict[str, Any]) -> bool:
    model = _model(body)
    return "text_prompts" in body or "taskType" in body or any(name in model for name in _IMAGE_MODELS)


def _is_rerank(body: dict[str, Any]) -> bool:
    return "rerank" in _model(body) or ("query" in body and "documents" in body)


def _is_completion(body: dict[str, Any]) -> bool:
    return "messages" not in body and ("prompt" in body or "inputText" in body)


def _is_anthropic(body: dict[str, Any]) -> bool:
    return "anthropic_version" in body


def _is_nova(body: dict[str, Any]) -> bool:
    return "inferenceConfig" in body or "schemaVersion" in body or "amazon.nova" in _model(body)


def _model(body: dict[str, Any]) -> str:
    model = body.get("modelId")
    return model if type(model) is str else ""


# What the name in the path is plays no part: it makes the three formats of chat, with content of their own, three.
INVOKE = tuple(
    Endpoint(f"/model/{{{name}}}/{tail}", operation, REQUEST, RESPONSE, fold=fold_invoke, content=content, when=when)
    for tail in ("invoke", "invoke-with-response-stream")
    for name, operation, when, content in (
        ("modelId", "rerank", _is_rerank, None),
        ("modelId", "embeddings", _is_embedding, None),
        ("modelId", "image_generation", _is_image, None),
        ("modelId", "text_completion", _is_completion, None),
        ("anthropic", "chat", _is_anthropic, MESSAGES.content),
        ("nova", "chat", _is_nova, CONTENT),
        ("modelId", "chat", None, CHAT.content),
    )
)

SAGEMAKER = tuple(
    Endpoint(
        f"/endpoints/{{EndpointName}}/{tail}",
        operation,
        {**REQUEST, "request_model": ("model", "EndpointName")},
        RESPONSE,
        fold=fold_payload,
        constants={"provider": "aws.sagemaker"},
        when=when,
    )
    for tail in ("invocations", "invocations-response-stream")
    for operation, when in (
        ("chat", lambda body: "messages" in body),
        ("text_completion", lambda body: "prompt" in body or ("inputs" in body and "parameters" in body)),
        (f"POST /endpoints/{{id}}/{tail}", None),
    )
)
