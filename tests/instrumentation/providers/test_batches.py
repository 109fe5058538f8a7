"""Hold that work no request waited for (batch items, background responses, runs) is a call, once, with its task."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trilemma

from tests.instrumentation.providers.cases import CHAT, MESSAGES, RESPONSES
from tests.instrumentation.providers.conftest import find, is_error, read
from tests.instrumentation.providers.wire import WIRE, Reply
from tests.wire_score.corpus import load_records

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from tests.instrumentation.providers.conftest import Traced

JSON = {"content-type": "application/json"}
FILE = {"content-type": "application/octet-stream"}
LINES = {"content-type": "application/x-jsonl"}
CREATED_NS, ENDED_NS = 1_741_967_569 * 10**9, 1_741_968_569 * 10**9


def load(name: str) -> bytes:
    """Return a file of the wire folder."""
    return (WIRE / name).read_bytes()


def reply(name: str, headers: dict[str, str] | None = None) -> Reply:
    """Return a file of the wire folder as a response."""
    return Reply(body=load(name), headers=headers or JSON)


def items(traced: Traced) -> dict[str, ReadableSpan]:
    """Return the spans of work that no request did, by the app's own id or the response's."""
    spans = [span for span in traced.spans() if read(span)["deferred"]]
    found = {str(read(span)["batch_custom_id"] or read(span)["response_id"]): span for span in spans}
    assert len(found) == len(spans)
    return found


def read_openai(traced: Traced, *, knows_batch: bool = True) -> dict[str, ReadableSpan]:
    """Read the results of the batch in the wire folder through the openai SDK."""
    client = traced.client(CHAT, reply("openai.batch.json"), reply("openai.batch.output.jsonl", FILE))
    if knows_batch:
        batch = find(client, "batches.retrieve")("batch_1")
        assert batch.output_file_id == "file-out"
    else:
        client = traced.client(CHAT, reply("openai.batch.output.jsonl", FILE))
    content = find(client, "files.content")("file-out" if knows_batch else "file-elsewhere")
    assert content.read() == load("openai.batch.output.jsonl")
    return items(traced)


def test_openai_items(traced: Traced) -> None:
    """Each line of a batch's file is a call at half the price, at the batch's times, of the task in its custom_id."""
    item = read_openai(traced)["tri-support_2erefund__t-1"]
    record = read(item)
    assert item.name == "chat gpt-4o-mini-2024-07-18"
    assert (item.start_time, item.end_time) == (CREATED_NS, ENDED_NS)
    assert (record["task_name"], record["task_id"]) == ("support.refund", "t-1")
    assert (record["batch"], record["batch_id"], record["request_id"]) == (True, "batch_1", "req_1")
    assert (record["input_tokens"], record["output_tokens"], record["finish_reasons"]) == (1000, 100, ("stop",))
    assert record["cost"] == pytest.approx(1000 * 0.075e-6 + 100 * 0.30e-6)


def test_openai_items_that_failed(traced: Traced) -> None:
    """An item that was refused or expired is a failed call, for which nothing is billed."""
    found = read_openai(traced)
    for custom_id, status, kind in (("8", 429, "rate_limit_error"), ("9", None, "batch_expired")):
        record = read(found[custom_id])
        assert is_error(found[custom_id])
        assert (record["http_status"], record["error_type"]) == (status, kind)
        assert (record["cost"], record["cost_source"]) == (0.0, "not_billed")


def test_requests_of_a_batch_are_plain(traced: Traced) -> None:
    """Asking for the batch and its file are spans, and no calls to a model."""
    read_openai(traced)
    plain = [span.name for span in traced.spans() if not read(span)["deferred"]]
    assert plain == ["GET /batches/{id}", "GET /files/{id}/content"]


def test_batch_that_this_process_has_not_seen(traced: Traced) -> None:
    """Without the batch an item starts when its response says, and how long it took is unknown."""
    item = read_openai(traced, knows_batch=False)["7"]
    assert item.start_time == item.end_time == 1_741_968_002 * 10**9


@pytest.mark.parametrize("path", ["messages.batches", "beta.messages.batches"])
def test_anthropic_items(traced: Traced, path: str) -> None:
    """So it is with Anthropic's results, which come as a stream: 1,000 input tokens, 100 of them kept for an hour."""
    client = traced.client(MESSAGES, reply("anthropic.batch.json"), reply("anthropic.batch.results.jsonl", LINES))
    results = list(find(client, f"{path}.results")("msgbatch_1"))
    assert [result.custom_id for result in results] == ["tri-support_2erefund__t-1", "7", "8", "9"]
    found = items(traced)
    item = found["tri-support_2erefund__t-1"]
    record = read(item)
    assert item.name == "chat claude-haiku-4-5-20251001"
    assert (item.start_time, item.end_time) == (1_787_150_830_487_960_000, 1_787_150_954_512_507_000)
    assert (record["task_id"], record["batch_id"], record["input_tokens"]) == ("t-1", "msgbatch_1", 1000)
    assert record["cost"] == pytest.approx((900 * 1 + 100 * 2 + 100 * 5) * 1e-6 / 2)
    kinds = [read(span)["error_type"] for span in found.values()]
    assert kinds == [None, "invalid_request_error", "expired", "canceled"]
    assert [read(found[name])["cost"] for name in ("7", "8", "9")] == [0.0] * 3


