"""Describe Hugging Face's inference: chat completions of many servers behind one router, and its own tasks."""

from dataclasses import replace
from typing import Any

from trilemma.folding import add_text
from trilemma.providers.chat_completions import CHAT, COMPLETIONS, fold_chat, fold_completion
from trilemma.providers.embeddings import EMBEDDINGS
from trilemma.providers.media import IMAGES, SPEECH, TRANSCRIPTIONS
from trilemma.providers.spec import Content, Endpoint, Hook, Provider, Table


def _keep_error(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Keep the error that a stream ends in; tell whether there is one."""
    if (error := chunk.get("error")) is not None:
        kind = chunk.get("error_type") or (error.get("type") if isinstance(error, dict) else None)
        body["error"] = {"type": kind or "error"}
    return error is not None


def fold_chunk(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a chat completion chunk, or the error in its place."""
    return not _keep_error(body, chunk) and fold_chat(body, chunk)


def fold_text(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a token of text-generation-inference, or a completion chunk of a server that has OpenAI's format."""
    if _keep_error(body, chunk):
        return False
    if "token" not in chunk:
        return fold_completion(body, chunk)
    token = chunk["token"]
    if details := chunk.get("details"):
        body["details"] = details
    return token.get("special") is not True and add_text(body, "generated_text", token.get("text"))


def _asks_text(body: dict[str, Any]) -> bool:
    """Tell text generation by what only it takes from the other tasks, which a model has at the same path."""
    return "inputs" in body and ("stream" in body or bool(_GENERATION.intersection(body.get("parameters") or ())))


_GENERATION = {"max_new_tokens", "temperature", "top_p", "stop", "details", "return_full_text", "do_sample", "seed"}
_TASK: Table = {"request_model": "{model}"}
_GENERATED: Table = {
    **COMPLETIONS.response,
    "input_tokens": ("details.input_length", "usage.prompt_tokens"),
    "finish_reasons": ("details.finish_reason", "choices[].finish_reason"),
    "output_tokens": ("details.generated_tokens", "usage.completion_tokens"),
}
_GENERATE = Endpoint(
    "/models/{model*}",
    "text_completion",
    request={
        **_TASK,
        "max_tokens": "parameters.max_new_tokens",
        "temperature": "parameters.temperature",
        "top_p": "parameters.top_p",
        "top_k": "parameters.top_k",
        "seed": "parameters.seed",
        "stop_sequences": "parameters.stop",
    },
    response=_GENERATED,
    fold=fold_text,
    content=Content(input="inputs", output="generated_text", finish="details.finish_reason", parts={}),
    when=_asks_text,
)

PROVIDER = Provider(
    name="huggingface",
    module="huggingface_hub",
    transport="httpx_client",
    headers={"x-request-id": ("request_id", 0), "x-compute-time": ("processing_s", 1)},
    error_types=("error_type", "error.type", "error.code", "type"),
    hooks=(
        Hook("client", "huggingface_hub.inference._client", "get_session"),
        Hook("client", "huggingface_hub.inference._generated._async_client", "AsyncInferenceClient._get_async_client"),
    ),
    endpoints=(
        replace(CHAT, constants={}, fold=fold_chunk),
        replace(COMPLETIONS, fold=fold_text),
        EMBEDDINGS,
        Endpoint("/models/{model*}/pipeline/feature-extraction", "embeddings", request=_TASK),
        IMAGES,
        SPEECH,
        TRANSCRIPTIONS,
        _GENERATE,
        replace(_GENERATE, path="/"),
    ),
)
