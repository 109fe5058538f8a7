"""Hold the spans of realtime sessions, over real websockets on loopback: sync and async, the API and its beta."""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import openai
import pytest
import trilemma
from opentelemetry.trace import StatusCode
from trilemma.instrumentation import uninstrument

from tests.instrumentation.providers.conftest import find, read
from tests.instrumentation.providers.mutations import change_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from tests.instrumentation.providers.conftest import Traced

websockets_server = pytest.importorskip("websockets.sync.server", reason="realtime needs `pip install websockets`")
if "websocket_base_url" not in inspect.signature(openai.OpenAI.__init__).parameters:
    pytest.skip(f"openai {openai.__version__} has no realtime sessions", allow_module_level=True)
# The SDK's own use of websockets 17, which warns of it.
pytestmark = pytest.mark.filterwarnings("ignore:connect\\(\\) must be used as a context manager:DeprecationWarning")
PATHS = ("realtime", "beta.realtime")
SESSION = {
    "type": "session.created",
    "session": {
        "id": "sess_1",
        "model": "gpt-realtime",
        "output_modalities": ["audio"],
        "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
    },
}
USAGE = {
    "total_tokens": 1200,
    "input_tokens": 1000,
    "output_tokens": 200,
    "input_token_details": {
        "text_tokens": 500,
        "audio_tokens": 500,
        "image_tokens": 0,
        "cached_tokens": 300,
        "cached_tokens_details": {"text_tokens": 100, "audio_tokens": 200, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 50, "audio_tokens": 150},
}
CALL = {"type": "function_call", "name": "find_order", "call_id": "call_1", "arguments": "{}"}


def make_response(response_id: str, status: str = "completed", **more: Any) -> list[dict[str, Any]]:
    """Return the events of a response."""
    begun = {"id": response_id, "object": "realtime.response", "status": "in_progress", "conversation_id": "conv_1"}
    ended = {**begun, "status": status, "usage": USAGE, "output": [CALL], "output_modalities": ["audio"], **more}
    return [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "response_id": response_id, "item": CALL},
        {"type": "response.output_audio.delta", "event_id": "e", "response_id": response_id, "delta": "AAAA" * 99},
        {"type": "response.output_audio.delta", "event_id": "e", "response_id": response_id, "delta": "AAAA" * 99},
        {"type": "response.done", "response": ended},
    ]


HEARD = {
    "type": "conversation.item.input_audio_transcription.completed",
    "item_id": "item_1",
    "transcript": "Where is order 7?",
    "usage": {
        "type": "tokens",
        "total_tokens": 30,
        "input_tokens": 20,
        "output_tokens": 10,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 20},
    },
}


def answer(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the server sends after an event of the client's."""
    if event["type"] == "response.create":
        return make_response("resp_1")
    if event["type"] == "input_audio_buffer.append":  # voice activity: the server answers by itself
        return [HEARD, *make_response("resp_2")]
    if event["type"] == "response.cancel":
        reason = {"type": "cancelled", "reason": "client_cancelled"}
        return make_response("resp_3", "cancelled", status_details=reason)
    return [{"type": "error", "error": {"type": "invalid_request_error", "code": "unknown_item"}}]


def serve_session(socket: Any) -> None:
    """Be the server's end of one session."""
    socket.send(json.dumps(SESSION))
    for message in socket:
        for event in answer(json.loads(message)):
            socket.send(json.dumps(event))


@contextmanager
def serve(handler: Any = serve_session, **options: Any) -> Iterator[str]:
    """Serve sessions on loopback; yield the base URL of the API."""
    server = websockets_server.serve(handler, "127.0.0.1", 0, **options)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}/v1"
    finally:
        server.shutdown()
        thread.join()


def is_done(event: Any) -> bool:
    """Tell whether an event ends what a test waits for."""
    return event.type in {"response.done", "error"}


def use(connection: Any, event: dict[str, Any]) -> None:
    """Send an event and receive until what it led to is done."""
    connection.send(event)
    for received in connection:
        if is_done(received):
            break


def split(spans: list[ReadableSpan]) -> tuple[ReadableSpan, list[ReadableSpan]]:
    """Return the session's span and those in it."""
    [session] = [span for span in spans if span.name.startswith("realtime")]
    inner = [span for span in spans if span.parent and span.parent.span_id == session.context.span_id]
    assert len(inner) == len(spans) - 1
    return session, inner


