"""Own the proof of what a task puts on spans, and how it ends."""

from __future__ import annotations

import gc
import sys
import uuid
from typing import TYPE_CHECKING, NoReturn

import pytest
import trilemma
from opentelemetry.context import get_current
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from trilemma import guard
from trilemma.registry import fields
from trilemma.telemetry import find_providers

if TYPE_CHECKING:
    from tests.instrumentation.task.conftest import Telemetry


def test_whole_span(telemetry: Telemetry) -> None:
    """A task is an INTERNAL span of its name, in trilemma's scope, with everything it was told."""
    with trilemma.task(
        "support.refund",
        id="run-1",
        input_id="case-7",
        version="2026.11",
        prompt_name="refund",
        prompt_version=2,
        variant={"context": "top-3", "guardrail": "pii", "route": "small", "fallback": "large", "cache": "exact",
                 "label": "B"},
        value=4,
    ) as task:  # fmt: skip
        task.succeed()
    span = telemetry.span("support.refund")
    assert (span.kind, span.instrumentation_scope and span.instrumentation_scope.name) == (
        SpanKind.INTERNAL,
        "trilemma",
    )
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "trilemma.task.name": "support.refund",
        "trilemma.task.id": "run-1",
        "trilemma.task.input_id": "case-7",
        "trilemma.task.version": "2026.11",
        "gen_ai.prompt.name": "refund",
        "gen_ai.prompt.version": "2",
        "trilemma.variant": "B",
        "trilemma.variant.context": "top-3",
        "trilemma.variant.guardrail": "pii",
        "trilemma.variant.route": "small",
        "trilemma.variant.fallback": "large",
        "trilemma.variant.cache": "exact",
        "trilemma.task.outcome": "success",
        "trilemma.task.outcome_source": "system",
        "trilemma.task.value": 4.0,
    }


def test_names_are_the_registrys(telemetry: Telemetry) -> None:
    """Every attribute a task can set is in the registry, on the task or beneath it; none is missing."""
    axes = dict.fromkeys(("context", "guardrail", "route", "fallback", "cache", "label"), "x")
    with trilemma.task("t", input_id=1, version=1, prompt_name="p", prompt_version=1, variant=axes, value=1) as task:
        with telemetry.tracer.start_as_current_span("beneath"):
            pass
        task.fail("why", value=-1)
    registered = {field.attribute: field.on for field in fields().values()}
    beneath = {name for name, on in registered.items() if on == "task and beneath"}
    assert set(telemetry.attributes("beneath")) == beneath
    assert set(telemetry.attributes("t")) == beneath | {
        name for name, on in registered.items() if on in {"task", "task or outcome event"}
    }


def test_beneath(telemetry: Telemetry) -> None:
    """Every span started within a task carries it, at any depth; what starts outside does not."""
    start_span = telemetry.tracer.start_as_current_span
    with start_span("before"), trilemma.task("t", input_id="i") as task, start_span("child"), start_span("grandchild"):
        pass
    with start_span("after"):
        pass
    carried = {"trilemma.task.name": "t", "trilemma.task.id": task.id, "trilemma.task.input_id": "i"}
    assert telemetry.attributes("child") == telemetry.attributes("grandchild") == carried
    assert telemetry.attributes("before") == telemetry.attributes("after") == {}
    parent = telemetry.span("t").parent
    assert parent is not None
    assert parent.span_id == telemetry.span("before").context.span_id


def test_nested_inner_wins(telemetry: Telemetry) -> None:
    """Within an inner task its own attributes hold, and nothing of the outer one; after it the outer's again."""
    with trilemma.task("outer", input_id="a", variant="A", prompt_name="p") as outer:
        with trilemma.task("inner") as inner, telemetry.tracer.start_as_current_span("in"):
            assert trilemma.current_task() is inner
        with telemetry.tracer.start_as_current_span("out"):
            assert trilemma.current_task() is outer
    assert telemetry.attributes("in") == {"trilemma.task.name": "inner", "trilemma.task.id": inner.id}
    assert telemetry.attributes("out")["trilemma.variant"] == "A"
    parent = telemetry.span("inner").parent
    assert parent is not None
    assert parent.span_id == telemetry.span("outer").context.span_id


def test_ids(telemetry: Telemetry) -> None:
    """Each run has an id of its own, 32 hexadecimal digits, unless one is given; numbers and UUIDs become text."""
    ids = set()
    for _ in range(100):
        with trilemma.task("t") as task:
            ids.add(task.id)
    assert len(ids) == 100
    assert all(uuid.UUID(hex=each).hex == each for each in ids)
    given = uuid.uuid4()
    with trilemma.task("u", id=given, input_id=42) as task:
        assert task.id == str(given)
        assert trilemma.current_task_id() == str(given)
    assert telemetry.attributes("u")["trilemma.task.input_id"] == "42"


def test_outcomes(telemetry: Telemetry) -> None:
    """What was told last holds; a task that nobody told about has no outcome on its span."""
    with trilemma.task("failed") as task:
        task.succeed(value=3)
        task.fail("wrong_amount", value=-2.5, source="judge")
    with trilemma.task("retracted") as task:
        task.fail("x")
        task.unknown()
    with trilemma.task("silent", value=9):
        pass
    assert outcome_of(telemetry, "failed") == ("failure", "wrong_amount", "judge", -2.5)
    assert outcome_of(telemetry, "retracted") == ("unknown", None, "system", None)
    assert outcome_of(telemetry, "silent") == (None, None, None, 9.0)


