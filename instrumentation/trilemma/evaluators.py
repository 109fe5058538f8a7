"""Own evaluators: functions of yours that judge an answer or a task, at once, in the background, or over rows."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.context import attach, get_current

from trilemma.arguments import check_text
from trilemma.errors import ArgumentError
from trilemma.evaluation import evaluate
from trilemma.task import Task, current_task_id, leave, task

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from opentelemetry.context import Context

    from trilemma.background import Background

__all__ = ["Evaluation", "Evaluator", "evaluator", "read_result"]

QUEUE_LIMIT = 1000
_WINNERS = ("a", "b", "tie")
_SWAPPED = {"a": "b", "b": "a", "tie": "tie"}

_log = logging.getLogger("trilemma")
_background: Background | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluator found: a score, a label, or both, and why."""

    score: float | None = None
    label: str | None = None
    explanation: str | None = None


class Evaluator:
    """A function that judges, made by `evaluator`. Called, it judges at once, and returns what the function returns."""

    def __init__(self, function: Callable[..., Any], name: str, *, model_graded: bool, pairwise: bool) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        self.model_graded = model_graded
        self.pairwise = pairwise
        self.is_async = inspect.iscoroutinefunction(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Judge now, about the current span and task; await it if the function is async. What it raises is raised."""
        judged = _Judged.now()
        if self.is_async:
            return self._judge_async(judged, args, kwargs)
        with _Grading(self, judged):
            result = self._ask(args, kwargs)
        judged.record(self.name, result)
        return result

    def submit(self, *args: Any, **kwargs: Any) -> bool:
        """Judge in the background, about what is the current span and task now; nothing is waited for.

        Returns False, and counts it, where the queue of 1,000 is full. What the function raises there is logged, and
        recorded as an evaluation with label "error".
        """
        judged = _Judged.now()
        return _find_background().submit(functools.partial(self._judge_later, judged, args, kwargs))

    def judge(self, *args: Any, **kwargs: Any) -> Evaluation | None:
        """Return the judgement without recording it: for tests, and for rows of a store."""
        result = asyncio.run(self._ask_async(args, kwargs)) if self.is_async else self._ask(args, kwargs)
        return read_result(self.name, result)

    async def _judge_async(self, judged: _Judged, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with _Grading(self, judged):
            result = await self._ask_async(args, kwargs)
        judged.record(self.name, result)
        return result

    def _judge_later(self, judged: _Judged, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        token = attach(judged.context)
        try:
            with _Grading(self, judged):
                result = asyncio.run(self._ask_async(args, kwargs)) if self.is_async else self._ask(args, kwargs)
            judged.record(self.name, result)
        except Exception as error:  # noqa: BLE001  # of the user's function, on no caller's time
            _log.exception("trilemma: evaluator %r failed in the background", self.name)
            judged.record(self.name, Evaluation(label="error", explanation=type(error).__name__))
        finally:
            leave(token)

    def _ask(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self.pairwise:
            return self.function(*args, **kwargs)
        first, second, *more = args
        return _join_orders(
            self.name, self.function(first, second, *more, **kwargs), self.function(second, first, *more, **kwargs)
        )

    async def _ask_async(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self.pairwise:
            return await self.function(*args, **kwargs)
        first, second, *more = args
        return _join_orders(
            self.name,
            await self.function(first, second, *more, **kwargs),
            await self.function(second, first, *more, **kwargs),
        )


def evaluator(
    name: str, *, model_graded: bool = False, pairwise: bool = False
) -> Callable[[Callable[..., Any]], Evaluator]:
    """Make a function an evaluator: ``@trilemma.evaluator("groundedness")``.

    It returns a score, a bool (score 1 or 0), a label, an `Evaluation`, or None for "cannot tell". Called, it judges at
    once; ``.submit(...)`` judges in the background, on nobody's time. With `model_graded`, its own model calls are a
    run of the task ``evaluate.{name}``, whose input is the id of the task judged: their cost is counted, and not there.
    With `pairwise`, it gets two answers and returns "a", "b" or "tie"; it is asked in both orders, and a verdict that
    turns with the order is the label "flipped".
    """
    checked = check_text("evaluator", "name", name)
    return lambda function: Evaluator(function, checked, model_graded=model_graded, pairwise=pairwise)


def read_result(name: str, result: Any) -> Evaluation | None:
    """Return what an evaluator's result means, None for None; raises ArgumentError for one that means nothing."""
    if result is None or isinstance(result, Evaluation):
        return result
    if isinstance(result, bool):
        return Evaluation(score=float(result), label="yes" if result else "no")
    if isinstance(result, str) and result:
        return Evaluation(label=result)
    try:
        return Evaluation(score=float(result))
    except (TypeError, ValueError):
        raise ArgumentError(
            f"evaluator {name!r} returned {result!r}; return a number, a bool, a label, an Evaluation or None"
        ) from None


class _Judged:
    """What was current when an evaluator was asked, and is judged whenever it answers."""

    __slots__ = ("context", "task_id")

    def __init__(self, context: Context, task_id: str | None) -> None:
        self.context = context
        self.task_id = task_id

    @classmethod
    def now(cls) -> _Judged:
        """Take what is current."""
        return cls(get_current(), current_task_id())

    def record(self, name: str, result: Any) -> None:
        """Send the judgement, if there is one."""
        found = read_result(name, result)
        if found is None or (found.score is None and not found.label):
            return
        token = attach(self.context)
        try:
            evaluate(name, found.score, found.label, found.explanation)
        finally:
            leave(token)


class _Grading:
    """Hold a model-graded evaluator's calls in a task of its own, beneath the span judged but no cost of its task."""

    __slots__ = ("_task",)

    def __init__(self, grader: Evaluator, judged: _Judged) -> None:
        self._task: Task | None = None
        if grader.model_graded:
            self._task = task(f"evaluate.{grader.name}", input_id=judged.task_id)

    def __enter__(self) -> None:
        if self._task is not None:
            self._task.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is not None:
            if error is None:
                self._task.succeed()
            self._task.__exit__(kind, error, traceback)


def _join_orders(name: str, straight: Any, swapped: Any) -> Evaluation:
    for verdict in (straight, swapped):
        if verdict not in _WINNERS:
            raise ArgumentError(f"pairwise evaluator {name!r} returned {verdict!r}; return a, b or tie")
    if straight != _SWAPPED[swapped]:
        return Evaluation(
            score=0.5, label="flipped", explanation=f"{straight} in one order, {_SWAPPED[swapped]} in the other"
        )
    return Evaluation(score={"a": 1.0, "b": 0.0, "tie": 0.5}[straight], label=straight)


def _find_background() -> Background:
    global _background  # noqa: PLW0603 - one queue per process
    if _background is None:
        from trilemma.background import Background

        _background = Background("trilemma-evaluators", QUEUE_LIMIT)
    return _background
