"""Own the workloads of the overhead benchmark: real SDK calls on an in-process transport, whoever traces them.

The same shapes as the project's reference bench (W1 to W7), with bodies from the demo's provider emulator.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tests.demo.emulator import anthropic_wire, openai_wire, responses_wire
from tests.demo.emulator.exchange import Answer, Exchange, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["TITLES", "Wire", "Workload", "build", "make_client"]

TITLES: Final = {
    "W1": "openai chat completion, tool call",
    "W2": "openai chat completion, stream of 300 chunks",
    "W3": "openai chat completion, async, 50 at a time",
    "W4": "anthropic message, tool use",
    "W5": "anthropic message, stream helper, 300 events",
    "W6": "openai embeddings, 64 texts",
    "W7": "openai response, tool call",
}
CHUNKS: Final = 300
OPENAI_MODEL, ANTHROPIC_MODEL, EMBEDDING_MODEL = "gpt-5.4-mini", "claude-sonnet-4-6", "text-embedding-3-small"

_PARAGRAPH = (
    "The parcel left our warehouse on Tuesday morning and was handed to the courier on the same day. Customs asked for "
    "the invoice, which we have sent. As soon as the parcel is released it takes two or three working days. "
)
SYSTEM = _PARAGRAPH * 5
TURNS = (_PARAGRAPH * 4, _PARAGRAPH * 3, _PARAGRAPH * 2, _PARAGRAPH * 3, _PARAGRAPH * 2)
ANSWER = Answer(
    text=_PARAGRAPH * 5,
    tool="lookup_order",
    arguments={"order_id": "A-1029-77", "carrier": "DHL", "include_history": True, "limit": 5},
)
PARAMETERS = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "description": "The order's number."},
        "carrier": {"type": "string", "enum": ["DHL", "UPS", "FedEx"]},
        "include_history": {"type": "boolean"},
        "limit": {"type": "integer"},
    },
    "required": ["order_id"],
}
FUNCTION = {"name": "lookup_order", "description": "Look an order up.", "parameters": PARAMETERS}
MESSAGES = [{"role": "user" if i % 2 == 0 else "assistant", "content": text} for i, text in enumerate(TURNS)]
CHAT: dict[str, Any] = {
    "model": OPENAI_MODEL,
    "messages": [{"role": "system", "content": SYSTEM}, *MESSAGES],
    "tools": [{"type": "function", "function": FUNCTION}],
    "temperature": 0.2,
    "max_completion_tokens": 800,
}
MESSAGE: dict[str, Any] = {
    "model": ANTHROPIC_MODEL,
    "max_tokens": 800,
    "system": SYSTEM,
    "messages": MESSAGES,
    "tools": [{"name": "lookup_order", "description": "Look an order up.", "input_schema": PARAMETERS}],
}
RESPONSE: dict[str, Any] = {
    "model": OPENAI_MODEL,
    "instructions": SYSTEM,
    "input": MESSAGES,
    "tools": [{"type": "function", "strict": False, **FUNCTION}],
    "temperature": 0.2,
    "max_output_tokens": 800,
}
EMBEDDINGS: dict[str, Any] = {"model": EMBEDDING_MODEL, "input": [f"{i} {_PARAGRAPH}"[:120] for i in range(64)]}
_USAGE = Usage(input=531, cache_read=512, cache_write=128, output=307, reasoning=64)


@dataclass(frozen=True)
class Workload:
    """One unit of work: `run` makes `calls` calls of the SDK and returns what `check` needs."""

    run: Callable[[], Any]
    check: Callable[[Any], bool]
    close: Callable[[], object]
    calls: int = 1
    chunks: int = 0


def build(name: str) -> Workload:
    """Return the workload `name`, ready to run."""
    return _BUILDERS[name]()


class Wire:
    """Be the transport's other end: it answers each request with the same body under a new id."""

    def __init__(self, wire: Any, exchange: Exchange, *, stream: bool, pieces: int | None = None) -> None:
        exchange.answer, exchange.usage, exchange.response_id = ANSWER, _USAGE, "id_00000000"
        self.headers = wire.headers("req_0", 0.812, (9999, 1_900_000))
        self.headers["content-type"] = "text/event-stream; charset=utf-8" if stream else "application/json"
        self.count = 0
        if stream:
            self.parts = [event for event, _ in wire.events(exchange, *_cut(wire, pieces))]
        else:
            self.parts = [
                json.dumps(_embedded(exchange) if exchange.model == EMBEDDING_MODEL else wire.body(exchange)).encode()
            ]

    def chunks(self) -> Iterator[bytes]:
        """Yield the body of the next answer."""
        self.count += 1
        new_id = b"id_%08d" % self.count
        return (part.replace(b"id_00000000", new_id) for part in self.parts)

    def respond(self, httpx: Any) -> Any:
        """Return the next answer as the HTTP library has it."""
        content = self.chunks() if len(self.parts) > 1 else b"".join(self.chunks())
        return httpx.Response(200, headers=self.headers, content=content)


def _cut(wire: Any, pieces: int | None) -> tuple[list[str], list[str]]:
    """Cut the answer's text and arguments into `pieces` each; without it, so that the whole stream has 300 events."""
    arguments = json.dumps(ANSWER.arguments)
    text_count, argument_count = (277, 19) if wire is openai_wire else (272, 20)
    if pieces is not None:
        text_count = argument_count = pieces
    return _pieces(ANSWER.text, text_count), _pieces(arguments, argument_count)


