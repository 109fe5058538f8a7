"""Describe google-genai: the Gemini API and Vertex AI, content, embeddings, images, video, interactions."""

from dataclasses import replace
from typing import Any

from trilemma.providers.gemini_batches import BATCHES
from trilemma.providers.gemini_content import CONTENT, EMBED, EMBEDDED, GENERATE, GENERATED, fold_content
from trilemma.providers.gemini_interactions import INTERACTIONS
from trilemma.providers.spec import Endpoint, Hook, Provider, Table

STREAMED: Table = {**GENERATED, "error_type": "error.status"}  # a chunk may be an error, under status 200


def _name_model(body: dict[str, Any]) -> str:
    """Name a model as it is, a tuned one or an endpoint with what it is."""
    return str(body["{model}"] if body["{kind}"] == "models" else f"{body['{kind}']}/{body['{model}']}")


def _asks_no_image(body: dict[str, Any]) -> bool:
    first = body.get("instances")
    if isinstance(first, list) and first:
        first = first[0]
    return not (isinstance(first, dict) and "prompt" in first)


def _endpoint(verb: str, operation: str, request: Table, response: Table | None = None, **more: Any) -> Endpoint:
    # The transport gives the path without version, project and publisher.
    request = {"request_model": _name_model, **request}
    return Endpoint(f"/{{kind}}/{{model}}:{verb}", operation, request=request, response=response or {}, **more)


PROVIDER = Provider(
    name="gcp.gemini",
    module="google.genai",
    transport="google_genai",
    hosts={"aiplatform.googleapis.com": "gcp.vertex_ai", ".rep.googleapis.com": "gcp.vertex_ai"},
    headers={
        "x-gemini-service-tier": ("service_tier", 0),
        "server-timing": ("processing_s", 0.001),
        "x-request-id": ("request_id", 0),  # of a gateway: Google's own servers give none
    },
    error_types=("error.status", "status", "error.code"),
    # The client of the Interactions API and others is another generator's.
    hooks=(
        Hook("call", "google.genai._gaos.basesdk", "BaseSDK.do_request"),
        Hook("call", "google.genai._gaos.basesdk", "AsyncBaseSDK.do_request_async"),
        Hook("wait", "google.genai._gaos.utils.retries", "_get_sleep_interval"),
    ),
    endpoints=(
        _endpoint("generateContent", "generate_content", GENERATE, GENERATED, content=CONTENT),
        _endpoint("streamGenerateContent", "generate_content", GENERATE, STREAMED, content=CONTENT, fold=fold_content),
        _endpoint("embedContent", "embeddings", EMBED, EMBEDDED),
        _endpoint("batchEmbedContents", "embeddings", EMBED, EMBEDDED),
        _endpoint("predict", "embeddings", EMBED, EMBEDDED, when=_asks_no_image),
        _endpoint("predict", "image_generation", {"choice_count": "parameters.sampleCount"}),
        _endpoint("predictLongRunning", "generate_content", {"choice_count": "parameters.sampleCount"}),
        _endpoint("countTokens", "count_tokens", {}),
        *BATCHES,
        Endpoint("/live", "realtime", {"request_model": "model"}, method="GET"),
        Endpoint("/live", "generate_content", {"request_model": "model"}, GENERATED, fold_content),
        INTERACTIONS,
        replace(INTERACTIONS, path="/{version}/interactions"),  # as the client before version 3 has it
    ),
)
