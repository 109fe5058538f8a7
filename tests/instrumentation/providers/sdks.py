"""Own what differs between the SDKs for a test: how a client is made, how it refuses, how a stream of it is left."""

from __future__ import annotations

import importlib
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.instrumentation.providers.google_client import make_google, takes_httpx

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SDKS", "Sdk", "find_sdk"]


@dataclass(frozen=True)
class Sdk:
    """Be one SDK.

    ``make`` makes a client, sync or async, of an HTTP client and options. ``refused`` and ``unreachable`` are the names
    of what it raises for status 400 ("|" between those of newer and older ones) and without a connection,
    ``refused_type`` and ``unreachable_type`` the error types of the span. ``refusal`` is the body of a refusal.
    ``stream`` is the name of a stream's class. A ``lazy`` stream sends nothing before it is read.
    """

    name: str
    provider: str
    make: Callable[..., Any]
    http: tuple[str, ...]  # modules that have imported the SDK's HTTP library, newest first
    refused: str
    unreachable: str
    refusal: dict[str, Any]
    refused_type: str
    unreachable_type: str
    stream: str = "generator"
    lazy: bool = False
    retries: bool = False  # whether it repeats a call that failed, when asked to
    cached: bool = True  # whether the provider counts cached tokens
    blocks: bool = False  # whether its async streams are read in the loop itself, which then waits for each chunk
    event_name: bool = False  # whether an event has its type as name
    done: bool = False  # whether [DONE] ends a stream
    content_type: str = "text/event-stream"

    def find_http(self) -> Any:
        """Return the HTTP library it is built on: httpx or httpx2."""
        for name in self.http:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of old SDKs, about pydantic of today
                    module = importlib.import_module(name)
            except ImportError:
                continue
            return getattr(module, "httpx2", None) or module.httpx
        raise AssertionError(f"{self.name} has none of {self.http}")


def _make_stainless(name: str, client: str, base_url: str) -> Callable[..., Any]:
    def make(http_client: Any, *, is_async: bool, **options: Any) -> Any:
        kind = getattr(importlib.import_module(name), f"Async{client}" if is_async else client)
        return kind(http_client=http_client, **{"max_retries": 0, "base_url": base_url, "api_key": "k", **options})

    return make


def _stainless(name: str, client: str, base_url: str, **traits: Any) -> Sdk:
    error = {"type": "invalid_request_error", "message": "no", "code": None}
    return Sdk(
        **{
            "name": name,
            "provider": name,
            "make": _make_stainless(name, client, base_url),
            "http": (f"{name}._base_client",),
            "refused": "BadRequestError",
            "unreachable": "APIConnectionError",
            "refusal": {"error": error},
            "refused_type": "invalid_request_error",
            "unreachable_type": "APIConnectionError",
            "stream": "Stream",
            "retries": True,
            "done": True,
            **traits,
        }
    )


def _find_mistral() -> Any:
    try:
        from mistralai.client import Mistral
    except ImportError:  # before 2
        from mistralai import Mistral  # type: ignore[attr-defined]  # the newest has it elsewhere
    return Mistral


def _make_mistral(http_client: Any, *, is_async: bool, max_retries: int = 0, **options: Any) -> Any:
    client_class = _find_mistral()
    if max_retries:
        utils = sys.modules[f"{client_class.__module__.rpartition('.')[0]}.utils"]
        options["retry_config"] = utils.RetryConfig("backoff", utils.BackoffStrategy(500, 9000, 1.5, 60_000), True)
    which = {"async_client": http_client} if is_async else {"client": http_client}
    client = client_class(api_key="k", **which, **options)
    client.asks_async = is_async  # one class has both kinds of method
    return client


def _make_cohere(http_client: Any, *, is_async: bool, version: str = "", **options: Any) -> Any:
    import cohere

    options.pop("max_retries", None)  # asked for with each call
    kind = getattr(cohere, f"{'Async' if is_async else ''}Client{version}")
    options.setdefault("base_url", "https://api.cohere.com" + ("" if hasattr(cohere, "ClientV2") else "/v1"))
    return kind("k", httpx_client=http_client, **options)


