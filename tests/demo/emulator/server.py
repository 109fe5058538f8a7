"""Own the emulator's HTTP server: it reads a request, lets the brain answer, and sends it at the provider's pace.

Time: a client under the demo's virtual clock states its time (`x-virtual-time`) and is told how long each part takes;
any other client waits, compressed by `speed` (300: a second of the provider lasts 3.3 ms).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.demo.emulator import anthropic_wire, brain, openai_wire, responses_wire
from tests.demo.emulator.exchange import Exchange, Usage, draw
from tests.demo.truths import CACHE_LIFETIME_S, ERRORS, MODELS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

__all__ = ["Entry", "Provider", "build_app"]

NETWORK_S, REFUSAL_S = 0.045, 0.020


@dataclass(frozen=True)
class Entry:
    """What the emulator remembers of one HTTP request: the truth that a trace of it is compared with."""

    endpoint: str
    model: str
    attempt: int
    status: int
    stream: bool
    request_id: str
    response_id: str
    body_hash: str
    at: float
    input_tokens: int  # all of them, cached ones included
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    seconds: float | None  # until the response was whole, as the client was told; None for a stream


@dataclass(frozen=True)
class Api:
    """One endpoint: where it is, how to read it, and whose words it uses."""

    path: str
    endpoint: str
    id_prefix: str
    wire: Any
    read: Callable[[dict[str, Any], datetime, int, int], Exchange]


APIS = (
    Api("/v1/chat/completions", "chat", "chatcmpl-", openai_wire, openai_wire.read_chat),
    Api("/v1/embeddings", "embeddings", "emb-", openai_wire, openai_wire.read_embeddings),
    Api("/v1/responses", "responses", "resp_", responses_wire, responses_wire.read_response),
    Api("/v1/messages", "messages", "msg_01", anthropic_wire, anthropic_wire.read_messages),
)


class Provider:
    """Hold what the providers know between requests: their ledger, what they have seen, and their prompt caches."""

    def __init__(self, speed: float = 300.0, *, failing: bool = True) -> None:
        self.speed, self.failing = speed, failing
        self.ledger: list[Entry] = []
        self._seen: Counter[str] = Counter()
        self._cached_at: dict[str, float] = {}

    async def handle(self, api: Api, request: Request) -> Response:
        """Answer one request, or fail as the real API would."""
        raw = await request.body()
        try:
            body = json.loads(raw)
        except ValueError:
            return self._refuse(api, 400, "We could not parse the JSON body of your request.")
        fault = api.wire.find_fault(body, api.endpoint)
        if fault:
            return self._refuse(api, *fault)
        exchange = self._read(api, request, raw, body)
        pace = _Pace(self.speed, virtual="x-virtual-time" in request.headers)
        error = _choose_error(api, exchange) if self.failing else None
        if error:
            return await self._fail(api, exchange, error, pace)
        self._think(api, exchange)
        return await self._send(api, exchange, pace)

    def _read(self, api: Api, request: Request, raw: bytes, body: dict[str, Any]) -> Exchange:
        stated = request.headers.get("x-virtual-time")
        at = datetime.fromtimestamp(float(stated), UTC) if stated else datetime.now(UTC)
        attempt = int(request.headers.get("x-stainless-retry-count", 0))
        digest = hashlib.sha256(raw).hexdigest()[:32]  # as trilemma hashes requests: equal bodies, equal hashes
        exchange = api.read(body, at, attempt, self._seen[digest])
        exchange.body_hash = digest
        exchange.response_id = f"{api.id_prefix}{digest[:20]}{self._seen[digest]:04d}"
        if attempt == 0:
            self._seen[digest] += 1
        return exchange

    def _think(self, api: Api, exchange: Exchange) -> None:
        total, prefix, prefix_tokens = api.wire.count_input(exchange)
        now = exchange.at.timestamp()
        hit = prefix_tokens and now - self._cached_at.get(prefix, float("-inf")) <= CACHE_LIFETIME_S
        if prefix_tokens:
            self._cached_at[prefix] = now
        usage = exchange.usage = Usage(input=total - prefix_tokens)
        if hit:
            usage.cache_read = prefix_tokens
        elif api.wire is anthropic_wire:
            usage.cache_write = prefix_tokens  # Anthropic bills the writing of a prefix, OpenAI does not
        else:
            usage.input = total
        if api.endpoint == "embeddings":
            return
        exchange.answer = brain.answer(exchange)
        said = exchange.answer.text + (json.dumps(exchange.answer.arguments) if exchange.answer.tool else "")
        if api.wire.reasons(exchange.body):
            usage.reasoning = exchange.chance("reasoning").randrange(40, 160)
        usage.output = -(-len(said) // 4) + usage.reasoning

    async def _send(self, api: Api, exchange: Exchange, pace: _Pace) -> Response:
        model, chance = MODELS[exchange.model], exchange.chance("latency")
        factor = chance.lognormvariate(0, 0.25) * (4 if chance.random() < 0.02 else 1)
        first_s = (model.first_token_s + exchange.usage.reasoning * model.per_token_s) * factor
        spoken = exchange.usage.output - exchange.usage.reasoning
        processing_s = first_s if exchange.stream else first_s + spoken * model.per_token_s * factor
        headers = self._headers(api, exchange, processing_s)
        self._remember(api, exchange, 200, headers, None if exchange.stream else processing_s + NETWORK_S)
        headers |= await pace.delay(processing_s + NETWORK_S)
        if exchange.stream:
            events = _stream(api, exchange, pace, model.per_token_s * factor)
            return StreamingResponse(events, headers=headers, media_type="text/event-stream")
        whole = api.wire.embeddings(exchange) if api.endpoint == "embeddings" else api.wire.body(exchange)
        return JSONResponse(whole, headers=headers)

    async def _fail(self, api: Api, exchange: Exchange, error: tuple[Any, ...], pace: _Pace) -> Response:
        status, kind, code, message, retry_after_s = error
        headers = self._headers(api, exchange, REFUSAL_S)
        if retry_after_s:
            headers["retry-after"] = str(retry_after_s)
        exchange.response_id = ""
        self._remember(api, exchange, status, headers, REFUSAL_S + NETWORK_S)
        headers |= await pace.delay(REFUSAL_S + NETWORK_S)
        body = api.wire.error_body(kind, code, message.format(model=exchange.model), _request_id(headers))
        return JSONResponse(body, status, headers=headers)

    def _refuse(self, api: Api, status: int, message: str) -> Response:
        kind = "not_found_error" if status == 404 and api.wire is anthropic_wire else "invalid_request_error"
        code = "model_not_found" if status == 404 else None
        request_id = f"req_{len(self.ledger):012x}refused"
        headers = api.wire.headers(request_id, 0.0, (9999, 9999))
        return JSONResponse(api.wire.error_body(kind, code, message, request_id), status, headers=headers)

    def _headers(self, api: Api, exchange: Exchange, processing_s: float) -> dict[str, str]:
        request_id = f"req_{len(self.ledger):012x}{int(draw(exchange.user, exchange.attempt) * 16**8):08x}"
        used = len(self.ledger) % 40
        result: dict[str, str] = api.wire.headers(request_id, processing_s, (3999 - used, 1_990_000 - 1_250 * used))
        return result

    def _remember(
        self,
        api: Api,
        exchange: Exchange,
        status: int,
        headers: dict[str, str],
        seconds: float | None,
    ) -> None:
        usage = exchange.usage
        self.ledger.append(
            Entry(
                endpoint=api.endpoint,
                model=exchange.model,
                attempt=exchange.attempt,
                status=status,
                stream=exchange.stream,
                request_id=_request_id(headers),
                response_id=exchange.response_id if api.endpoint != "embeddings" else "",
                body_hash=exchange.body_hash,
                at=exchange.at.timestamp(),
                input_tokens=usage.input + usage.cache_read + usage.cache_write,
                cache_read_tokens=usage.cache_read,
                cache_write_tokens=usage.cache_write,
                output_tokens=usage.output,
                seconds=seconds,
            )
        )


class _Pace:
    """Let a provider's time pass: by waiting, or by telling a client under the virtual clock."""

    def __init__(self, speed: float, *, virtual: bool) -> None:
        self.speed, self.virtual = speed, virtual

    async def delay(self, seconds: float) -> dict[str, str]:
        if self.virtual:
            return {"x-virtual-seconds": f"{seconds:.6f}"}
        await asyncio.sleep(seconds / self.speed)
        return {}

    async def mark(self, event: bytes, seconds: float) -> bytes:
        if self.virtual:
            return b": +%.6f\n" % seconds + event
        await asyncio.sleep(seconds / self.speed)
        return event


