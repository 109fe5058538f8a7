"""Hold what is peculiar to SDKs that send by httpx: their own clients, base URLs, forms, waits and tracers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from trilemma.instrumentation import uninstrument

from tests.instrumentation.providers.cases import COHERE, COHERE_RERANK, HUB_TEXT, MISTRAL, OLLAMA
from tests.instrumentation.providers.conftest import is_error, require
from tests.instrumentation.providers.wire import (
    Reply,
    make_client,
    reply_error,
    reply_stream,
    reply_whole,
    transport_class,
)

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced


def test_ollama_keeps_its_client(traced: Traced) -> None:
    """The SDK's HTTP client stays the user's: same class, same state, and the very object again without us."""
    client = traced.client(OLLAMA, reply_whole(OLLAMA.name))
    seen = client._client
    assert isinstance(seen, httpx.Client)
    seen.headers["x-app"] = "1"
    uninstrument()
    own = client._client
    assert type(own) is httpx.Client
    assert own.headers["x-app"] == "1"
    assert "_client" not in vars(type(client).__mro__[1])


def test_client_of_before(traced: Traced) -> None:
    """A client made before the instrumentation was switched on is traced as well."""
    uninstrument()
    client = traced.client(OLLAMA, reply_whole(OLLAMA.name))
    traced.instrument()
    OLLAMA.find(client)(**OLLAMA.arguments)
    assert traced.record()["output_tokens"] == 20


def test_other_requests_are_none_of_ours(traced: Traced) -> None:
    """A user's own requests with the HTTP library have no span."""
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        client.get("https://example.com/")
    assert not traced.spans()


def test_path_of_the_base_url(traced: Traced) -> None:
    """Behind a gateway whose URL has a path of its own, an endpoint is found all the same."""
    client = make_client(
        require(MISTRAL), traced.script(reply_whole(MISTRAL.name)), server_url="https://gate.example/eu"
    )
    MISTRAL.find(client)(**MISTRAL.arguments)
    assert traced.span().name == "chat mistral-small-latest"
    assert traced.record()["server_address"] == "gate.example"


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("cloud", ["azure", "gcp"])
async def test_mistral_in_a_cloud(traced: Traced, cloud: str, is_async: bool) -> None:
    """Mistral's clients for Azure and Vertex AI are traced as well, named for who serves them."""
    sdk = pytest.importorskip(f"mistralai.{cloud}.client", reason="this mistralai has no clients for clouds")
    http = MISTRAL.traits.find_http()
    kind = http.AsyncClient if is_async else http.Client
    http_client = kind(transport=transport_class(http)(http, traced.script(reply_whole(MISTRAL.name))), trust_env=False)
    options: dict[str, Any] = {"async_client" if is_async else "client": http_client}
    if cloud == "azure":
        client = sdk.MistralAzure(api_key="k", server_url="https://x.services.ai.azure.com", **options)
    else:
        client = sdk.MistralGCP(project_id="p", region="us-central1", access_token="t", **options)
    arguments = {"model": "mistral-small-2503", "messages": [{"role": "user", "content": "hi"}]}
    if is_async:
        await client.chat.complete_async(**arguments)
    else:
        client.chat.complete(**arguments)
    assert traced.span().name == "chat mistral-small-2503"
    assert traced.record()["output_tokens"] == 20
    assert traced.record()["provider"].startswith("azure" if cloud == "azure" else "gcp.vertex_ai")


def test_plain_span(traced: Traced) -> None:
    """A call without an endpoint of its own is a plain span, without tokens."""
    client = traced.client(OLLAMA, Reply(body=b'{"models": []}', headers={"content-type": "application/json"}))
    client.list()
    assert traced.span().name == "GET /api/tags"
    assert traced.record()["input_tokens"] is None


def test_form(traced: Traced) -> None:
    """What a form says beside its file, such as the model, is read."""
    client = traced.client(
        require(MISTRAL), Reply(body=b'{"model": "voxtral", "text": "hi", "usage": {}, "language": "en"}')
    )
    if not hasattr(client, "audio"):
        pytest.skip("this mistralai has no audio")
    with pytest.raises(Exception):  # noqa: B017, PT011  # the answer is no full one
        client.audio.transcriptions.complete(model="voxtral-mini", file={"content": b"RIFF", "file_name": "a.wav"})
    assert traced.span().name == "speech_to_text voxtral-mini"


def test_error_within_a_stream(traced: Traced) -> None:
    """An error in the place of a chunk, under status 200, is an ERROR; what came before is kept."""
    reply = reply_stream(OLLAMA.name)
    assert reply.events is not None
    reply.events[3:] = [b'{"error": "out of memory"}\n']
    with pytest.raises(Exception, match="out of memory"):
        list(OLLAMA.find(traced.client(OLLAMA, reply))(**OLLAMA.arguments, stream=True))
    assert is_error(traced.span())
    assert (traced.record()["error_type"], traced.record()["response_model"]) == ("error", "llama3.2")


