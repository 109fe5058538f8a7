"""Own one provider call from open to end: its span, its clocks, what is read of it, its price.

Everything here runs inside a user's call. `Engine.open` and the methods of `Call` that the hooks use are guarded: a
bug of ours costs a part of the span, never the call.
"""

import contextlib
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from trilemma import guard
from trilemma.dropped import end_dropped, end_late
from trilemma.metrics import Measurement, Metrics
from trilemma.price import load_soon, price_call
from trilemma.providers.spec import Endpoint, Provider
from trilemma.record import Reader, compile_reader, convert
from trilemma.registry import fields
from trilemma.task import task_attributes
from trilemma.telemetry import get_tracer

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

__all__ = ["CURRENT", "Call", "Clock", "CompiledEndpoint", "Engine", "Peer", "compile_endpoints"]

CURRENT: ContextVar["Call | None"] = ContextVar("trilemma_call", default=None)
"""The call whose attempts are being made in this context."""

ATTEMPT_EVENT = "trilemma.attempt"

_ATTRIBUTES = {name: entry.attribute for name, entry in fields().items()}
# The second and third key are plain strings that instrumentations set by convention: opentelemetry-instrumentation's
# backward-compatible one, and the one by which framework instrumentations keep provider ones quiet.
_SUPPRESS_KEYS = (
    getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"),
    "suppress_instrumentation",
    "suppress_language_model_instrumentation",
)
_MAX_STATUS_MESSAGE = 256


class Clock(NamedTuple):
    """Be the two clocks a call needs; tests give fixed ones."""

    wall_ns: Callable[[], int] = time.time_ns
    monotonic_s: Callable[[], float] = time.perf_counter


class Peer(NamedTuple):
    """Say whom a client talks to: the provider's name and the server; and whether its SDK's own span may stay."""

    provider: str
    address: str | None
    port: int | None
    keeps_native_span: bool = False


class CompiledEndpoint(NamedTuple):
    """Be an endpoint with its tables compiled."""

    spec: Endpoint
    provider: Provider
    read_request: Reader
    read_response: Reader


def compile_endpoints(provider: Provider) -> dict[str, CompiledEndpoint]:
    """Return the provider's endpoints by path, their tables compiled."""
    return {
        endpoint.path: CompiledEndpoint(
            endpoint, provider, compile_reader(endpoint.request), compile_reader(endpoint.response)
        )
        for endpoint in provider.endpoints
    }


class Engine:
    """Open calls; hold what they share."""

    def __init__(
        self,
        clock: Clock | None = None,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: "MeterProvider | None" = None,
    ) -> None:
        self.tracer_provider = tracer_provider
        self.metrics = Metrics(meter_provider)
        self.clock = clock or Clock()
        self._has_prices = False

    @guard.guarded
    def open(self, endpoint: CompiledEndpoint, peer: Peer, request: dict[str, Any], *, streamed: bool) -> "Call | None":
        """Start a call's span, or return None where instrumentation is suppressed."""
        context = otel_context.get_current()
        if context and any(context.get(key) for key in _SUPPRESS_KEYS):
            return None
        record: dict[str, Any] = {"operation": endpoint.spec.operation, "provider": peer.provider}
        record.update(endpoint.spec.constants)
        if peer.address:
            record["server_address"] = peer.address
            if peer.port:
                record["server_port"] = peer.port
        endpoint.read_request(request, record)
        if streamed:
            record["stream"] = True
        end_late()
        if not self._has_prices:
            self._has_prices = True
            load_soon()
        return Call(self, endpoint, peer, record, task_attributes(context))


