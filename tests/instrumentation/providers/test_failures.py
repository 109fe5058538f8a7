"""Hold what failed calls and the SDK's own retries leave on the span."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

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


def test_refused(traced: Traced, case: Case) -> None:
    """A refusal is an ERROR with the provider's type, status and request id; the user gets the SDK's exception."""
    client = traced.client(case, reply_error(case.name, 400))
    with pytest.raises(case.import_sdk().BadRequestError):
        case.find(client)(**case.arguments)
    record = traced.record()
    assert is_error(traced.span())
    assert record["error_type"] == "invalid_request_error"
    assert (record["http_status"], record["request_id"]) == (400, "req_1")
    assert record["retry_count"] is None
    assert not traced.span().events


def test_no_connection(traced: Traced, case: Case) -> None:
    """Without a connection the error type is the SDK's exception, and the request's hash is there all the same."""
    with pytest.raises(case.import_sdk().APIConnectionError):
        case.find(traced.client(case, REFUSED))(**case.arguments)
    record = traced.record()
    assert record["error_type"] == "APIConnectionError"
    assert record["http_status"] is None
    assert len(record["request_hash"]) == 32


def test_retries(traced: Traced, case: Case) -> None:
    """Each attempt is an event with its status or error and the wait after it; the sums are attributes."""
    again = {"retry-after": "2"}
    client = traced.client(
        case, reply_error(case.name, 429, headers=again), REFUSED, reply_whole(case.name), max_retries=3
    )
    case.find(client)(**case.arguments)
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
    client = traced.client(case, reply_error(case.name, 500), reply_whole(case.name), max_retries=2, is_async=True)
    await case.find(client)(**case.arguments)
    assert traced.record()["retry_count"] == 1
    assert len(traced.span().events) == 2


def test_retries_in_vain(traced: Traced, case: Case) -> None:
    """When the last attempt fails too, the span says how often the SDK tried and how it ended."""
    client = traced.client(case, reply_error(case.name, 429), max_retries=2)
    with pytest.raises(case.import_sdk().RateLimitError):
        case.find(client)(**case.arguments)
    record = traced.record()
    assert (record["retry_count"], record["error_type"], record["http_status"]) == (2, "rate_limit_error", 429)
    assert len(traced.span().events) == 3


async def test_cancelled_before_the_response(traced: Traced, case: Case) -> None:
    """A call that is cancelled before its response fails by that name: a time-out of the app's counts."""
    script = traced.script(reply_whole(case.name))
    from tests.instrumentation.providers.wire import make_client

    def cancel() -> None:
        raise asyncio.CancelledError

    script.during_request = cancel
    client = make_client(case.import_sdk(), script, is_async=True)
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
