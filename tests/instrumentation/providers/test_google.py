"""Hold what is peculiar to google-genai: two services, two clients in one, calls within a call, files."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Self

import pytest
import trilemma

from tests.instrumentation.providers.cases import GOOGLE
from tests.instrumentation.providers.conftest import is_error, read
from tests.instrumentation.providers.google_client import takes_httpx
from tests.instrumentation.providers.wire import Reply, make_client, reply_error, reply_stream, reply_whole

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced

newest = pytest.mark.skipif(not takes_httpx(), reason="google-genai 1 does not have it")
JSON = {"content-type": "application/json"}


def reply_json(body: Any, **headers: str) -> Reply:
    """Return a response."""
    return Reply(body=json.dumps(body).encode(), headers={**JSON, **headers})


def answer(*, parts: Any = ({"text": "It ships today."},), **more: Any) -> dict[str, Any]:
    """Return a response with one candidate."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "resp_1", **more}


def ask(traced: Traced, reply: Reply, model: str = "gemini-2.5-flash", **options: Any) -> Any:
    """Ask a model, and return what the span says."""
    traced.client(GOOGLE, reply, **options).models.generate_content(model=model, contents="Where is order 7?")
    return traced.record()


def test_vertex(traced: Traced) -> None:
    """Vertex AI is named as such, by its host."""
    record = ask(traced, reply_whole(GOOGLE.name), vertexai=True)
    assert (record["provider"], record["server_address"]) == ("gcp.vertex_ai", "aiplatform.googleapis.com")
    assert record["request_model"] == "gemini-2.5-flash"


@newest
def test_vertex_behind_a_gateway(traced: Traced) -> None:
    """Behind an address of the user's own, the client says which of the two services it asks."""
    from google import genai

    script = traced.script(reply_whole(GOOGLE.name))
    http_client = make_client(GOOGLE, script)._api_client._httpx_client
    options = {"base_url": "https://llm.corp.example/google", "httpx_client": http_client}
    client = genai.Client(vertexai=True, api_key="k", http_options=options)
    client.models.generate_content(model="gemini-2.5-flash", contents="Where is order 7?")
    assert traced.record()["provider"] == "gcp.vertex_ai"
    assert traced.record()["server_address"] == "llm.corp.example"


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("tunedModels/mine-7", "tunedModels/mine-7"),
    ],
)
def test_model_names(traced: Traced, model: str, named: str) -> None:
    """A model is named as it is, a tuned one with what it is."""
    assert ask(traced, reply_whole(GOOGLE.name), model)["request_model"] == named


def test_vertex_endpoint(traced: Traced) -> None:
    """So is an endpoint of Vertex AI's; its project is on no span."""
    model = "projects/secret-project/locations/us-central1/endpoints/42"
    assert ask(traced, reply_whole(GOOGLE.name), model, vertexai=True)["request_model"] == "endpoints/42"
    assert "secret-project" not in str(traced.span().attributes) + traced.span().name


def test_other_paths(traced: Traced) -> None:
    """A call to any other path is a plain span, named without version, ids and project."""
    client = traced.client(GOOGLE, reply_json({"name": "files/abc"}))
    client.files.get(name="files/abc")
    client.caches.delete(name="cachedContents/secret")
    assert [span.name for span in traced.spans()] == ["GET /files/{id}", "DELETE /cachedContents/{id}"]
    assert {read(span)["provider"] for span in traced.spans()} == {"gcp.gemini"}
    assert not any(is_error(span) for span in traced.spans())


@newest
def test_upload_and_download(traced: Traced) -> None:
    """An upload is seen where it is asked for and where its bytes go; a download where it comes from."""
    final = {"x-goog-upload-status": "final", "x-goog-upload-url": "https://generativelanguage.googleapis.com/upload/9"}
    client = traced.client(GOOGLE, reply_json({"file": {"name": "files/abc", "uri": "u"}}, **final))
    client.files.upload(file=io.BytesIO(b"text"), config={"mime_type": "text/plain"})
    client.files.download(file="files/abc")
    names = [span.name for span in traced.spans()]
    assert names == ["POST /files", "POST /upload/{id}", "GET /files/{id}:download"]
    assert [read(span)["http_status"] for span in traced.spans()] == [200, 200, 200]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # of the oldest, on its own request
