"""Own spans that the SDK makes only when someone looks at them: as a rule the exporter, in the background.

Between two calls the caches hold the provider SDK's work, so that each instruction costs a call two to three times what
it costs in a loop. A call therefore takes ids and times only. What reads the response, prices it and writes the
attributes runs when any of that is asked for, as a rule for many spans in a row. Nobody can tell the difference: a
processor or exporter that looks at a span thereby makes it, in whatever thread.

It is done only where nothing sees a span's start or decides about it: with OpenTelemetry's default sampler and limits,
and processors that have no code for the start. Everywhere else the tracer makes the span as usual.
"""

import os
import threading
import weakref
from collections import deque
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor, Tracer, _Span
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import INVALID_SPAN, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from trilemma import guard
from trilemma.task_spans import TaskSpanProcessor

__all__ = ["LateSpan", "LateTracer", "Reading", "make_waiting"]

_MAX_WAITING = 128  # spans that hold a response; one more, and all are read at once
_MAX_ATTRIBUTES = 100  # a call writes fewer
_HOOKS = ("on_start", "_on_ending")
_UNSEEING = {
    getattr(kind, hook, None)
    for kind in (SpanProcessor, BatchSpanProcessor, SimpleSpanProcessor, TaskSpanProcessor)
    for hook in _HOOKS
}
(_SPAN_KEY,) = trace.set_span_in_context(INVALID_SPAN, Context())

_making = threading.RLock()
_waiting: "deque[weakref.ref[_LateReadable]]" = deque()  # what nobody holds any more need not be read


class Reading(Protocol):
    """Be what can tell, once, what a span says beyond its start: attributes, and the failure if it is one."""

    def read_late(self) -> tuple[dict[str, Any], str | None]:
        """Return attributes by name, and the type of the failure."""
        ...


class LateTracer:
    """Start spans of one kind for a tracer of the SDK, late ones where nobody can tell."""

    def __init__(self, tracer: Tracer, kind: SpanKind = SpanKind.CLIENT) -> None:
        self._tracer: Any = tracer
        self._kind = kind
        self._processors: Any = None
        self._config: Any = None
        self._flags: frozenset[int] = frozenset()  # of the traces in which a span can be late
        self._root_flags = TraceFlags(0)

    def start_span(self, name: str, attributes: dict[str, Any], started_ns: int, context: Context) -> trace.Span:
        """Start a span in `context`; its `attributes` are strings and numbers, and the span's own from now on."""
        tracer = self._tracer
        if tracer.span_processor._span_processors is not self._processors or tracer._tracer_config is not self._config:
            self._look()
        current = context.get(_SPAN_KEY)
        parent = current.get_span_context() if isinstance(current, trace.Span) else None
        if parent is None or not parent.is_valid:
            parent, flags, state = None, self._root_flags, None
        else:
            flags, state = parent.trace_flags, parent.trace_state
        if flags not in self._flags:
            span: trace.Span = tracer.start_span(name, context, self._kind, attributes, start_time=started_ns)
            return span
        ids = tracer.id_generator
        trace_id = ids.generate_trace_id() if parent is None else parent.trace_id
        own = SpanContext(trace_id, ids.generate_span_id(), is_remote=False, trace_flags=flags, trace_state=state)
        return LateSpan(tracer, name, (own, parent), attributes, started_ns, self._kind)

    def _look(self) -> None:
        """Find out whether spans can be late with the processors that the provider has now."""
        tracer = self._tracer
        self._processors, self._config = tracer.span_processor._span_processors, tracer._tracer_config
        limits = tracer._span_limits
        self._flags = frozenset()
        if (
            tracer.sampler is DEFAULT_ON
            and tracer._is_enabled()
            and type(tracer._tracer_metrics).__name__ == "NoOpTracerMetrics"
            and type(tracer.span_processor) is SynchronousMultiSpanProcessor
            and all(getattr(type(each), hook, None) in _UNSEEING for each in self._processors for hook in _HOOKS)
            and limits.max_span_attribute_length is None
            and (limits.max_span_attributes is None or limits.max_span_attributes >= _MAX_ATTRIBUTES)
            and _makes_equal(tracer)
        ):
            random = TraceFlags.RANDOM_TRACE_ID if tracer.id_generator.is_trace_id_random() else 0
            self._root_flags = TraceFlags(TraceFlags.SAMPLED | random)
            self._flags = frozenset({TraceFlags.SAMPLED, TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID})


