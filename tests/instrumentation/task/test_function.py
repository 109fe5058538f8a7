"""Own the proof of the decorator: each call of a function, a coroutine or a generator is a run of the task."""

from __future__ import annotations

import asyncio
import gc
import inspect
from typing import TYPE_CHECKING

import pytest
import trilemma
from opentelemetry.context import get_current

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from tests.instrumentation.task.conftest import Telemetry


def outcomes(telemetry: Telemetry, name: str) -> list[object]:
    """Return the failure mode or outcome of each run, in order of their ends."""
    spans = [span for span in telemetry.span_exporter.get_finished_spans() if span.name == name]
    found = [dict(span.attributes or {}) for span in spans]
    return [each.get("trilemma.task.failure_mode", each.get("trilemma.task.outcome")) for each in found]


def test_function(telemetry: Telemetry) -> None:
    """Each call is a run of its own, with the task at hand inside; result, name and signature are the function's."""

    @trilemma.task("double", variant="A")
    def double(number: int, *, times: int = 2) -> int:
        """Double it."""
        task = trilemma.current_task()
        assert task is not None
        task.succeed(value=number)
        return number * times

    assert [double(2), double(3, times=3)] == [4, 9]
    first, second = telemetry.span_exporter.get_finished_spans()
    assert first.attributes is not None
    assert second.attributes is not None
    assert first.attributes["trilemma.task.id"] != second.attributes["trilemma.task.id"]
    assert first.attributes["trilemma.variant"] == second.attributes["trilemma.variant"] == "A"
    assert (double.__name__, double.__doc__) == ("double", "Double it.")
    assert list(inspect.signature(double).parameters) == ["number", "times"]


def test_method_and_recursion(telemetry: Telemetry) -> None:
    """A method keeps its self, and a function that calls itself opens a task within the task."""

    class Counter:
        start = 3

        @trilemma.task("count")
        def count(self, left: int | None = None) -> int:
            left = self.start if left is None else left
            return 0 if left == 0 else 1 + self.count(left - 1)

    assert Counter().count() == 3
    assert len(telemetry.span_exporter.get_finished_spans()) == 4


def test_exception(telemetry: Telemetry) -> None:
    """An exception passes through and is the run's failure."""

    @trilemma.task("fails")
    def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        fails()
    assert outcomes(telemetry, "fails") == ["KeyError"]


def test_fixed_id_is_refused() -> None:
    """One id for every call would make all of them one run: that is a mistake."""
    with pytest.raises(trilemma.ArgumentError, match="every call is a run"):
        trilemma.task("t", id="always-me")(print)


async def test_coroutines_side_by_side(telemetry: Telemetry) -> None:
    """Coroutines that run interleaved each see their own task, and their spans carry it."""

    @trilemma.task("wait")
    async def wait(name: str) -> str | None:
        await asyncio.sleep(0.01)
        with telemetry.tracer.start_as_current_span(name):
            await asyncio.sleep(0.01)
        return trilemma.current_task_id()

    assert inspect.iscoroutinefunction(wait)
    names = [f"s{number}" for number in range(10)]
    ids = await asyncio.gather(*(wait(name) for name in names))
    assert len(set(ids)) == 10
    assert [telemetry.attributes(name)["trilemma.task.id"] for name in names] == list(ids)


async def test_cancelled_coroutine(telemetry: Telemetry) -> None:
    """A cancelled coroutine is a run that failed by cancellation."""

    @trilemma.task("endless")
    async def endless() -> None:
        await asyncio.sleep(3600)

    running = asyncio.create_task(endless())
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert outcomes(telemetry, "endless") == ["CancelledError"]


async def test_async_with(telemetry: Telemetry) -> None:
    """`async with` opens a task as `with` does."""
    async with trilemma.task("a") as task:
        await asyncio.sleep(0)
        assert trilemma.current_task() is task
    assert telemetry.attributes("a")["trilemma.task.id"] == task.id


