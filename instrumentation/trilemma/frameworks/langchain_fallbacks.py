"""Record what LangChain's `with_fallbacks` decides: which of its runnables answered, and how the others failed."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from trilemma import guard
from trilemma.engine import Engine
from trilemma.frameworks.fallbacks import Chain, open_chain
from trilemma.patching import Patches

__all__ = ["patch_fallbacks"]


def patch_fallbacks(module: ModuleType, _: Engine, patches: Patches) -> None:
    """Wrap how a chain is run on one input; `batch`, which hands all inputs to each option, keeps to its calls."""
    for name in ("invoke", "ainvoke", "stream", "astream"):
        patches.wrap(module.RunnableWithFallbacks, name, _run_observed)


def _run_observed(original: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original(_observe(self, *args, **kwargs) or self, *args, **kwargs)

    async def run_async(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await original(_observe(self, *args, **kwargs) or self, *args, **kwargs)

    return run_async if inspect.iscoroutinefunction(original) else run


@guard.guarded
def _observe(runnable: Any, /, _: Any = None, config: Any = None, **__: Any) -> Any:
    """Return a copy of the runnable for one run, whose options tell when they are tried."""
    if not runnable.fallbacks:
        return None
    options = [runnable.runnable, *runnable.fallbacks]
    name = (config or {}).get("run_name") or runnable.get_name()
    names = list(map(_name_option, options))
    chain = open_chain(name, names, "langchain")
    if chain is None:
        return None
    handled = [runnable.exceptions_to_handle] * len(runnable.fallbacks) + [()]
    first, *others = map(_Option, [chain] * len(options), options, names, handled)
    return runnable.model_copy(update={"runnable": first, "fallbacks": others})


def _name_option(runnable: Any) -> str:
    """Return the name that the app gave it, or that of the model in it."""
    config: Any = getattr(runnable, "config", None) or {}
    name = getattr(runnable, "name", None) or config.get("run_name")
    if isinstance(name, str):
        return name
    for step in getattr(runnable, "steps", None) or [runnable]:
        inner = step
        while (bound := getattr(inner, "bound", None)) is not None:
            inner = bound
        describe: Any = getattr(inner, "_get_ls_params", dict)
        model = describe().get("ls_model_name")
        if isinstance(model, str):
            return model
    return str(runnable.get_name())


class _Option:
    """Be one option of a chain: the runnable, in an attempt while it is asked."""

    __slots__ = ("_chain", "_handled", "_name", "runnable")

    def __init__(self, chain: Chain, runnable: Any, name: str, handled: tuple[type[BaseException], ...]) -> None:
        self._chain = chain
        self._name = name
        self._handled = handled
        self.runnable = runnable

    def __getattr__(self, name: str) -> Any:
        return getattr(self.runnable, name)

    def attempt(self) -> Any:
        return self._chain.attempt(self._name, self._handled)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        with self.attempt():
            return self.runnable.invoke(*args, **kwargs)

    async def ainvoke(self, *args: Any, **kwargs: Any) -> Any:
        with self.attempt():
            return await self.runnable.ainvoke(*args, **kwargs)

    def stream(self, *args: Any, **kwargs: Any) -> Any:
        return _FirstChunk(self, args, kwargs)

    def astream(self, *args: Any, **kwargs: Any) -> Any:
        return _FirstChunkAsync(self, args, kwargs)


class _FirstChunk:
    """Stream from an option: up to the first chunk it may fail and the next be tried, the rest is its own stream."""

    __slots__ = ("_args", "_kwargs", "_option", "_stream")

    def __init__(self, option: _Option, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._option = option
        self._args = args
        self._kwargs = kwargs
        self._stream: Any = None

    def __iter__(self) -> Any:
        return self if self._stream is None else iter(self._stream)

    def __next__(self) -> Any:
        if self._stream is not None:
            return next(self._stream)
        with self._option.attempt():
            self._stream = self._option.runnable.stream(*self._args, **self._kwargs)
            return next(self._stream)


class _FirstChunkAsync(_FirstChunk):
    """The same for an async stream."""

    __slots__ = ()

    def __aiter__(self) -> Any:
        return self if self._stream is None else aiter(self._stream)

    async def __anext__(self) -> Any:
        if self._stream is not None:
            return await anext(self._stream)
        with self._option.attempt():
            self._stream = self._option.runnable.astream(*self._args, **self._kwargs)
            return await anext(self._stream)