class LateSpan(_Span):
    """Be the span of a call: known by its ids from the start, made by the SDK when someone looks at more."""

    # True of a span that nobody has looked at. All else that the SDK's methods ask for is missing until then.
    _end_time: int | None = None
    _made = False
    _readable: "_LateReadable | None" = None

    def __init__(  # noqa: PLR0917  # only LateTracer calls it
        self,
        tracer: Tracer,
        name: str,
        contexts: tuple[SpanContext, SpanContext | None],  # its own and its parent's
        attributes: dict[str, Any],
        started_ns: int,
        kind: SpanKind = SpanKind.CLIENT,
    ) -> None:
        self._tracer: Any = tracer
        self._kind = kind
        self._name = name
        self._context: SpanContext
        self._context, self._parent = contexts
        self._start_attributes = attributes
        self._start_time = started_ns

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_start_time" not in self.__dict__:
            raise AttributeError(name)
        with _making:
            if not self._made:
                self._make()
        return object.__getattribute__(self, name)

    def end_late(self, ended_ns: int, reading: Reading) -> bool:
        """End the span, and let `reading` tell the rest when it is asked for; False where the span is made already."""
        if self._made or self._end_time is not None:
            return False
        self._end_time = ended_ns
        readable = self._readable = _LateReadable(self, reading)
        _waiting.append(weakref.ref(readable))
        if len(_waiting) > _MAX_WAITING:
            make_waiting()
        try:
            self._tracer.span_processor.on_end(readable)
        except Exception:  # noqa: BLE001  # a span processor's bug, which is not the user's call's either
            guard.caught("end of span")
        return True

    def _make(self) -> None:
        tracer = self._tracer
        started_ns, ended_ns = self._start_time, self._end_time
        super().__init__(
            name=self._name,
            context=self._context,
            parent=self._parent,
            sampler=tracer.sampler,
            resource=tracer.resource,
            attributes=self._start_attributes if self._readable is None else self._readable.attributes,
            span_processor=tracer.span_processor,
            kind=self._kind,
            instrumentation_info=tracer.instrumentation_info,
            limits=tracer._span_limits,
            instrumentation_scope=tracer._instrumentation_scope,
        )
        self._start_time, self._end_time = started_ns, ended_ns
        self._made = True


class _LateReadable(ReadableSpan):
    """Be an ended span as processors and exporters get it."""

    _made = False

    def __init__(self, span: LateSpan, reading: Reading) -> None:
        self._context = span._context
        self._late: Any = span, reading

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_late" not in self.__dict__:
            raise AttributeError(name)
        self.make()
        return object.__getattribute__(self, name)

    def __getstate__(self) -> dict[str, Any]:
        self.make()
        return self.__dict__

    def make(self) -> None:
        """Read what there is to read, unless that has been done."""
        with _making:
            if self._made:
                return
            span, reading = self._late
            try:
                attributes, failure = reading.read_late()
            except Exception:  # noqa: BLE001  # the guard: an exporter gets the span without them
                guard.caught("read_late")
                attributes, failure = {}, None
            tracer = span._tracer
            super().__init__(
                name=span._name,
                context=span._context,
                parent=span._parent,
                resource=tracer.resource,
                attributes={**span._start_attributes, **attributes},
                kind=span._kind,
                instrumentation_info=tracer.instrumentation_info,
                status=Status(StatusCode.UNSET) if failure is None else Status(StatusCode.ERROR, failure),
                start_time=span._start_time,
                end_time=span._end_time,
                instrumentation_scope=tracer._instrumentation_scope,
            )
            self._late = None
            self._made = True


def make_waiting() -> None:
    """Make the ended spans that wait for a reader, and forget them."""
    while _waiting:
        try:
            if (readable := _waiting.popleft()()) is not None:
                readable.make()
        except IndexError:  # another thread was faster
            return
        except Exception:  # noqa: BLE001  # the guard
            guard.caught("late span")


class _Nothing:
    def read_late(self) -> tuple[dict[str, Any], str | None]:
        return {"c": 1}, None


def _makes_equal(tracer: Tracer) -> bool:
    """Try a late span, looked at before and after its end: the SDK may be built otherwise than those that are known."""
    try:
        context = SpanContext(1, 1, is_remote=False)
        running, ended = (LateSpan(tracer, "probe", (context, None), {"a": "b"}, 1) for _ in range(2))
        running.set_attribute("c", 1)
        ended._end_time = 2
        readable = _LateReadable(ended, _Nothing())
        usual = ReadableSpan("probe", context, resource=tracer.resource)
        return (
            dict(running.attributes or {}) == dict(readable.attributes or {}) == {"a": "b", "c": 1}
            and vars(usual).keys() <= vars(readable).keys()
            and (readable.name, readable.start_time, readable.end_time) == ("probe", 1, 2)
            and (running.name, running.start_time, running.is_recording()) == ("probe", 1, True)
        )
    except Exception:  # noqa: BLE001  # then the tracer makes them
        return False


def _replace_lock() -> None:
    global _making  # noqa: PLW0603  # a forked child has a copy that a thread of its parent's may hold
    _making = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_lock)
