"""Hold what the frameworks' spans are made of: any kind of function wrapped, our own bugs kept away from the call."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context, trace
from trilemma import guard
from trilemma.frameworks.spans import Opening, agent, open_container, wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.instrumentation.frameworks.conftest import Traced


def current() -> str:
    """Return the name of the current span."""
    return getattr(trace.get_current_span(), "name", "")


def plain(_: str) -> list[str]:
    """Say under which span it runs."""
    return [current()]


async def coroutine(_: str) -> list[str]:
    """Do so async."""
    await asyncio.sleep(0)
    return [current()]


def generator(_: str) -> Iterator[str]:
    """Do so twice."""
    yield current()
    yield current()


async def async_generator(_: str) -> AsyncIterator[str]:
    """Do so twice, async."""
    yield current()
    await asyncio.sleep(0)
    yield current()


KINDS = (plain, coroutine, generator, async_generator)


async def run(function: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Call a function of any kind; return what it said, and under which span the caller was meanwhile."""
    result = function("helper")
    if hasattr(result, "__aiter__"):
        pairs = [(name, current()) async for name in result]
    elif inspect.iscoroutine(result):
        pairs = [(name, current()) for name in await result]
    else:
        pairs = [(name, current()) for name in result]
    return [name for name, _ in pairs], [outside for _, outside in pairs]


@pytest.mark.parametrize("function", KINDS, ids=lambda kind: kind.__name__)
async def test_every_kind(traced: Traced, function: Callable[..., Any]) -> None:
    """Inside the function its span is the current one, outside and between its steps the caller's is."""
    names, outside = await run(wrapped(function, agent))
    assert set(names) == {"invoke_agent helper"}
    assert set(outside) == {""}
    assert traced.tree() == ["invoke_agent helper"]


@pytest.mark.parametrize("function", KINDS, ids=lambda kind: kind.__name__)
async def test_own_bug(traced: Traced, function: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours costs the span and a line in the log; the call goes on."""

    def describe(_: str) -> Opening:
        raise ValueError("ours")

    guard.raise_errors(False)
    with caplog.at_level(logging.ERROR, "trilemma"):
        names, _ = await run(wrapped(function, describe))
    assert set(names) == {""}
    assert not traced.spans()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("function", KINDS, ids=lambda kind: kind.__name__)
async def test_suppressed(traced: Traced, function: Callable[..., Any]) -> None:
    """Where instrumentation is switched off, there is no span."""
    token = context.attach(context.set_value("suppress_instrumentation", True))
    await run(wrapped(function, agent))
    context.detach(token)
    assert not traced.spans()


async def test_failures(traced: Traced) -> None:
    """An exception is a failure of its name; one by which a framework pauses a run is none."""

    class GraphBubbleUp(Exception):  # noqa: N818  # LangGraph's name
        """Stand for LangGraph's."""

    for error in (ValueError("secret"), GraphBubbleUp(), asyncio.CancelledError()):
        with pytest.raises(type(error)), open_container(agent, "helper"):
            raise error
    assert traced.tree() == [
        "invoke_agent helper !ValueError",
        "invoke_agent helper",
        "invoke_agent helper !CancelledError",
    ]
    assert not any("secret" in str((span.attributes, span.status.description)) for span in traced.spans())


def test_closed_elsewhere(traced: Traced, caplog: pytest.LogCaptureFixture) -> None:
    """A generator that is closed from another context ends its span without complaint."""
    steps = wrapped(generator, agent)("helper")
    next(steps)
    asyncio.run(_close(steps))
    assert traced.tree() == ["invoke_agent helper"]
    assert not caplog.records


async def _close(steps: Any) -> None:
    steps.close()
