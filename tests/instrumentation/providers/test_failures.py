"""Hold what failed calls and the SDK's own retries leave on the span."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.instrumentation.providers.conftest import is_error
from tests.instrumentation.providers.wire import Reply, reply_error, reply_whole

if TYPE_CHECKING:
    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced

REFUSED = Reply(refuses=True)


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch, traced: Traced) -> None:
    """Let the SDKs' sleeps pass on the manual clock."""

    async def sleep(seconds: float) -> None:
        traced.clock.advance(seconds)

    monkeypatch.setattr("time.sleep", traced.clock.advance)
    monkeypatch.setattr("anyio.sleep", sleep)
    for module in ("mistralai.client.utils.retries", "cohere.core.http_client"):  # not all of asyncio: tests use it
        if module in sys.modules:
            monkeypatch.setattr(sys.modules[module], "asyncio", SimpleNamespace(sleep=sleep))


def require_retries(case: Case) -> None:
    """Skip where the SDK repeats no call, or is too old to say so."""
    if not case.traits.retries:
        pytest.skip(f"{case.sdk} does not repeat calls")
    if case.sdk == "mistralai" and not has("mistralai.client.utils.retries", "_get_sleep_interval"):
        pytest.skip("this mistralai decides its waits where nobody sees it")
    if case.sdk == "cohere" and not has("cohere.core.http_client", "_retry_timeout_from_retries"):
        pytest.skip("this cohere repeats nothing for want of a connection")


def has(module: str, name: str) -> bool:
    """Tell whether the installed SDK has a function."""
    try:
        return hasattr(import_module(module), name)
    except ImportError:
        return False


def ask_retries(case: Case, count: int) -> dict[str, Any]:
    """Return the arguments that ask for retries of one call."""
    return {"request_options": {"max_retries": count}} if case.sdk == "cohere" else {}


def test_refused(traced: Traced, case: Case) -> None:
    """A refusal is an ERROR with the provider's type, status and request id; the user gets the SDK's exception."""
    client = traced.client(case, reply_error(case.name, 400))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each SDK has its own
        case.find(client)(**case.arguments)
    assert type(caught.value).__name__ in case.traits.refused.split("|")
    record = traced.record()
    assert is_error(traced.span())
    assert record["error_type"] == case.traits.refused_type
    assert (record["http_status"], record["request_id"]) == (400, "req_1")
    assert record["retry_count"] is None
    assert not traced.span().events


def test_refused_stream(traced: Traced, streamed: Case) -> None:
    """A stream that is refused is no stream, and says so alike."""
    client = traced.client(streamed, reply_error(streamed.name, 400))
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each SDK has its own
        list(streamed.find(client)(**streamed.arguments, stream=True))
    assert type(caught.value).__name__ in streamed.traits.refused.split("|")
    record = traced.record()
    assert is_error(traced.span())
    assert (record["error_type"], record["http_status"]) == (streamed.traits.refused_type, 400)
    assert record["stream_end"] is None


def test_no_connection(traced: Traced, case: Case) -> None:
    """Without a connection the error type is the exception, and the request's hash is there all the same."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each SDK has its own
        case.find(traced.client(case, REFUSED))(**case.arguments)
    assert type(caught.value).__name__ in {case.traits.unreachable, "ConnectError"}
    record = traced.record()
    assert record["error_type"] == case.traits.unreachable_type
    assert record["http_status"] is None
    assert len(record["request_hash"]) == 32


def test_retries(traced: Traced, case: Case) -> None:
    """Each attempt is an event with its status or error and the wait after it; the sums are attributes."""
    require_retries(case)
    again = {"retry-after": "2"}
    client = traced.client(
        case, reply_error(case.name, 429, headers=again), REFUSED, reply_whole(case.name), max_retries=3
    )
    case.find(client)(**case.arguments, **ask_retries(case, 3))
    span, record = traced.span(), traced.record()
    first, second, last = (dict(event.attributes or {}) for event in span.events)
    assert {event.name for event in span.events} == {"trilemma.attempt"}
    assert first == {"trilemma.attempt.number": 1, "http.response.status_code": 429, "trilemma.retry.wait": 2.0}
    assert second["trilemma.attempt.number"] == 2
    assert "Connect" in second["error.type"]
    assert last == {"trilemma.attempt.number": 3, "http.response.status_code": 200}
    assert record["retry_count"] == 2
    assert record["retry_wait_s"] == first["trilemma.retry.wait"] + second["trilemma.retry.wait"]
    assert record["http_status"] == 200
    assert not is_error(span)


async def test_async_retries(traced: Traced, case: Case) -> None:
    """Async retries are seen alike."""
    require_retries(case)
    client = traced.client(case, reply_error(case.name, 500), reply_whole(case.name), max_retries=2, is_async=True)
    await case.find(client)(**case.arguments, **ask_retries(case, 2))
    assert traced.record()["retry_count"] == 1
    assert len(traced.span().events) == 2


def test_retries_in_vain(traced: Traced, case: Case) -> None:
    """When the last attempt fails too, the span says how often the SDK tried and how it ended."""
    require_retries(case)
    if case.sdk == "mistralai":
        pytest.skip("mistralai counts no attempts: it tries until its time is up")
    client = traced.client(case, reply_error(case.name, 429), max_retries=2)
    with pytest.raises(Exception):  # noqa: B017, PT011  # each SDK has its own
        case.find(client)(**case.arguments, **ask_retries(case, 2))
    record = traced.record()
    kind = "429" if case.traits.refused_type == "400" else "rate_limit_error"
    assert (record["retry_count"], record["error_type"], record["http_status"]) == (2, kind, 429)
    assert len(traced.span().events) == 3


async def test_cancelled_before_the_response(traced: Traced, case: Case) -> None:
    """A call that is cancelled before its response fails by that name: a time-out of the app's counts."""
    script = traced.script(reply_whole(case.name))
    from tests.instrumentation.providers.wire import make_client

    def cancel() -> None:
        raise asyncio.CancelledError

    script.during_request = cancel
    client = make_client(case, script, is_async=True)
    with pytest.raises(asyncio.CancelledError):
        await case.find(client)(**case.arguments)
    assert traced.record()["error_type"] == "CancelledError"


def test_message_stays_off_the_span(traced: Traced) -> None:
    """A failed parse, whose message quotes the model, leaves only its type."""
    from pydantic import BaseModel

    from tests.instrumentation.providers.cases import CHAT

    class Order(BaseModel):
        number: int

    client = traced.client(CHAT, reply_whole(CHAT.name))
    if not hasattr(client.chat.completions, "parse"):
        pytest.skip("this openai has no chat.completions.parse")
    arguments = {key: value for key, value in CHAT.arguments.items() if key != "tools"}
    with pytest.raises(Exception, match="Order"):
        client.chat.completions.parse(**arguments, response_format=Order)
    span = traced.span()
    assert is_error(span)
    assert span.status.description == "ValidationError"
    assert traced.record()["output_tokens"] == 20
