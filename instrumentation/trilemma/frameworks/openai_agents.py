"""Wrap the OpenAI Agents SDK's tracing: its agents and tools become spans; its model calls are OpenAI's SDK's."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from trilemma import guard
from trilemma.engine import Engine
from trilemma.frameworks.spans import (
    Container,
    Opening,
    agent,
    open_container,
    tool,
    workflow,
    write_arguments,
    write_result,
)
from trilemma.patching import Patches

__all__ = ["patch"]


def patch(module: ModuleType, engine: Engine, patches: Patches) -> None:
    """Listen where the SDK tells its processors, whichever the app has set."""
    listener = _Listener(engine)
    processor = module.SynchronousMultiTracingProcessor
    patches.wrap(processor, "on_trace_start", partial(_before, listener.start_trace))
    patches.wrap(processor, "on_span_start", partial(_before, listener.start_span))
    patches.wrap(processor, "on_span_end", partial(_before, listener.end))
    patches.wrap(processor, "on_trace_end", partial(_before, listener.end))


def _before(listen: Callable[[Any], None], original: Callable[..., Any]) -> Callable[..., Any]:
    def tell(self: Any, item: Any) -> Any:
        listen(item)
        return original(self, item)

    return tell


class _Listener:
    """Open and end a span with each of the SDK's that is an agent, a tool, or the whole run."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[str, Container] = {}

    @guard.guarded
    def start_trace(self, trace: Any) -> None:
        """Start the span of a run, which may hand over from agent to agent."""
        self._start(trace.trace_id, workflow(trace.name, getattr(trace, "group_id", None)))

    @guard.guarded
    def start_span(self, span: Any) -> None:
        """Start the span of an agent or tool; it is the current one until its end, in the same task."""
        data = span.span_data
        if data.type == "agent":
            self._start(span.span_id, agent(data.name))
        elif data.type == "function":
            self._start(span.span_id, tool(self._engine, data.name))

    @guard.guarded
    def end(self, item: Any) -> None:
        """End what was started."""
        data = getattr(item, "span_data", None)
        container = self._open.pop(item.trace_id if data is None else item.span_id, None)
        if container is None:
            return
        if data is not None and data.type == "function":
            write_arguments(self._engine, container, data.input)
            write_result(self._engine, container, data.output)
        if data is not None and item.error:
            # The SDK tells what failed, and names the exception only where content may be told.
            container.fail("tool_error" if data.type == "function" else "agent_error")
        container.leave()
        container.end()

    def _start(self, key: str, opening: Opening) -> None:
        container = self._open[key] = open_container(lambda: opening)
        container.enter()
