"""Describe Replicate's API: predictions of any model, which a request begins and a later one reads."""

from dataclasses import replace
from typing import Any

from trilemma.providers.spec import Deferred, Endpoint, Hook, Provider

_ENDED = ("succeeded", "failed", "canceled", "aborted")


def _name_model(body: dict[str, Any]) -> str:
    return f"{body['{owner}']}/{body['{name}']}"


def _read_end(body: dict[str, Any]) -> str | None:
    status = body.get("status")
    return status if status in _ENDED else None


def choose_prediction(prediction: dict[str, Any], _: dict[str, Any], __: str) -> Endpoint | None:
    """Return how to read a prediction that has ended; None before."""
    return PREDICTIONS if prediction.get("status") in _ENDED else None


def name_start(prediction: dict[str, Any]) -> str | None:
    """Return what the request was that only began a prediction; None where it waited for the end (`Prefer: wait`)."""
    return None if prediction.get("status") in _ENDED else "POST /v1/predictions"


_LATER = Deferred(choose_prediction, id="id", started="started_at", ended=("completed_at",))
# What a request waited for is its own call.
_BEGUN = replace(_LATER, choose=lambda *_: None, start=name_start)

PREDICTIONS = Endpoint(
    path="/v1/predictions",
    operation="generate_content",
    response={
        "response_id": "id",
        "response_model": "model",
        "finish_reasons": _read_end,
        "input_tokens": "metrics.input_token_count",
        "output_tokens": "metrics.output_token_count",
        "processing_s": "metrics.predict_time",
        "error_type": lambda body: "error" if body.get("error") else None,  # a sentence, without a type
    },
)
_OF_MODEL = replace(PREDICTIONS, request={"request_model": _name_model})

PROVIDER = Provider(
    name="replicate",
    module="replicate",
    transport="httpx_client",
    headers={"ratelimit-remaining": ("remaining_requests", 1)},
    error_types=("title", "detail"),
    hooks=tuple(Hook("client", "replicate.client", f"Client.{name}") for name in ("_client", "_async_client")),
    endpoints=(
        replace(PREDICTIONS, deferred=_BEGUN),
        replace(_OF_MODEL, path="/v1/models/{owner}/{name}/predictions", deferred=_BEGUN),
        replace(_OF_MODEL, path="/v1/deployments/{owner}/{name}/predictions", deferred=_BEGUN),
        Endpoint("/v1/predictions/{id}", "GET /v1/predictions/{id}", method="GET", deferred=_LATER),
    ),
)
