"""Own what a sender of OTLP is told: done, partly done, or a ``google.rpc.Status`` with the reason, in its encoding.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

__all__ = ["RETRY_AFTER_S", "count_data_points", "encode_message", "make_status", "refuse_metrics"]

# How long a sender waits before it tries again when the storage lags behind.
RETRY_AFTER_S = 5

METRICS_NOT_STORED = (
    "trilemma stores traces and logs, not metrics: token counts, cost and latency are on the spans. "
    "Set OTEL_METRICS_EXPORTER=none to stop sending them"
)
RPC_CODES = {
    400: code_pb2.INVALID_ARGUMENT,
    401: code_pb2.UNAUTHENTICATED,
    404: code_pb2.NOT_FOUND,
    405: code_pb2.UNIMPLEMENTED,
    413: code_pb2.RESOURCE_EXHAUSTED,
    415: code_pb2.INVALID_ARGUMENT,
    503: code_pb2.UNAVAILABLE,
}


def make_status(http_status: int, reason: str) -> status_pb2.Status:
    """Return the error body for an HTTP status; with 503 it says when to try again."""
    status = status_pb2.Status(code=RPC_CODES[http_status], message=reason)
    if http_status == 503:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(RETRY_AFTER_S)
        status.details.add().Pack(retry)
    return status


def refuse_metrics(request: Any) -> ExportMetricsServiceResponse:
    """Return the reply to metrics: taken note of, none stored. The sender neither fails nor tries again."""
    response = ExportMetricsServiceResponse()
    response.partial_success.rejected_data_points = count_data_points(request)
    response.partial_success.error_message = METRICS_NOT_STORED
    return response


def count_data_points(request: Any) -> int:
    """Count the data points of an ExportMetricsServiceRequest."""
    metrics = (
        metric
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.WhichOneof("data")
    )
    return sum(len(getattr(metric, metric.WhichOneof("data")).data_points) for metric in metrics)


def encode_message(message: Any, *, as_json: bool) -> bytes:
    """Write a reply in the encoding of its request."""
    if as_json:
        return str(json_format.MessageToJson(message, indent=None)).encode()
    return bytes(message.SerializeToString())