def hold_response(span: ReadableSpan) -> None:
    """Hold a whole response's span to what the server said, priced by OpenAI's page for gpt-realtime."""
    record = read(span)
    assert span.name == "chat gpt-realtime"
    assert (record["response_id"], record["response_status"], record["output_type"]) == (
        "resp_1",
        "completed",
        "speech",
    )
    assert (record["input_tokens"], record["output_tokens"], record["cache_read_tokens"]) == (1000, 200, 300)
    assert (record["audio_input_tokens"], record["audio_output_tokens"]) == (500, 150)
    assert record["audio_cache_read_tokens"] == 200
    assert (record["tool_call_names"], record["tool_call_ids"]) == (("find_order",), ("call_1",))
    assert (record["chunk_count"], record["stream_end"]) == (5, "exhausted")
    dollars = 400 * 4e-6 + 300 * 32e-6 + 300 * 0.4e-6 + 50 * 16e-6 + 150 * 64e-6
    assert record["cost"] == pytest.approx(dollars)


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve sessions as a host that is named OpenAI's."""
    monkeypatch.setenv("NO_PROXY", "*")
    with serve() as base_url:
        yield base_url


@pytest.mark.parametrize("path", PATHS)
def test_response(traced: Traced, sessions: str, path: str) -> None:
    """A session is a span, and a response that the app asks for a call in it, with tokens by kind and their cost."""
    client = openai.OpenAI(api_key="k", base_url=sessions, websocket_base_url=sessions.replace("http", "ws"))
    with client, find(client, path).connect(model="gpt-realtime") as connection:
        use(connection, {"type": "response.create"})
    session, [response] = split(traced.spans())
    assert session.name == "realtime gpt-realtime"
    assert read(session)["conversation_id"] == "sess_1"
    assert session.status.status_code is StatusCode.UNSET
    hold_response(response)


@pytest.mark.parametrize("path", PATHS)
async def test_response_async(traced: Traced, sessions: str, path: str) -> None:
    """So it is on the async client."""
    client = openai.AsyncOpenAI(api_key="k", base_url=sessions, websocket_base_url=sessions.replace("http", "ws"))
    async with client, find(client, path).connect(model="gpt-realtime") as connection:
        await connection.response.create()
        async for event in connection:
            if is_done(event):
                break
    _, [response] = split(traced.spans())
    hold_response(response)


def test_voice(traced: Traced, sessions: str) -> None:
    """What the server answers by itself is a call too, and so is the transcript of what it heard."""
    client = openai.OpenAI(api_key="k", base_url=sessions)
    with client, find(client, "realtime").connect(model="gpt-realtime") as connection:
        use(connection, {"type": "input_audio_buffer.append", "audio": "AAAA"})
    _, [heard, response] = split(traced.spans())
    assert (heard.name, read(heard)["audio_input_tokens"]) == ("speech_to_text gpt-4o-transcribe", 20)
    assert read(heard)["cost"] == pytest.approx(20 * 6e-6 + 10 * 10e-6)
    assert read(response)["response_id"] == "resp_2"


def test_cancelled(traced: Traced, sessions: str) -> None:
    """A cancelled response keeps its tokens and cost; it is no error."""
    client = openai.OpenAI(api_key="k", base_url=sessions)
    with client, find(client, "realtime").connect(model="gpt-realtime") as connection:
        use(connection, {"type": "response.cancel"})
    _, [response] = split(traced.spans())
    record = read(response)
    assert (record["response_status"], record["finish_reasons"]) == ("cancelled", ("client_cancelled",))
    assert (record["output_tokens"], record["error_type"]) == (200, None)
    assert record["cost"] > 0


def test_refused_event(traced: Traced, sessions: str) -> None:
    """An error that the server sends is an event of the session, which goes on."""
    client = openai.OpenAI(api_key="k", base_url=sessions)
    with client, find(client, "realtime").connect(model="gpt-realtime") as connection:
        use(connection, {"type": "conversation.item.delete", "item_id": "item_9"})
        use(connection, {"type": "response.create"})
    session, [response] = split(traced.spans())
    assert [dict(event.attributes or {}) for event in session.events] == [{"error.type": "unknown_item"}]
    assert session.status.status_code is StatusCode.UNSET
    hold_response(response)


