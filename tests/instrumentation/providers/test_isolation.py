"""Hold that nothing of ours reaches the user's call: no error, no change, no reference, no leaked context."""

from __future__ import annotations

import asyncio
import copy
import gc
import logging
import pickle
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from trilemma import engine, guard, reading
from trilemma.chunks import Chunks
from trilemma.dropped import end_late
from trilemma.engine import Call, Engine
from trilemma.instrumentation import uninstrument
from trilemma.late_span import LateSpan

from tests.instrumentation.providers.cases import CHAT, MESSAGES
from tests.instrumentation.providers.conftest import is_error
from tests.instrumentation.providers.wire import make_client, reply_stream, reply_whole

if TYPE_CHECKING:
    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced


def fail(*_: Any, **__: Any) -> Any:
    """Be a bug of ours."""
    raise ZeroDivisionError("our own bug")


def break_step(name: str) -> Any:
    """Return what breaks one step of reading."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        broken = [fail if step.__name__ == name else step for step in reading.STEPS]
        fail.__name__ = name
        patch.setattr(engine, "STEPS", tuple(broken))

    return apply


BUGS = {
    "open": lambda patch: patch.setattr(Engine, "open", fail),
    "span start": lambda patch: patch.setattr(engine, "start_call_span", fail),
    "late": lambda patch: patch.setattr(Call, "read_late", fail),
    "end late": lambda patch: patch.setattr(LateSpan, "end_late", fail),
    "enter": lambda patch: patch.setattr(Call, "enter", fail),
    "response": lambda patch: patch.setattr(Call, "note_response", fail),
    "chunk": lambda patch: patch.setattr(Chunks, "_take", fail),
    "body": break_step("read_body"),
    "times": break_step("read_times"),
    "transport": break_step("read_transport"),
    "price": break_step("read_price"),
    "attributes": lambda patch: patch.setattr(engine, "write_attributes", fail),
    "tap": lambda patch: patch.setattr("trilemma.transports.stainless.tap", fail),
    "reader": lambda patch: patch.setattr(Call, "note_reader", fail),
    "recorder": lambda patch: patch.setattr(Chunks, "note_results_of", fail),
}
LOSES_THE_SPAN = {"open", "span start"}


@pytest.fixture
def quiet(traced: Traced) -> Traced:
    """Guard as in production: log, do not raise."""
    guard.raise_errors(False)
    return traced


@pytest.mark.parametrize("bug", BUGS)
def test_our_bug_in_a_call(quiet: Traced, case: Case, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bug of ours anywhere, the user gets his result, and the span ends."""
    expected = case.find(quiet.client(case, reply_whole(case.name)))(**case.arguments)
    quiet.exporter.clear()
    BUGS[bug](monkeypatch)
    assert case.find(quiet.client(case, reply_whole(case.name)))(**case.arguments) == expected
    assert len(quiet.spans()) == (0 if bug in LOSES_THE_SPAN else 1)


