"""Hold what the same faults leave on the spans of SDKs that send by httpx, each with the words of its provider."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from typing import Any

import pytest
from trilemma.dropped import end_late

from tests.instrumentation.faults.server import HANG, RESET, Behaviour, FaultServer
from tests.instrumentation.providers.cases import COHERE, GROQ, HUB, MISTRAL, OLLAMA, TOGETHER, Case
from tests.instrumentation.providers.conftest import Traced, is_error, require
from tests.instrumentation.providers.wire import reply_error, reply_stream, reply_whole

CASES = (GROQ, TOGETHER, MISTRAL, COHERE, OLLAMA, HUB)
# What an error is in the place of a chunk, and the type that its span has then.
IN_STREAM = {
    "groq": (b'data: {"error": {"message": "no", "type": "server_error"}}\n\n', "server_error"),
    "together": (b'data: {"error": {"message": "no", "type": "server_error"}}\n\n', "server_error"),
    "mistralai": (
        b'data: {"object": "error", "message": "no", "type": "server_error", "code": "3000"}\n\n',
        "server_error",
    ),
    "cohere": (b'event: message-end\ndata: {"type": "message-end", "delta": {"finish_reason": "ERROR"}}\n\n', "ERROR"),
    "ollama": (b'{"error": "out of memory"}\n', "error"),
    "huggingface_hub": (b'data: {"error": {"message": "no", "type": "server_error"}}\n\n', "server_error"),
}


def make(url: str, case: Case, *, is_async: bool, retries: int, timeout_s: float) -> tuple[Any, Any]:
    """Return a client of the case's SDK for a server, and what of it is to be closed."""
    http = case.traits.find_http()
    client: Any
    if case.sdk in {"groq", "together", "ollama"}:  # these make their own HTTP client
        name = {"groq": "Groq", "together": "Together", "ollama": "Client"}[case.sdk]
        kind = getattr(case.import_sdk(), ("Async" if is_async else "") + name)
        if case.sdk == "ollama":
            client = kind(host=url, timeout=timeout_s, trust_env=False)
            return client, client._client
        client = kind(api_key="k", base_url=url, max_retries=retries, timeout=timeout_s)
        return client, client
    http_client = (http.AsyncClient if is_async else http.Client)(timeout=timeout_s, trust_env=False)
    by_sdk: dict[str, dict[str, Any]] = {
        "mistralai": {"server_url": url, "timeout_ms": round(timeout_s * 1000)},
        "cohere": {"base_url": url},
        "huggingface_hub": {"base_url": url, "timeout": timeout_s},
    }
    return case.make_client(http_client, is_async=is_async, max_retries=retries, **by_sdk[case.sdk]), http_client


class Calls:
    """Make the calls of one case, sync or async."""

    def __init__(self, traced: Traced, case: Case, *, is_async: bool) -> None:
        self.traced = traced
        self.case = case
        self.is_async = is_async

    def make(self, server: FaultServer, *, retries: int = 0, timeout_s: float = 20, stream: bool = False) -> None:
        """Make one call and read its stream, if it is one, to the end."""
        asyncio.run(self.start(server, retries=retries, timeout_s=timeout_s, stream=stream))

    async def start(
        self, server: FaultServer, *, retries: int = 0, timeout_s: float = 20, stream: bool = False
    ) -> None:
        """Do the same within an event loop."""
        client, opened = make(server.url, self.case, is_async=self.is_async, retries=retries, timeout_s=timeout_s)
        asked: dict[str, Any] = {"stream": True} if stream else {}
        if self.case.sdk == "cohere":
            asked["request_options"] = {"max_retries": retries, "timeout_in_seconds": timeout_s}
        try:
            result = self.case.find(client)(**self.case.arguments, **asked)
            if self.is_async:
                result = await result
            if stream and self.is_async:
                [chunk async for chunk in result]
            elif stream:
                list(result)
        finally:
            await opened.aclose() if hasattr(opened, "aclose") else None
            closed = opened.close() if hasattr(opened, "close") else None
            if closed is not None:
                await closed


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    """Be each SDK in turn."""
    return require(request.param)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def calls(request: pytest.FixtureRequest, traced: Traced, case: Case) -> Calls:
    """Give the calls of a case, on the real clock."""
    traced.instrument_live()
    return Calls(traced, case, is_async=request.param)