async def test_anthropic_items_async(traced: Traced) -> None:
    """So it is on the async client, and where the app stops reading, with what it has read."""
    replies = reply("anthropic.batch.json"), reply("anthropic.batch.results.jsonl", LINES)
    async with traced.client(MESSAGES, *replies, is_async=True) as client:
        results = await find(client, "messages.batches.results")("msgbatch_1")
        assert [result.custom_id async for result in results] == ["tri-support_2erefund__t-1", "7", "8", "9"]
    assert len(items(traced)) == 4


def test_read_twice(traced: Traced) -> None:
    """Results that are read again are the same spans: the store keeps one row of what has one key."""
    keys = []
    for _ in range(2):
        found = read_openai(traced)
        keys.append({name: key(span) for name, span in found.items()})
        traced.exporter.clear()
    assert keys[0] == keys[1]
    assert len({trace_id for trace_id, *_ in keys[0].values()}) == 4


def key(span: ReadableSpan) -> tuple[Any, ...]:
    """Return what the store sorts a call by."""
    assert span.context is not None
    record = read(span)
    return span.context.trace_id, span.context.span_id, span.start_time, record["task_name"], record["task_id"]


PROGRAM = """
from tests.instrumentation.providers import test_batches
from tests.instrumentation.providers.conftest import Traced
traced = Traced()
traced.instrument()
print({name: test_batches.key(span) for name, span in test_batches.read_openai(traced).items()})
"""


def test_read_in_another_process(traced: Traced) -> None:
    """So they are where another process reads them."""
    here = {name: key(span) for name, span in read_openai(traced).items()}
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == repr(here)


def test_task_that_made_the_batch(traced: Traced) -> None:
    """An item whose custom_id names no task serves the task that created the batch, also when read elsewhere."""
    created = json.loads(load("openai.batch.json"))
    created |= {"id": "batch_2", "status": "validating", "output_file_id": None, "completed_at": None}
    ended = {**created, "status": "completed", "output_file_id": "file-2", "completed_at": 1741968569}
    replies = [Reply(body=json.dumps(body).encode(), headers=JSON) for body in (created, ended)]
    client = traced.client(CHAT, *replies, reply("openai.batch.output.jsonl", FILE))
    with trilemma.task("nightly.refunds", id="n-1"):
        find(client, "batches.create")(
            input_file_id="file-in", endpoint="/v1/chat/completions", completion_window="24h"
        )
    client.batches.retrieve("batch_2")
    client.files.content("file-2")
    found = items(traced)
    assert read(found["7"])["task_name"] == "nightly.refunds"
    assert read(found["tri-support_2erefund__t-1"])["task_id"] == "t-1"


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n{}",
        b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o"}}\n',
        b'{"messages": [{"role": "user", "content": "train me"}]}\n',
        b'{"id": 3, "custom_id": {}, "response": [], "error": 7}\n{"custom_id": "1", "resp',
        b"",
    ],
)
def test_other_files(traced: Traced, content: bytes) -> None:
    """A file that holds no results is read by the app alone."""
    client = traced.client(CHAT, Reply(body=content, headers=FILE))
    assert find(client, "files.content")("file-x").read() == content
    assert [span.name for span in traced.spans()] == ["GET /files/{id}/content"]


def test_custom_id() -> None:
    """A task's custom_id comes back as the task, whatever its name; an id that cannot fit is refused at once."""
    from trilemma.custom_id import read_custom_id

    for name, task_id in (("support.refund", None), ("Überweisung/prüfen", "a_b c"), ("x" * 90, None), ("a__b", "7")):
        with trilemma.task(name, id=task_id) as task:
            assert len(task.custom_id) <= 64
            assert task.custom_id.replace("-", "").replace("_", "").isalnum()
            found = read_custom_id(task.custom_id)
            assert found["trilemma.task.id"] == task.id
            assert found.get("trilemma.task.name") in {name, None}
            assert read_custom_id(task.id).get("trilemma.task.id") == (task.id if task_id is None else None)
    with pytest.raises(trilemma.ArgumentError, match="too long for a batch's custom_id"):
        _ = trilemma.task("t", id="y" * 60).custom_id
    assert read_custom_id("request-1") == read_custom_id("my__own") == {}


def make_response(status: str, **more: Any) -> Reply:
    """Return a background response."""
    body = json.loads(load("openai.responses.json"))
    body |= {"background": True, "status": status, "created_at": 1741967569, "completed_at": None, **more}
    return Reply(body=json.dumps(body).encode(), headers=JSON)


