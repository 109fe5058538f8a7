"""Hold privacy.yaml to its word on the real collector: secrets go, measurements stay, content goes when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from trilemma.registry import attribute, fields

from tests.collector_config.real.otlp import (
    make_span,
    post,
    read_attributes,
    write_attributes,
    write_logs,
    write_traces,
)
from tests.collector_config.real.server_process import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.collector_config.real.conftest import StartCollector
    from tests.collector_config.real.otlp import OtlpSink, Value

pytestmark = pytest.mark.collector

# A count that looks like a payment card: the harshest value a measurement can have.
SAMPLES: Mapping[str, Value] = {
    "string": "x", "string[]": ["x"], "int": 4111111111111111, "double": 0.1 + 0.2, "boolean": True, "json": "[]",
    "int[]": [4111111111111111], "double[]": [0.1 + 0.2], "boolean[]": [True],
}  # fmt: skip
# What OpenLLMetry, OpenInference and older conventions call content.
OTHERS_CONTENT = {
    "gen_ai.prompt", "gen_ai.prompt.0.content", "gen_ai.completion.0.content", "gen_ai.prompt.variable.name",
    "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "llm.prompts", "llm.input_messages.0.message.content",
    "llm.output_messages.0.message.content", "input.value", "output.value", "tool.parameters",
    "retrieval.documents.0.document.content", "traceloop.entity.input", "traceloop.entity.output", "exception.message",
}  # fmt: skip
LAYERS = ("privacy.yaml", "agent.yaml", "to-gateway.yaml", "yaml:exporters::otlp_http/gateway::compression: none")
# Put together here, so that no scanner takes this file for a leak.
SECRETS = {
    "openai": "sk-" + "proj-Abc123_def456-GHI789jkl",
    "anthropic": "sk-" + "ant-api03-Abc123_def456-GHI789jkl",
    "groq": "gsk" + "_Abc123def456GHI789jkl0",
    "google": "AI" + "zaSyA1234567890abcdefghijklmnopqrstuv",
    "aws": "AK" + "IAIOSFODNN7EXAMPLE",
    "github": "gh" + "p_abcdefghijklmnopqrstuvwxyz0123456789",
    "slack": "xo" + "xb-1234567890-abcdef",
    "jwt": "ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "header": "Authorization: Basic " + "dXNlcjpwYXNzd29yZA==",
    "key": "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    "address": "postgres://shop:" + "hunter2@db.internal/orders",
    "card": "4111 1111 1111 1111",
}


def send_through(
    start_collector: StartCollector, sink: OtlpSink, content: str, spans: list[Span], logs: list[LogRecord]
) -> None:
    """Send through an agent that forwards to the sink, and wait until everything is there."""
    agent = start_collector(*LAYERS, TRILEMMA_GATEWAY=sink.url, TRILEMMA_TOKEN="t", TRILEMMA_CONTENT=content)
    post(f"{agent.http_url}/v1/traces", write_traces(spans))
    post(f"{agent.http_url}/v1/logs", write_logs(logs))
    wait_until(lambda: len(sink.spans()) >= len(spans) and len(sink.log_records()) >= len(logs))


def sample_record() -> dict[str, Value]:
    """Fill every attribute that the registry names, of spans and events."""
    return {field.attribute: SAMPLES[field.type] for field in fields().values()}


def test_every_registered_attribute_passes_untouched(start_collector: StartCollector, sink: OtlpSink) -> None:
    """What trilemma records, of any type, comes out as it went in: no measurement is taken for a secret."""
    record = sample_record()
    send_through(start_collector, sink, "keep", [make_span(1, 1, **record)], [])
    assert read_attributes(sink.spans()[0].attributes) == record


def test_secrets_are_masked_wherever_they_stand(start_collector: StartCollector, sink: OtlpSink) -> None:
    """No secret leaves in an attribute, an array, an event or a log record; the text around it does."""
    texts = {f"note.{name}": f"before {secret} after" for name, secret in SECRETS.items()}
    event = Span.Event(name="note", attributes=write_attributes(texts))
    arrays = {f"list.{name}": [f"before {secret} after"] for name, secret in SECRETS.items()}
    record = LogRecord(body=AnyValue(string_value=" | ".join(SECRETS.values())), attributes=write_attributes(texts))
    send_through(start_collector, sink, "keep", [make_span(1, 1, events=[event], **texts, **arrays)], [record])
    everything = b"".join(request.body for request in sink.requests).decode(errors="replace")
    assert [name for name, secret in SECRETS.items() if secret.split(" ")[-1] in everything] == []
    [span] = sink.spans()
    kept = [*read_attributes(span.attributes).values(), *read_attributes(span.events[0].attributes).values()]
    assert all("before" in str(text) and "after" in str(text) and "****" in str(text) for text in kept)


@pytest.mark.parametrize(
    "key", ["http.request.header.authorization", "x-api-key", "db.password", "aws_session_token", "client.secret"]
)
def test_values_under_a_secret_name_are_masked(start_collector: StartCollector, sink: OtlpSink, key: str) -> None:
    """A key that names a secret has its whole value masked, whatever the value looks like."""
    send_through(start_collector, sink, "keep", [make_span(1, 1, **{key: ["plain"]})], [])
    assert read_attributes(sink.spans()[0].attributes)[key] == "****"


def test_token_counts_of_other_sdks_are_no_secrets(start_collector: StartCollector, sink: OtlpSink) -> None:
    """The older names of token counts pass: their "token" is not a credential."""
    counts: Mapping[str, Value] = {
        alias: 7 for field in fields().values() for alias in field.aliases if "token" in alias
    }
    assert counts
    send_through(start_collector, sink, "keep", [make_span(1, 1, **counts)], [])
    assert read_attributes(sink.spans()[0].attributes) == counts


@pytest.mark.parametrize("setting", ["strip", "Keep", "of"])
def test_content_is_stripped(start_collector: StartCollector, sink: OtlpSink, setting: str) -> None:
    """With TRILEMMA_CONTENT=strip, or a misspelt value, only content goes, from spans, events and log records."""
    content = {field.attribute for field in fields().values() if field.column == "content"} | {attribute("explanation")}
    record = sample_record()
    secret = write_attributes(dict.fromkeys(content | OTHERS_CONTENT, "the words"))
    event = Span.Event(name="gen_ai.content.prompt", attributes=secret)
    span = make_span(1, 1, events=[event], **{key: value for key, value in record.items() if key not in content})
    span.attributes.extend(secret)
    span.status.message = "the words"
    log = LogRecord(body=AnyValue(string_value="the words"), attributes=secret)
    send_through(start_collector, sink, setting, [span], [log])
    expected = {key: value for key, value in record.items() if key not in content}
    assert read_attributes(sink.spans()[0].attributes) == expected
    assert "the words" not in b"".join(request.body for request in sink.requests).decode(errors="replace")