@pytest.mark.filterwarnings("ignore:The `dict` method is deprecated")
def test_called_functions(traced: Traced) -> None:
    """Functions that the SDK calls by itself make several calls: each is a span."""

    def find_order(id: int) -> str:  # noqa: A002  # the model's word
        """Find an order."""
        return f"order {id} ships today"

    find_order.__annotations__.update(id=int, **{"return": str})  # the SDK reads them, and no text
    call = answer(parts=[{"functionCall": {"name": "find_order", "args": {"id": 7}}}])
    client = traced.client(GOOGLE, reply_json(call), reply_json(answer()))
    result = client.models.generate_content(
        model="gemini-2.5-flash", contents="Where is order 7?", config={"tools": [find_order]}
    )
    assert result.text == "It ships today."
    first, second = (read(span) for span in traced.spans())
    assert first["tool_call_names"] == ("find_order",)
    assert (first["message_count"], second["message_count"]) == (1, 3)


def test_chat(traced: Traced) -> None:
    """A chat is one span per message, which has the messages before it."""
    chat = traced.client(GOOGLE, reply_json(answer())).chats.create(model="gemini-2.5-flash")
    chat.send_message("Where is order 7?")
    chat.send_message("And order 8?")
    assert [read(span)["message_count"] for span in traced.spans()] == [1, 3]


def test_blocked_prompt(traced: Traced) -> None:
    """A prompt that is blocked has no candidates: the reason why is the finish reason."""
    usage = {"promptTokenCount": 12, "totalTokenCount": 12}
    record = ask(traced, reply_json({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage}))
    assert record["finish_reasons"] == ("SAFETY",)
    assert (record["input_tokens"], record["output_tokens"], record["error_type"]) == (12, None, None)


def test_tokens(traced: Traced) -> None:
    """Input is the prompt and what Google's own tools put in; output is the answer and the thoughts."""
    usage = {"promptTokenCount": 30, "toolUsePromptTokenCount": 70, "thoughtsTokenCount": 20, "totalTokenCount": 120}
    record = ask(traced, reply_json(answer(usageMetadata=usage)))
    assert (record["input_tokens"], record["output_tokens"], record["reasoning_tokens"]) == (100, 20, 20)
    assert record["cost"] == pytest.approx(100 * 0.3e-6 + 20 * 2.5e-6)


def test_modalities(traced: Traced) -> None:
    """Audio and images are counted apart, a document as images of its pages, as it is billed."""
    details = [
        {"modality": kind, "tokenCount": count} for kind, count in (("TEXT", 10), ("AUDIO", 60), ("DOCUMENT", 30))
    ]
    usage = {"promptTokenCount": 100, "promptTokensDetails": details, "candidatesTokenCount": 4}
    record = ask(traced, reply_json(answer(usageMetadata=usage)))
    assert (record["audio_input_tokens"], record["image_input_tokens"]) == (60, 30)
    assert record["cost"] == pytest.approx(40 * 0.3e-6 + 60 * 1e-6 + 4 * 2.5e-6)


@pytest.mark.parametrize(("model", "count"), [("gemini-2.5-flash", 1), ("gemini-3-flash-preview", 2)])
def test_searches(traced: Traced, model: str, count: int) -> None:
    """Searches are counted as they are billed: by request, and since Gemini 3 by query."""
    body = answer(modelVersion=model)
    body["candidates"][0]["groundingMetadata"] = {"webSearchQueries": ["order 7", "ships", ""]}
    assert ask(traced, reply_json(body))["web_search_count"] == count


@pytest.mark.parametrize(
    ("traffic", "tier"),
    [("ON_DEMAND", "standard"), ("ON_DEMAND_FLEX", "flex"), ("PROVISIONED_THROUGHPUT", "provisioned_throughput")],
)
def test_traffic(traced: Traced, traffic: str, tier: str) -> None:
    """Vertex AI's kind of traffic is the service tier; what has no price of its own is not priced at another's."""
    usage = {"promptTokenCount": 30, "candidatesTokenCount": 2, "trafficType": traffic}
    record = ask(traced, reply_json(answer(usageMetadata=usage)), vertexai=True)
    assert record["service_tier"] == tier
    assert (record["cost"] is None) is (tier != "standard")