def test_background_response(traced: Traced) -> None:
    """A background response is a call when it has ended, once; the request that began it is none."""
    client = traced.client(
        RESPONSES,
        make_response("queued", usage=None, output=[]),
        make_response("in_progress", usage=None, output=[]),
        make_response("completed", completed_at=1741968569),
        make_response("completed", completed_at=1741968569),
    )
    with trilemma.task("support.answer", id="t-9"):
        response = find(client, "responses.create")(**RESPONSES.arguments, background=True)
    for _ in range(3):
        client.responses.retrieve(response.id)
    names = [span.name for span in traced.spans() if span.name != "support.answer"]
    assert names.count("chat gpt-5-mini-2025-08-07") == 2
    assert [name for name in names if not name.startswith("chat")] == ["POST /responses", *["fetch_response"] * 3]
    calls = [span for span in traced.spans() if read(span)["operation"] == "chat"]
    assert key(calls[0]) == key(calls[1])
    assert (calls[0].start_time, calls[0].end_time) == (CREATED_NS, ENDED_NS)
    assert (read(calls[0])["output_tokens"], read(calls[0])["task_id"]) == (20, "t-9")
    assert read(calls[0])["cost"] > 0


def test_streamed_background_response(traced: Traced) -> None:
    """One that is streamed to its end is that call, with the stream's times; fetched again it is the same one."""
    lines = (WIRE / "openai.responses.events").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    for event in events:
        if "response" in event:
            event["response"] |= {"background": True, "created_at": 1741967569}
    sent = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
    stream = Reply(events=sent, headers={"content-type": "text/event-stream"})
    client = traced.client(RESPONSES, stream, make_response("completed", completed_at=1741968569))
    list(find(client, "responses.create")(**RESPONSES.arguments, background=True, stream=True))
    client.responses.retrieve("resp_1")
    first, second = (span for span in traced.spans() if read(span)["operation"] == "chat")
    assert key(first) == key(second)
    assert (read(first)["request_model"], read(first)["output_tokens"]) == ("gpt-5-mini", 20)
    assert read(first)["time_to_first_content_s"] > 0


def make_run(status: str, **more: Any) -> dict[str, Any]:
    """Return a run of an assistant."""
    return {
        "id": "run_1", "object": "thread.run", "created_at": 1741967569, "thread_id": "thread_1", "status": status,
        "assistant_id": "asst_1", "model": "gpt-4o", "completed_at": None, "usage": None, "tools": [], **more,
    }  # fmt: skip


RUN_ENDED = make_run(
    "completed",
    completed_at=1741968569,
    usage={"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
)


@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
def test_run_of_an_assistant(traced: Traced) -> None:
    """A run that is polled is a call when it has ended, with the model and the tokens of all its steps."""
    bodies = make_run("queued"), make_run("in_progress"), RUN_ENDED
    client = traced.client(CHAT, *(Reply(body=json.dumps(body).encode(), headers=JSON) for body in bodies))
    find(client, "beta.threads.runs.create")(thread_id="thread_1", assistant_id="asst_1")
    for _ in range(2):
        client.beta.threads.runs.retrieve("run_1", thread_id="thread_1")
    [call] = items(traced).values()
    assert (call.name, call.start_time, call.end_time) == ("chat gpt-4o", CREATED_NS, ENDED_NS)
    assert (read(call)["input_tokens"], read(call)["conversation_id"]) == (100, "thread_1")
    assert read(call)["cost"] == pytest.approx(100 * 2.5e-6 + 20 * 10e-6)


@pytest.mark.filterwarnings("ignore:The Assistants API is deprecated:DeprecationWarning")
def test_streamed_run_of_an_assistant(traced: Traced) -> None:
    """A run that is streamed is the same call."""
    events = [("thread.run.created", make_run("queued")), ("thread.message.delta", {"object": "thread.message.delta"}),
              ("thread.run.completed", RUN_ENDED)]  # fmt: skip
    sent = [f"event: {name}\ndata: {json.dumps(data)}\n\n".encode() for name, data in events]
    sent.append(b"event: done\ndata: [DONE]\n\n")
    client = traced.client(CHAT, Reply(events=sent, headers={"content-type": "text/event-stream"}))
    find(client, "beta.threads.runs.stream")
    list(client.beta.threads.runs.create(thread_id="thread_1", assistant_id="asst_1", stream=True))
    [call] = items(traced).values()
    assert (call.name, read(call)["output_tokens"]) == ("chat gpt-4o", 20)


@pytest.mark.shared
def test_recorded_results(traced: Traced, shared: Any) -> None:
    """Recorded results of a batch of Anthropic's are calls with the tokens that they say."""
    records = load_records(shared / "data/wire/dev.jsonl.gz")
    found = [record for record in records if record["url"].endswith("/results") and "/batches/" in record["url"]]
    assert found
    for record in found:
        lines = [json.loads(line) for line in record["response_body"].splitlines()]
        client = traced.client(
            MESSAGES, reply("anthropic.batch.json"), Reply(body=record["response_body"].encode(), headers=LINES)
        )
        list(find(client, "messages.batches.results")("msgbatch_1"))
        calls = items(traced)
        traced.exporter.clear()
        for line in lines:
            usage = line["result"]["message"]["usage"]
            assert read(calls[line["custom_id"]])["output_tokens"] == usage["output_tokens"]