class Call:
    """Be one call to a provider, with every attempt the SDK makes and the stream it may return."""

    __slots__ = (
        "__weakref__",
        "attempts",
        "body",
        "chunk_count",
        "chunk_gaps_s",
        "clock_s",
        "ended",
        "endpoint",
        "engine",
        "first_chunk_s",
        "first_content_s",
        "headers",
        "http_status",
        "is_raw",
        "is_unread",
        "keeps_native_span",
        "last_chunk_s",
        "last_content_s",
        "longest_stall_s",
        "reader",
        "record",
        "request_hash",
        "retry_status",
        "retry_wait_s",
        "span",
        "started_ns",
        "started_s",
        "streamed",
    )

    def __init__(
        self, engine: Engine, endpoint: CompiledEndpoint, peer: Peer, record: dict[str, Any], task: Mapping[str, str]
    ) -> None:
        self.ended = True  # until there is a span to end
        self.is_raw = self.is_unread = False
        self.keeps_native_span = peer.keeps_native_span
        self.streamed = "stream" in record
        self.reader: weakref.ref[Any] | None = None
        self.engine = engine
        self.endpoint = endpoint
        self.record = record
        self.body: dict[str, Any] = {}
        self.headers: list[tuple[bytes, bytes]] = []
        self.http_status: int | None = None
        self.request_hash: str | None = None
        self.attempts = 0
        self.retry_status: int | None = None
        self.retry_wait_s = 0.0
        self.chunk_count = 0
        self.chunk_gaps_s: list[float] | None = [] if engine.metrics.is_on() else None
        self.longest_stall_s = 0.0
        self.first_chunk_s = self.first_content_s = self.last_content_s = 0.0
        self.clock_s = engine.clock.monotonic_s
        self.started_ns = engine.clock.wall_ns()
        self.started_s = self.last_chunk_s = self.clock_s()
        model = record.get("request_model")
        attributes = _attributes_of(record)
        attributes.update(task)
        self.span = get_tracer().start_span(
            f"{record['operation']} {model}" if model else record["operation"],
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=self.started_ns,
        )
        self.ended = False

    def __del__(self) -> None:
        if not self.ended:
            end_dropped(self)

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        # A response of the user's may carry this call; where they copy or pickle it, nothing of ours goes along.
        return type(None), ()

    @guard.guarded
    def enter(self) -> tuple[Any, Any]:
        """Make this the current call, and its span the current span; give the result to `leave`."""
        return CURRENT.set(self), otel_context.attach(trace.set_span_in_context(self.span))

    @guard.guarded
    def leave(self, tokens: tuple[Token["Call | None"], Token[Any]] | None) -> None:
        """Undo `enter`."""
        if tokens:
            otel_context.detach(tokens[1])
            CURRENT.reset(tokens[0])

    @guard.guarded
    def note_response(self, response: Any) -> None:
        """Take what is wanted of an HTTP response: status, headers, the hash of its request."""
        self.http_status = response.status_code
        self.headers = response.headers.raw
        self.note_request(response.request)

    def note_request(self, request: Any) -> None:
        """Hash the request body as it was sent; equal bodies have equal hashes, in every process."""
        if self.request_hash is None and (content := getattr(request, "_content", None)):
            self.request_hash = blake2b(content, digest_size=16).hexdigest()

    @guard.guarded
    def note_retry(self, wait_s: float) -> None:
        """Record a failed attempt, which the SDK will repeat after `wait_s`. Call it where the SDK decides that."""
        self.attempts += 1
        self.retry_wait_s += wait_s
        attributes: dict[str, Any] = {"trilemma.attempt.number": self.attempts, "trilemma.retry.wait": wait_s}
        response = getattr(sys.exc_info()[1], "response", None)
        status = self.retry_status or getattr(response, "status_code", None)
        if status:
            attributes["http.response.status_code"] = status
        else:
            attributes["error.type"] = type(sys.exc_info()[1]).__name__
        self.retry_status = None
        self.span.add_event(ATTEMPT_EVENT, attributes, self._wall_ns(self.clock_s()))

    def note_reader(self, generator: Any) -> None:
        """Take the SDK's generator that reads the stream."""
        self.reader = weakref.ref(generator)

    def is_being_read(self) -> bool:
        """Tell whether the SDK's generator is running now, rather than waiting for the user to ask for more."""
        generator = self.reader() if self.reader else None
        return bool(getattr(generator, "gi_running", False) or getattr(generator, "ag_running", False))

    def feed(self, chunk: Any) -> None:
        """Take a stream chunk: its time, and what it adds to the body."""
        now = self.clock_s()
        if self.chunk_count:
            gap_s = now - self.last_chunk_s
            if gap_s > self.longest_stall_s:  # noqa: PLR1730  # a call of max costs more than the comparison
                self.longest_stall_s = gap_s
            if self.chunk_gaps_s is not None:
                self.chunk_gaps_s.append(gap_s)
        else:
            self.first_chunk_s = now
        self.chunk_count += 1
        self.last_chunk_s = now
        try:
            if self.endpoint.spec.fold(self.body, chunk):  # type: ignore[misc]  # asked only of those that have one
                self.last_content_s = now
                if not self.first_content_s:
                    self.first_content_s = now
        except Exception:  # noqa: BLE001  # the guard, inlined: this runs for every chunk
            guard.caught("fold")

    def end(self, stream_end: str | None = None, error: BaseException | None = None) -> None:
        """End the span with all that was seen; a second end does nothing."""
        if self.ended:
            return
        self.ended = True
        end_s = self.last_chunk_s if stream_end == "abandoned" and self.chunk_count else self.clock_s()
        try:
            if self.span.is_recording() or self.chunk_gaps_s is not None:
                seen = self._read(stream_end, error)
                self._set_attributes(seen, error)
                self._measure(seen, end_s)
        finally:
            self.body = self.record = {}
            self.headers = []
            self.span.end(self._wall_ns(end_s))

    def _read(self, stream_end: str | None, error: BaseException | None) -> dict[str, Any]:
        seen: dict[str, Any] = {"stream_end": stream_end} if stream_end and self.streamed else {}
        for step in _STEPS:
            try:
                step(self, seen, error)
            except Exception:  # noqa: BLE001  # one step's bug costs that step
                guard.caught(step.__name__)
        return seen

    @guard.guarded
    def _measure(self, seen: dict[str, Any], end_s: float) -> None:
        if self.chunk_gaps_s is not None:
            record = {**self.record, **seen}
            self.engine.metrics.record(Measurement(record, end_s - self.started_s, self.chunk_gaps_s))

    @guard.guarded
    def _set_attributes(self, seen: dict[str, Any], error: BaseException | None) -> None:
        attributes = _attributes_of(seen)
        for name, alias in self.endpoint.provider.aliases.items():
            if name in seen:
                attributes[alias] = seen[name]
        self.span.set_attributes(attributes)
        if "error_type" in seen:
            self.span.set_status(Status(StatusCode.ERROR, _describe(error) if error else seen["error_type"]))

    def _wall_ns(self, at_s: float) -> int:
        # The wall clock is read once; what follows is measured, so that a clock set in between changes no duration.
        return self.started_ns + round((at_s - self.started_s) * 1e9)