def refuse(case: Case, status: int, **headers: str) -> Behaviour:
    """Return a refusal."""
    reply = reply_error(case.name, status)
    return Behaviour(status, {**reply.headers, **headers}, [reply.body])


def stream(case: Case, events: int, *more: bytes, **options: Any) -> Behaviour:
    """Return a stream: its first `events`, and `more` after them."""
    reply = reply_stream(case.name)
    assert reply.events is not None
    return Behaviour(200, reply.headers, [*reply.events[:events], *more], **options)


def answer(case: Case) -> Behaviour:
    """Return a good answer."""
    reply = reply_whole(case.name)
    return Behaviour(200, reply.headers, [reply.body])


def test_429_then_answer(calls: Calls, case: Case) -> None:
    """Each attempt of an SDK that tries again has its status; the wait that was asked for is on the span."""
    if not case.traits.retries:
        pytest.skip(f"{case.sdk} does not repeat calls")
    with FaultServer(refuse(case, 429, **{"retry-after-ms": "60"}), answer(case)) as server:
        calls.make(server, retries=2)
        assert server.requests == 2
    record = calls.traced.record()
    assert (record["retry_count"], record["retry_wait_s"], record["http_status"]) == (1, 0.06, 200)
    assert record["input_tokens"] == 100


def test_500(calls: Calls, case: Case) -> None:
    """A server's error is an ERROR with its status, which is not billed."""
    with FaultServer(refuse(case, 500)) as server, pytest.raises(Exception):  # noqa: B017, PT011  # each has its own
        calls.make(server)
    record = calls.traced.record()
    assert is_error(calls.traced.span())
    assert (record["http_status"], record["cost"], record["cost_source"]) == (500, 0, "not_billed")
    assert record["error_type"] == ("500" if case.traits.refused_type == "400" else case.traits.refused_type)


def test_connection_reset(calls: Calls, case: Case) -> None:
    """A reset connection is an error by its name, without status, whose cost is unknown."""
    with FaultServer(RESET) as server, pytest.raises(Exception):  # noqa: B017, PT011  # each has its own
        calls.make(server)
    record = calls.traced.record()
    assert record["error_type"] in {"ReadError", "RemoteProtocolError", "APIConnectionError"}
    assert (record["http_status"], record["cost_source"]) == (None, "unpriced")


def test_time_out(calls: Calls, case: Case) -> None:
    """A provider that does not answer in time is a time-out."""
    with FaultServer(HANG) as server, pytest.raises(Exception):  # noqa: B017, PT011  # each has its own
        calls.make(server, timeout_s=0.3)
    assert calls.traced.record()["error_type"] in {"ReadTimeout", "APITimeoutError"}


def test_error_in_a_stream(calls: Calls, case: Case) -> None:
    """An error that comes as an event of a stream under status 200 is an ERROR; what came before is kept."""
    told, kind = IN_STREAM[case.sdk]
    # Some SDKs raise it, others hand it on.
    with FaultServer(stream(case, 3, told)) as server, contextlib.suppress(Exception):
        calls.make(server, stream=True)
    gc.collect()  # a generator that failed stays with the exception of its event loop's task
    end_late()
    record = calls.traced.record()
    assert is_error(calls.traced.span())
    assert (record["error_type"], record["http_status"]) == (kind, 200)
    assert record["chunk_count"] >= 3


def test_disconnect_in_a_stream(calls: Calls, case: Case) -> None:
    """A connection that ends within a stream is a failure with what was seen before it."""
    with (
        FaultServer(stream(case, 3, breaks=True)) as server,
        pytest.raises(Exception, match=r"peer|onnection"),
    ):
        calls.make(server, stream=True)
    record = calls.traced.record()
    assert (record["stream_end"], record["chunk_count"]) == ("failed", 3)
    assert is_error(calls.traced.span())


async def test_cancelled_while_waiting(traced: Traced, case: Case) -> None:
    """A task that is cancelled while the provider thinks has its span, by that name."""
    traced.instrument_live()
    with FaultServer(HANG) as server:
        task = asyncio.create_task(Calls(traced, case, is_async=True).start(server))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert traced.record()["error_type"] == "CancelledError"
