"""Own the spans around model calls that are agents, tools, workflows and retrievals: opened, current, ended.

They carry no tokens and no cost: those are on the calls beneath, and would count twice.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, SpanKind, Status, StatusCode

from trilemma import guard
from trilemma.content import write_json
from trilemma.engine import Engine, is_suppressed
from trilemma.task import leave, task_attributes
from trilemma.task_function import wrap_async_generator, wrap_generator
from trilemma.telemetry import get_tracer

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

__all__ = [
    "AGENT_KEY",
    "OPERATION",
    "Container",
    "Describe",
    "Finish",
    "Opening",
    "agent",
    "is_tool_span",
    "open_container",
    "retrieval",
    "tool",
    "workflow",
    "wrapped",
    "write_arguments",
    "write_result",
]

OPERATION = "gen_ai.operation.name"
ARGUMENTS, RESULT = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"

AGENT_KEY = otel_context.create_key("trilemma-agent")
"""Where a context holds the name of the agent that runs in it."""

# Exceptions by which frameworks pause or redirect a run: no failures.
_CONTROL_FLOW = frozenset({"ApprovalRequired", "CallDeferred", "GraphBubbleUp", "SkipToolExecution", "WaitingForEvent"})


class Opening(NamedTuple):
    """Say what a span begins with."""

    name: str
    attributes: Mapping[str, Any]
    kind: SpanKind = SpanKind.INTERNAL


Describe: TypeAlias = Callable[..., Opening | None]
"""From a call's arguments to its span; None where it is to have none."""

Finish: TypeAlias = Callable[["Container", Any], None]
"""From the span and what the function returned to more of the span's attributes."""


def agent(name: str | None, conversation_id: Any = None) -> Opening:
    """Describe one run of an agent in this process."""
    return _describe("invoke_agent", name, {"gen_ai.agent.name": name, **_conversation(conversation_id)})


def workflow(name: str | None, conversation_id: Any = None) -> Opening:
    """Describe one run of a chain, graph or workflow, which may hold agents."""
    return _describe("invoke_workflow", name, {"gen_ai.workflow.name": name, **_conversation(conversation_id)})


def tool(
    engine: Engine, name: str | None, arguments: Any = None, *, description: Any = None, call_id: Any = None
) -> Opening:
    """Describe one run of a tool; its arguments are written where content is captured on spans."""
    attributes = {
        "gen_ai.tool.name": name,
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": description,
        "gen_ai.tool.call.id": call_id,
    }
    return _describe("execute_tool", name, {**attributes, **_write(engine, ARGUMENTS, arguments)})


def retrieval(name: str | None, top_k: Any = None) -> Opening:
    """Describe one search of a retriever."""
    attributes = {"gen_ai.retrieval.top_k": top_k if type(top_k) is int else None}
    return _describe("retrieval", name, attributes)._replace(kind=SpanKind.CLIENT)


def _describe(operation: str, name: str | None, attributes: Mapping[str, Any]) -> Opening:
    known = {key: value for key, value in attributes.items() if type(value) is int or (type(value) is str and value)}
    return Opening(f"{operation} {name}" if name else operation, {OPERATION: operation, **known})


def _conversation(conversation_id: Any) -> dict[str, str]:
    return {} if conversation_id is None else {"gen_ai.conversation.id": str(conversation_id)}


