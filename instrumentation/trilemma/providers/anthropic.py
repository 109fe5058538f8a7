"""Describe Anthropic's API: messages, their batches, counting tokens, and the text completions of before 2024."""

from typing import Any

from trilemma.folding import add_text
from trilemma.providers.anthropic_messages import MESSAGES, fold_message
from trilemma.providers.spec import Batch, Deferred, Endpoint, NativeTracer, Provider

__all__ = ["MESSAGES", "PROVIDER", "fold_message"]


def fold_completion(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge an event of a text completion: each has the text since the last one, and all else."""
    pieces = body.get("completion")
    body.update({key: value for key, value in event.items() if value is not None})
    body["completion"] = pieces if type(pieces) is list else []
    return add_text(body, "completion", event.get("completion"))


COMPLETIONS = Endpoint(
    path="/v1/complete",
    operation="text_completion",
    request={
        "request_model": "model",
        "max_tokens": "max_tokens_to_sample",
        "temperature": "temperature",
        "top_p": "top_p",
        "top_k": "top_k",
        "stop_sequences": "stop_sequences",
    },
    response={"response_id": "id", "response_model": "model", "finish_reasons": "stop_reason"},
    fold=fold_completion,
)


def _read_error(line: dict[str, Any]) -> Any:
    result = line["result"]
    kind = result.get("type")
    error = result.get("error") or {}
    return None if kind == "succeeded" else (error.get("error") or error).get("type") or kind


_BATCH = Batch(started="created_at", ended=("ended_at",))
_RESULTS = Deferred(
    choose=lambda line, _, __: MESSAGES if isinstance(line.get("result"), dict) else None,
    id="custom_id",
    body="result.message",
    error=_read_error,
    lines=True,
)
_ONE = "/v1/messages/batches/{batch}"
_ID = {"batch_id": "{batch}"}
BATCHES = (
    Endpoint("/v1/messages/batches", "POST /v1/messages/batches", batch=_BATCH),
    Endpoint("/v1/messages/batches", "GET /v1/messages/batches", method="GET", batch=_BATCH),
    Endpoint(_ONE, "GET /v1/messages/batches/{id}", _ID, method="GET", batch=_BATCH),
    Endpoint(f"{_ONE}/cancel", "POST /v1/messages/batches/{id}/cancel", _ID, batch=_BATCH),
    Endpoint(
        f"{_ONE}/results",
        "GET /v1/messages/batches/{id}/results",
        _ID,
        method="GET",
        reads_bytes=True,
        deferred=_RESULTS,
    ),
)

PROVIDER = Provider(
    name="anthropic",
    module="anthropic",
    transport="stainless",
    headers={
        "request-id": ("request_id", 0),
        "x-amzn-requestid": ("request_id", 0),  # of Bedrock, and its time for the work
        "x-amzn-bedrock-invocation-latency": ("processing_s", 0.001),
        "anthropic-ratelimit-requests-remaining": ("remaining_requests", 1),
        "anthropic-ratelimit-tokens-remaining": ("remaining_tokens", 1),
    },
    error_types=("error.type",),
    native_tracer=NativeTracer("anthropic._base_client", "start_api_call_span", "_open_telemetry"),
    endpoints=(
        MESSAGES,
        Endpoint("/v1/messages/count_tokens", "count_tokens", request={"request_model": "model"}),
        COMPLETIONS,
        *BATCHES,
    ),
)
