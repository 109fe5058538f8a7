"""Hold that calls are measured by the conventions when a meter provider is set, and not otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from tests.instrumentation.providers.cases import CHAT
from tests.instrumentation.providers.wire import reply_error, reply_stream, reply_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced


@pytest.fixture
def reader(traced: Traced) -> Iterator[InMemoryMetricReader]:
    """Measure into memory."""
    reading = InMemoryMetricReader()
    provider = MeterProvider([reading], shutdown_on_exit=False)
    traced.instrument(meter_provider=provider)
    yield reading
    provider.shutdown()


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """Return the data points by metric."""
    data = reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
    return {metric.name: list(metric.data.data_points) for metric in metrics}


def test_stream(traced: Traced, streamed: Case, reader: InMemoryMetricReader) -> None:
    """A stream gives duration, time to first chunk, gaps between chunks, and each kind of token."""
    list(streamed.find(traced.client(streamed, reply_stream(streamed.name)))(**streamed.arguments, stream=True))
    found = points(reader)
    [duration] = found["gen_ai.client.operation.duration"]
    assert duration.attributes["gen_ai.provider.name"] == streamed.traits.provider
    assert duration.explicit_bounds[:3] == (0.01, 0.02, 0.04)
    assert found["gen_ai.client.operation.time_to_first_chunk"][0].sum == 0.625
    assert found["gen_ai.client.operation.time_per_output_chunk"][0].count == traced.record()["chunk_count"] - 1
    [counted] = found["gen_ai.client.inference.usage.input_tokens"]
    assert (counted.value, counted.attributes["gen_ai.token.modality"]) == (100, "unknown")
    if streamed.traits.cached and streamed.request_model:
        assert found["gen_ai.client.inference.usage.cache_read.input_tokens"][0].value == 64
    assert found["gen_ai.client.inference.operation.output_tokens"][0].sum == 20
    old = {point.attributes["gen_ai.token.type"]: point.sum for point in found["gen_ai.client.token.usage"]}
    assert old == {"input": 100, "output": 20}


def test_failure(traced: Traced, case: Case, reader: InMemoryMetricReader) -> None:
    """A failed call counts in the duration by its error type, and 0 tokens of unknown kind."""
    with pytest.raises(Exception):  # noqa: B017, PT011  # each SDK has its own
        case.find(traced.client(case, reply_error(case.name, 400)))(**case.arguments)
    found = points(reader)
    assert found["gen_ai.client.operation.duration"][0].attributes["error.type"] == case.traits.refused_type
    assert found["gen_ai.client.inference.usage.input_tokens"][0].value == 0
    assert "gen_ai.client.token.usage" not in found


def test_audio(traced: Traced, reader: InMemoryMetricReader) -> None:
    """Audio tokens count apart from the rest."""
    reply = reply_whole(CHAT.name)
    reply.body = reply.body.replace(b'"audio_tokens": 0}, "completion', b'"audio_tokens": 30}, "completion')
    CHAT.find(traced.client(CHAT, reply))(**CHAT.arguments)
    counted = points(reader)["gen_ai.client.inference.usage.input_tokens"]
    assert {point.attributes["gen_ai.token.modality"]: point.value for point in counted} == {"audio": 30, "unknown": 70}


def test_none_without_a_provider(traced: Traced) -> None:
    """Without a meter provider no instrument is made."""
    CHAT.find(traced.client(CHAT, reply_whole(CHAT.name)))(**CHAT.arguments)
    from trilemma import instrumentation

    assert instrumentation._engine is not None
    assert instrumentation._engine.metrics._instruments is None
