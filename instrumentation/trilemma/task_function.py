"""Own what a task does to functions: `@task(...)` makes each call a run, `carry` takes a task into another thread."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast

from opentelemetry.context import attach, get_current

from trilemma.task import leave

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from opentelemetry.context import Context

    from trilemma.task import Task

__all__ = ["Run", "carry", "wrap", "wrap_async_generator", "wrap_generator"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Run(Protocol):
    """Be what a generator can run in: a task, or the span of an agent."""

    def begin(self) -> Context:
        """Start, and return the context of the steps."""

    def end(self, error: BaseException | None = None) -> None:
        """End, with the error that ended the generator."""


def carry(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return `function` bound to the task and span it is carried from, to run in another thread.

    ``pool.submit(trilemma.carry(answer), question)``. New threads start without context; `contextvars.copy_context()`
    gives it to one of them at a time, this to any number. asyncio carries it by itself.
    """
    context = get_current()

    @functools.wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        token = attach(context)
        try:
            return function(*args, **kwargs)
        finally:
            leave(token)

    return run


def wrap(function: Callable[_P, _R], make_task: Callable[[], Task]) -> Callable[_P, _R]:
    """Return `function` with each call run in a task of its own."""
    if inspect.isasyncgenfunction(function):
        return cast("Callable[_P, _R]", wrap_async_generator(function, make_task))
    if inspect.isgeneratorfunction(function):
        return cast("Callable[_P, _R]", wrap_generator(function, make_task))
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with make_task():
                return await function(*args, **kwargs)

        return cast("Callable[_P, _R]", run_async)

    @functools.wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with make_task():
            return function(*args, **kwargs)

    return run


class _Steps:
    """Run the steps of a generator in its task, and what is between them, the consumer's code, outside of it."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = attach(self._context)

    def __exit__(self, *_: object) -> None:
        self._context = get_current()  # the generator may hold spans of its own open across a yield
        leave(self._token)


def wrap_generator(function: Callable[..., Any], make_task: Callable[[], Run]) -> Callable[..., Any]:
    """Return the generator function with each run's steps in what `make_task` makes, begun at the first step."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        task = make_task()
        steps = _Steps(task.begin())
        generator = function(*args, **kwargs)
        step: Callable[..., Any] = generator.__next__
        given: tuple[Any, ...] = ()
        try:
            while True:
                try:
                    with steps:
                        item = step(*given)
                except StopIteration as stop:
                    task.end()
                    return stop.value
                try:
                    given = ((yield item),)
                    step = generator.send
                except GeneratorExit:
                    with steps:
                        generator.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever the consumer throws in is the generator's
                    step, given = generator.throw, (error,)
        except BaseException as error:
            task.end(error)
            raise

    return run


def wrap_async_generator(function: Callable[..., Any], make_task: Callable[[], Run]) -> Callable[..., Any]:
    """Do the same for an async generator function."""

    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        task = make_task()
        steps = _Steps(task.begin())
        generator = function(*args, **kwargs)
        step: Callable[..., Any] = generator.__anext__
        given: tuple[Any, ...] = ()
        try:
            while True:
                try:
                    with steps:
                        item = await step(*given)
                except StopAsyncIteration:
                    task.end()
                    return
                try:
                    given = ((yield item),)
                    step = generator.asend
                except GeneratorExit:
                    with steps:
                        await generator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - whatever the consumer throws in is the generator's
                    step, given = generator.athrow, (error,)
        except BaseException as error:
            task.end(error)
            raise

    return run
