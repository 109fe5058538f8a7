"""Hold what images, speech, transcripts and moderations say of themselves: models, tokens by kind, lengths, cost."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.instrumentation.providers.cases import CHAT
from tests.instrumentation.providers.conftest import find, read
from tests.instrumentation.providers.wire import Reply

if TYPE_CHECKING:
    from tests.instrumentation.providers.conftest import Traced

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # of some of the SDK's methods
PNG = ("a.png", io.BytesIO(b"\x89PNG\r\n\x1a\n"))
WAV = ("a.wav", io.BytesIO(b"RIFF"))
IMAGE_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens": 1100,
    "output_tokens_details": {"text_tokens": 100, "image_tokens": 1000},
    "total_tokens": 1150,
}
IMAGES = {"created": 1741967569, "data": [{"b64_json": "AAAA"}, {"b64_json": "AAAA"}], "usage": IMAGE_USAGE}
HEARD_TOKENS = {
    "type": "tokens",
    "input_tokens": 30,
    "input_token_details": {"text_tokens": 5, "audio_tokens": 25},
    "output_tokens": 10,
    "total_tokens": 40,
}


def reply(body: Any, content_type: str = "application/json") -> Reply:
    """Return a body as a response."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(body=content, headers={"content-type": content_type})


def stream(*events: dict[str, Any], done: bool = True) -> Reply:
    """Return events as a response."""
    sent = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    return Reply(
        events=[*sent, *([b"data: [DONE]\n\n"] if done else [])], headers={"content-type": "text/event-stream"}
    )


def send(method: Any, **arguments: Any) -> Any:
    """Call a method; an old SDK that does not know the arguments is no case."""
    try:
        return method(**arguments)
    except TypeError as error:
        pytest.skip(f"the installed SDK knows no such call: {error}")


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("images.generate", {"prompt": "an order", "n": 2}),
        ("images.edit", {"prompt": "an order", "image": PNG, "n": 2}),
        ("images.create_variation", {"image": PNG, "n": 2}),
    ],
)
def test_images(traced: Traced, path: str, arguments: dict[str, Any]) -> None:
    """Made, changed or varied, images are a call with its model, their number and tokens by kind, and their cost."""
    send(find(traced.client(CHAT, reply(IMAGES)), path), model="gpt-image-1.5", **arguments)
    record = traced.record()
    assert traced.span().name == "image_generation gpt-image-1.5"
    assert (record["output_type"], record["image_count"], record["choice_count"]) == ("image", 2, 2)
    assert (record["input_tokens"], record["image_input_tokens"], record["image_output_tokens"]) == (50, 40, 1000)
    assert record["cost"] == pytest.approx(10 * 5e-6 + 40 * 8e-6 + 100 * 10e-6 + 1000 * 32e-6)


def test_streamed_images(traced: Traced) -> None:
    """A stream of partial images is one call; the first of them is its first content, the last event has the tokens."""
    events = [
        {"type": "image_generation.partial_image", "b64_json": "AAAA", "partial_image_index": 0},
        {"type": "image_generation.partial_image", "b64_json": "AAAA", "partial_image_index": 1},
        {"type": "image_generation.completed", "b64_json": "AAAA", "created_at": 1, "usage": IMAGE_USAGE},
    ]
    client = traced.client(CHAT, stream(*events))
    chunks = send(client.images.generate, model="gpt-image-1.5", prompt="an order", stream=True, partial_images=2)
    assert [chunk.type for chunk in chunks] == [event["type"] for event in events]
    record = traced.record()
    assert (record["image_count"], record["output_tokens"], record["stream_end"]) == (1, 1100, "exhausted")
    assert record["time_to_first_content_s"] == record["time_to_first_chunk_s"] > 0
    assert record["cost"] > 0


def test_cost_in_the_providers_own_unit(traced: Traced) -> None:
    """In ticks xAI says what it bills for an image: ten thousand million of them are a dollar."""
    body = {"data": [{"url": "https://imgen.x.ai/1"}], "usage": {"cost_in_usd_ticks": 200_000_000}}
    client = traced.client(CHAT, reply(body), base_url="https://api.x.ai/v1")
    send(client.images.generate, model="grok-imagine-image", prompt="an order")
    record = traced.record()
    assert (record["provider"], record["cost"], record["cost_source"]) == ("x_ai", 0.02, "provider")


@pytest.mark.parametrize("path", ["audio.transcriptions.create", "audio.translations.create"])
def test_transcript_by_length(traced: Traced, path: str) -> None:
    """What is billed by the length of the audio has its length and cost: whisper-1, 0.006 a minute."""
    body = {"text": "Where is order 7?", "usage": {"type": "duration", "seconds": 30}}
    send(find(traced.client(CHAT, reply(body)), path), model="whisper-1", file=WAV)
    record = traced.record()
    assert traced.span().name == "speech_to_text whisper-1"
    assert (record["audio_input_s"], record["input_tokens"], record["output_type"]) == (30.0, None, "text")
    assert record["cost"] == pytest.approx(0.003)


def test_transcript_by_tokens(traced: Traced) -> None:
    """What is billed by tokens has them by kind: audio costs more than the text that goes with it."""
    client = traced.client(CHAT, reply({"text": "Where is order 7?", "usage": HEARD_TOKENS}))
    client.audio.transcriptions.create(model="gpt-4o-transcribe", file=WAV)
    assert traced.record()["audio_input_tokens"] == 25
    assert traced.record()["cost"] == pytest.approx(5 * 2.5e-6 + 25 * 6e-6 + 10 * 10e-6)


