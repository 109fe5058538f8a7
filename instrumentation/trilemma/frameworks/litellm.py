"""Wrap LiteLLM's calls, which go to many providers by HTTP clients of its own, and to some by their SDKs."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.context import attach, get_current

from trilemma import guard
from trilemma.engine import Engine, Target
from trilemma.frameworks.calls import CURRENT_MODEL_CALL, ModelCall, Targets
from trilemma.frameworks.litellm_router import patch_fallbacks
from trilemma.frameworks.running import Step, make_call
from trilemma.opening import find_port
from trilemma.patching import Patches
from trilemma.providers.openai import PROVIDER as OPENAI
from trilemma.providers.spec import Endpoint, Table
from trilemma.task import leave

__all__ = ["patch"]

# LiteLLM's names for providers to the semantic conventions', or to those of trilemma.providers where they have none.
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "ollama_chat": "ollama",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "watsonx_text": "ibm.watsonx.ai",
    "xai": "x_ai",
}

_OPENAI = {endpoint.path: replace(endpoint, constants={}) for endpoint in OPENAI.endpoints}
_MODEL = {"request_model": "model"}
_RERANK: Table = {"response_id": "id", "input_tokens": ("meta.tokens.input_tokens", "meta.billed_units.total_tokens")}
_IMAGES = {"input_tokens": "usage.input_tokens", "output_tokens": "usage.output_tokens"}
_AUDIO = {"input_tokens": "usage.input_tokens", "output_tokens": "usage.output_tokens"}

# The functions, each with its async twin: the endpoint, and what the first arguments are.
_FUNCTIONS: dict[str, tuple[Endpoint, tuple[str, ...]]] = {
    "completion": (_OPENAI["/chat/completions"], ("model", "messages")),
    "text_completion": (_OPENAI["/completions"], ("prompt", "model")),
    "responses": (_OPENAI["/responses"], ("input", "model")),
    "embedding": (_OPENAI["/embeddings"], ("model", "input")),
    "rerank": (Endpoint("/rerank", "rerank", request=_MODEL, response=_RERANK), ("model", "query", "documents")),
    "image_generation": (
        Endpoint("/images/generations", "image_generation", request=_MODEL, response=_IMAGES),
        ("prompt", "model"),
    ),
    "image_edit": (
        Endpoint("/images/edits", "image_generation", request=_MODEL, response=_IMAGES),
        ("image", "prompt"),
    ),
    "transcription": (
        Endpoint("/audio/transcriptions", "speech_to_text", request=_MODEL, response=_AUDIO),
        ("model", "file"),
    ),
    "speech": (Endpoint("/audio/speech", "text_to_speech", request=_MODEL), ("model", "input")),
    "moderation": (Endpoint("/moderations", "moderation", request=_MODEL), ("input", "model")),
}

# Of the arguments, those that say something about the request to the provider.
_WANTED = frozenset(
    {
        *("model", "messages", "input", "prompt", "query", "documents", "tools", "response_format", "instructions"),
        *("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "seed", "stop"),
        *("frequency_penalty", "presence_penalty", "reasoning_effort", "reasoning", "service_tier", "text"),
        *("dimensions", "encoding_format", "previous_response_id"),
    }
)

_STREAMS = (
    ("litellm.litellm_core_utils.streaming_handler", "CustomStreamWrapper"),
    ("litellm.utils", "TextCompletionStreamWrapper"),
    ("litellm.responses.streaming_iterator", "ResponsesAPIStreamingIterator"),
    ("litellm.responses.streaming_iterator", "SyncResponsesAPIStreamingIterator"),
)
_CALL = "_trilemma_call"
_HEADER_PREFIX = "llm_provider-"


def patch(module: ModuleType, engine: Engine, patches: Patches) -> None:
    """Wrap what the functions of `module` call; their caches, hooks and retries stay outside."""
    targets = Targets("litellm")
    for name, (endpoint, positions) in _FUNCTIONS.items():
        start = partial(_start, engine, targets, endpoint, positions)
        for function in (getattr(module, name, None), getattr(module, f"a{name}", None)):
            patches.wrap_inner(function, partial(make_call, start=start, note_result=_note_result))
    for stream in _find_streams():
        if hasattr(stream, "__next__"):
            patches.wrap(stream, "__next__", _next)
        if hasattr(stream, "__anext__"):
            patches.wrap(stream, "__anext__", _anext)
    for module_name in ("litellm.router", "litellm.litellm_core_utils.fallback_utils"):
        patches.wrap(import_module(module_name), "run_async_function", _carry_context)
    patch_fallbacks(patches)


def _find_streams() -> Iterator[type]:
    for module_name, class_name in _STREAMS:
        with suppress(ImportError, AttributeError):  # of an older LiteLLM, which has no such stream
            yield getattr(import_module(module_name), class_name)


def _start(
    engine: Engine, targets: Targets, endpoint: Endpoint, positions: tuple[str, ...], *args: Any, **kwargs: Any
) -> ModelCall | None:
    if kwargs.get("mock_response") is not None:
        return None
    given = {**dict(zip(positions, args, strict=False)), **kwargs}
    request = {key: value for key, value in given.items() if key in _WANTED and value is not None}
    details = getattr(kwargs.get("litellm_logging_obj"), "model_call_details", None) or {}
    find_target = partial(_find_target, targets, endpoint, details)
    return ModelCall(engine, find_target, request, endpoint.fold if given.get("stream") is True else None)


def _find_target(targets: Targets, endpoint: Endpoint, details: dict[str, Any], call: ModelCall) -> Target:
    """Return whom LiteLLM called, which it knows only after it has."""
    provider = details.get("custom_llm_provider") or "unknown"
    if model := details.get("model"):
        call.request["model"] = model.removeprefix(f"{provider}/")
    url = urlsplit(str(details.get("api_base") or (details.get("litellm_params") or {}).get("api_base") or ""))
    server = {"server_address": url.hostname, "server_port": find_port(url)} if url.hostname else {}
    return targets.make(endpoint, _PROVIDERS.get(provider, provider), server)


def _note_result(call: ModelCall, result: Any) -> None:
    kind = type(result)
    if call.chunks is not None and (hasattr(kind, "__next__") or hasattr(kind, "__anext__")):
        vars(result)[_CALL] = call
        call.leave_unread()
    else:
        call.body = _read(result)
        headers = (getattr(result, "_hidden_params", None) or {}).get("additional_headers") or {}
        call.headers = [
            (key.removeprefix(_HEADER_PREFIX).encode(), str(value).encode()) for key, value in headers.items()
        ]


def _read(result: Any) -> dict[str, Any]:
    if isinstance(result, dict):
        return result
    body: dict[str, Any] = result.model_dump(exclude_none=True, mode="json", warnings=False)
    return body


def _next(original: Callable[..., Any]) -> Callable[..., Any]:
    def __next__(self: Any) -> Any:  # noqa: N807  # the protocol's name
        call = vars(self).get(_CALL)
        if call is None:
            return original(self)
        with Step(call, partial(_add_usage, self, call)):
            chunk = original(self)
        call.note(chunk, _read)
        return chunk

    return __next__


def _anext(original: Callable[..., Any]) -> Callable[..., Any]:
    async def __anext__(self: Any) -> Any:  # noqa: N807  # the protocol's name
        call = vars(self).get(_CALL)
        if call is None:
            return await original(self)
        with Step(call, partial(_add_usage, self, call)):
            chunk = await original(self)
        call.note(chunk, _read)
        return chunk

    return __anext__


def _carry_context(original: Callable[..., Any]) -> Callable[..., Any]:
    """Take task, span and call of a sync function along into the thread where LiteLLM runs its async one."""

    def run_async_function(async_function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        context, call = get_current(), CURRENT_MODEL_CALL.get()

        async def carried(*args: Any, **kwargs: Any) -> Any:
            token = attach(context)
            CURRENT_MODEL_CALL.set(call)  # in the context of a task of its own
            try:
                return await async_function(*args, **kwargs)
            finally:
                leave(token)

        return original(carried, *args, **kwargs)

    return run_async_function


@guard.guarded
def _add_usage(stream: Any, call: ModelCall) -> None:
    """Add the usage of the provider's chunks: those given to the user lack it, or have an estimate of LiteLLM's."""
    chunks = getattr(getattr(stream, "completion_stream", None), "chunks", None) or getattr(stream, "chunks", None)
    if call.chunks is None or not isinstance(chunks, list):
        return
    usage: dict[str, Any] = {}
    for chunk in chunks:
        found = getattr(chunk, "usage", None)
        if found is not None:
            usage.update({key: value for key, value in _read(found).items() if value})
    call.chunks.body.pop("usage", None)
    if usage:
        call.chunks.body["usage"] = usage
