"""Be a user's typed code: mypy --strict must accept it, and see the types it asserts. Never run, only checked."""

from collections.abc import AsyncGenerator, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import assert_type
from uuid import uuid4

import trilemma
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span

trilemma.instrument()
trilemma.instrument(["openai"], endpoint="http://localhost:4318", protocol="grpc", headers={"k": "v"}, service_name="s")
trilemma.instrument(tracer_provider=TracerProvider(), export=False)
trilemma.instrument(modell="x")  # type: ignore[call-arg]

with trilemma.task("support.refund", id=uuid4(), input_id=7, version="1", prompt_version=2, value=1) as task:
    assert_type(task, trilemma.Task)
    assert_type(task.id, str)
    assert_type(task.span, Span)
    task.succeed(value=3.5)
    task.fail("wrong_amount", source="human")
    task.unknown()

trilemma.task("t", variant={"cache": "exact", "route": None})
trilemma.task("t", variant="B")
trilemma.task(7)  # type: ignore[arg-type]


async def handle() -> None:
    """Open a task in a coroutine."""
    async with trilemma.task("t") as opened:
        assert_type(opened, trilemma.Task)


@trilemma.task("double")
def double(number: int, *, times: int = 2) -> int:
    """Keep its signature under the decorator."""
    return number * times


@trilemma.task("wait")
async def wait(name: str) -> bytes:
    """Stay a coroutine under the decorator."""
    return name.encode()


@trilemma.task("steps")
def steps() -> Generator[int, str, None]:
    """Stay a generator under the decorator."""
    yield 1


@trilemma.task("tokens")
async def tokens() -> AsyncGenerator[str, None]:
    """Stay an async generator under the decorator."""
    yield "a"


assert_type(double(2, times=3), int)
double("2")  # type: ignore[arg-type]
assert_type(steps(), Generator[int, str, None])
assert_type(tokens(), AsyncGenerator[str, None])


async def use() -> None:
    """Await what the decorator made of a coroutine."""
    assert_type(await wait("x"), bytes)


with ThreadPoolExecutor() as pool:
    assert_type(pool.submit(trilemma.carry(double), 2).result(), int)

assert_type(trilemma.current_task(), trilemma.Task | None)
assert_type(trilemma.current_task_id(), str | None)
assert_type(trilemma.task_attributes(), Mapping[str, str])

trilemma.outcome("run-1", "success", at=datetime.now(UTC), value=1)
trilemma.outcome(task, "failure", failure_mode="late", source="judge")
trilemma.evaluate("groundedness", 0.9, label="good", explanation="because", span=task.span)
trilemma.evaluate("tone", label="rude", trace_id="0" * 32, span_id="0" * 16)
trilemma.flush()
trilemma.uninstrument()
TracerProvider().add_span_processor(trilemma.TaskSpanProcessor())

try:
    trilemma.task("")
except trilemma.ArgumentError as error:
    assert_type(error, trilemma.ArgumentError)