def test_transcript_as_text(traced: Traced) -> None:
    """A transcript asked for as plain text says nothing of its length, so its cost is unknown, not 0."""
    client = traced.client(CHAT, reply(b"Where is order 7?", "text/plain"))
    assert "order 7" in client.audio.transcriptions.create(model="whisper-1", file=WAV, response_format="text")
    record = traced.record()
    assert (record["request_model"], record["cost"], record["unpriced_reason"]) == ("whisper-1", None, "usage")


def test_streamed_transcript(traced: Traced) -> None:
    """A streamed transcript is one call with the times of its text and the tokens that its last event says."""
    events = [
        {"type": "transcript.text.delta", "delta": "Where is"},
        {"type": "transcript.text.delta", "delta": " order 7?"},
        {"type": "transcript.text.done", "text": "Where is order 7?", "usage": HEARD_TOKENS},
    ]
    client = traced.client(CHAT, stream(*events))
    assert len(list(send(client.audio.transcriptions.create, model="gpt-4o-transcribe", file=WAV, stream=True))) == 3
    record = traced.record()
    assert (record["stream"], record["output_tokens"], record["audio_input_tokens"]) == (True, 10, 25)
    assert record["time_to_first_content_s"] == 0.625


def test_speech(traced: Traced) -> None:
    """Speech is a call whose characters are counted: tts-1, 15 for a million of them. Its audio stays with the app."""
    client = traced.client(CHAT, reply(b"ID3" + b"\x00" * 99, "audio/mpeg"))
    spoken = find(client, "audio.speech.create")(model="tts-1", voice="alloy", input="It ships today.")
    assert len(spoken.read()) == 102
    record = traced.record()
    assert traced.span().name == "text_to_speech tts-1"
    assert (record["output_type"], record["input_characters"]) == ("speech", 15)
    assert record["cost"] == pytest.approx(15 * 15e-6)


def test_streamed_speech(traced: Traced) -> None:
    """Speech as events says its tokens in the last one; as bytes, read piece by piece, it ends with the last piece."""
    usage = {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110}
    events = [{"type": "speech.audio.delta", "audio": "AAAA"}, {"type": "speech.audio.done", "usage": usage}]
    client = traced.client(CHAT, stream(*events, done=False))
    find(client, "audio.speech.with_streaming_response")
    arguments = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "It ships today."}
    with client.audio.speech.with_streaming_response.create(
        **arguments, extra_body={"stream_format": "sse"}
    ) as response:
        assert len(list(response.iter_lines())) > 3
    record = traced.record()
    assert (record["input_tokens"], record["output_tokens"]) == (10, 100)
    assert record["cost"] == pytest.approx(10 * 0.6e-6 + 100 * 12e-6)


def test_speech_in_pieces(traced: Traced) -> None:
    """Audio that is read in pieces is the app's alone, and the span lasts as long as it comes."""
    client = traced.client(CHAT, Reply(events=[b"ID3", b"\x00", b"\x00"], headers={"content-type": "audio/mpeg"}))
    find(client, "audio.speech.with_streaming_response")
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="Yes.") as response:
        assert list(response.iter_bytes()) == [b"ID3", b"\x00", b"\x00"]
    span = traced.span()
    assert span.end_time is not None
    assert span.start_time is not None
    assert (span.end_time - span.start_time) / 1e9 == 0.875
    assert read(span)["cost"] == pytest.approx(4 * 15e-6)


def test_moderation_is_free(traced: Traced) -> None:
    """A moderation has its model and costs 0, which is known."""
    body = {"id": "modr-1", "model": "omni-moderation-latest", "results": []}
    traced.client(CHAT, reply(body)).moderations.create(model="omni-moderation-latest", input="order 7")
    record = traced.record()
    assert traced.span().name == "moderation omni-moderation-latest"
    assert (record["response_id"], record["cost"], record["cost_source"]) == ("modr-1", 0.0, "price_table")


def test_refused_image(traced: Traced) -> None:
    """A refused request is a failed call that costs nothing."""
    body = {"error": {"type": "image_generation_user_error", "code": "moderation_blocked", "message": "no"}}
    refusal = Reply(status=400, body=json.dumps(body).encode(), headers={"content-type": "application/json"})
    client = traced.client(CHAT, refusal)
    with pytest.raises(Exception, match="400"):
        send(client.images.generate, model="gpt-image-1.5", prompt="no")
    record = traced.record()
    assert (record["error_type"], record["http_status"]) == ("image_generation_user_error", 400)
    assert (record["cost"], record["cost_source"]) == (0.0, "not_billed")


def test_compaction(traced: Traced) -> None:
    """Compacting a conversation is a model's work, with its tokens and cost."""
    client = traced.client(
        CHAT,
        reply({
            "id": "resp_1", "object": "response.compaction", "created_at": 1, "output": [],
            "usage": {"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 100,
                      "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1100},
        }),
    )  # fmt: skip
    if not hasattr(getattr(client, "responses", None), "compact"):
        pytest.skip("this openai has no compaction")
    client.responses.compact(model="gpt-4o-mini", input="Hello")
    record = traced.record()
    assert traced.span().name == "chat gpt-4o-mini"
    assert record["cost"] == pytest.approx(1000 * 0.15e-6 + 100 * 0.6e-6)