def build_app(provider: Provider) -> Starlette:
    """Return the ASGI application of `provider`; its ledger is at /_emulator/ledger."""

    def route(api: Api) -> Route:
        async def endpoint(request: Request) -> Response:
            return await provider.handle(api, request)

        return Route(api.path, endpoint, methods=["POST"])

    async def ledger(request: Request) -> Response:
        return JSONResponse([asdict(entry) for entry in provider.ledger])

    return Starlette(routes=[*map(route, APIS), Route("/_emulator/ledger", ledger)])


def _choose_error(api: Api, exchange: Exchange) -> tuple[Any, ...] | None:
    """Return the planted error for this attempt, if it is to fail; some requests fail at every attempt."""
    fate = draw(
        "error", exchange.body_hash, exchange.seen_before if exchange.attempt == 0 else exchange.seen_before - 1
    )
    if fate >= ERRORS["share"] or (exchange.attempt > 0 and fate >= ERRORS["share"] * ERRORS["persistent"]):
        return None
    kinds: tuple[tuple[Any, ...], ...] = api.wire.ERROR_KINDS
    return kinds[int(draw("kind", exchange.body_hash) * len(kinds))]


async def _stream(api: Api, exchange: Exchange, pace: _Pace, per_token_s: float) -> AsyncIterator[bytes]:
    tokens_per_chunk = MODELS[exchange.model].tokens_per_chunk
    chance = exchange.chance("gaps")
    for event, passes in api.wire.events(exchange, *exchange.answer.cut(4 * tokens_per_chunk)):
        gap_s = per_token_s * tokens_per_chunk * chance.lognormvariate(0, 0.3) if passes else 0.0
        stall_s = chance.uniform(0.5, 2.5) if passes and chance.random() < 0.004 else 0.0
        yield await pace.mark(event, gap_s + stall_s)


def _request_id(headers: dict[str, str]) -> str:
    return headers.get("x-request-id") or headers["request-id"]