@pytest.mark.parametrize("bug", BUGS)
def test_our_bug_in_a_stream(quiet: Traced, streamed: Case, bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bug of ours anywhere, the user gets his chunks, and the span ends."""
    expected = list(
        streamed.find(quiet.client(streamed, reply_stream(streamed.name)))(**streamed.arguments, stream=True)
    )
    quiet.exporter.clear()
    BUGS[bug](monkeypatch)
    stream = streamed.find(quiet.client(streamed, reply_stream(streamed.name)))(**streamed.arguments, stream=True)
    assert list(stream) == expected
    del stream
    gc.collect()
    end_late()
    assert len(quiet.spans()) == (0 if bug in LOSES_THE_SPAN else 1)


def test_logged_once(quiet: Traced, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours is logged once, with its traceback, however often it strikes."""
    BUGS["body"](monkeypatch)
    client = quiet.client(CHAT, reply_whole(CHAT.name))
    with caplog.at_level(logging.ERROR, logger="trilemma"):
        for _ in range(3):
            CHAT.find(client)(**CHAT.arguments)
        assert [len(span.attributes or ()) > 1 for span in quiet.spans()] == [True] * 3, "read when it is looked at"
    [entry] = caplog.records
    assert "read_body" in entry.getMessage()
    assert entry.exc_info


def test_span_processor_that_fails(quiet: Traced) -> None:
    """A span processor that raises does not reach the user's call."""

    class Failing:
        on_start = staticmethod(lambda *_, **__: None)
        on_end = staticmethod(fail)
        _on_ending = staticmethod(lambda *_: None)
        shutdown = staticmethod(lambda: None)

    quiet.provider.add_span_processor(Failing())  # type: ignore[arg-type]
    assert CHAT.find(quiet.client(CHAT, reply_whole(CHAT.name)))(**CHAT.arguments).id == "chatcmpl-1"


def test_arguments_and_result_unchanged(traced: Traced, case: Case) -> None:
    """The request that is sent and the result are those of a call without instrumentation."""
    given = copy.deepcopy(dict(case.arguments))
    with_us = traced.script(reply_whole(case.name))
    result = case.find(make_client(case, with_us))(**case.arguments)
    uninstrument()
    without_us = traced.script(reply_whole(case.name))
    assert result == case.find(make_client(case, without_us))(**case.arguments)
    assert dict(case.arguments) == given
    assert with_us.requests[0].content == without_us.requests[0].content


def test_nothing_kept_alive(traced: Traced, streamed: Case) -> None:
    """After a stream we hold neither client nor response nor chunks: what is alive is what is without us."""
    with_us = list_alive(traced, streamed)
    uninstrument()
    assert with_us == list_alive(traced, streamed)
    assert "stream" not in with_us


def can_be_watched(value: Any) -> bool:
    """Tell whether there can be a weak reference to a value."""
    return bool(type(value).__weakrefoffset__)


def list_alive(traced: Traced, case: Case) -> list[str]:
    """Return what is still alive after a stream was read and dropped."""
    client = traced.client(case, reply_stream(case.name))
    stream = case.find(client)(**case.arguments, stream=True)
    chunk = next(iter(stream))
    held = {"client": client, "stream": stream, "response": getattr(stream, "response", stream), "chunk": chunk}
    references = {name: weakref.ref(value) for name, value in held.items() if can_be_watched(value)}
    list(stream)
    del client, stream, chunk, held
    gc.collect()
    return [name for name, reference in references.items() if reference() is not None]


def test_response_can_be_pickled(traced: Traced) -> None:
    """A raw response that a call of ours has passed through can still be pickled and copied."""
    response = CHAT.find(traced.client(CHAT, reply_whole(CHAT.name)), raw="with_raw_response")(**CHAT.arguments)
    assert pickle.loads(pickle.dumps(response.http_response)).json()["id"] == "chatcmpl-1"
    assert copy.copy(response.http_response).status_code == 200


def test_current_span_only_while_sending(traced: Traced, case: Case) -> None:
    """Our span is the current one while the SDK sends, so that HTTP spans go beneath it, and not afterwards."""
    script = traced.script(reply_whole(case.name))
    seen: list[int] = []
    script.during_request = lambda: seen.append(trace.get_current_span().get_span_context().span_id)
    before = otel_context.get_current()
    case.find(make_client(case, script))(**case.arguments)
    assert otel_context.get_current() == before
    assert seen == [traced.span().context.span_id]
    assert engine.CURRENT.get() is None


def test_no_context_across_yields(traced: Traced, streamed: Case, caplog: pytest.LogCaptureFixture) -> None:
    """A stream read in another context than it was opened in detaches nothing: OpenTelemetry has no complaint."""

    async def run() -> None:
        client = traced.client(streamed, reply_stream(streamed.name), is_async=True)
        stream = await streamed.find(client)(**streamed.arguments, stream=True)
        await asyncio.create_task(anext(aiter(stream)))  # type: ignore[arg-type]
        [chunk async for chunk in stream]

    asyncio.run(run())
    assert not trace.get_current_span().get_span_context().is_valid
    assert not caplog.records
    assert traced.record()["stream_end"] == "exhausted"


@pytest.mark.parametrize(
    ("key", "count"), [("suppress_instrumentation", 0), ("suppress_language_model_instrumentation", 1)]
)
def test_suppressed(traced: Traced, case: Case, key: str, count: int) -> None:
    """Switched off there is no span; the key by which OpenLLMetry claims a call for its frameworks is not obeyed."""
    token = otel_context.attach(otel_context.set_value(key, True))
    try:
        case.find(traced.client(case, reply_whole(case.name)))(**case.arguments)
    finally:
        otel_context.detach(token)
    assert len(traced.spans()) == count


def test_child_of_the_users_span(traced: Traced, case: Case) -> None:
    """Our span goes beneath the user's current one."""
    with traced.provider.get_tracer("app").start_as_current_span("work") as work:
        case.find(traced.client(case, reply_whole(case.name)))(**case.arguments)
    [call] = [span for span in traced.spans() if span.name != "work"]
    assert call.parent is not None
    assert call.parent.span_id == work.get_span_context().span_id


def test_many_clients_at_once(traced: Traced) -> None:
    """Concurrent calls of one async client have one span each, none mixed with another."""

    async def run() -> None:
        client = traced.client(MESSAGES, reply_whole(MESSAGES.name), is_async=True)
        calls = (MESSAGES.find(client)(**{**MESSAGES.arguments, "max_tokens": n}) for n in range(1, 21))
        await asyncio.gather(*calls)

    asyncio.run(run())
    limits = [(span.attributes or {})["gen_ai.request.max_tokens"] for span in traced.spans()]
    assert sorted(limits) == list(range(1, 21))
    assert not any(is_error(span) for span in traced.spans())


def test_call_within_a_call(traced: Traced) -> None:
    """A call made while another one is being sent (a transport that asks a model) is a span of its own, beneath it."""
    script = traced.script(reply_whole(CHAT.name))
    inner = traced.client(MESSAGES, reply_whole(MESSAGES.name))
    script.during_request = lambda: MESSAGES.find(inner)(**MESSAGES.arguments)
    CHAT.find(make_client(CHAT, script))(**CHAT.arguments)
    first, second = traced.spans()
    assert (first.name, second.name) == ("chat claude-sonnet-4-6", "chat gpt-4o-mini")
    assert first.parent is not None
    assert first.parent.span_id == second.context.span_id
    assert [(span.attributes or {})["http.response.status_code"] for span in (first, second)] == [200, 200]
