"""Wrap MCP: a span for each tool call of a client, and the SDK's own spans, named and kept by the conventions."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import ModuleType
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind

from trilemma.engine import Engine
from trilemma.frameworks.spans import OPERATION, Container, Opening, is_tool_span, tool, wrapped, write_result
from trilemma.patching import Patches
from trilemma.task import task_attributes
from trilemma.telemetry import get_tracer

__all__ = ["patch"]

METHOD = "mcp.method.name"


def patch(module: ModuleType, engine: Engine, patches: Patches) -> None:
    """Wrap what `module` holds."""
    if module.__name__ == "mcp.client.session":
        describe, finish = partial(_describe_tool, engine), partial(_finish_tool, engine)
        takes_meta = "meta" in inspect.signature(module.ClientSession.call_tool).parameters

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            return wrapped(_carry_context(original) if takes_meta else original, describe, finish)

        patches.wrap(module.ClientSession, "call_tool", wrap)
    elif hasattr(module, "_tracer"):  # mcp 2
        patches.wrap(module, "_tracer", partial(_Tracer, engine))


def _describe_tool(engine: Engine, _: Any, name: str, arguments: Any = None, *__: Any, **___: Any) -> Opening:
    attributes = {**tool(engine, name, arguments).attributes, METHOD: "tools/call"}
    if is_tool_span(name):  # by the agent that runs this tool: it is one execution, counted there
        del attributes[OPERATION]
    return Opening(f"tools/call {name}", attributes, SpanKind.CLIENT)


def _finish_tool(engine: Engine, container: Container, result: Any) -> None:
    if getattr(result, "is_error", False) or getattr(result, "isError", False):
        container.fail("tool_error")
    write_result(engine, container, [getattr(part, "text", str(part)) for part in getattr(result, "content", ())])


def _carry_context(original: Callable[..., Any]) -> Callable[..., Any]:
    """Give the server the trace and the task, by the request's ``_meta``."""

    async def call_tool(*args: Any, **kwargs: Any) -> Any:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return await original(*args, **{**kwargs, "meta": {**carrier, **(kwargs.get("meta") or {})}})

    return call_tool


class _Tracer:
    """Stand for the SDK's tracer: its spans become ours, and stay its own too where the app exports those elsewhere."""

    def __init__(self, engine: Engine, native: trace.Tracer) -> None:
        self._engine = engine
        self._native = native

    @contextmanager
    def start_as_current_span(self, name: str, **options: Any) -> Iterator[Any]:
        attributes = dict(options.pop("attributes", None) or {})
        current = trace.get_current_span()
        is_call = attributes.get(METHOD) == "tools/call" and options.get("kind") is SpanKind.CLIENT
        with ExitStack() as stack:
            spans = []
            if self._engine.tracer_provider not in {None, trace.get_tracer_provider()}:
                spans.append(
                    stack.enter_context(self._native.start_as_current_span(name, attributes=attributes, **options))
                )
            if is_call and _is_ours(current):
                current.set_attributes(attributes)
                stack.enter_context(trace.use_span(current, record_exception=False, set_status_on_exception=False))
                spans.append(current)
            else:
                attributes = {**task_attributes(options.get("context")), **attributes}
                ours = get_tracer().start_as_current_span(
                    name.removeprefix("MCP send "), attributes=attributes, **{**options, "record_exception": False}
                )
                spans.append(stack.enter_context(ours))
            yield spans[0] if len(spans) == 1 else _Spans(spans)


class _Spans:
    """Be several spans at once."""

    def __init__(self, spans: list[trace.Span]) -> None:
        self._spans = spans

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> None:
            for span in self._spans:
                getattr(span, name)(*args, **kwargs)

        return call


def _is_ours(span: trace.Span) -> bool:
    attributes = getattr(span, "attributes", None) or {}
    return attributes.get(METHOD) == "tools/call" and "jsonrpc.request.id" not in attributes