def _make_ollama(http_client: Any, *, is_async: bool, **options: Any) -> Any:
    import ollama

    options.pop("max_retries", None)
    kind = ollama.AsyncClient if is_async else ollama.Client
    return kind(host="http://localhost:11434", transport=http_client._transport, trust_env=False, **options)


_hub_clients: list[Any] = []


def _make_hub(http_client: Any, *, is_async: bool, **options: Any) -> Any:
    import huggingface_hub

    options.pop("max_retries", None)
    if "model" not in options:
        options.setdefault("base_url", "https://router.huggingface.co/together/v1")
    if is_async:
        huggingface_hub.set_async_client_factory(lambda: http_client)
        client: Any = huggingface_hub.AsyncInferenceClient(token="k", **options)
    else:
        huggingface_hub.set_client_factory(lambda: http_client)
        client = huggingface_hub.InferenceClient(token="k", **options)
    _hub_clients[:] = [client]  # its streams end when it is dropped
    return client


_ANTHROPIC_REFUSAL = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
SDKS = {
    sdk.name: sdk
    for sdk in (
        _stainless("openai", "OpenAI", "https://api.openai.com/v1"),
        _stainless(
            "anthropic",
            "Anthropic",
            "https://api.anthropic.com",
            refusal=_ANTHROPIC_REFUSAL,
            event_name=True,
            done=False,
        ),
        _stainless("groq", "Groq", "https://api.groq.com"),
        _stainless("together", "Together", "https://api.together.ai"),
        Sdk(
            name="mistralai",
            provider="mistral_ai",
            make=_make_mistral,
            http=("mistralai.client.httpclient", "mistralai.httpclient"),
            refused="SDKError",
            unreachable="ConnectError",
            refusal={"object": "error", "type": "invalid_request_error", "message": "no", "code": "1"},
            refused_type="invalid_request_error",
            unreachable_type="ConnectError",
            stream="EventStream|generator",
            retries=True,
            done=True,
        ),
        Sdk(
            name="cohere",
            provider="cohere",
            make=_make_cohere,
            http=("cohere.core.http_client",),
            refused="BadRequestError|ApiError",
            unreachable="ConnectError",
            refusal={"message": "no"},
            refused_type="400",
            unreachable_type="ConnectError",
            lazy=True,
            retries=True,
            event_name=True,
            done=True,
        ),
        Sdk(
            name="ollama",
            provider="ollama",
            make=_make_ollama,
            http=("ollama._client",),
            refused="ResponseError",
            unreachable="ConnectionError",
            refusal={"error": "no"},
            refused_type="400",
            unreachable_type="ConnectError",
            lazy=True,
            cached=False,
            content_type="application/x-ndjson",
        ),
        Sdk(
            name="huggingface_hub",
            provider="huggingface",
            make=_make_hub,
            http=("huggingface_hub.utils._http",),
            refused="BadRequestError",
            unreachable="ConnectError",
            refusal={"error": {"message": "no", "type": "invalid_request_error"}},
            refused_type="invalid_request_error",
            unreachable_type="ConnectError",
            done=True,
        ),
        Sdk(
            name="google.genai",
            provider="gcp.gemini",
            make=make_google,
            http=("tests.instrumentation.providers.google_client",),  # it takes either
            refused="ClientError",
            unreachable="ConnectError" if takes_httpx() else "ConnectionError",
            refusal={"error": {"code": 400, "message": "no", "status": "invalid_request_error"}},
            refused_type="invalid_request_error",
            unreachable_type="ConnectError" if takes_httpx() else "ConnectionError",
            lazy=True,
            retries=takes_httpx(),
            blocks=not takes_httpx(),
        ),
    )
}


def find_sdk(case_name: str) -> Sdk:
    """Return the SDK of a case, whose name begins with the SDK's import name."""
    start = case_name.partition(".")[0]
    return next(sdk for sdk in SDKS.values() if sdk.name.replace(".", "_") == start)