@newest
@pytest.mark.parametrize(
    ("config", "level"),
    [({"thinking_level": "LOW"}, "low"), ({"thinking_budget": 0}, "0"), ({"include_thoughts": True}, None)],
)
def test_reasoning_level(traced: Traced, config: dict[str, Any], level: str | None) -> None:
    """The reasoning asked for is a level, or a budget of tokens."""
    client = traced.client(GOOGLE, reply_json(answer()))
    settings = {"thinking_config": config, "response_mime_type": "application/json"}
    client.models.generate_content(model="gemini-2.5-flash", contents="Where is order 7?", config=settings)
    assert (traced.record()["reasoning_level"], traced.record()["output_type"]) == (level, "json")


@pytest.mark.filterwarnings("ignore:The generate_images method")  # it goes on, Google says, until 2027
def test_images(traced: Traced) -> None:
    """Images are made by the path that embeds on Vertex AI: what is asked tells them apart."""
    image = {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "aGk="}]}
    client = traced.client(GOOGLE, reply_json(image), vertexai=takes_httpx())
    client.models.generate_images(model="imagen-4.0-generate-001", prompt="a shoe", config={"number_of_images": 2})
    assert traced.span().name == "image_generation imagen-4.0-generate-001"
    assert traced.record()["choice_count"] == 2


@newest
def test_error_in_a_stream(traced: Traced) -> None:
    """An error under status 200, in the midst of a stream, is the span's, with what was seen before."""
    reply = reply_stream(GOOGLE.name)
    error = {"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}}
    reply.events = [*(reply.events or ())[:3], f"data: {json.dumps(error)}\n\n".encode()]
    stream = GOOGLE.find(traced.client(GOOGLE, reply))(**GOOGLE.arguments, stream=True)
    with pytest.raises(Exception, match="RESOURCE_EXHAUSTED"):
        list(stream)
    record = traced.record()
    assert (record["stream_end"], record["error_type"]) == ("failed", "RESOURCE_EXHAUSTED")
    assert (record["input_tokens"], record["response_id"], record["http_status"]) == (100, "resp_1", 200)


@newest
async def test_stream_dropped_without_the_garbage_collector(traced: Traced) -> None:
    """An async stream that is dropped ends by the loop alone: no cycle of ours keeps it."""
    client = traced.client(GOOGLE, reply_stream(GOOGLE.name), is_async=True)
    gc.disable()
    try:
        async for _ in await GOOGLE.find(client)(**GOOGLE.arguments, stream=True):
            break
        for _ in range(30):
            await asyncio.sleep(0)
        assert traced.record()["stream_end"] == "abandoned"
    finally:
        gc.enable()


JOB: dict[str, Any] = {
    "name": "batches/b1",
    "metadata": {
        "model": "models/gemini-2.5-flash",
        "state": "BATCH_STATE_SUCCEEDED",
        "createTime": "2026-03-01T00:00:00Z",
        "endTime": "2026-03-01T02:00:00Z",
        "name": "batches/b1",
    },
    "done": True,
}
USAGE = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}


def items(traced: Traced) -> dict[str, Any]:
    """Return the spans of a batch's items, by their keys."""
    spans = [span for span in traced.spans() if read(span)["batch"]]
    return {read(span)["batch_custom_id"]: span for span in spans}


@newest
def test_batch(traced: Traced) -> None:
    """An item of a batch is a call at half the price, at the batch's times, of the task that asked for it; once."""
    done = answer(usageMetadata=USAGE)
    results = [{"response": done}, {"error": {"code": 8, "message": "no", "status": "RESOURCE_EXHAUSTED"}}]
    output = {"inlinedResponses": {"inlinedResponses": results}}
    finished = {**JOB, "metadata": {**JOB["metadata"], "output": output}, "response": output}
    client = traced.client(GOOGLE, reply_json({**JOB, "done": False}), reply_json(finished))
    with trilemma.task("support.refund"):
        client.batches.create(model="gemini-2.5-flash", src=[{"contents": [{"parts": [{"text": "Where?"}]}]}])
    assert client.batches.get(name="batches/b1").dest.inlined_responses[0].response.text == "It ships today."
    found = items(traced)
    record = read(found["0"])
    assert found["0"].name == "generate_content gemini-2.5-flash"
    assert (found["0"].end_time - found["0"].start_time) / 1e9 == 7200
    assert (record["batch_id"], record["task_name"]) == ("batches/b1", "support.refund")
    assert record["cost"] == pytest.approx(1000 * 0.15e-6 + 100 * 1.25e-6)
    assert is_error(found["1"])
    assert (read(found["1"])["error_type"], read(found["1"])["cost"]) == ("RESOURCE_EXHAUSTED", 0.0)
    ids = found["0"].context.span_id
    traced.exporter.clear()
    client.batches.get(name="batches/b1")
    assert items(traced)["0"].context.span_id == ids


