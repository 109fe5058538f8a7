"""Own one provider call from open to end: its span, its clocks, what is read of it, its price.

Everything here runs inside a user's call. What the hooks use is guarded: a bug of ours costs a part of the span, never
the call.
"""

import sys
import time
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from trilemma import guard
from trilemma.chunks import Chunks
from trilemma.content import Capture, read_content, read_switch, send_details, write_json
from trilemma.dropped import end_dropped, end_late
from trilemma.fingerprints import hash_body, hash_tools
from trilemma.metrics import Measurement, Metrics
from trilemma.price import load_soon
from trilemma.providers.spec import Endpoint, Provider
from trilemma.reading import STEPS, compile_headers
from trilemma.record import Reader, compile_reader
from trilemma.registry import fields
from trilemma.span_attributes import write_attributes
from trilemma.task import task_attributes
from trilemma.telemetry import start_call_span

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider

__all__ = ["CURRENT", "MAX_WAITING_BYTES", "Call", "Clock", "CompiledEndpoint", "Engine", "Target", "is_suppressed"]

CURRENT: ContextVar["Call | None"] = ContextVar("trilemma_call", default=None)
"""The call whose attempts are being made in this context."""

ATTEMPT_EVENT = "trilemma.attempt"

_ATTRIBUTES = {name: entry.attribute for name, entry in fields().items()}
# The second key is a plain string, the backward-compatible one of opentelemetry-instrumentation. The key by which
# OpenLLMetry keeps provider spans quiet beneath a framework (suppress_language_model_instrumentation) is not obeyed:
# its own have no time to first token, no retries and no price, and the store counts a call that both trace once.
_SUPPRESS_KEYS = (
    getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"),
    "suppress_instrumentation",
)
_MAX_STATUS_MESSAGE = 256
MAX_WAITING_BYTES = 32 * 1024
"""The largest body, of a request or a response, that is kept until its span is looked at."""


def is_suppressed(context: otel_context.Context) -> bool:
    """Tell whether instrumentation is switched off in `context`."""
    return bool(context.get(_SUPPRESS_KEYS[0]) or context.get(_SUPPRESS_KEYS[1]))


class Clock(NamedTuple):
    """Be the two clocks a call needs; tests give fixed ones."""

    wall_ns: Callable[[], int] = time.time_ns
    monotonic_s: Callable[[], float] = time.perf_counter


class CompiledEndpoint:
    """Be an endpoint with its tables compiled."""

    def __init__(self, endpoint: Endpoint, provider: Provider) -> None:
        self.spec = endpoint
        self.provider = provider
        self.read_request: Reader = compile_reader(endpoint.request)
        self.read_response: Reader = compile_reader(endpoint.response)
        self.headers = compile_headers(provider.headers)
        self.may_tell_of_other_work = endpoint.deferred is not None or endpoint.batch is not None


class Target:
    """Be an endpoint as one client calls it: what every call's record and span begin with."""

    def __init__(
        self, endpoint: CompiledEndpoint, provider: str, server: Mapping[str, Any], *, keeps_native_span: bool = False
    ) -> None:
        self.endpoint = endpoint
        self.keeps_native_span = keeps_native_span
        self.record = {"operation": endpoint.spec.operation, "provider": provider, **endpoint.spec.constants, **server}
        self.attributes = {_ATTRIBUTES[name]: value for name, value in self.record.items()}


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
        self.capture = read_switch()
        self.clock = clock or Clock()
        self.note_open: Callable[[Call], None] | None = None  # asked for by frameworks (trilemma.frameworks.calls)
        self._has_prices = False

    def open(
        self,
        target: Target,
        request: dict[str, Any],
        *,
        streamed: bool,
        started: tuple[int, float] | None = None,
    ) -> "Call | None":
        """Start a call's span, or return None where instrumentation is suppressed.

        `started`: the wall (ns) and monotonic (s) time of a call that began earlier; default: now.
        """
        context = otel_context.get_current()
        if context and is_suppressed(context):
            return None
        end_late()
        if not self._has_prices:
            self._has_prices = True
            load_soon()
        record = target.record.copy()
        target.endpoint.read_request(request, record)
        if "tool_count" in record and (hashed := hash_tools(request)) is not None:
            record["tools_hash"] = hashed
        if streamed:
            record["stream"] = True
        call = Call(self, target, record, context, started)
        if self.note_open is not None:
            self.note_open(call)
        return call


