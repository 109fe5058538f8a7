"""Describe batches in OpenAI's format: a file of requests, then a file of results; Mistral and others have the same."""

from typing import Any

from trilemma.providers.chat_completions import CHAT, COMPLETIONS
from trilemma.providers.embeddings import EMBEDDINGS
from trilemma.providers.media import IMAGE_EDITS, IMAGES, MODERATIONS
from trilemma.providers.responses import RESPONSES
from trilemma.providers.spec import Batch, Deferred, Endpoint

__all__ = ["BATCHES", "RESULTS"]

_ENDPOINTS = (CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES, MODERATIONS, IMAGES, IMAGE_EDITS)
_OBJECTS = {
    "chat.completion": CHAT,
    "text_completion": COMPLETIONS,
    "response": RESPONSES,
    "list": EMBEDDINGS,
}


def choose(line: dict[str, Any], body: dict[str, Any], path: str) -> Endpoint | None:
    """Return the endpoint that answered an item: by its body's kind, else by what its batch asked."""
    if "custom_id" not in line or "response" not in line:  # of another file; also one of a batch's requests
        return None
    by_path = next((each for each in _ENDPOINTS if path.endswith(each.path)), None)
    return _OBJECTS.get(str(body.get("object"))) or by_path or Endpoint(path or "/batches", "batch_item")


def _error(line: dict[str, Any]) -> Any:
    error = line.get("error")
    return error.get("code") or error.get("type") if isinstance(error, dict) else None


BATCH = Batch(
    started="created_at",
    ended=("completed_at", "expired_at", "cancelled_at", "failed_at"),
    files=("output_file_id", "error_file_id"),
    path="endpoint",
)
RESULTS = Deferred(
    choose=choose,
    id="custom_id",
    body="response.body",
    started="created",
    status="response.status_code",
    request_id="response.request_id",
    error=_error,
    lines=True,
)
BATCHES = (
    Endpoint("/batches", "POST /batches", batch=BATCH),
    Endpoint("/batches", "GET /batches", method="GET", batch=BATCH),
    Endpoint("/batches/{batch}", "GET /batches/{id}", {"batch_id": "{batch}"}, method="GET", batch=BATCH),
    Endpoint("/batches/{batch}/cancel", "POST /batches/{id}/cancel", {"batch_id": "{batch}"}, batch=BATCH),
    Endpoint(
        "/files/{file}/content",
        "GET /files/{id}/content",
        {"batch_file_id": "{file}"},
        method="GET",
        reads_bytes=True,
        deferred=RESULTS,
    ),
)
