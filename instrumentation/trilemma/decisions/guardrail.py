"""Own guardrails: which check ran where, what it said and why, what it took; later, whether it was right."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, cast

from trilemma.arguments import check_number, check_text, check_word, to_text
from trilemma.decisions.decision import CHOSEN, REASON, Decision

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Guardrail", "guardrail"]

STAGES = ("input", "output", "tool")
VERDICTS = ("passed", "changed", "blocked")
STAGE = "trilemma.guardrail.stage"
COST = "trilemma.decision.cost"

_F = TypeVar("_F", bound="Callable[..., Any]")


class Guardrail(Decision):
    """One run of a check, made by `guardrail`: passed, unless told otherwise. Calls made within lie beneath it."""

    __slots__ = ()

    def block(self, reason: str | None = None) -> None:
        """Say that it stopped what it looked at."""
        self._say("blocked", reason)

    def change(self, reason: str | None = None) -> None:
        """Say that it changed what it looked at: masked, cut, rewrote."""
        self._say("changed", reason)

    def passed(self, reason: str | None = None) -> None:
        """Say that it let it pass."""
        self._say("passed", reason)

    @property
    def verdict(self) -> str:
        """What it said: passed, changed or blocked."""
        return str(self.facts[CHOSEN])

    @property
    def cost(self) -> float | None:
        """What the check cost beyond the model calls beneath it, in your currency: a service's fee."""
        return self.facts.get(COST)

    @cost.setter
    def cost(self, amount: float | None) -> None:
        self.facts[COST] = check_number(f"guardrail {self.name!r}", "cost", amount)

    def __call__(self, function: _F) -> _F:
        """Run every call of `function` as a check of its own; it returns whether to pass, or (verdict, reason)."""
        name, stage = self.name, str(self.facts[STAGE])
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def check_async(*args: Any, **kwargs: Any) -> Any:
                with guardrail(name, stage=stage) as check:
                    return check.read(await function(*args, **kwargs))

            return cast("_F", check_async)

        @functools.wraps(function)
        def check_once(*args: Any, **kwargs: Any) -> Any:
            with guardrail(name, stage=stage) as check:
                return check.read(function(*args, **kwargs))

        return cast("_F", check_once)

    def read(self, result: Any) -> Any:
        """Take the verdict out of what a decorated function returned, and return that: True passes, False blocks."""
        verdict, reason = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
        if isinstance(verdict, str) and verdict in VERDICTS:
            self._say(verdict, reason)
        elif isinstance(verdict, bool):
            self._say("passed" if verdict else "blocked", reason)
        return result

    def _say(self, verdict: str, reason: str | None) -> None:
        self.facts[CHOSEN] = verdict
        self.facts[REASON] = None if reason is None else to_text(reason)


def guardrail(name: str, *, stage: str = "input") -> Guardrail:
    """Record a check on what goes into a model, comes out of it, or goes to a tool.

    ``with trilemma.guardrail("pii", stage="input") as check: ... check.block("card number")``, or as a decorator of a
    function that returns whether to pass, or (verdict, reason) with a verdict of passed, changed and blocked. Its time
    is that of the span. Keep `id`, and tell `trilemma.mark` later whether it was right. Raises ArgumentError for
    another stage than input, output and tool.
    """
    checked = check_word(f"guardrail {name!r}", "stage", stage, STAGES)
    return Guardrail("guardrail", check_text("guardrail", "name", name), {STAGE: checked, CHOSEN: "passed"})