def test_hub_stream_ends_at_done(traced: Traced) -> None:
    """A span ends with its stream's last event, not when the client that holds the connection is closed."""
    list(HUB_TEXT.find(traced.client(HUB_TEXT, reply_stream(HUB_TEXT.name)))(**HUB_TEXT.arguments, stream=True))
    assert (traced.record()["stream_end"], traced.record()["input_tokens"]) == ("exhausted", 100)


def test_hub_calls_that_are_no_inference(traced: Traced) -> None:
    """What huggingface_hub asks of the Hub is no call to a model."""
    import huggingface_hub

    client = traced.client(HUB_TEXT, Reply(body=b"[]", headers={"content-type": "application/json"}))
    list(huggingface_hub.HfApi(token="t").list_models(limit=1))
    assert client is not None
    assert not traced.spans()


def test_billed_units(traced: Traced) -> None:
    """Cohere's price is of the tokens it bills, not of those it counts."""
    COHERE.find(traced.client(require(COHERE), reply_whole(COHERE.name)))(**COHERE.arguments)
    record = traced.record()
    assert (record["input_tokens"], record["billed_input_tokens"]) == (100, 30)
    assert record["cost"] == pytest.approx((30 * 2.5 + 18 * 10) / 1e6)  # cohere.com/pricing, 2026-11: Command A


def test_rerank_has_no_invented_tokens(traced: Traced) -> None:
    """A rerank is billed by searches: it has no tokens, and no cost is made up."""
    COHERE_RERANK.find(traced.client(require(COHERE_RERANK), reply_whole(COHERE_RERANK.name)))(
        **COHERE_RERANK.arguments
    )
    assert (traced.record()["input_tokens"], traced.record()["cost"]) == (None, None)


def test_hub_is_not_imported_for_nothing() -> None:
    """Importing huggingface_hub, as many libraries do, loads neither its inference client nor ours for it."""
    program = """
        import sys
        import trilemma
        trilemma.instrument()
        import huggingface_hub
        print("huggingface_hub.inference._client" in sys.modules)
        huggingface_hub.InferenceClient
        import huggingface_hub.inference._client as client
        print(hasattr(client.get_session, "__wrapped__"))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"], done.stderr


@pytest.fixture
def global_spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Set a global tracer provider, which is what makes mistralai trace itself."""
    pytest.importorskip("mistralai.client._hooks.tracing", reason="this mistralai does not trace itself")
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", with_exporter(exporter))
    monkeypatch.setenv("MISTRAL_SDK_TELEMETRY", "global")
    return exporter


def with_exporter(exporter: InMemorySpanExporter) -> TracerProvider:
    """Return a tracer provider that writes to `exporter`."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def ask_mistral(traced: Traced, *, stream: bool = False, provider: Any = None) -> None:
    """Make one call."""
    client = traced.client(MISTRAL, reply_stream(MISTRAL.name) if stream else reply_whole(MISTRAL.name))
    if provider is not None:
        from mistralai.extra.observability import set_tracer_provider

        set_tracer_provider(client, provider)
    result = MISTRAL.find(client)(**MISTRAL.arguments, **({"stream": True} if stream else {}))
    if stream:
        list(result)


@pytest.mark.parametrize("stream", [False, True])
def test_native_span_gives_way(traced: Traced, global_spans: InMemorySpanExporter, stream: bool) -> None:
    """While ours is on, mistralai writes no span of its own for the same call to the global provider."""
    ask_mistral(traced, stream=stream)
    assert len(traced.spans()) == 1
    assert not global_spans.get_finished_spans()


def test_native_span_comes_back(traced: Traced, global_spans: InMemorySpanExporter) -> None:
    """Without us mistralai traces itself as before."""
    uninstrument()
    ask_mistral(traced)
    assert len(global_spans.get_finished_spans()) == 1


def test_users_own_provider_is_left_alone(traced: Traced, global_spans: InMemorySpanExporter) -> None:
    """A tracer provider that the user gave the client gets the SDK's span; ours goes to ours."""
    own = InMemorySpanExporter()
    ask_mistral(traced, provider=with_exporter(own))
    assert [len(spans) for spans in (own.get_finished_spans(), traced.spans())] == [1, 1]
    assert not global_spans.get_finished_spans()


def test_our_provider_given_to_the_client(traced: Traced, global_spans: InMemorySpanExporter) -> None:
    """Where the user gives the client the very provider that we use, there is still one span."""
    ask_mistral(traced, provider=traced.provider)
    assert len(traced.spans()) == 1
    assert not global_spans.get_finished_spans()


def test_attempts_of_mistral(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that the server asks for, and the status of each attempt, are on the span."""
    pytest.importorskip(
        "mistralai.client.utils.retries", reason="this mistralai decides its waits where nobody sees it"
    )
    monkeypatch.setattr("time.sleep", traced.clock.advance)
    again = reply_error(MISTRAL.name, 429, headers={"retry-after": "3"})
    client = traced.client(MISTRAL, again, again, reply_whole(MISTRAL.name), max_retries=2)
    MISTRAL.find(client)(**MISTRAL.arguments)
    assert (traced.record()["retry_count"], traced.record()["retry_wait_s"]) == (2, 6.0)
    statuses = [(event.attributes or {})["http.response.status_code"] for event in traced.span().events]
    assert statuses == [429, 429, 200]
