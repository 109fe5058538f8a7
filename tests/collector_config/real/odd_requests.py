"""Own requests that no SDK of ours sends but others may: values of every type, empty and missing fields, nesting."""

from __future__ import annotations

import math

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tests.collector_config.real.otlp import START_NS, Received, make_span, write_attributes, write_logs

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 7}
EVALUATION = "gen_ai.evaluation.result"
SCORE = {"gen_ai.evaluation.name": "n", "gen_ai.evaluation.score.value": 0.1, "trilemma.task.id": "t"}


def make_odd_requests() -> list[Received]:
    """Make one request of spans and one of log records."""
    return [
        Received("/v1/traces", ExportTraceServiceRequest(resource_spans=[_rich(), _bare()]).SerializeToString()),
        Received("/v1/logs", write_logs(_records())),
    ]


def _values() -> list[KeyValue]:
    """Make an attribute of every type, at the ends of its range."""
    nested = AnyValue(
        kvlist_value=KeyValueList(
            values=[
                KeyValue(key="b", value=AnyValue(int_value=-(2**53) - 1)),
                KeyValue(key="a", value=_list(AnyValue(bool_value=True), AnyValue())),
                KeyValue(key='é\n"', value=AnyValue(double_value=1e21)),
            ]
        )
    )
    values = {
        "text": AnyValue(string_value='tab\t quote" back\\ \u2603 <&> \x00 end'),
        "empty": AnyValue(string_value=""),
        "most": AnyValue(int_value=2**63 - 1),
        "minus": AnyValue(int_value=-1),
        "yes": AnyValue(bool_value=True),
        "no": AnyValue(bool_value=False),
        "bytes": AnyValue(bytes_value=b"\x00\xff\x10abc"),
        "nothing": AnyValue(),
        "nested": nested,
        "list": _list(nested, AnyValue(string_value="x"), AnyValue(double_value=2.0)),
        "none": AnyValue(array_value=ArrayValue()),
    }
    numbers = (1 / 3, 1.0, 1e6, 1e20, 1e21, 1.5e300, 1e-6, 1e-7, 5e-324, -0.0, math.nan, math.inf, -math.inf)
    values |= {f"double {number!r}": AnyValue(double_value=number) for number in numbers}
    return [KeyValue(key=key, value=value) for key, value in values.items()]


def _rich() -> ResourceSpans:
    """Make a span that has everything a span can have."""
    values = _values()
    span = make_span(7, 1, "every value", parent=9)
    span.attributes.extend([*write_attributes(CALL), *values])
    span.events.extend([Span.Event(name="e", time_unix_nano=START_NS + 1, attributes=values), Span.Event()])
    span.links.append(Span.Link(trace_id=bytes(15) + b"\x08", span_id=bytes(7) + b"\x08", attributes=values))
    span.trace_state = "a=1,b=2"
    span.status.CopyFrom(Status(code=Status.STATUS_CODE_OK, message="fine\nthanks"))
    scope = InstrumentationScope(name="n", version="v", attributes=values)
    return ResourceSpans(
        resource=Resource(attributes=[*write_attributes({"service.name": "odd"}), *values]),
        scope_spans=[ScopeSpans(scope=scope, spans=[span])],
    )


def _bare() -> ResourceSpans:
    """Make spans without resource, scope or attributes, of every kind."""
    spans = [
        Span(
            trace_id=bytes(15) + b"\x07", span_id=bytes(7) + bytes([10 + kind]), kind=kind, name=f"kind {kind}",
            start_time_unix_nano=START_NS, end_time_unix_nano=START_NS + kind,
        )
        for kind in Span.SpanKind.values()
    ]  # fmt: skip
    return ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])


def _records() -> list[LogRecord]:
    """Make evaluations whose name, time and body stand in each of the places where they may."""
    score, values = write_attributes(SCORE), _values()
    older = [*score, *write_attributes({"event.name": EVALUATION})]
    return [
        LogRecord(event_name=EVALUATION, time_unix_nano=START_NS, body=values[8].value, attributes=[*score, *values]),
        LogRecord(event_name=EVALUATION, observed_time_unix_nano=START_NS + 5, attributes=score),
        LogRecord(time_unix_nano=START_NS + 6, attributes=older),
    ]


def _list(*values: AnyValue) -> AnyValue:
    return AnyValue(array_value=ArrayValue(values=values))
