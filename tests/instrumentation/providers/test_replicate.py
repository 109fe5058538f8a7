"""Hold Replicate's predictions to one model call each, whether their result comes at once or to a later request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import replicate

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced

BEGUN: dict[str, Any] = {
    "id": "p1",
    "model": "meta/llama-3-8b",
    "version": "v1",
    "status": "starting",
    "input": {"prompt": "x"},
    "urls": {"get": "https://api.replicate.com/v1/predictions/p1"},
    "created_at": "2026-11-01T12:00:00Z",
}
ENDED = {
    **BEGUN,
    "status": "succeeded",
    "output": ["It ships", " today."],
    "started_at": "2026-11-01T12:00:01Z",
    "completed_at": "2026-11-01T12:00:03Z",
    "metrics": {"predict_time": 2.0, "input_token_count": 7, "output_token_count": 3},
}


def make_client(*bodies: dict[str, Any], status: int = 200) -> replicate.Client:
    """Return a client that gets these bodies in turn."""
    left = list(bodies)
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=json.dumps(left.pop(0)).encode()))
    return replicate.Client(api_token="k", transport=transport)


def test_result_at_once(traced: Traced) -> None:
    """A request that waits for the result is the model call: tokens, why it ended, its own time."""
    make_client(ENDED).predictions.create(version="v1", input={"prompt": "x"})
    record = traced.record()
    assert (record["operation"], record["provider"], record["response_id"]) == ("generate_content", "replicate", "p1")
    assert (record["input_tokens"], record["output_tokens"], record["processing_s"]) == (7, 3, 2.0)
    assert record["finish_reasons"] == ("succeeded",)


def test_result_later(traced: Traced) -> None:
    """A request that only begins is a plain span; what reads the result brings the model call, with its own times."""
    client = make_client(BEGUN, BEGUN, ENDED)
    client.predictions.create(version="v1", input={"prompt": "x"})
    client.predictions.get("p1")
    client.predictions.get("p1")
    names = [span.name for span in traced.spans()]
    assert sorted(names) == [
        "GET /v1/predictions/{id}",
        "GET /v1/predictions/{id}",
        "POST /v1/predictions",
        "generate_content meta/llama-3-8b",
    ]
    [work] = [span for span in traced.spans() if span.name.startswith("generate")]
    assert work.end_time - work.start_time == 2_000_000_000
    assert (work.attributes or {})["gen_ai.usage.output_tokens"] == 3


def test_refused(traced: Traced) -> None:
    """A refusal has its status, and the user Replicate's own exception."""
    client = make_client({"detail": "You did not pass a valid token.", "title": "Unauthenticated"}, status=401)
    with pytest.raises(replicate.exceptions.ReplicateError):
        client.predictions.create(version="v1", input={"prompt": "x"})
    assert traced.record()["http_status"] == 401