@newest
def test_batch_in_a_file(traced: Traced) -> None:
    """So is a line of a batch's file, of the task in its key; the lines of another file are none."""
    lines = [{"key": "tri-support_2erefund__t-1", "response": answer(usageMetadata=USAGE)}, {"no": "item"}]
    content = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    finished = {**JOB, "name": "batches/b2", "response": {"responsesFile": "files/batch-b2"}}
    client = traced.client(GOOGLE, reply_json(finished), Reply(body=content))
    client.batches.get(name="batches/b2")
    assert client.files.download(file="files/batch-b2") == content
    [(key, span)] = items(traced).items()
    record = read(span)
    assert (key, record["task_id"], record["batch_id"]) == ("tri-support_2erefund__t-1", "t-1", "batches/b2")
    assert (record["input_tokens"], record["output_tokens"]) == (1000, 100)


INTERACTION: dict[str, Any] = {
    "model": "gemini-3-flash-preview",
    "input": "Where is order 7?",
    "system_instruction": "Be brief.",
    "generation_config": {"temperature": 0.5, "thinking_level": "low"},
    "tools": [{"type": "function", "name": "find_order", "parameters": {"type": "object", "properties": {}}}],
}


def reply_interaction_stream(**options: Any) -> Reply:
    """Return the events of an interaction as the server sends them, to its [DONE]."""
    reply = reply_stream("google_genai.interactions", **options)
    reply.events = [*(reply.events or ()), b"event: done\ndata: [DONE]\n\n"]
    return reply


def check_interaction(record: Any) -> None:
    """Hold what a span says of an interaction, however it came."""
    assert (record["request_model"], record["response_model"]) == ("gemini-3-flash-preview",) * 2
    assert (record["response_id"], record["finish_reasons"]) == ("v1_1", ("requires_action",))
    assert (record["input_tokens"], record["output_tokens"], record["reasoning_tokens"]) == (100, 20, 5)
    assert (record["cache_read_tokens"], record["service_tier"]) == (64, "standard")
    assert (record["tool_call_names"], record["tool_call_ids"]) == (("find_order",), ("call_1",))
    assert (record["temperature"], record["reasoning_level"], record["tool_count"]) == (0.5, "low", 1)
    assert record["cost"] == pytest.approx(36 * 0.5e-6 + 64 * 0.05e-6 + 20 * 3e-6)


@newest
def test_interaction(traced: Traced) -> None:
    """An interaction is a call like any other, though another client sends it."""
    client = traced.client(GOOGLE, reply_whole("google_genai.interactions"))
    assert client.interactions.create(**INTERACTION).id == "v1_1"
    check_interaction(traced.record())
    assert traced.span().name == "generate_content gemini-3-flash-preview"


@newest
def test_interaction_streamed(traced: Traced) -> None:
    """Its stream says the same, and when the first of it came: an event that begins a step is no content."""
    stream = traced.client(GOOGLE, reply_interaction_stream()).interactions.create(**INTERACTION, stream=True)
    assert len(list(stream)) == 15
    record = traced.record()
    check_interaction(record)
    assert (record["stream_end"], record["chunk_count"]) == ("exhausted", 15)
    assert (record["time_to_first_chunk_s"], record["time_to_first_content_s"]) == (0.625, 1.0)


@newest
async def test_interaction_async(traced: Traced) -> None:
    """Async, whole and streamed, it is the same."""
    client = traced.client(GOOGLE, reply_whole("google_genai.interactions"), reply_interaction_stream(), is_async=True)
    await client.interactions.create(**INTERACTION)
    assert len([event async for event in await client.interactions.create(**INTERACTION, stream=True)]) == 15
    for span in traced.spans():
        check_interaction(read(span))