def test_generator(telemetry: Telemetry) -> None:
    """A generator's steps run within its task, its consumer's code outside; send, throw and return work."""

    @trilemma.task("talk")
    def talk() -> Generator[str, str, str]:
        heard = []
        with telemetry.tracer.start_as_current_span("held open"):
            try:
                heard.append((yield str(trilemma.current_task_id())))
            except ValueError as error:
                heard.append(repr(error))
            with telemetry.tracer.start_as_current_span("within"):
                heard.append((yield "second"))
        return " ".join(heard)

    before = get_current()
    talking = talk()
    run_id = next(talking)
    assert trilemma.current_task() is None
    assert get_current() is before
    assert talking.throw(ValueError("no")) == "second"
    with pytest.raises(StopIteration) as stopped:
        talking.send("bye")
    assert stopped.value.value == "ValueError('no') bye"
    assert telemetry.attributes("talk")["trilemma.task.id"] == run_id
    assert telemetry.attributes("within")["trilemma.task.id"] == run_id
    parent = telemetry.span("within").parent
    assert parent is not None
    assert parent.span_id == telemetry.span("held open").context.span_id


@pytest.mark.parametrize("ending", ["exhausted", "closed", "abandoned", "failed", "never started"])
def test_generator_endings(telemetry: Telemetry, ending: str) -> None:
    """However a generator ends, its run is one span; only an exception of its own is a failure."""
    closed = []

    @trilemma.task("g")
    def numbers() -> Generator[int, None, None]:
        try:
            yield 1
            if ending == "failed":
                raise OSError("x")
            yield 2
        finally:
            closed.append(trilemma.current_task() is not None)

    running = numbers()
    if ending != "never started":
        next(running)
    if ending == "closed":
        running.close()
    elif ending == "exhausted":
        assert list(running) == [2]
    elif ending == "failed":
        with pytest.raises(OSError, match="x"):
            next(running)
    del running
    gc.collect()
    assert outcomes(telemetry, "g") == {"failed": ["OSError"], "never started": []}.get(ending, [None])
    assert closed == ([] if ending == "never started" else [True])


@pytest.mark.parametrize("ending", ["exhausted", "closed", "failed", "cancelled"])
async def test_async_generator(telemetry: Telemetry, ending: str) -> None:
    """An async generator's steps run within its task, its consumer's code outside, however it ends."""

    @trilemma.task("ag")
    async def tokens() -> AsyncGenerator[str | None, None]:
        yield trilemma.current_task_id()
        if ending == "failed":
            raise OSError("x")
        await asyncio.sleep(3600 if ending == "cancelled" else 0)
        with telemetry.tracer.start_as_current_span("within"):
            yield "second"

    running = tokens()
    run_id = await anext(running)
    assert trilemma.current_task() is None
    if ending == "exhausted":
        assert [each async for each in running] == ["second"]
        assert telemetry.attributes("within")["trilemma.task.id"] == run_id
    elif ending == "closed":
        await running.aclose()
    elif ending == "failed":
        with pytest.raises(OSError, match="x"):
            await anext(running)
    else:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(running), 0.01)
    expected = {"failed": "OSError", "cancelled": "CancelledError"}.get(ending)
    assert outcomes(telemetry, "ag") == [expected]
    assert trilemma.current_task() is None


async def test_async_generator_closed_elsewhere(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    """An async generator that another asyncio task closes ends its span, without an error about contexts."""

    @trilemma.task("ag")
    async def tokens() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    async def start() -> AsyncGenerator[int, None]:
        running = tokens()
        await anext(running)
        return running

    running = await asyncio.create_task(start())
    await asyncio.create_task(running.aclose())  # type: ignore[arg-type]
    assert outcomes(telemetry, "ag") == [None]
    assert caplog.records == []


async def test_with_left_elsewhere(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    """A task whose block is left in another context (a plain generator's `with`) ends quietly too."""

    async def leaky() -> AsyncGenerator[int, None]:
        with trilemma.task("leaky"):
            yield 1

    running = leaky()

    async def start() -> None:
        await anext(running)

    await asyncio.create_task(start())
    await asyncio.create_task(running.aclose())  # type: ignore[arg-type]
    assert outcomes(telemetry, "leaky") == [None]
    assert caplog.records == []
