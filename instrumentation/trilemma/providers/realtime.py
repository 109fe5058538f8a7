"""Describe OpenAI's realtime API: a session on a websocket, and the responses and transcripts that come on it."""

from dataclasses import replace
from typing import Any

from trilemma.providers.media import TRANSCRIPTIONS
from trilemma.providers.spec import Endpoint, Socket

__all__ = ["REALTIME"]


def fold_realtime(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge an event of one response: the response as it begins and as it ended, pieces of it between."""
    if isinstance(event.get("response"), dict):
        body.update(event["response"])
    return str(event.get("type")).endswith(".delta") and bool(event.get("delta"))


def _finish_reason(body: dict[str, Any]) -> Any:
    return (body.get("status_details") or {}).get("reason") or body.get("status")


def _output_type(body: dict[str, Any]) -> str | None:
    kinds = body.get("output_modalities") or body.get("modalities") or ()
    return "speech" if "audio" in kinds else "text" if "text" in kinds else None


SESSION = Endpoint(
    path="/realtime",
    operation="realtime",
    method="GET",
    request={"request_model": "model"},
    response={"response_model": "model", "conversation_id": "id", "output_type": _output_type},
)
RESPONSE = Endpoint(
    path="/realtime/responses",
    operation="chat",
    request={"request_model": "model"},
    response={
        "response_id": "id",
        "response_status": "status",
        "finish_reasons": _finish_reason,
        "conversation_id": "conversation_id",
        "output_type": _output_type,
        "input_tokens": "usage.input_tokens",
        "output_tokens": "usage.output_tokens",
        "cache_read_tokens": "usage.input_token_details.cached_tokens",
        "audio_input_tokens": "usage.input_token_details.audio_tokens",
        "audio_output_tokens": "usage.output_token_details.audio_tokens",
        "audio_cache_read_tokens": "usage.input_token_details.cached_tokens_details.audio_tokens",
        "image_input_tokens": "usage.input_token_details.image_tokens",
        "image_cache_read_tokens": "usage.input_token_details.cached_tokens_details.image_tokens",
        "tool_call_names": "output[function_call].name",
        "tool_call_ids": "output[function_call].call_id",
        "error_type": ("status_details.error.code", "status_details.error.type"),
    },
    fold=fold_realtime,
)
REALTIME = Socket(
    modules=("openai.resources.realtime.realtime", "openai.resources.beta.realtime.realtime"),
    session=SESSION,
    response=RESPONSE,
    transcript=replace(TRANSCRIPTIONS, path="/realtime/transcripts", fold=None),
)
