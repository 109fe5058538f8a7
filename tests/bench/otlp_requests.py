"""Own OTLP requests of realistic spans: business tasks with one to four LLM calls, as trilemma traces them.

A call has the 37 attributes that trilemma writes for a streamed, priced chat call of a task; a task's span has eight.
Values vary as in a real service: few models, tasks, prompts and hosts; ids, hashes, token counts and times all differ.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

__all__ = ["make_request", "make_requests"]

Value = str | bool | int | float | list[str]

# Prices per million tokens: input, output.
MODELS = {
    "gpt-4o-mini": ("openai", 0.15, 0.6),
    "gpt-5-mini": ("openai", 0.25, 2.0),
    "claude-haiku-4-5": ("anthropic", 1.0, 5.0),
    "claude-sonnet-4-5": ("anthropic", 3.0, 15.0),
}
TASKS = ("support.refund", "support.classify", "support.reply", "search.answer", "invoice.extract")
RESOURCE: Mapping[str, Value] = {
    "service.name": "support-bot",
    "service.version": "1.4.2",
    "service.instance.id": "6f1d2c7e-2f0b-4f7e-9a53-5a0f6c1f8a11",
    "deployment.environment.name": "production",
    "host.name": "worker-7",
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.45.2",
}
START_NS = 1_790_000_000_000_000_000  # 2026-09-21, so that a run is the same each time
HOUR_NS = 3_600_000_000_000
SPAN_KIND_INTERNAL, SPAN_KIND_CLIENT = 1, 3


def make_requests(count: int, spans_per_request: int, seed: int = 7, *, with_calls: bool = True) -> list[bytes]:
    """Return serialized ExportTraceServiceRequests, the same for the same arguments; every span id is unique.

    Without calls there are only the tasks' spans of eight attributes: about what HTTP or database spans carry.
    """
    rng = random.Random(seed)
    return [make_request(rng, spans_per_request, with_calls=with_calls).SerializeToString() for _ in range(count)]


def make_request(rng: random.Random, span_count: int, *, with_calls: bool = True) -> ExportTraceServiceRequest:
    """Return one request, as a batch processor sends it: one resource, one scope, many spans."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(_make_attributes(RESOURCE))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "trilemma", "0.1.0"
    spans = scope_spans.spans
    while len(spans) < span_count:
        _add_task(rng, spans, span_count - len(spans) if with_calls else 1)
    return request


def _add_task(rng: random.Random, spans: Iterable[Span], room: int) -> None:
    trace_id, root_id = rng.randbytes(16), rng.randbytes(8)
    task_name = rng.choice(TASKS)
    shared: dict[str, Value] = {
        "trilemma.task.name": task_name,
        "trilemma.task.id": rng.randbytes(16).hex(),
        "gen_ai.prompt.name": task_name.partition(".")[2],
        "gen_ai.prompt.version": rng.choice(("v1", "v2")),
        "trilemma.variant.cache": "exact",
        "trilemma.variant.route": "static",
    }
    start_ns = START_NS + rng.randrange(HOUR_NS)
    end_ns = start_ns
    for _ in range(min(room - 1, rng.randint(1, 4))):
        span = spans.add()  # type: ignore[attr-defined]
        span.trace_id, span.span_id, span.parent_span_id = trace_id, rng.randbytes(8), root_id
        end_ns = _fill_call(rng, span, shared, end_ns)
    span = spans.add()  # type: ignore[attr-defined]
    span.trace_id, span.span_id, span.name, span.kind = trace_id, root_id, task_name, SPAN_KIND_INTERNAL
    span.start_time_unix_nano, span.end_time_unix_nano = start_ns, end_ns + 1_000_000
    outcome: dict[str, Value] = {"trilemma.task.outcome": rng.choice(("success", "success", "failure"))}
    span.attributes.extend(_make_attributes({**shared, **outcome, "trilemma.task.outcome_source": "system"}))


def _fill_call(rng: random.Random, span: Span, shared: Mapping[str, Value], start_ns: int) -> int:
    """Write one LLM call into a span and return when it ended."""
    model = rng.choice(tuple(MODELS))
    provider, input_price, output_price = MODELS[model]
    input_tokens, output_tokens = int(rng.lognormvariate(7, 0.8)) + 20, int(rng.lognormvariate(5, 0.9)) + 1
    duration_s = 0.2 + output_tokens * rng.uniform(0.004, 0.02)
    first_s = duration_s * rng.uniform(0.1, 0.4)
    input_cost, output_cost = input_tokens * input_price / 1e6, output_tokens * output_price / 1e6
    call: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.response.model": f"{model}-2026-03-01",
        "gen_ai.response.id": f"chatcmpl-{rng.randbytes(14).hex()}",
        "gen_ai.response.finish_reasons": [rng.choice(("stop", "stop", "stop", "length", "tool_calls"))],
        "trilemma.provider.request_id": f"req_{rng.randbytes(12).hex()}",
        "server.address": f"api.{provider}.com",
        "server.port": 443,
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 800,
        "gen_ai.request.stream": True,
        "trilemma.request.message_count": rng.randint(1, 12),
        "trilemma.request.hash": rng.randbytes(16).hex(),
        "gen_ai.usage.input_tokens": input_tokens,
        "gen_ai.usage.output_tokens": output_tokens,
        "gen_ai.usage.cache_read.input_tokens": input_tokens // 3,
        "gen_ai.response.time_to_first_chunk": first_s,
        "trilemma.response.time_to_first_content": first_s * 1.02,
        "trilemma.response.time_per_output_token": (duration_s - first_s) / output_tokens,
        "trilemma.response.longest_stall": duration_s * 0.1,
        "trilemma.response.chunk_count": output_tokens,
        "trilemma.response.stream_end": "exhausted",
        "http.response.status_code": 200,
        "trilemma.cost.total": input_cost + output_cost,
        "trilemma.cost.input": input_cost,
        "trilemma.cost.output": output_cost,
        "trilemma.cost.currency": "USD",
        "trilemma.cost.source": "price_table",
        "trilemma.cost.price_table.version": "genai-prices 0.2.3",
        "trilemma.rate_limit.remaining_requests": rng.randrange(10_000),
    }
    span.name, span.kind = f"chat {model}", SPAN_KIND_CLIENT
    span.start_time_unix_nano, span.end_time_unix_nano = start_ns, start_ns + int(duration_s * 1e9)
    span.attributes.extend(_make_attributes({**call, **shared}))
    return span.end_time_unix_nano


def _make_attributes(attributes: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_make_value(value)) for key, value in attributes.items()]


def _make_value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=item) for item in value]))
    return AnyValue(string_value=value)