@newest
def test_interaction_retried(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other client's own retries are seen as well."""
    monkeypatch.setattr("time.sleep", traced.clock.advance)
    replies = reply_error(GOOGLE.name, 503), reply_whole("google_genai.interactions")
    traced.client(GOOGLE, *replies, max_retries=2).interactions.create(**INTERACTION)
    assert traced.record()["retry_count"] == 1
    first = dict(traced.span().events[0].attributes or {})
    assert first["http.response.status_code"] == 503
    assert first["trilemma.retry.wait"] == traced.record()["retry_wait_s"]


@newest
def test_interaction_refused(traced: Traced) -> None:
    """A refusal has the provider's code, and the user the SDK's exception."""
    body = {"error": {"code": "invalid_request", "message": "no"}}
    client = traced.client(GOOGLE, Reply(status=400, body=json.dumps(body).encode(), headers=JSON))
    with pytest.raises(Exception, match="invalid_request"):
        client.interactions.create(**INTERACTION)
    assert (traced.record()["error_type"], traced.record()["http_status"]) == ("invalid_request", 400)
    assert is_error(traced.span())


class Socket:
    """Be a websocket to the live API, which says what it is given to say."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = [{"setupComplete": {"sessionId": "s1"}}, *messages]

    def __call__(self, *_: Any, **__: Any) -> Socket:
        """Be connected."""
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, _: str) -> None:
        """Take a message."""

    async def recv(self, **_: Any) -> bytes:
        """Give the next message."""
        return json.dumps(self._messages.pop(0)).encode()

    async def close(self) -> None:
        """Close nothing."""


def speak(part: dict[str, Any]) -> dict[str, Any]:
    """Return a message of the model's with a part of its turn."""
    return {"serverContent": {"modelTurn": {"parts": [part], "role": "model"}}}


@newest
async def test_live(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live session is a span, and each turn of the model's in it a call with its tokens by kind, cost and times."""
    from google.genai import live

    usage = {
        "promptTokenCount": 100,
        "responseTokenCount": 60,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 80}, {"modality": "TEXT", "tokenCount": 20}],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 50}, {"modality": "TEXT", "tokenCount": 10}],
    }
    audio = speak({"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}})
    call = {"toolCall": {"functionCalls": [{"id": "c1", "name": "find_order", "args": {"id": 7}}]}}
    said = [audio, speak({"text": "Soon."}), {"serverContent": {"turnComplete": True}, "usageMetadata": usage}]
    cut = [audio, {"serverContent": {"interrupted": True}}, {"serverContent": {"turnComplete": True}}]
    turns = [*said, call, {"serverContent": {"turnComplete": True}}, *cut]
    monkeypatch.setattr(live, "ws_connect", Socket(*turns))
    client = traced.client(GOOGLE, reply_json({}), is_async=True)
    async with client.live.connect(model="gemini-3.8-live", config={"response_modalities": ["AUDIO"]}) as session:
        traced.clock.advance(5)
        await session.send_client_content(turns={"role": "user", "parts": [{"text": "Where is order 7?"}]})
        traced.clock.advance(0.5)
        assert [message.text async for message in session.receive()] == [None, "Soon.", None]
        for _ in range(5):
            await session._receive()
    first, second, third, held = traced.spans()
    assert (first.name, held.name) == ("generate_content gemini-3.8-live", "realtime gemini-3.8-live")
    assert first.parent.span_id == second.parent.span_id == held.context.span_id
    record = read(first)
    assert (record["input_tokens"], record["output_tokens"]) == (100, 60)
    assert (record["audio_input_tokens"], record["audio_output_tokens"]) == (80, 50)
    assert (record["finish_reasons"], record["stream_end"]) == (("STOP",), "exhausted")
    assert record["time_to_first_content_s"] == 0.5
    assert record["cost_source"] == "price_table"
    assert read(second)["tool_call_names"] == ("find_order",)
    assert read(third)["finish_reasons"] == ("INTERRUPTED",)
    assert read(held)["provider"] == "gcp.gemini"


def test_imported_later() -> None:
    """An SDK in a namespace package that is imported after the switch is seen too, and one asked for by name."""
    program = """
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor, ConsoleSpanExporter
        from trilemma.instrumentation import instrument
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
        instrument(["google.genai"], tracer_provider=provider)
        from tests.instrumentation.providers.cases import GOOGLE
        from tests.instrumentation.providers.wire import ManualClock, Script, make_client, reply_whole
        client = make_client(GOOGLE, Script(ManualClock(), reply_whole(GOOGLE.name)))
        client.models.generate_content(model="gemini-2.5-flash", contents="Where is order 7?")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout.count('"name": "generate_content gemini-2.5-flash"') == 1, done.stderr