def _pieces(text: str, count: int) -> list[str]:
    return [text[i * len(text) // count : (i + 1) * len(text) // count] for i in range(count)]


def _embedded(exchange: Exchange) -> dict[str, Any]:
    exchange.body = {**exchange.body, "encoding_format": "base64"}
    return openai_wire.embeddings(exchange)


def _httpx_of(sdk: Any) -> Any:
    """Return the HTTP library this SDK stands on: httpx2, or httpx for older ones."""
    bases = (base.__module__.partition(".")[0] for base in sdk.DefaultHttpxClient.__mro__[1:])
    return importlib.import_module(next(name for name in bases if name.startswith("httpx")))


def make_client(sdk_name: str, wire: Wire, *, is_async: bool = False) -> Any:
    """Return a client of the SDK whose requests `wire` answers."""
    sdk = importlib.import_module(sdk_name)
    httpx = _httpx_of(sdk)
    kind = "Async" if is_async else ""

    async def respond_later(request: Any) -> Any:
        await asyncio.sleep(0)
        return wire.respond(httpx)

    transport = httpx.MockTransport(respond_later if is_async else lambda request: wire.respond(httpx))
    http_client = getattr(httpx, f"{kind}Client")(transport=transport)
    sdk_class = {"openai": "OpenAI", "anthropic": "Anthropic"}[sdk_name]
    return getattr(sdk, kind + sdk_class)(api_key="bench", max_retries=0, http_client=http_client)


_NOW = datetime(2026, 11, 2, tzinfo=UTC)


def _chat() -> Workload:
    client = make_client("openai", Wire(openai_wire, openai_wire.read_chat(CHAT, _NOW, 0, 0), stream=False))
    return Workload(
        lambda: client.chat.completions.create(**CHAT),
        lambda r: (
            r.usage.completion_tokens == 307 and r.choices[0].message.tool_calls[0].function.name == "lookup_order"
        ),
        client.close,
    )


def _chat_stream() -> Workload:
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    client = make_client("openai", Wire(openai_wire, openai_wire.read_chat(body, _NOW, 0, 0), stream=True))
    return Workload(
        lambda: sum(1 for _ in client.chat.completions.create(**body)),
        lambda count: count == CHUNKS,
        client.close,
        chunks=CHUNKS,
    )


def _chat_async() -> Workload:
    wire = Wire(openai_wire, openai_wire.read_chat(CHAT, _NOW, 0, 0), stream=False)
    client, loop = make_client("openai", wire, is_async=True), asyncio.new_event_loop()

    async def fifty() -> list[Any]:
        return await asyncio.gather(*(client.chat.completions.create(**CHAT) for _ in range(50)))

    def close() -> None:
        loop.run_until_complete(client.close())
        loop.close()

    return Workload(
        lambda: loop.run_until_complete(fifty()),
        lambda rs: len(rs) == 50 and all(r.usage.completion_tokens == 307 for r in rs),
        close,
        calls=50,
    )


def _message() -> Workload:
    exchange = anthropic_wire.read_messages(MESSAGE, _NOW, 0, 0)
    client = make_client("anthropic", Wire(anthropic_wire, exchange, stream=False))
    return Workload(
        lambda: client.messages.create(**MESSAGE),
        lambda r: r.usage.output_tokens == 307 and r.content[1].name == "lookup_order",
        client.close,
    )


def _message_stream() -> Workload:
    exchange = anthropic_wire.read_messages({**MESSAGE, "stream": True}, _NOW, 0, 0)
    client = make_client("anthropic", Wire(anthropic_wire, exchange, stream=True))

    def run() -> tuple[int, Any]:
        with client.messages.stream(**MESSAGE) as stream:
            count = sum(1 for _ in stream)
            return count, stream.get_final_message()

    # The helper hands on its own events (text, content_block_stop) beside the wire's, and drops pings.
    return Workload(
        run, lambda r: r[0] >= CHUNKS - 1 and r[1].content[1].input["carrier"] == "DHL", client.close, chunks=CHUNKS
    )


def _embeddings() -> Workload:
    exchange = openai_wire.read_embeddings(EMBEDDINGS, _NOW, 0, 0)
    client = make_client("openai", Wire(openai_wire, exchange, stream=False))
    return Workload(
        lambda: client.embeddings.create(**EMBEDDINGS),
        lambda r: len(r.data) == 64 and len(r.data[0].embedding) == 1536,
        client.close,
    )


def _response() -> Workload:
    exchange = responses_wire.read_response(RESPONSE, _NOW, 0, 0)
    client = make_client("openai", Wire(responses_wire, exchange, stream=False))
    return Workload(
        lambda: client.responses.create(**RESPONSE),
        lambda r: r.usage.input_tokens == 1043 and r.output[1].name == "lookup_order",
        client.close,
    )


_BUILDERS = {
    "W1": _chat,
    "W2": _chat_stream,
    "W3": _chat_async,
    "W4": _message,
    "W5": _message_stream,
    "W6": _embeddings,
    "W7": _response,
}
