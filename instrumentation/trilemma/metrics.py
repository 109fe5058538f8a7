"""Own the metrics of a call, by the semantic conventions; nothing is made or recorded without a meter provider."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import metrics as otel_metrics

from trilemma.registry import attribute
from trilemma.telemetry import SCOPE

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider

__all__ = ["DURATION_BUCKETS_S", "TOKEN_BUCKETS", "Measurement", "Metrics"]

DURATION_BUCKETS_S = tuple(0.01 * 2**power for power in range(14))
TOKEN_BUCKETS = tuple(4**power for power in range(14))

_LOOK_EVERY_S = 1.0  # asking OpenTelemetry for the provider reads the environment each time
_MODALITY = "gen_ai.token.modality"
_TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105  # the attribute's name
_DIMENSIONS = ("operation", "provider", "request_model", "response_model", "server_address", "server_port")
# Concept of the registry to the metric that counts it.
_COUNTED = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read.input_tokens",
    "cache_write_tokens": "cache_write.input_tokens",
    "reasoning_tokens": "reasoning.output_tokens",
}
_AUDIO_PARTS = {"input_tokens": "audio_input_tokens", "output_tokens": "audio_output_tokens"}


class Measurement(NamedTuple):
    """Be what a call gives the metrics: its record, its duration, and the gaps between its chunks (seconds)."""

    record: Mapping[str, Any]
    duration_s: float
    chunk_gaps_s: Sequence[float]


class _Instruments(NamedTuple):
    duration: "Histogram"
    first_chunk: "Histogram"
    chunk_gap: "Histogram"
    tokens: dict[str, "Counter"]
    operation_tokens: dict[str, "Histogram"]
    old_token_usage: "Histogram"


class Metrics:
    """Record calls on the meter provider given, else on the global one once there is one."""

    def __init__(self, meter_provider: "MeterProvider | None" = None) -> None:
        self._provider = meter_provider
        self._instruments: _Instruments | None = None
        self._looked_s = -math.inf

    def is_on(self) -> bool:
        """Tell whether anyone takes metrics; a meter provider that the app sets later is seen within a second."""
        if self._instruments is None:
            now_s = time.monotonic()
            if now_s < self._looked_s + _LOOK_EVERY_S:
                return False
            self._looked_s = now_s
            provider = self._provider or otel_metrics.get_meter_provider()
            if type(provider).__name__ in {"_ProxyMeterProvider", "NoOpMeterProvider"}:
                return False
            self._instruments = _create_instruments(provider.get_meter(SCOPE))
        return True

    def record(self, measured: Measurement) -> None:
        """Record one call."""
        instruments, record = self._instruments, measured.record
        if instruments is None:
            return
        dimensions = {attribute(name): record[name] for name in _DIMENSIONS if name in record}
        failed = {attribute("error_type"): record["error_type"]} if "error_type" in record else {}
        instruments.duration.record(measured.duration_s, {**dimensions, **failed})
        if "time_to_first_chunk_s" in record:
            instruments.first_chunk.record(record["time_to_first_chunk_s"], dimensions)
        for gap_s in measured.chunk_gaps_s:
            instruments.chunk_gap.record(gap_s, dimensions)
        _record_tokens(instruments, record, dimensions)


def _record_tokens(instruments: _Instruments, record: Mapping[str, Any], dimensions: dict[str, Any]) -> None:
    for name, counter in instruments.tokens.items():
        count = record.get(name)
        if count is None and name not in _AUDIO_PARTS:
            continue
        audio = min(record.get(_AUDIO_PARTS.get(name, "")) or 0, count or 0)
        if audio:
            counter.add(audio, {**dimensions, _MODALITY: "audio"})
        # Providers do not say which of the rest is text and which is image; usage not given is 0 of unknown.
        counter.add((count or 0) - audio, {**dimensions, _MODALITY: "unknown"})
    for name, histogram in instruments.operation_tokens.items():
        if name in record:
            histogram.record(record[name], dimensions)
            token_type = name.removesuffix("_tokens")
            instruments.old_token_usage.record(record[name], {**dimensions, _TOKEN_TYPE: token_type})


def _create_instruments(meter: "Meter") -> _Instruments:
    def seconds(name: str, what: str) -> "Histogram":
        return meter.create_histogram(
            f"gen_ai.client.{name}", "s", what, explicit_bucket_boundaries_advisory=DURATION_BUCKETS_S
        )

    def tokens(name: str, what: str) -> "Histogram":
        return meter.create_histogram(
            f"gen_ai.client.{name}", "{token}", what, explicit_bucket_boundaries_advisory=TOKEN_BUCKETS
        )

    return _Instruments(
        duration=seconds("operation.duration", "Duration of a call to a provider, retries included."),
        first_chunk=seconds("operation.time_to_first_chunk", "Time from a call to its first stream chunk."),
        chunk_gap=seconds("operation.time_per_output_chunk", "Time between two stream chunks."),
        tokens={
            name: meter.create_counter(f"gen_ai.client.inference.usage.{metric}", "{token}", f"Sum of {name}.")
            for name, metric in _COUNTED.items()
        },
        operation_tokens={
            name: tokens(f"inference.operation.{name}", f"{name} of a call.")
            for name in ("input_tokens", "output_tokens")
        },
        old_token_usage=tokens("token.usage", "Tokens of a call, by type; replaced by the two above."),
    )
