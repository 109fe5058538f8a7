"""Wrap LlamaIndex: agents and workflows where they run, tools, retrievers and query engines by its instrumentation."""

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
    retrieval,
    tool,
    workflow,
    write_result,
)
from trilemma.patching import Patches

__all__ = ["patch"]


def patch(module: ModuleType, engine: Engine, patches: Patches) -> None:
    """Wrap what `module` holds."""
    if module.__name__ == "workflows.workflow":
        patches.wrap(module.Workflow, "run", _run)
        return
    listener = _Listener(engine)
    patches.wrap(module.Dispatcher, "span_enter", partial(_before, listener.enter))
    patches.wrap(module.Dispatcher, "span_exit", partial(_before, listener.exit))
    patches.wrap(module.Dispatcher, "span_drop", partial(_before, listener.exit))


def _before(listen: Callable[..., None], original: Callable[..., Any]) -> Callable[..., Any]:
    def tell(self: Any, *args: Any, **kwargs: Any) -> Any:
        listen(*args, **kwargs)
        return original(self, *args, **kwargs)

    return tell


class _Listener:
    """Open and end a span with each of LlamaIndex's that is a tool, a retriever or a query engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[str, Container] = {}

    @guard.guarded
    def enter(self, id_: str, bound_args: Any, instance: Any = None, **_: Any) -> None:
        """Start a span; it is the current one until its end, in the same task."""
        describe = _DESCRIBED.get(id_.partition("-")[0].rpartition(".")[2])
        opening = describe(self._engine, instance, bound_args) if describe and instance is not None else None
        if opening is not None:
            container = self._open[id_] = open_container(lambda: opening)
            container.enter()

    @guard.guarded
    def exit(self, id_: str, result: Any = None, err: BaseException | None = None, **_: Any) -> None:
        """End it, with the error that LlamaIndex tells."""
        container = self._open.pop(id_, None)
        if container is None:
            return
        if hasattr(result, "raw_output"):
            if getattr(result, "is_error", False):
                container.fail(type(getattr(result, "exception", None) or result).__name__)
            write_result(self._engine, container, result.content)
        container.leave()
        container.end(err)


def _describe_tool(engine: Engine, instance: Any, bound: Any) -> Opening | None:
    metadata = getattr(instance, "metadata", None)
    if metadata is None or not hasattr(metadata, "get_name"):
        return None
    given = bound.arguments.get("kwargs") or bound.arguments.get("args") or bound.arguments.get("input")
    return tool(engine, metadata.get_name(), given, description=metadata.description)


def _describe_retriever(_: Engine, instance: Any, __: Any) -> Opening | None:
    return retrieval(type(instance).__name__, getattr(instance, "similarity_top_k", None))


def _describe_engine(_: Engine, instance: Any, __: Any) -> Opening | None:
    return workflow(type(instance).__name__)


_DESCRIBED: dict[str, Callable[[Engine, Any, Any], Opening | None]] = {
    "call": _describe_tool,
    "acall": _describe_tool,
    "retrieve": _describe_retriever,
    "aretrieve": _describe_retriever,
    "query": _describe_engine,
    "aquery": _describe_engine,
}


def _run(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        container = open_container(_describe_workflow, self)
        container.enter()  # its steps are tasks that are made now, and keep this context
        try:
            handler = original(self, *args, **kwargs)
        except BaseException as error:
            container.leave()
            container.end(error)
            raise
        container.leave()
        _end_with(handler, container)
        return handler

    return run


def _describe_workflow(self: Any) -> Opening:
    if any(kind.__name__ == "BaseWorkflowAgent" for kind in type(self).__mro__):
        return agent(self.name)
    return workflow(type(self).__name__)


@guard.guarded
def _end_with(handler: Any, container: Container) -> None:
    future = getattr(handler, "_result_task", handler)
    future.add_done_callback(partial(_end, container))


@guard.guarded
def _end(container: Container, future: Any) -> None:
    if future.cancelled():
        container.fail("CancelledError")
    container.end(None if future.cancelled() else future.exception())