class Call:
    """Be one call to a provider, with every attempt the SDK makes and the stream it may return."""

    __slots__ = (
        "__weakref__",
        "attempts",
        "body",
        "can_wait",
        "chunks",
        "clock_s",
        "ended",
        "engine",
        "failure",
        "has_metrics",
        "headers",
        "http_status",
        "is_raw",
        "is_unread",
        "prefix_hashes",
        "reader",
        "record",
        "request_content",
        "request_hash",
        "retry_status",
        "retry_wait_s",
        "span",
        "started_ns",
        "started_s",
        "target",
    )

    def __init__(
        self,
        engine: Engine,
        target: Target,
        record: dict[str, Any],
        context: otel_context.Context,
        started: tuple[int, float] | None = None,
    ) -> None:
        self.ended = True  # until there is a span to end
        self.engine = engine
        self.target = target
        self.record = record
        self.body: dict[str, Any] = {}
        self.is_raw = self.is_unread = False
        self.can_wait = False  # whether `body` may be read later: nobody else has it, and it is not large
        self.reader: weakref.ref[Any] | None = None
        self.headers: Any = None  # pairs of bytes, or an object of httpx that has them as `raw`
        self.http_status: int | None = None
        self.request_hash: str | None = None
        self.request_content: bytes | None = None
        self.prefix_hashes: tuple[str, ...] = ()
        self.attempts = 0
        self.retry_status: int | None = None
        self.retry_wait_s = 0.0
        self.failure: tuple[BaseException, float] | None = None
        self.clock_s = engine.clock.monotonic_s
        self.chunks: Chunks | None = None
        self.has_metrics = engine.metrics.is_on()
        if (fold := target.endpoint.spec.fold) is not None and "stream" in record:
            is_text = target.endpoint.spec.is_text if engine.capture is None else None
            self.chunks = Chunks(fold, is_text, self.clock_s, keep_gaps=self.has_metrics)
        # Only what a sampler may want is set now; all else in one go at the end.
        attributes = target.attributes.copy()
        if context:
            attributes.update(task_attributes(context))
        name = target.endpoint.spec.operation
        if (model := record.get("request_model")) is not None:
            attributes[_ATTRIBUTES["request_model"]] = model
            name = f"{name} {model}"
        self.started_ns, self.started_s = started or (engine.clock.wall_ns(), self.clock_s())
        self.span = start_call_span(name, attributes, self.started_ns, context)
        self.ended = False

    def __del__(self) -> None:
        if not self.ended:
            end_dropped(self)

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        # A response of the user's may carry this call; where they copy or pickle it, nothing of ours goes along.
        return type(None), ()

    def enter(self) -> tuple[Any, Any]:
        """Make this the current call, and its span the current span; give the result to `leave`."""
        return CURRENT.set(self), otel_context.attach(trace.set_span_in_context(self.span))

    def leave(self, tokens: tuple[Token["Call | None"], Token[Any]] | None) -> None:
        """Undo `enter`."""
        if tokens:
            try:
                otel_context.detach(tokens[1])
                CURRENT.reset(tokens[0])
            except Exception:  # noqa: BLE001  # the guard
                guard.caught("leave")

    def note_response(self, response: Any) -> None:
        """Take what is wanted of an HTTP response: status, headers, the hash of its request."""
        self.http_status = response.status_code
        self.headers = response.headers
        self.note_request(response.request)

    def note_request(self, request: Any) -> None:
        """Take what is wanted of an HTTP request of httpx or requests: its body."""
        content = getattr(request, "_content", None) or getattr(request, "body", None)
        if content and isinstance(content, (bytes, str)):
            self.note_content(content if isinstance(content, bytes) else content.encode())

    def note_content(self, content: bytes) -> None:
        """Take the request body as it was sent, to hash it: equal bodies have equal hashes, in every process."""
        if self.request_hash is not None or self.request_content is not None:
            return
        if len(content) <= MAX_WAITING_BYTES or self.engine.capture is not None:
            self.request_content = content
        else:
            self.hash_request(content)

    def hash_request(self, content: bytes) -> None:
        """Hash a request body, and the beginnings of a long one."""
        self.request_hash, self.prefix_hashes = hash_body(content)

    @guard.guarded
    def note_retry(self, wait_s: float, error: BaseException | None = None) -> None:
        """Record a failed attempt, which the SDK will repeat after `wait_s`. Call it where the SDK decides that.

        `error` is its failure, where the SDK is not just handling it.
        """
        error = error or sys.exc_info()[1]
        if self.retry_status is not None:  # the failure that is being handled may be an older one, of the app's
            error = None
        self.http_status = self.retry_status or getattr(getattr(error, "response", None), "status_code", None)
        self.attempts += 1
        self.retry_wait_s += wait_s
        self.note_attempt(self.attempts, error=error, wait_s=wait_s)
        self.http_status = self.retry_status = None

    def note_attempt(
        self, number: int, *, error: BaseException | None, wait_s: float | None = None, at_s: float | None = None
    ) -> None:
        """Write an attempt onto the span, with its status or, without a response, its error."""
        attributes: dict[str, Any] = {"trilemma.attempt.number": number}
        if self.http_status:
            attributes[_ATTRIBUTES["http_status"]] = self.http_status
        elif error is not None:
            attributes[_ATTRIBUTES["error_type"]] = type(error).__name__
        if wait_s is not None:
            attributes[_ATTRIBUTES["retry_wait_s"]] = wait_s
        self.span.add_event(ATTEMPT_EVENT, attributes, self.wall_ns(self.clock_s() if at_s is None else at_s))

    @guard.guarded
    def fail_attempt(self, error: BaseException) -> None:
        """Remember that an attempt failed, where the SDK does not say whether it will try again."""
        self.failure = error, self.clock_s()

    @guard.guarded
    def begin_attempt(self) -> None:
        """Record the failed attempt before this one, if there was one: the SDK has waited from its end until now."""
        if self.failure is None:
            return
        (error, at_s), self.failure = self.failure, None
        wait_s = self.clock_s() - at_s
        self.attempts += 1
        self.retry_wait_s += wait_s
        self.note_attempt(self.attempts, error=error, wait_s=wait_s, at_s=at_s)
        self.http_status = None

    def note_reader(self, generator: Any) -> None:
        """Take the SDK's generator that reads the stream."""
        self.reader = weakref.ref(generator)

    def is_being_read(self) -> bool:
        """Tell whether the SDK's generator is running now, rather than waiting for the user to ask for more."""
        generator = self.reader() if self.reader else None
        return bool(getattr(generator, "gi_running", False) or getattr(generator, "ag_running", False))

    def end(self, stream_end: str | None = None, error: BaseException | None = None) -> None:
        """End the span with all that was seen; a second end does nothing."""
        if self.ended:
            return
        self.ended = True
        end_s = self.clock_s()
        if self.can_wait and error is None and self._end_late(end_s):
            return
        try:
            if stream_end == "abandoned" and self.chunks is not None and self.chunks.count:
                end_s = self.chunks.last_s
            if self.span.is_recording() or self.has_metrics:
                self._read(stream_end, error)
                attributes = self._list_attributes()
                write_attributes(self.span, attributes)
                if "error_type" in self.record:
                    described = _describe(error) if error else self.record["error_type"]
                    self.span.set_status(Status(StatusCode.ERROR, described))
                if self.engine.capture is not None:
                    self._capture(self.engine.capture, attributes, end_s)
                if self.has_metrics:
                    gaps_s = self.chunks.gaps_s if self.chunks else None
                    self.engine.metrics.record(Measurement(self.record, end_s - self.started_s, gaps_s or ()))
        except Exception:  # noqa: BLE001  # the guard
            guard.caught("end")
        finally:
            self.body = self.record = {}
            self.headers = self.chunks = self.request_content = self.failure = None
            try:
                self.span.end(self.wall_ns(end_s))
            except Exception:  # noqa: BLE001  # a span processor's bug, which is not the user's call's either
                guard.caught("end of span")

    def read_late(self) -> tuple[dict[str, Any], str | None]:
        """Read the response of a call that has ended, and forget it; return attributes and the failure, if it was one.

        Called once, when someone asks the span for it (trilemma.late_span).
        """
        attributes: dict[str, Any] = {}
        record = self.record
        try:
            self._read(None, None)
            attributes = self._list_attributes()
        except Exception:  # noqa: BLE001  # the guard
            guard.caught("read_late")
        self.body = self.record = {}
        self.headers = self.request_content = None
        return attributes, record.get("error_type")

    @guard.guarded
    def _end_late(self, end_s: float) -> bool:
        """End the span before the response is read, where nothing else needs that; return whether it was possible."""
        is_plain = self.chunks is None and not self.attempts and self.failure is None
        end_late = getattr(self.span, "end_late", None)
        if end_late is None or not is_plain or self.has_metrics or self.engine.capture is not None:
            return False
        endpoint = self.target.endpoint
        if endpoint.may_tell_of_other_work and endpoint.spec.tells_of_other_work(self.body):
            return False
        if not end_late(self.wall_ns(end_s), self):
            return False
        self.span = trace.INVALID_SPAN  # which holds the call from now on
        return True

    def response_body(self) -> dict[str, Any]:
        """Return the response's body as it is known by now: what its chunks add up to, or the whole."""
        return self.chunks.body if self.chunks is not None and self.chunks.count else self.body

    def wall_ns(self, at_s: float) -> int:
        """Return a moment of the monotonic clock as wall time (ns): a clock set in between changes no duration."""
        return self.started_ns + round((at_s - self.started_s) * 1e9)

    def _read(self, stream_end: str | None, error: BaseException | None) -> None:
        if stream_end and self.chunks is not None:
            self.record["stream_end"] = stream_end
        for step in STEPS:
            try:
                step(self, self.record, error)
            except Exception:  # noqa: BLE001  # one step's bug costs that step
                guard.caught(step.__name__)

    def _list_attributes(self) -> dict[str, Any]:
        """Return what was read since the call was opened, as attributes."""
        record = self.record
        attributes = {_ATTRIBUTES[name]: value for name, value in islice(record.items(), len(self.target.record), None)}
        for name, alias in self.target.endpoint.provider.aliases.items():
            if name in record:
                attributes[alias] = record[name]
        return attributes

    @guard.guarded
    def _capture(self, capture: Capture, attributes: dict[str, Any], end_s: float) -> None:
        content = self.target.endpoint.spec.content
        if content is None:
            return
        found = read_content(content, self.request_content, self.chunks.body if self.chunks else self.body)
        if capture.on_span:
            self.span.set_attributes(write_json(found))
        if capture.as_event:
            send_details(self.span, {**self.target.attributes, **attributes, **found}, self.wall_ns(end_s))


def _describe(error: BaseException) -> str:
    # Only a provider's own refusal is quoted: other messages (a failed parse) may hold what the model wrote.
    name = type(error).__name__
    return f"{name}: {error}"[:_MAX_STATUS_MESSAGE] if getattr(error, "status_code", None) else name