class Container:
    """Be one such span. Without an opening it is none: everything may be asked of it and nothing happens."""

    __slots__ = ("_context", "_ended", "_token", "span")

    def __init__(self, opening: Opening | None = None, parent: otel_context.Context | None = None) -> None:
        self._context = otel_context.get_current() if parent is None else parent
        self._token: Token[otel_context.Context] | None = None
        self._ended = opening is None
        self.span: trace.Span = INVALID_SPAN
        if opening is not None:
            attributes = {**task_attributes(self._context), **opening.attributes}
            self.span = get_tracer().start_span(opening.name, self._context, opening.kind, attributes)
            self._context = trace.set_span_in_context(self.span, self._context)
            if opening.attributes.get(OPERATION) == "invoke_agent":
                name = opening.attributes.get("gen_ai.agent.name")
                self._context = otel_context.set_value(AGENT_KEY, name, self._context)

    def begin(self) -> otel_context.Context:
        """Return the context in which the span is the current one."""
        return self._context

    def enter(self) -> None:
        """Make the span the current one."""
        if not self._ended:
            self._token = otel_context.attach(self._context)

    def leave(self) -> None:
        """Undo `enter`; from another context there is nothing to undo."""
        if self._token is not None:
            token, self._token = self._token, None
            leave(token)

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: "TracebackType | None"
    ) -> None:
        self.leave()
        self.end(error)

    @guard.guarded
    def end(self, error: BaseException | None = None) -> None:
        """End the span; a second end does nothing."""
        if self._ended:
            return
        self._ended = True
        if error is not None and not _is_control_flow(error):
            self.fail(type(error).__name__)
        self.span.end()

    def fail(self, error_type: str) -> None:
        """Mark the span as failed. An error's message is left out: it may quote what a user wrote."""
        self.span.set_attribute("error.type", error_type)
        self.span.set_status(Status(StatusCode.ERROR, error_type))


def open_container(describe: Describe, *args: Any, **kwargs: Any) -> Container:
    """Start the span that `describe` makes of the arguments; one that is none where that fails or is not wanted."""
    try:
        if not is_suppressed(otel_context.get_current()):
            return Container(describe(*args, **kwargs))
    except Exception:  # noqa: BLE001  # the guard
        guard.caught(getattr(describe, "__name__", "describe"))
    return Container()


def wrapped(original: Callable[..., Any], describe: Describe, finish: Finish | None = None) -> Callable[..., Any]:
    """Return `original`, plain, async or a generator, with a span around each call that `describe` describes."""
    if inspect.isasyncgenfunction(original) or inspect.isgeneratorfunction(original):
        follow = wrap_async_generator if inspect.isasyncgenfunction(original) else wrap_generator

        def run_generator(*args: Any, **kwargs: Any) -> Any:
            return follow(original, functools.partial(open_container, describe, *args, **kwargs))(*args, **kwargs)

        return run_generator
    if inspect.iscoroutinefunction(original):

        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with open_container(describe, *args, **kwargs) as container:
                return _finish(finish, container, await original(*args, **kwargs))

        return run_async

    def run(*args: Any, **kwargs: Any) -> Any:
        with open_container(describe, *args, **kwargs) as container:
            return _finish(finish, container, original(*args, **kwargs))

    return run


@guard.guarded
def write_arguments(engine: Engine, container: Container, arguments: Any) -> None:
    """Set the attribute of a tool's arguments that were not known at its start."""
    container.span.set_attributes(_write(engine, ARGUMENTS, arguments))


@guard.guarded
def write_result(engine: Engine, container: Container, result: Any) -> None:
    """Set the attribute of a tool's result, where content is captured on spans."""
    container.span.set_attributes(_write(engine, RESULT, result))


def _write(engine: Engine, name: str, value: Any) -> dict[str, str]:
    if engine.capture is None or not engine.capture.on_span or value is None:
        return {}
    return write_json({name: _to_plain(value)})


def _to_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _finish(finish: Finish | None, container: Container, result: Any) -> Any:
    if finish is not None:
        try:
            finish(container, result)
        except Exception:  # noqa: BLE001  # the guard
            guard.caught(getattr(finish, "__name__", "finish"))
    return result


def _is_control_flow(error: BaseException) -> bool:
    if isinstance(error, GeneratorExit) or (isinstance(error, SystemExit) and error.code in {None, 0}):
        return True
    return any(kind.__name__ in _CONTROL_FLOW for kind in type(error).__mro__)


def is_tool_span(name: str) -> bool:
    """Tell whether the current span is the one of a tool of that name."""
    attributes = getattr(trace.get_current_span(), "attributes", None) or {}
    return attributes.get(OPERATION) == "execute_tool" and attributes.get("gen_ai.tool.name") == name