def test_value_is_of_success(telemetry: Telemetry) -> None:
    """The value given at the start is what a success is worth: a failure does not get it."""
    with trilemma.task("lost", value=10) as task:
        task.fail()
    with trilemma.task("won", value=10) as task:
        task.succeed()
    assert outcome_of(telemetry, "lost") == ("failure", None, "system", None)
    assert outcome_of(telemetry, "won") == ("success", None, "system", 10.0)


def outcome_of(telemetry: Telemetry, name: str) -> tuple[object, ...]:
    """Return outcome, failure mode, source and value of a task's span."""
    attributes = telemetry.attributes(name)
    keys = ("outcome", "failure_mode", "outcome_source", "value")
    return tuple(attributes.get(f"trilemma.task.{key}") for key in keys)


def test_exception_is_failure(telemetry: Telemetry) -> None:
    """An exception passes through unchanged and makes the task a failure of its name, without its message."""
    error = LookupError("account of Jane Doe")
    with pytest.raises(LookupError) as caught, trilemma.task("t"):
        raise error
    assert caught.value is error
    span = telemetry.span("t")
    assert outcome_of(telemetry, "t") == ("failure", "LookupError", "system", None)
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes("t")["error.type"] == "LookupError"
    assert "Jane" not in span.to_json()


def test_exception_after_an_outcome(telemetry: Telemetry) -> None:
    """An outcome that was told stands, also when an exception follows."""
    task = trilemma.task("t")
    task.succeed()
    with pytest.raises(OSError, match="disk"), task:
        raise OSError("disk")
    assert outcome_of(telemetry, "t")[0] == "success"
    assert telemetry.span("t").status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(("code", "outcome"), [(0, None), (None, None), (3, "failure")])
def test_exit(telemetry: Telemetry, code: int | None, outcome: str | None) -> None:
    """Leaving by sys.exit is a failure only where its code says so."""
    with pytest.raises(SystemExit), trilemma.task("t"):
        sys.exit(code)
    assert outcome_of(telemetry, "t")[0] == outcome


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": ""}, ["name=''", "text"]),
        ({"name": None}, ["name=None"]),
        ({"variant": {"cash": "x"}}, ["'cash'", "context, guardrail, route, fallback, cache"]),
        ({"value": "ten"}, ["value='ten'", "number"]),
        ({"value": True}, ["value=True"]),
    ],
)
def test_bad_arguments(arguments: dict[str, object], words: list[str]) -> None:
    """An argument that cannot be meant raises at once; the message has its name, its value and what may be."""
    with pytest.raises(trilemma.ArgumentError) as caught:
        trilemma.task(**{"name": "t", **arguments})  # type: ignore[arg-type]
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, trilemma.TrilemmaError)
    assert all(word in str(caught.value) for word in words)


def test_bad_outcome_arguments(telemetry: Telemetry) -> None:
    """A wrong source or value of an outcome raises; a NaN, which a computation may give, is left out."""
    with trilemma.task("t") as task:
        with pytest.raises(trilemma.ArgumentError, match=r"source='robot'.*system, human, judge, import"):
            task.succeed(source="robot")
        with pytest.raises(trilemma.ArgumentError, match="value='x'"):
            task.fail(value="x")  # type: ignore[arg-type]
        task.succeed(value=float("nan"))
    assert outcome_of(telemetry, "t") == ("success", None, "system", None)


def test_opened_twice(telemetry: Telemetry) -> None:
    """A task is one run: opening it again is a mistake, and says so."""
    task = trilemma.task("t")
    with task:
        pass
    with pytest.raises(trilemma.ArgumentError, match="opened before"), task:
        pass


def test_without_telemetry() -> None:
    """Without a provider everything works and nothing is sent."""
    find_providers()
    with trilemma.task("t", value=1) as task:
        assert trilemma.current_task() is task
        assert not get_current_span().is_recording()
        task.succeed()
    assert trilemma.current_task() is None


def test_our_own_bug(telemetry: Telemetry) -> None:
    """A failure of ours leaves the user's code as it would be without us."""
    guard.raise_errors(False)

    def break_down() -> NoReturn:
        raise RuntimeError("our bug")

    find_providers(break_down, break_down)
    before = get_current()
    with trilemma.task("t") as task:
        task.succeed()
    trilemma.outcome(task, "failure")
    trilemma.evaluate("groundedness", 1, task=task)
    assert get_current() is before


def test_keeps_nothing_alive(telemetry: Telemetry) -> None:
    """A task that ended is not held by trilemma."""
    with trilemma.task("t") as task:
        pass
    telemetry.span_exporter.clear()
    gc.collect()
    holders = [each for each in gc.get_referrers(task) if each is not sys._getframe().f_locals]
    assert [type(each).__name__ for each in holders if type(each).__name__ not in {"frame", "list"}] == []


def test_context_is_restored(telemetry: Telemetry) -> None:
    """After a task the context is exactly what it was before."""
    before = get_current()
    with trilemma.task("t"), trilemma.task("u"):
        pass
    assert get_current() is before
