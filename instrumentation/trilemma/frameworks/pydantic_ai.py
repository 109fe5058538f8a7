"""Wrap Pydantic AI's agents and tools; its model calls are those of the providers' SDKs."""

from collections.abc import Callable, Iterable
from functools import partial
from types import ModuleType, TracebackType
from typing import Any

from trilemma.engine import Engine
from trilemma.frameworks.spans import (
    Container,
    Opening,
    agent,
    open_container,
    tool,
    wrapped,
    write_result,
)
from trilemma.patching import Patches

__all__ = ["patch"]


def patch(module: ModuleType, engine: Engine, patches: Patches) -> None:
    """Wrap what `module` holds: every way of running an agent goes through its `iter`."""
    if module.__name__ == "pydantic_ai.agent":
        patches.wrap(module.Agent, "iter", _iter)
    else:
        describe, finish = partial(_describe_tool, engine), partial(write_result, engine)
        patches.wrap(module.ToolManager, "_run_execute_hooks", lambda original: wrapped(original, describe, finish))


def _iter(original: Callable[..., Any]) -> Callable[..., Any]:
    def iter(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A001  # the framework's name
        return _Run(original(self, *args, **kwargs), partial(open_container, _describe_agent, self, *args, **kwargs))

    return iter


class _Run:
    """Be the context manager of an agent's run, with its span around."""

    def __init__(self, inner: Any, open_span: Callable[[], Container]) -> None:
        self._inner = inner
        self._open_span = open_span

    async def __aenter__(self) -> Any:
        self._container = self._open_span()
        self._container.enter()
        try:
            return await self._inner.__aenter__()
        except BaseException as error:
            self._end(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        try:
            swallowed = await self._inner.__aexit__(kind, error, traceback)
        except BaseException as raised:
            self._end(raised)
            raise
        self._end(None if swallowed else error)
        return swallowed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _end(self, error: BaseException | None) -> None:
        self._container.leave()
        self._container.end(error)


def _describe_agent(
    self: Any, *_: Any, conversation_id: Any = None, capabilities: Any = None, **__: Any
) -> Opening | None:
    return None if _traces_itself(self, capabilities or ()) else agent(self.name, conversation_id)


def _traces_itself(agent_: Any, capabilities: Iterable[Any]) -> bool:
    """Tell whether Pydantic AI's own instrumentation is on for this run: its spans are there then."""
    settings = getattr(agent_, "_resolve_instrumentation_settings", None)
    if settings is not None and settings() is not None:
        return True
    root = getattr(agent_, "_root_capability", None)
    kinds = {type(each).__name__ for each in (agent_.model, *getattr(root, "capabilities", ()), *capabilities)}
    return not kinds.isdisjoint({"Instrumentation", "InstrumentedModel"})


def _describe_tool(engine: Engine, manager: Any, validated: Any, *_: Any, **__: Any) -> Opening | None:
    if type(getattr(manager.ctx, "tracer", None)).__name__ not in {"NoneType", "NoOpTracer"}:
        return None  # its own instrumentation is on
    call, description = validated.call, validated.tool.tool_def.description
    return tool(engine, call.tool_name, call.args, description=description, call_id=call.tool_call_id)
