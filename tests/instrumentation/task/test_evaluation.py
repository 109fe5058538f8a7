"""Own the proof of late truth: outcomes and evaluations as events, tied to what they judge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import trilemma
from opentelemetry.trace import SpanContext, TraceFlags
from trilemma.evaluation import _warn_unsent
from trilemma.registry import fields
from trilemma.telemetry import find_providers

if TYPE_CHECKING:
    from tests.instrumentation.task.conftest import Telemetry

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOON_NS = round(NOON.timestamp() * 1e9)


def test_outcome_event(telemetry: Telemetry) -> None:
    """An outcome is a log record with the event's name, its time, the task's id and what is known; no trace."""
    with telemetry.tracer.start_as_current_span("the judge's own work"):
        trilemma.outcome("run-1", "failure", failure_mode="wrong_amount", source="human", value=-20, at=NOON,
                         task_name="support.refund")  # fmt: skip
    [event] = telemetry.events()
    assert (event.event_name, event.timestamp, event.trace_id, event.span_id) == (
        "trilemma.task.outcome",
        NOON_NS,
        0,
        0,
    )
    assert dict(event.attributes) == {
        "trilemma.task.id": "run-1",
        "trilemma.task.name": "support.refund",
        "trilemma.task.outcome": "failure",
        "trilemma.task.failure_mode": "wrong_amount",
        "trilemma.task.outcome_source": "human",
        "trilemma.task.value": -20.0,
    }


def test_outcome_of_a_task(telemetry: Telemetry) -> None:
    """A task object stands for its id and name, and told after its end it sends the event by itself."""
    with trilemma.task("t") as task:
        pass
    trilemma.outcome(task, "success")
    task.fail("late", value=1.5, source="judge")
    first, second = (dict(event.attributes) for event in telemetry.events())
    assert first["trilemma.task.id"] == second["trilemma.task.id"] == task.id
    assert first["trilemma.task.name"] == second["trilemma.task.name"] == "t"
    assert second["trilemma.task.failure_mode"] == "late"
    assert second["trilemma.task.outcome_source"] == "judge"
    assert [event.timestamp for event in telemetry.events()] == sorted(event.timestamp for event in telemetry.events())


def test_evaluation_of_the_current_span(telemetry: Telemetry) -> None:
    """An evaluation belongs to the span and task it is made in, where nothing else is said."""
    with trilemma.task("t") as task, telemetry.tracer.start_as_current_span("answer") as span:
        trilemma.evaluate("groundedness", 0.8, "good", "cites the policy", response_id="resp-1")
    [event] = telemetry.events()
    assert event.event_name == "gen_ai.evaluation.result"
    assert (event.trace_id, event.span_id) == (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert dict(event.attributes) == {
        "gen_ai.evaluation.name": "groundedness",
        "gen_ai.evaluation.score.value": 0.8,
        "gen_ai.evaluation.score.label": "good",
        "gen_ai.evaluation.explanation": "cites the policy",
        "gen_ai.response.id": "resp-1",
        "trilemma.task.id": task.id,
        "trilemma.task.name": "t",
    }


def test_evaluation_by_ids(telemetry: Telemetry) -> None:
    """A span, hexadecimal ids, a task or a task's id say what is judged, also after it ended."""
    with trilemma.task("t") as task:
        pass
    context = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    trilemma.evaluate("q", 1, span=task.span)
    trilemma.evaluate("q", 1, span=context)
    trilemma.evaluate("q", 1, trace_id=f"{0xABC:032x}", span_id=f"{0xDEF:016x}", task_id="run-9")
    trilemma.evaluate("q", 1, task=task)
    trilemma.evaluate("q", label="bad", task_id="run-9", at=NOON.timestamp())
    judged = task.span.get_span_context()
    spans = [(event.trace_id, event.span_id) for event in telemetry.events()]
    tasks = [dict(event.attributes).get("trilemma.task.id") for event in telemetry.events()]
    own = (judged.trace_id, judged.span_id)
    assert spans == [own, (0xABC, 0xDEF), (0xABC, 0xDEF), own, (0, 0)]
    assert tasks == [None, None, "run-9", task.id, "run-9"]
    assert telemetry.events()[-1].timestamp == NOON_NS


def test_names_are_the_registrys(telemetry: Telemetry) -> None:
    """Every attribute of the events is in the registry for events, and every such one can be sent."""
    trilemma.outcome("r", "failure", failure_mode="m", value=1)
    trilemma.evaluate("n", 1, "l", "e", task_id="r", source="human")
    trilemma.mark("1" * 32 + "-" + "2" * 16, "used", block="b")
    sent = {name for event in telemetry.events() for name in event.attributes}
    registered = {field.attribute for field in fields().values() if "event" in field.on}
    assert sent - {"trilemma.task.id"} == registered


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: trilemma.outcome("", "success"), ["task_id=''"]),
        (lambda: trilemma.outcome("r", "ok"), ["outcome='ok'", "success, failure, unknown"]),
        (lambda: trilemma.outcome("r", "success", failure_mode="x"), ["failure_mode='x'", "only a failure"]),
        (lambda: trilemma.outcome("r", "success", source="me"), ["source='me'", "judge"]),
        (lambda: trilemma.outcome("r", "success", at=datetime(2026, 1, 1)), ["time zone"]),  # noqa: DTZ001
        (lambda: trilemma.outcome("r", "success", at="today"), ["at='today'"]),  # type: ignore[arg-type]
        (lambda: trilemma.evaluate("q"), ["score, a label"]),
        (lambda: trilemma.evaluate("", 1, task_id="r"), ["name=''"]),
        (lambda: trilemma.evaluate("q", "high", task_id="r"), ["score='high'"]),  # type: ignore[arg-type]
        (lambda: trilemma.evaluate("q", 1, trace_id="xyz", span_id="1"), ["trace_id='xyz'", "hexadecimal"]),
        (lambda: trilemma.evaluate("q", 1, trace_id="ab" * 16), ["span_id=None", "both"]),
    ],
)
def test_bad_arguments(telemetry: Telemetry, call: object, words: list[str]) -> None:
    """What cannot be meant raises at once, names argument and value, and sends nothing."""
    with pytest.raises(trilemma.ArgumentError) as caught:
        call()  # type: ignore[operator]
    assert all(word in str(caught.value) for word in words)
    assert telemetry.events() == []


def test_belongs_to_nothing(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    """An evaluation outside every span and task is sent, with a line that says what it lacks."""
    trilemma.evaluate("q", 1)
    assert len(telemetry.events()) == 1
    assert "belongs to nothing" in caplog.text


def test_nowhere_to_go(caplog: pytest.LogCaptureFixture) -> None:
    """Without a logger provider, one line per kind says that events go nowhere; nothing is raised."""
    find_providers()
    _warn_unsent.cache_clear()
    for _ in range(3):
        trilemma.outcome("r", "success")
    assert caplog.text.count("trilemma.task.outcome events go nowhere") == 1
    assert "trilemma.instrument()" in caplog.text
