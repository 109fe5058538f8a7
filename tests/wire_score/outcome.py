"""Own what a user got of a call: result or chunks, as text that can be compared, or the exception's class."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["NotDrivenError", "Outcome", "ask", "close_loop", "let_go", "observe", "observe_async", "run_async"]


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class NotDrivenError(Exception):
    """Say why a driver cannot send a record."""


@dataclass
class Outcome:
    """What the user got."""

    result: str | None = None
    chunks: list[str] = field(default_factory=list)
    error: str | None = None
    message: str = field(default="", compare=False)

    def fail(self, error: BaseException) -> None:
        """Take what was raised."""
        self.error, self.message = type(error).__name__, str(error)[:300]


def _describe(result: Any) -> str:
    """Return what a result says, whichever object it is."""
    content = getattr(result, "content", None)
    return repr(content) if isinstance(content, bytes) else _ADDRESS.sub("", repr(result))


def observe(call: Callable[[], Any], *, is_stream: Callable[[Any], bool] | None = None) -> Outcome:
    """Make a call and read what it returns to the end."""
    outcome = Outcome()
    try:
        result = call()
        if is_stream(result) if is_stream else hasattr(result, "__next__"):
            for chunk in result:
                outcome.chunks.append(_describe(chunk))
        else:
            outcome.result = _describe(result)
    except NotDrivenError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever the user would have got
        outcome.fail(error)
    return outcome


async def observe_async(
    call: Callable[[], Awaitable[Any]], *, is_stream: Callable[[Any], bool] | None = None
) -> Outcome:
    """Do the same for a coroutine function."""
    outcome = Outcome()
    try:
        result = await call()
        if is_stream(result) if is_stream else hasattr(result, "__anext__"):
            async for chunk in result:
                outcome.chunks.append(_describe(chunk))
        else:
            outcome.result = _describe(result)
    except NotDrivenError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever the user would have got
        outcome.fail(error)
    return outcome


def ask(
    transport: Any,
    record: Any,
    call: Callable[[], Any],
    *,
    is_async: bool,
    is_stream: Callable[[Any], bool] | None = None,
) -> Outcome:
    """Make a call that `transport` answers with `record`; raises NotDrivenError where the SDK sends nothing."""
    transport.record, transport.asked = record, 0
    if is_async:
        outcome: Outcome = run_async(observe_async(call, is_stream=is_stream))
    else:
        outcome = observe(call, is_stream=is_stream)
    if not transport.asked:
        raise NotDrivenError(f"it sent nothing: {outcome.error}: {outcome.message}")
    return outcome


def run_async(coroutine: Any) -> Any:
    """Run a coroutine on the process's one loop: a new one for each record would take longer than the record."""
    return _loop().run_until_complete(_and_clean_up(coroutine))


async def _and_clean_up(coroutine: Any) -> Any:
    result = await coroutine
    if getattr(result, "error", None):
        gc.collect(1)  # an exception of google-genai's holds the frames of its generators in a cycle
    for _ in range(30):  # as any app's loop does: async generators that were dropped are closed in turns of their own
        await asyncio.sleep(0)
    return result


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def let_go() -> None:
    """Let the garbage of a broken stream be collected: with some SDKs that alone ends its call."""
    for _ in range(3):
        gc.collect()
        if _loop.cache_info().currsize:
            _loop().run_until_complete(asyncio.sleep(0))
    if dropped := sys.modules.get("trilemma.dropped"):
        dropped.end_late()  # what the collector found ends with the next call, which is another record's


def close_loop() -> None:
    """End what async calls have left open, and the loop."""
    if _loop.cache_info().currsize:
        loop = _loop()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        _loop.cache_clear()
