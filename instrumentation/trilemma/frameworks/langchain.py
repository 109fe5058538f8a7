"""Wrap LangChain and LangGraph: agents, graphs, chains, tools, retrievers, and models without an instrumented SDK."""

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from opentelemetry import trace

from trilemma.engine import Engine
from trilemma.frameworks.calls import CURRENT_MODEL_CALL, ModelCall, Targets
from trilemma.frameworks.langchain_fallbacks import patch_fallbacks
from trilemma.frameworks.running import follow, follow_async, make_call
from trilemma.frameworks.spans import (
    OPERATION,
    Container,
    Opening,
    agent,
    retrieval,
    tool,
    workflow,
    wrapped,
    write_result,
)
from trilemma.patching import Patches
from trilemma.providers.chat_completions import PARTS
from trilemma.providers.spec import Content, Endpoint, Table

__all__ = ["patch"]

# LangChain's names for providers to the semantic conventions'.
_PROVIDERS = {
    "amazon_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}

_REQUEST: Table = {
    "request_model": "ls_model_name",
    "temperature": "ls_temperature",
    "max_tokens": "ls_max_tokens",
    "stop_sequences": "ls_stop",
    "message_count": "messages[#]",
}
_RESPONSE: Table = {
    "response_id": "id",
    "response_model": ("response_metadata.model_name", "response_metadata.model"),
    "finish_reasons": ("response_metadata.finish_reason", "response_metadata.stop_reason"),
    "input_tokens": "usage_metadata.input_tokens",
    "output_tokens": "usage_metadata.output_tokens",
    "cache_read_tokens": "usage_metadata.input_token_details.cache_read",
    "cache_write_tokens": "usage_metadata.input_token_details.cache_creation",
    "audio_input_tokens": "usage_metadata.input_token_details.audio",
    "reasoning_tokens": "usage_metadata.output_token_details.reasoning",
    "audio_output_tokens": "usage_metadata.output_token_details.audio",
    "tool_call_names": "tool_calls[].name",
    "tool_call_ids": "tool_calls[].id",
}
_CONTENT = Content(input="messages", output="choices", choices=True, parts=PARTS)


def fold_message(body: dict[str, Any], chunk: dict[str, Any]) -> bool:
    """Merge a message chunk: LangChain adds the usage of chunks up."""
    _add_usage(body.setdefault("usage_metadata", {}), chunk.get("usage_metadata") or {})
    body.setdefault("response_metadata", {}).update(chunk.get("response_metadata") or {})
    body.setdefault("tool_calls", []).extend(call for call in chunk.get("tool_calls") or () if call.get("name"))
    body["id"] = body.get("id") or chunk.get("id")
    message = body.setdefault("choices", [{"message": {"content": ""}}])[0]["message"]
    if text := chunk.get("text"):
        message["content"] += text
    return bool(text or chunk.get("tool_call_chunks"))


CHAT = Endpoint("chat", "chat", request=_REQUEST, response=_RESPONSE, fold=fold_message, content=_CONTENT)
COMPLETION = Endpoint("completion", "text_completion", request=_REQUEST, response=_RESPONSE)


def patch(module: ModuleType, engine: Engine, patches: Patches) -> None:
    """Wrap what `module` holds."""
    _PATCHES[module.__name__](module, engine, patches)


def _patch_graphs(module: ModuleType, _: Engine, patches: Patches) -> None:
    for name in ("stream", "astream"):  # invoke and ainvoke go through them
        patches.wrap(module.Pregel, name, lambda original: wrapped(original, _describe_graph))


def _patch_chains(module: ModuleType, _: Engine, patches: Patches) -> None:
    for name in ("invoke", "ainvoke", "batch", "abatch", "stream", "astream"):
        patches.wrap(module.RunnableSequence, name, lambda original: wrapped(original, _describe_chain))


def _patch_tools(module: ModuleType, engine: Engine, patches: Patches) -> None:
    for name in ("run", "arun"):
        patches.wrap(
            module.BaseTool,
            name,
            lambda original: wrapped(original, partial(_describe_tool, engine), partial(_finish_tool, engine)),
        )


def _patch_retrievers(module: ModuleType, _: Engine, patches: Patches) -> None:
    for name in ("invoke", "ainvoke"):
        patches.wrap(module.BaseRetriever, name, lambda original: wrapped(original, _describe_retriever))


def _patch_chat_models(module: ModuleType, engine: Engine, patches: Patches) -> None:
    model, start = module.BaseChatModel, partial(_start, engine, Targets("langchain"), CHAT)
    patches.wrap(model, "_generate_with_cache", lambda original: make_call(original, start, _note_result))
    patches.wrap(model, "_agenerate_with_cache", lambda original: make_call(original, start, _note_result))
    patches.wrap(model, "_convert_cached_generations", _cover_by_cache)
    patches.wrap(model, "stream", lambda original: _stream(original, partial(start, streamed=True)))
    patches.wrap(model, "astream", lambda original: _astream(original, partial(start, streamed=True)))


def _patch_text_models(module: ModuleType, engine: Engine, patches: Patches) -> None:
    start = partial(_start, engine, Targets("langchain"), COMPLETION)
    for name in ("_generate_helper", "_agenerate_helper"):
        patches.wrap(module.BaseLLM, name, lambda original: make_call(original, start, _note_texts))


_PATCHES: dict[str, Callable[[ModuleType, Engine, Patches], None]] = {
    "langchain_core.language_models.chat_models": _patch_chat_models,
    "langchain_core.language_models.llms": _patch_text_models,
    "langchain_core.retrievers": _patch_retrievers,
    "langchain_core.runnables.base": _patch_chains,
    "langchain_core.runnables.fallbacks": patch_fallbacks,
    "langchain_core.tools.base": _patch_tools,
    "langgraph.pregel.main": _patch_graphs,
}


def _describe_graph(graph: Any, _: Any = None, config: Any = None, **__: Any) -> Opening:
    metadata = (getattr(graph, "config", None) or {}).get("metadata") or {}
    name = graph.get_name()
    conversation = ((config or {}).get("configurable") or {}).get("thread_id")
    if metadata.get("ls_integration") == "langchain_create_agent" or {"agent", "tools"} <= set(graph.nodes):
        return agent(metadata.get("lc_agent_name") or (None if name == "LangGraph" else name), conversation)
    return workflow(name, conversation)


def _describe_chain(chain: Any, *_: Any, **__: Any) -> Opening | None:
    """Describe a chain that the app runs; those that frameworks are made of would say nothing."""
    return workflow(chain.get_name()) if _is_outermost() else None


def _is_outermost() -> bool:
    attributes = getattr(trace.get_current_span(), "attributes", None) or {}
    return attributes.get(OPERATION) not in {"invoke_agent", "invoke_workflow", "execute_tool"}


def _describe_tool(engine: Engine, self: Any, tool_input: Any = None, *_: Any, **options: Any) -> Opening:
    return tool(engine, self.name, tool_input, description=self.description, call_id=options.get("tool_call_id"))


def _finish_tool(engine: Engine, container: Container, result: Any) -> None:
    if getattr(result, "status", None) == "error":  # a failure that the tool was told to give to the model
        container.fail("tool_error")
    write_result(engine, container, getattr(result, "content", result))


def _describe_retriever(retriever: Any, *_: Any, **__: Any) -> Opening:
    return retrieval(retriever.get_name(), (getattr(retriever, "search_kwargs", None) or {}).get("k"))


def _start(
    engine: Engine,
    targets: Targets,
    endpoint: Endpoint,
    model: Any,
    given: Any,
    *_: Any,
    streamed: bool = False,
    **options: Any,
) -> ModelCall:
    parameters = getattr(model, "_get_ls_params", dict)(stop=options.get("stop"))
    provider = parameters.get("ls_provider") or "unknown"
    target = targets.make(endpoint, _PROVIDERS.get(provider, provider))
    request = {
        **parameters,
        "messages": _to_messages(given) if engine.capture else given if isinstance(given, list) else [],
    }
    return ModelCall(engine, lambda _: target, request, endpoint.fold if streamed else None)


def _to_messages(given: Any) -> Any:
    messages = import_module("langchain_core.messages")
    if hasattr(given, "to_messages"):
        given = given.to_messages()
    given = messages.convert_to_messages([given] if isinstance(given, str) else given)
    return messages.convert_to_openai_messages(given)


def _note_result(call: ModelCall, result: Any) -> None:
    message = result.generations[0].message
    call.body = _read_message(message)
    call.body["choices"] = [{"message": {"content": message.text}}]


def _note_texts(call: ModelCall, result: Any) -> None:
    usage = (result.llm_output or {}).get("token_usage") or {}
    tokens = {"input_tokens": usage.get("prompt_tokens"), "output_tokens": usage.get("completion_tokens")}
    call.body = {"usage_metadata": tokens}


def _read_message(message: Any) -> dict[str, Any]:
    return {
        "id": (message.response_metadata or {}).get("id") or message.id,
        "usage_metadata": getattr(message, "usage_metadata", None),
        "response_metadata": message.response_metadata,
        "tool_calls": getattr(message, "tool_calls", None),
        "tool_call_chunks": getattr(message, "tool_call_chunks", None),
        "text": message.text,
    }


def _add_usage(total: dict[str, Any], usage: dict[str, Any]) -> None:
    for key, value in usage.items():
        if isinstance(value, dict):
            _add_usage(total.setdefault(key, {}), value)
        elif isinstance(value, int):
            total[key] = total.get(key, 0) + value


def _cover_by_cache(original: Callable[..., Any]) -> Callable[..., Any]:
    def _convert_cached_generations(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = CURRENT_MODEL_CALL.get()
        if call is not None:
            call.cover()
        return original(self, *args, **kwargs)

    return _convert_cached_generations


def _stream(original: Callable[..., Iterator[Any]], start: Callable[..., ModelCall]) -> Callable[..., Iterator[Any]]:
    def stream(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        return follow(original(self, *args, **kwargs), partial(start, self, *args, **kwargs), _read_message)

    return stream


def _astream(
    original: Callable[..., AsyncIterator[Any]], start: Callable[..., ModelCall]
) -> Callable[..., AsyncIterator[Any]]:
    def astream(self: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        return follow_async(original(self, *args, **kwargs), partial(start, self, *args, **kwargs), _read_message)

    return astream
