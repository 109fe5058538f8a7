"""Own what is switched on for a score: trilemma, or a peer in an environment of its own."""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.wire_score.compare import read_any_attributes, read_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["INSTRUMENTATIONS", "PEERS", "Instrumentation", "Peer"]

_log = logging.getLogger(__name__)


class Peer(NamedTuple):
    """Be another instrumentation: its packages, and for each SDK, as drivers name it, what covers it."""

    title: str
    packages: tuple[str, ...]
    instrumentors: Mapping[str, str]
    sdks: tuple[str, ...] = ()  # older releases of SDKs, where it gives no spans on the newest
    prerelease: bool = False


PEERS = {
    "openllmetry": Peer(
        "OpenLLMetry",
        tuple(
            f"opentelemetry-instrumentation-{name}"
            for name in (
                *("openai", "anthropic", "google-generativeai", "bedrock", "mistralai"),
                *("cohere", "ollama", "groq", "together"),
            )
        ),
        {
            "openai": "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
            "anthropic": "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor",
            "google.genai": "opentelemetry.instrumentation.google_generativeai:GoogleGenerativeAiInstrumentor",
            "botocore": "opentelemetry.instrumentation.bedrock:BedrockInstrumentor",
            "mistralai": "opentelemetry.instrumentation.mistralai:MistralAiInstrumentor",
            "cohere": "opentelemetry.instrumentation.cohere:CohereInstrumentor",
            "ollama": "opentelemetry.instrumentation.ollama:OllamaInstrumentor",
            "groq": "opentelemetry.instrumentation.groq:GroqInstrumentor",
            "together": "opentelemetry.instrumentation.together:TogetherAiInstrumentor",
        },
        sdks=("cohere<6", "mistralai<2"),
    ),
    "otel-genai": Peer(
        "OpenTelemetry GenAI",
        (
            "opentelemetry-instrumentation-genai-openai",
            "opentelemetry-instrumentation-genai-anthropic",
            "opentelemetry-instrumentation-google-genai",
            "opentelemetry-instrumentation-botocore",
        ),
        {
            "openai": "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
            "anthropic": "opentelemetry.instrumentation.genai.anthropic:AnthropicInstrumentor",
            "google.genai": "opentelemetry.instrumentation.google_genai:GoogleGenAiSdkInstrumentor",
            "botocore": "opentelemetry.instrumentation.botocore:BotocoreInstrumentor",
        },
        sdks=("google-genai<3",),
        prerelease=True,
    ),
}


class Instrumentation(NamedTuple):
    """Be one instrumentation: how to switch it on, and how its attributes are read."""

    switch_on: Callable[[Any], None]  # takes the tracer provider to write to
    read: Callable[[Mapping[str, Any]], dict[str, Any]]


def _trilemma(provider: Any) -> None:
    import trilemma

    trilemma.instrument(tracer_provider=provider)


def _make_peer(peer: Peer) -> Instrumentation:
    def switch_on(provider: Any) -> None:
        os.environ["TRACELOOP_TRACE_CONTENT"] = "false"
        for place in peer.instrumentors.values():
            module, _, name = place.partition(":")
            try:
                getattr(import_module(module), name)().instrument(tracer_provider=provider)
            except Exception as error:  # noqa: BLE001  # then it gives no spans, which is what is counted
                _log.warning("%s does not work with this release of its SDK: %r", place, error)

    return Instrumentation(switch_on, read_any_attributes)


INSTRUMENTATIONS = {
    "trilemma": Instrumentation(_trilemma, read_attributes),
    **{name: _make_peer(peer) for name, peer in PEERS.items()},
}