def test_task_of_a_response(traced: Traced, sessions: str) -> None:
    """A response serves the task that its app is in, whatever the session was opened for."""
    client = openai.OpenAI(api_key="k", base_url=sessions)
    with client, find(client, "realtime").connect(model="gpt-realtime") as connection:
        with trilemma.task("support.call", id="t-1"):
            use(connection, {"type": "response.create"})
        use(connection, {"type": "response.create"})
    spans = [span for span in traced.spans() if span.name == "chat gpt-realtime"]
    assert [read(span)["task_id"] for span in spans] == ["t-1", None]


def test_no_session(traced: Traced) -> None:
    """A connection that is refused is the session's failure, with its status; the app gets what it would have got."""

    def refuse(socket: Any, _: Any) -> Any:
        return socket.respond(401, "who are you?")

    with serve(process_request=refuse) as base_url, openai.OpenAI(api_key="k", base_url=base_url) as client:
        with pytest.raises(Exception, match="401") as raised:
            find(client, "realtime").connect(model="gpt-realtime").enter()
        record = read(traced.span())
    assert (record["http_status"], record["error_type"]) == (401, type(raised.value).__name__)


def test_broken_session(traced: Traced) -> None:
    """Where the connection breaks, the response under way ends with what it had, and the session as failed."""

    def break_off(socket: Any) -> None:
        socket.send(json.dumps(SESSION))
        for event in make_response("resp_1")[:3]:
            socket.send(json.dumps(event))
        socket.close(1011, "overloaded")

    with serve(break_off) as base_url, openai.OpenAI(api_key="k", base_url=base_url) as client:
        connection = find(client, "realtime").connect(model="gpt-realtime").enter()
        with pytest.raises(Exception, match="1011"):
            list(connection)
        connection.close()
    session, [response] = split(traced.spans())
    assert session.status.status_code is StatusCode.ERROR
    assert (read(response)["stream_end"], read(response)["chunk_count"]) == ("closed", 3)
    assert (read(response)["cost"], read(response)["unpriced_reason"]) == (None, "usage")


def test_mutated_events(traced: Traced) -> None:
    """Whatever the server sends reaches the app as it was sent, and the session's span is there; seeded."""
    chance = Random(20261124)
    good = [
        json.dumps(event).encode() for event in (SESSION, HEARD, *make_response("resp_1"), *make_response("resp_2"))
    ]
    sent = [
        change_json(chance.choice(good), chance) if chance.random() < 0.7 else chance.choice(good) for _ in range(600)
    ]

    def send_all(socket: Any) -> None:
        for data in [*sent, b"the end"]:
            socket.send(data)

    received = []
    with serve(send_all) as base_url, openai.OpenAI(api_key="k", base_url=base_url) as client:
        connection = find(client, "realtime").connect(model="gpt-realtime").enter()
        while (data := connection.recv_bytes()) != b"the end":
            received.append(data)
        connection.close()
    assert received == sent
    assert [span.name for span in traced.spans()].count("realtime gpt-realtime") == 1
    assert len(traced.spans()) > 100


def test_restored(traced: Traced, sessions: str) -> None:
    """Switched off, the SDK's connections are its own again; a session that is open goes on without us."""
    client = openai.OpenAI(api_key="k", base_url=sessions)
    connections = find(client, "realtime").connect
    with client, connections(model="gpt-realtime") as connection:
        assert hasattr(type(connection).recv_bytes, "__wrapped__")
        uninstrument()
        assert not hasattr(type(connection).recv_bytes, "__wrapped__")
        use(connection, {"type": "response.create"})
    with connections(model="gpt-realtime") as connection:
        use(connection, {"type": "response.create"})
    assert [span.name for span in traced.spans()].count("chat gpt-realtime") == 0


async def test_parallel_sessions(traced: Traced, sessions: str) -> None:
    """Sessions side by side keep their responses apart."""

    async def talk(client: Any) -> None:
        async with find(client, "realtime").connect(model="gpt-realtime") as connection:
            for _ in range(3):
                await connection.response.create()
                async for event in connection:
                    if is_done(event):
                        break

    async with openai.AsyncOpenAI(api_key="k", base_url=sessions) as client:
        await asyncio.gather(*(talk(client) for _ in range(4)))
    found = traced.spans()
    names = [span.name for span in found]
    assert (names.count("realtime gpt-realtime"), names.count("chat gpt-realtime")) == (4, 12)
    parents = [span.parent.span_id for span in found if span.parent]
    assert all(parents.count(parent) == 3 for parent in parents)
