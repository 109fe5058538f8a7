"""Own what the fallbacks of frameworks leave: a decision for the chain, and one beneath it for each option tried."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from opentelemetry.context import get_current

from trilemma import guard
from trilemma.decisions.decision import CHOSEN, REASON, Decision
from trilemma.decisions.fallback import ATTEMPT, CANDIDATES, RESULT, Attempt
from trilemma.engine import is_suppressed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from opentelemetry.context import Context

__all__ = ["Chain", "attempted", "chained", "open_chain"]

_CURRENT: ContextVar[Chain | None] = ContextVar("trilemma_fallback_chain", default=None)


def open_chain(name: str, options: Sequence[str], framework: str) -> Chain | None:
    """Return a chain that `framework` is about to run; None where there is nothing to fall back to."""
    return Chain(name, options, framework) if len(options) > 1 and not is_suppressed(get_current()) else None


class Chain:
    """Be one run of a framework's fallback chain: its decision begins with the first attempt."""

    __slots__ = ("_context", "_name", "_tried", "_whole")

    def __init__(self, name: str, options: Sequence[str], framework: str) -> None:
        self._name = name
        self._tried = 0
        self._whole = Decision("fallback", name, {CANDIDATES: list(options), REASON: framework})
        self._context: Context | None = None

    def attempt(self, option: str, handled: tuple[type[BaseException], ...] = (Exception,)) -> _Tried:
        """Return the next attempt, to be held open while it is made; an error that is not `handled` ends the chain."""
        self._tried += 1
        options = self._whole.facts[CANDIDATES]
        if option not in options:  # a framework may go on where its option's own fallbacks lead
            options.append(option)
        return _Tried(self, self._name, {ATTEMPT: self._tried, CHOSEN: option}, handled)

    def begin(self) -> Context:
        """Return the context of its attempts."""
        if self._context is None:
            self._context = self._whole.begin()
        return self._context

    def end(self, chosen: str | None = None, error: BaseException | None = None) -> None:
        """End with the option that answered, or with an error; a second end does nothing."""
        self._whole.facts.setdefault(CHOSEN, chosen)
        self._whole.end(error)


class _Tried(Attempt):
    """One option that a framework tried."""

    __slots__ = ("_chain", "_handled")

    def __init__(
        self, chain: Chain, name: str, facts: dict[str, Any], handled: tuple[type[BaseException], ...]
    ) -> None:
        super().__init__("fallback", name, facts)
        self._chain = chain
        self._handled = handled

    def begin(self) -> Context:
        context = self._chain.begin()
        return self._begin(context) or context

    def end(self, error: BaseException | None = None) -> None:
        if error is None:
            self.facts[RESULT] = "accepted"
        super().end(error)
        if error is None or not isinstance(error, self._handled):
            self._chain.end(self.facts[CHOSEN] if error is None else None, error)


def chained(
    original: Callable[..., Awaitable[Any]], start: Callable[..., Chain | None]
) -> Callable[..., Awaitable[Any]]:
    """Return `original`, an async function that runs the chain that `start` makes of its arguments."""

    async def run(*args: Any, **kwargs: Any) -> Any:
        chain = _call(start, *args, **kwargs)
        if chain is None:
            return await original(*args, **kwargs)
        token = _CURRENT.set(chain)
        error = None
        try:
            return await original(*args, **kwargs)
        except BaseException as raised:
            error = raised
            raise
        finally:
            _CURRENT.reset(token)
            chain.end(error=error)
            del error

    return run


def attempted(
    original: Callable[..., Awaitable[Any]], find_option: Callable[..., str | None]
) -> Callable[..., Awaitable[Any]]:
    """Return `original`, an async function that tries one option of the chain that is run, if one is."""

    async def run(*args: Any, **kwargs: Any) -> Any:
        chain = _CURRENT.get()
        option = None if chain is None else _call(find_option, *args, **kwargs)
        if chain is None or option is None:
            return await original(*args, **kwargs)
        token = _CURRENT.set(None)  # what is called beneath is this attempt
        try:
            with chain.attempt(option):
                return await original(*args, **kwargs)
        finally:
            _CURRENT.reset(token)

    return run


def _call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    try:
        return function(*args, **kwargs)
    except Exception:  # noqa: BLE001  # the guard
        guard.caught(getattr(function, "__name__", "a framework's fallbacks"))
        return None
