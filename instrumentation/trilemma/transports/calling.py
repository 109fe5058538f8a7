"""Own what every hook at a choke point does around the SDK's own function: open, enter, call, leave, end."""

from collections.abc import Callable
from typing import Any, TypeAlias

from trilemma import guard
from trilemma.engine import Call

__all__ = ["Note", "Open", "around", "around_async"]

Open: TypeAlias = Callable[[Any, tuple[Any, ...], dict[str, Any]], Call | None]
"""From the method's object, arguments and keyword arguments to an open call, or None for a call to leave alone."""

Note: TypeAlias = Callable[[Call, Any], Any]
"""From the call and what the SDK's function returned to what the user is given: the same object, where it can be."""


def around(original: Callable[..., Any], open_call: Open, note_result: Note | None = None) -> Callable[..., Any]:
    """Return `original`, a method, with a call open while it runs, and until the response is read where it is not."""

    def call_provider(self: Any, *args: Any, **kwargs: Any) -> Any:
        call, tokens = _enter(open_call, self, args, kwargs)
        if call is None:
            return original(self, *args, **kwargs)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            call.leave(tokens)
            call.end(error=error)
            raise
        return _leave(call, tokens, note_result, result)

    return call_provider


def around_async(original: Callable[..., Any], open_call: Open, note_result: Note | None = None) -> Callable[..., Any]:
    """Do the same for a coroutine function."""

    async def call_provider(self: Any, *args: Any, **kwargs: Any) -> Any:
        call, tokens = _enter(open_call, self, args, kwargs)
        if call is None:
            return await original(self, *args, **kwargs)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as error:
            call.leave(tokens)
            call.end(error=error)
            raise
        return _leave(call, tokens, note_result, result)

    return call_provider


def _enter(open_call: Open, owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Call | None, Any]:
    call = None
    try:
        call = open_call(owner, args, kwargs)
        return call, None if call is None else call.enter()
    except Exception:  # noqa: BLE001  # the guard
        guard.caught("open")
        return call, None


def _leave(call: Call, tokens: Any, note_result: Note | None, result: Any) -> Any:
    if note_result is not None:
        try:
            result = note_result(call, result)
        except Exception:  # noqa: BLE001  # the guard
            guard.caught(getattr(note_result, "__name__", "note_result"))
    call.leave(tokens)
    if not call.is_unread:
        call.end()
    return result
