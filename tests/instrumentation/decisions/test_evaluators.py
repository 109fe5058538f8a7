"""Hold evaluators: at once, in the background and over rows, about what was current when they were asked."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trilemma
from trilemma import evaluators
from trilemma.background import Background
from trilemma.evaluators import read_result

if TYPE_CHECKING:
    from tests.instrumentation.task.conftest import Telemetry

NAME, SCORE, LABEL = (f"gen_ai.evaluation.{key}" for key in ("name", "score.value", "score.label"))


@trilemma.evaluator("short")
def is_short(text: str) -> bool:
    """Judge a length."""
    return len(text) < 5


def facts(event: Any) -> tuple[Any, ...]:
    """Return what an evaluation says."""
    return tuple(event.attributes.get(key) for key in (NAME, SCORE, LABEL))


def test_at_once(telemetry: Telemetry) -> None:
    """Called, an evaluator returns what the function returns, and records it about the current task and span."""
    with trilemma.task("support.answer") as task:
        assert is_short("abc") is True
    [event] = telemetry.events()
    assert facts(event) == ("short", 1.0, "yes")
    assert event.attributes["trilemma.task.id"] == task.id
    assert event.span_id == task.span.get_span_context().span_id


async def test_async(telemetry: Telemetry) -> None:
    """An async evaluator is awaited."""

    @trilemma.evaluator("tone")
    async def judge_tone(text: str) -> trilemma.Evaluation:
        await asyncio.sleep(0)
        return trilemma.Evaluation(0.4, "rude", f"{len(text)} letters")

    async with trilemma.task("support.answer"):
        result = await judge_tone("abc")
    assert result.label == "rude"
    [event] = telemetry.events()
    assert facts(event) == ("tone", 0.4, "rude")
    assert event.attributes["gen_ai.evaluation.explanation"] == "3 letters"


def test_in_the_background(telemetry: Telemetry) -> None:
    """Submitted, it runs on another thread, after the task's end too, and is about the task all the same."""
    threads, may_go = [], threading.Event()

    @trilemma.evaluator("late")
    def judge_late() -> float:
        may_go.wait(10)
        threads.append(threading.current_thread().name)
        return 0.5

    with trilemma.task("support.answer") as task:
        assert judge_late.submit()
    may_go.set()
    assert evaluators._find_background().force_flush(10_000)
    [event] = telemetry.events()
    assert facts(event) == ("late", 0.5, None)
    assert event.attributes["trilemma.task.id"] == task.id
    assert threads == ["trilemma-evaluators"]


def test_failure_in_the_background(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    """What an evaluator raises in the background is recorded and logged, and the next one runs."""

    @trilemma.evaluator("broken")
    def judge() -> float:
        raise ValueError("secret")

    judge.submit()
    is_short.submit("abc")
    assert evaluators._find_background().force_flush(10_000)
    assert [facts(event) for event in telemetry.events()] == [("broken", None, "error"), ("short", 1.0, "yes")]
    assert "broken" in caplog.text


def test_failure_at_once_is_the_users() -> None:
    """Called, an evaluator raises as any function does."""

    @trilemma.evaluator("broken")
    def judge() -> float:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        judge()


def test_full_queue_drops_and_tells(caplog: pytest.LogCaptureFixture) -> None:
    """What does not fit is refused at once, counted and logged; what was queued is done."""
    done: list[int] = []
    may_go = threading.Event()
    background = Background("test", 2)
    assert background.submit(lambda: may_go.wait(10) and done.append(0))  # type: ignore[func-returns-value]
    while background._waiting:
        pass
    assert [background.submit(lambda number=number: done.append(number)) for number in (1, 2, 3)] == [True, True, False]
    assert background.dropped == 1
    assert "queue of 2 is full" in caplog.text
    may_go.set()
    background.shutdown(10_000)
    assert done == [0, 1, 2]
    assert not background.submit(lambda: None)


def test_model_graded_is_a_task_of_its_own(telemetry: Telemetry) -> None:
    """Its calls are a run of evaluate.NAME, beneath the span judged, and are not the judged task's."""

    @trilemma.evaluator("helpful", model_graded=True)
    def judge() -> float:
        telemetry.tracer.start_span("model").end()
        return 1.0

    with trilemma.task("support.answer") as task:
        judge()
    grading, model = telemetry.attributes("evaluate.helpful"), telemetry.attributes("model")
    assert grading["trilemma.task.input_id"] == task.id
    assert model["trilemma.task.id"] == grading["trilemma.task.id"] != task.id
    assert telemetry.span("evaluate.helpful").parent == task.span.get_span_context()
    [event] = telemetry.events()
    assert event.attributes["trilemma.task.id"] == task.id


@pytest.mark.parametrize(
    ("verdicts", "found"),
    [
        (("a", "b"), (1.0, "a")),
        (("b", "a"), (0.0, "b")),
        (("tie", "tie"), (0.5, "tie")),
        (("a", "a"), (0.5, "flipped")),
    ],
)
def test_pairwise_asks_in_both_orders(
    telemetry: Telemetry, verdicts: tuple[str, str], found: tuple[float, str]
) -> None:
    """A verdict counts only where it does not turn with the order of the answers."""
    asked = []

    @trilemma.evaluator("better", pairwise=True)
    def judge(first: str, second: str) -> str:
        asked.append((first, second))
        return verdicts[len(asked) - 1]

    judge("x", "y")
    assert asked == [("x", "y"), ("y", "x")]
    [event] = telemetry.events()
    assert facts(event)[1:] == found


@pytest.mark.parametrize(
    ("result", "score", "label"), [(True, 1, "yes"), (0, 0, None), (0.3, 0.3, None), ("rude", None, "rude")]
)
def test_results(result: Any, score: float | None, label: str | None) -> None:
    """A bool, a number and a label mean what they say."""
    found = read_result("e", result)
    assert found is not None
    assert (found.score, found.label) == (score, label)


def test_nothing_to_say(telemetry: Telemetry) -> None:
    """None is no judgement; what means nothing is refused by name."""
    trilemma.evaluator("e")(lambda: None)()
    assert telemetry.events() == []
    with pytest.raises(trilemma.ArgumentError, match=r"evaluator 'e' returned \[\]"):
        trilemma.evaluator("e")(list)()


def test_task_facts_that_stay(telemetry: Telemetry) -> None:
    """Segment, hashed customer, deadline, budget and the cost of failure are on the task's span alone."""
    with trilemma.task(
        "support.refund", segment="pro", customer="ann@example.com", deadline_s=2, budget=0.05, failure_cost=12
    ):
        telemetry.tracer.start_span("model").end()
    own = telemetry.attributes("support.refund")
    names = ("segment", "deadline", "budget", "failure_cost")
    assert [own[f"trilemma.task.{name}"] for name in names] == ["pro", 2, 0.05, 12]
    assert len(own["trilemma.task.customer"]) == 16
    assert "ann@" not in telemetry.span("support.refund").to_json()
    assert not [key for key in telemetry.attributes("model") if key.split(".")[-1] in {*names, "customer"}]
    with trilemma.task("named", customer="ann", hash_customer=False):
        pass
    assert telemetry.attributes("named")["trilemma.task.customer"] == "ann"
