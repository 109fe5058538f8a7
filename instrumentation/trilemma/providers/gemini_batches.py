"""Describe the Gemini API's batches: a job, whose results come within it or in a file, one JSON object per line."""

from typing import Any

from trilemma.providers.gemini_content import EMBEDDED, GENERATED
from trilemma.providers.spec import Batch, Deferred, Endpoint

__all__ = ["BATCHES", "list_results"]

_CONTENT = Endpoint("/{kind}/{model}:generateContent", "generate_content", response=GENERATED)
_EMBEDDINGS = Endpoint("/{kind}/{model}:embedContent", "embeddings", response=EMBEDDED)


def choose(line: dict[str, Any], body: dict[str, Any], _: str) -> Endpoint | None:
    """Return the endpoint that answered an item; None for a line of another file."""
    if "key" not in line or ("response" not in line and "error" not in line):
        return None
    return _EMBEDDINGS if "embedding" in body or "embeddings" in body else _CONTENT


def list_results(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the results within a job, each with its key: the one its request had, else its number."""
    outputs = job.get("response") or {}, (job.get("metadata") or {}).get("output") or {}
    kinds = ("inlinedResponses", "inlinedEmbedContentResponses")
    found: dict[str, Any] = next((output[kind] for output in outputs for kind in kinds if output.get(kind)), {})
    return [
        {"key": (item.get("metadata") or {}).get("key") or str(number), **item}
        for number, item in enumerate(found.get("inlinedResponses") or ())
    ]


def _error(line: dict[str, Any]) -> Any:
    error = line.get("error")
    return (error.get("status") or str(error.get("code"))) if isinstance(error, dict) else None


_BATCH = Batch(
    started="metadata.createTime",
    ended=("metadata.endTime",),
    files=("response.responsesFile", "metadata.output.responsesFile"),
)
_RESULTS = Deferred(choose, id="key", body="response", error=_error, lines=True)
_OF_JOB = {"batch_id": lambda body: f"batches/{body['{batch}']}"}
BATCHES = (
    Endpoint("/{kind}/{model}:batchGenerateContent", "POST /models/{id}:batchGenerateContent", batch=_BATCH),
    Endpoint("/{kind}/{model}:asyncBatchEmbedContent", "POST /models/{id}:asyncBatchEmbedContent", batch=_BATCH),
    Endpoint("/batches/{batch}", "GET /batches/{id}", _OF_JOB, method="GET", batch=_BATCH, deferred=_RESULTS),
    Endpoint(
        "/files/{file}:download",
        "GET /files/{id}:download",
        {"batch_file_id": lambda body: f"files/{body['{file}']}"},
        method="GET",
        deferred=_RESULTS,
    ),
)
