"""Own fallbacks: an ordered chain, run until one answer is accepted, each attempt with its result and reason."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from trilemma.arguments import check_number, check_text, to_text
from trilemma.decisions.decision import CHOSEN, REASON, Decision
from trilemma.errors import ArgumentError
from trilemma.task import current_task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

__all__ = ["ATTEMPT", "CANDIDATES", "RESULT", "Attempt", "fallback", "hedge"]

ATTEMPT = "trilemma.fallback.attempt"
RESULT = "trilemma.fallback.result"
CANDIDATES = "trilemma.decision.candidates"

_T = TypeVar("_T")


def fallback(
    name: str,
    chain: Mapping[str, Callable[[], Any]],
    *,
    on: type[BaseException] | Sequence[type[BaseException]] = (Exception,),
    accept: Callable[[Any], bool] | None = None,
) -> Any:
    """Call the options of `chain` in order until one answers acceptably, and return its answer.

    `chain` maps a name to a call without arguments; if they are coroutine functions, await the result. An option that
    raises one of `on` has failed, one whose answer `accept` turns down is rejected: the next is tried. Where none is
    left, the last error is raised, or the last answer returned. Each attempt is a span with its place, result and
    error; the calls it makes lie beneath it. What `accept` and the options raise is yours and passes through.
    """
    options = _check_chain("fallback", name, chain)
    kinds = (on,) if isinstance(on, type) else tuple(on)
    run = _run_async if inspect.iscoroutinefunction(next(iter(options.values()))) else _run
    return run(_Chain(name, options, kinds, accept))


async def hedge(name: str, chain: Mapping[str, Callable[[], Awaitable[_T]]], *, after_s: float) -> _T:
    """Call the first option, the next as well where no answer came within `after_s`, and so on; the first answer holds.

    The others are cancelled; their spans say so, and what they cost until then is beneath them. Where all fail, the
    last error is raised. Raises ArgumentError for a time that is not above 0.
    """
    options = _check_chain("hedge", name, chain)
    wait_s = check_number(f"hedge {name!r}", "after_s", after_s)
    if wait_s is None or wait_s <= 0:
        raise ArgumentError(f"hedge {name!r}: after_s={after_s!r} must be above 0")
    with _open(name, options, "hedge") as whole:
        waiting = list(enumerate(options.items(), 1))
        running: dict[asyncio.Task[_T], str] = {}
        error: BaseException | None = None
        try:
            while waiting or running:
                if waiting:
                    number, (option, call) = waiting.pop(0)
                    running[asyncio.ensure_future(_attempt_async(name, number, option, call))] = option
                done, _ = await asyncio.wait(
                    running, timeout=wait_s if waiting else None, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    option = running.pop(task)
                    error = task.exception()
                    if error is None:
                        whole.facts[CHOSEN] = option
                        return task.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        raise error if error is not None else asyncio.CancelledError


class _Chain:
    """Walk an ordered chain: what is asked next, and whether an answer or an error ends it."""

    def __init__(
        self,
        name: str,
        options: Mapping[str, Callable[[], Any]],
        kinds: tuple[type[BaseException], ...],
        accept: Callable[[Any], bool] | None,
    ) -> None:
        self.whole = _open(name, options, "chain")
        self._name = name
        self._options = options
        self._kinds = kinds
        self._accept = accept
        self._is_last = False

    def __iter__(self) -> Iterator[tuple[Decision, Callable[[], Any]]]:
        for number, (option, call) in enumerate(self._options.items(), 1):
            self._is_last = number == len(self._options)
            yield _attempt(self._name, number, option), call

    def is_done(self, attempt: Decision, answer: Any) -> bool:
        """Take an answer; tell whether it is the one."""
        accepted = self._accept is None or self._accept(answer)
        attempt.facts[RESULT] = "accepted" if accepted else "rejected"
        if accepted or self._is_last:
            self.whole.facts[CHOSEN] = attempt.facts[CHOSEN]
        return accepted or self._is_last

    def is_final(self, error: BaseException) -> bool:
        """Tell whether an error is the user's: the last option's, or one that is not waited for."""
        return self._is_last or not isinstance(error, self._kinds)


def _run(chain: _Chain) -> Any:
    with chain.whole:
        for attempt, call in chain:
            try:
                with attempt:
                    answer = call()
                    done = chain.is_done(attempt, answer)
            except BaseException as error:
                if chain.is_final(error):
                    raise
                continue
            if done:
                return answer
    return None  # unreachable: the last option returned or raised


async def _run_async(chain: _Chain) -> Any:
    with chain.whole:
        for attempt, call in chain:
            try:
                with attempt:
                    answer = await call()
                    done = chain.is_done(attempt, answer)
            except BaseException as error:
                if chain.is_final(error):
                    raise
                continue
            if done:
                return answer
    return None  # unreachable: the last option returned or raised


async def _attempt_async(name: str, number: int, option: str, call: Callable[[], Awaitable[_T]]) -> _T:
    with _attempt(name, number, option) as attempt:
        answer = await call()
        attempt.facts[RESULT] = "accepted"
        return answer


class Attempt(Decision):
    """One option tried; how it failed is its result."""

    __slots__ = ()

    def end(self, error: BaseException | None = None) -> None:
        """End its span; an error is its result."""
        if error is not None:
            self.facts[RESULT] = _name_failure(error)
        super().end(error)


def _open(name: str, options: Mapping[str, Any], rule: str) -> Decision:
    if (task := current_task()) is not None and "trilemma.variant.fallback" not in task.attributes:
        task.note_variant("fallback", name)
    return Decision("fallback", name, {CANDIDATES: list(options), REASON: rule})


def _attempt(name: str, number: int, option: str) -> Attempt:
    return Attempt("fallback", name, {ATTEMPT: number, CHOSEN: option})


def _name_failure(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return "timed_out" if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__ else "failed"


def _check_chain(function: str, name: str, chain: Mapping[str, Any]) -> dict[str, Any]:
    check_text(function, "name", name)
    options = {to_text(option): call for option, call in chain.items()} if hasattr(chain, "items") else {}
    if not options or not all(map(callable, options.values())):
        raise ArgumentError(f"{function} {name!r}: chain={chain!r} must map names to calls without arguments")
    return options