def _attributes_of(record: Mapping[str, Any]) -> dict[str, Any]:
    return {_ATTRIBUTES[name]: value for name, value in record.items()}


def _describe(error: BaseException) -> str:
    # Only a provider's own refusal is quoted: other messages (a failed parse) may hold what the model wrote.
    name = type(error).__name__
    return f"{name}: {error}"[:_MAX_STATUS_MESSAGE] if getattr(error, "status_code", None) else name


def _read_response(call: Call, seen: dict[str, Any], _: BaseException | None) -> None:
    call.endpoint.read_response(call.body, seen)


def _read_latency(call: Call, seen: dict[str, Any], _: BaseException | None) -> None:
    if not call.chunk_count:
        return
    seen["chunk_count"] = call.chunk_count
    seen["time_to_first_chunk_s"] = call.first_chunk_s - call.started_s
    seen["longest_stall_s"] = call.longest_stall_s
    if call.first_content_s:
        seen["time_to_first_content_s"] = call.first_content_s - call.started_s
        further_tokens = seen.get("output_tokens", 0) - 1
        if further_tokens > 0 and call.last_content_s > call.first_content_s:
            seen["time_per_output_token_s"] = (call.last_content_s - call.first_content_s) / further_tokens


def _read_error(call: Call, seen: dict[str, Any], error: BaseException | None) -> None:
    if error is None:
        return
    seen["error_type"] = type(error).__name__
    response = getattr(error, "response", None)
    if response is not None:
        call.note_response(response)
    else:
        call.note_request(getattr(error, "request", None))
    body = getattr(error, "body", None)
    for path in call.endpoint.provider.error_types:
        value = body
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            seen["error_type"] = value
            return


def _read_http(call: Call, seen: dict[str, Any], _: BaseException | None) -> None:
    if call.http_status:
        seen["http_status"] = call.http_status
    if call.request_hash:
        seen["request_hash"] = call.request_hash
    if call.attempts:
        seen["retry_count"] = call.attempts
        seen["retry_wait_s"] = call.retry_wait_s
    table = call.endpoint.provider.headers
    for raw_name, raw_value in call.headers:
        entry = table.get(raw_name.decode("latin-1").lower())
        if entry is None:
            continue
        name, factor = entry
        text = raw_value.decode("latin-1")
        with contextlib.suppress(ValueError):
            value = convert(name, float(text) * factor if factor else text)
            if value is not None:
                seen[name] = value


def _read_price(call: Call, seen: dict[str, Any], _: BaseException | None) -> None:
    seen.update(price_call({**call.record, **seen}, call.started_ns / 1e9))


_STEPS = (_read_response, _read_latency, _read_error, _read_http, _read_price)
