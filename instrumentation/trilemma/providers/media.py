"""Describe OpenAI's endpoints for images, speech and moderation, which servers compatible with it have as well."""

from typing import Any

from trilemma.folding import find_item
from trilemma.providers.chat_completions import read_cost
from trilemma.providers.spec import Endpoint, Table

__all__ = ["IMAGES", "IMAGE_EDITS", "IMAGE_VARIATIONS", "MODERATIONS", "SPEECH", "TRANSCRIPTIONS", "TRANSLATIONS"]

_USAGE: Table = {
    "input_tokens": ("usage.input_tokens", "usage.prompt_tokens"),
    "output_tokens": ("usage.output_tokens", "usage.completion_tokens"),
    "service_tier": "usage.service_tier",
}


def fold_image(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge an image event: partial images, then each whole one, the last with the usage of all."""
    kind = event.get("type") or ""
    if kind.endswith(".completed"):
        images = body.setdefault("data", [])
        find_item(images, len(images))
        body.update({key: value for key, value in event.items() if key != "b64_json"})
    elif kind == "error":
        body["error"] = event.get("error") or event
    return kind.endswith((".partial_image", ".completed"))


def fold_transcript(body: dict[str, Any], event: dict[str, Any]) -> bool:
    """Merge a transcription event: pieces of text, then the whole text with the usage."""
    kind = event.get("type") or ""
    if kind == "transcript.text.done":
        body.update({key: value for key, value in event.items() if key != "type"})
    elif kind == "error":
        body["error"] = event.get("error") or event
    return kind.endswith(".delta") and bool(event.get("delta"))


def _count_characters(body: dict[str, Any]) -> int | None:
    text = body.get("input")
    return len(text) if isinstance(text, str) else None


_IMAGE_REQUEST: Table = {
    "request_model": "model",
    "choice_count": lambda body: None if body.get("n") == 1 else body.get("n"),
}
_IMAGE_RESPONSE: Table = {
    **_USAGE,
    "image_input_tokens": "usage.input_tokens_details.image_tokens",
    "image_output_tokens": "usage.output_tokens_details.image_tokens",
    "cache_read_tokens": "usage.input_tokens_details.cached_tokens",
    "image_count": "data[#]",
    "cost": read_cost,
    "error_type": ("error.type", "error.code"),
}
_TRANSCRIPT: Table = {
    **_USAGE,
    "response_model": "model",  # Mistral says it
    "audio_input_tokens": "usage.input_token_details.audio_tokens",
    "audio_input_s": ("usage.seconds", "usage.prompt_audio_seconds", "duration"),
    "cache_read_tokens": "usage.prompt_tokens_details.cached_tokens",
    "cost": read_cost,
    "error_type": ("error.type", "error.code"),
}


def _images(path: str) -> Endpoint:
    return Endpoint(
        path=path,
        operation="image_generation",
        constants={"output_type": "image"},
        request=_IMAGE_REQUEST,
        response=_IMAGE_RESPONSE,
        fold=fold_image,
    )


def _transcripts(path: str) -> Endpoint:
    return Endpoint(
        path=path,
        operation="speech_to_text",
        constants={"output_type": "text"},
        request={"request_model": "model", "temperature": "temperature"},
        response=_TRANSCRIPT,
        fold=fold_transcript,
    )


IMAGES = _images("/images/generations")
IMAGE_EDITS = _images("/images/edits")
IMAGE_VARIATIONS = _images("/images/variations")
TRANSCRIPTIONS = _transcripts("/audio/transcriptions")
TRANSLATIONS = _transcripts("/audio/translations")
SPEECH = Endpoint(
    path="/audio/speech",
    operation="text_to_speech",
    constants={"output_type": "speech"},
    request={"request_model": "model", "input_characters": _count_characters},
    response=_USAGE,  # only the last of its events has it; the audio itself has none
    reads_bytes=True,
)
MODERATIONS = Endpoint(
    path="/moderations",
    operation="moderation",
    request={"request_model": "model"},
    response={"response_id": "id", "response_model": "model", **_USAGE},
)
