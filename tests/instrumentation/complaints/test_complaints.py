"""Hold that none of 25 complaints which users of other instrumentations filed can be filed against this one.

Each test names its complaint and the number it has in the list of them, with where it was filed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import pickle
import tracemalloc
import weakref
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from trilemma import dropped, late_span, task
from trilemma.content import CONTENT_SWITCH
from trilemma.instrumentor import TrilemmaInstrumentor
from trilemma.patching import Patches

from tests.collector_config.schema import test_one_call_one_row as one_row
from tests.instrumentation.export import test_failures as export_failures
from tests.instrumentation.export.programs import run_program
from tests.instrumentation.price.test_loading import run_python
from tests.instrumentation.price.test_published_prices import price
from tests.instrumentation.providers.cases import CHAT, MESSAGES, RESPONSES
from tests.instrumentation.providers.conftest import is_error
from tests.instrumentation.providers.wire import reply_error, reply_stream, reply_whole

if TYPE_CHECKING:
    from pathlib import Path

    from trilemma_analysis.client import Store

    from tests.instrumentation.providers.cases import Case
    from tests.instrumentation.providers.conftest import Traced
    from tests.instrumentation.receiver import Receiver

STREAMED = (CHAT, RESPONSES, MESSAGES)  # what the complaints are about; the provider tests run over every SDK
every_stream = pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)


def open_stream(traced: Traced, case: Case, **options: Any) -> Any:
    """Open a stream of a case's endpoint."""
    return case.find(traced.client(case, reply_stream(case.name, **options)))(**case.arguments, stream=True)


async def open_async_stream(traced: Traced, case: Case, **options: Any) -> Any:
    """Open it async."""
    client = traced.client(case, reply_stream(case.name, **options), is_async=True)
    return await case.find(client)(**case.arguments, stream=True)


def make_calls(traced: Traced, count: int) -> None:
    """Make calls: whole, streamed, and streams that are dropped midway; forget their spans."""
    for _ in range(count):
        for case in STREAMED:
            case.find(traced.client(case, reply_whole(case.name)))(**case.arguments)
            list(open_stream(traced, case))
            next(iter(open_stream(traced, case)))
        traced.exporter.clear()


@every_stream
def test_01_stream_is_the_sdks_own(traced: Traced, case: Case) -> None:
    """1: a stream replaced by a bare generator, results that cannot be serialized. openinference/issues/3577."""
    stream = open_stream(traced, case)
    assert type(stream) is case.import_sdk().Stream
    assert stream.response.status_code == 200
    chunks = list(stream)
    assert all(json.loads(chunk.model_dump_json()) == chunk.model_dump(mode="json") for chunk in chunks)
    result = case.find(traced.client(case, reply_whole(case.name)))(**case.arguments)
    assert pickle.loads(pickle.dumps(result)) == result


async def test_02_async_stream_helper(traced: Traced) -> None:
    """2: Anthropic's async stream() raises TypeError when instrumented. openllmetry/issues/3178."""
    client = traced.client(MESSAGES, reply_stream(MESSAGES.name), is_async=True)
    async with client.messages.stream(**MESSAGES.arguments) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert (text, message.usage.output_tokens) == ("It ships today.", 20)
    assert traced.record()["output_tokens"] == 20


@every_stream
async def test_03_async_with_on_a_stream(traced: Traced, case: Case) -> None:
    """3: `async with` on a stream raises AttributeError __aenter__. openllmetry/issues/1227, openlit/issues/391."""
    async with await open_async_stream(traced, case) as stream:
        assert [chunk async for chunk in stream]
    assert traced.record()["stream_end"] == "exhausted"


@every_stream
def test_04_raw_response_of_a_stream(traced: Traced, case: Case) -> None:
    """4: with_raw_response of a stream broken by a Responses instrumentor. azure-sdk-for-python/issues/48646."""
    client = traced.client(case, reply_stream(case.name))
    response = case.find(client, raw="with_raw_response")(**case.arguments, stream=True)
    assert response.headers["x-request-id"] == "req_1"
    assert len(list(response.parse())) > 5
    assert traced.record()["output_tokens"] == 20


@pytest.mark.parametrize(
    "missing",
    ["_process_response", "_process_response_data", "_should_retry", "_calculate_retry_timeout", "__stream__"],
)
@every_stream
def test_05_another_version_of_the_sdk(
    traced: Traced, case: Case, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5: package skew gives AttributeError in the user's responses.create. openllmetry/issues/3712."""
    wrap = Patches.wrap

    def wrap_unless_missing(self: Patches, owner: Any, name: str, make: Any) -> bool:
        return False if name == missing else wrap(self, owner, name, make)

    monkeypatch.setattr(Patches, "wrap", wrap_unless_missing)
    traced.instrument()
    assert case.find(traced.client(case, reply_whole(case.name)))(**case.arguments).usage is not None
    assert len(list(open_stream(traced, case))) > 5
    gc.collect()
    dropped.end_late()
    assert len(traced.spans()) == 2


def test_06_list_valued_property(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    """6: a list-valued property crashes metrics and drops output messages. openllmetry/issues/4436."""
    monkeypatch.setenv(CONTENT_SWITCH, "SPAN_ONLY")
    reader = InMemoryMetricReader()
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    traced.instrument(meter_provider=meter_provider)
    odd = {"model": ["a", "b"], "metadata": {"teams": ["x", "y"]}, "service_tier": ["auto"], "seed": [1]}
    with task("refund", variant={"label": "x"}):
        CHAT.find(traced.client(CHAT, reply_whole(CHAT.name)))(**CHAT.arguments, extra_body=odd)
    [call] = [span for span in traced.spans() if span.name.startswith("chat")]
    assert "It ships today." in str((call.attributes or {})["gen_ai.output.messages"])
    assert "gen_ai.request.model" not in (call.attributes or {})
    data = reader.get_metrics_data()
    assert data is not None
    assert any(m.name == "gen_ai.client.operation.duration" for r in data.resource_metrics
               for s in r.scope_metrics for m in s.metrics)  # fmt: skip
    meter_provider.shutdown()


def test_07_streamed_responses_have_a_span(traced: Traced) -> None:
    """7: streaming Responses emitted no span. openllmetry/issues/3395."""
    list(open_stream(traced, RESPONSES))
    record = traced.record()
    assert (record["input_tokens"], record["output_tokens"], record["response_id"]) == (100, 20, "resp_1")


@pytest.mark.parametrize("how", ["break", "close", "with", "exception"])
@every_stream
def test_08_early_closed_streams_keep_their_span(traced: Traced, case: Case, how: str) -> None:
    """8: early-closed streams lose the span. openllmetry/pull/4394."""
    stream = open_stream(traced, case)
    next(iter(stream))
    if how == "close":
        stream.close()
    elif how == "with":
        with stream:
            pass
    elif how == "exception":
        with pytest.raises(ValueError, match="the app's"), stream:
            raise ValueError("the app's")
    del stream
    record = traced.record()
    assert record["stream_end"] == ("abandoned" if how == "break" else "closed")
    assert (record["response_id"], record["chunk_count"]) == (case.response_id, 1)
    assert not is_error(traced.span())


@every_stream
async def test_09_failed_and_cancelled_streams_count(traced: Traced, case: Case) -> None:
    """9: failed and cancelled streams missing, so rates and cost are of successes only. dd-trace-py/pull/20473."""
    with pytest.raises(Exception, match=r"broken|onnection"):
        list(open_stream(traced, case, fails_after=4))
    stream = await open_async_stream(traced, case, hangs_after=4)

    async def read() -> None:
        async for _ in stream:
            pass

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    failed, cancelled = (dict(span.attributes or {}) for span in traced.spans())
    assert failed["trilemma.response.stream_end"] == "failed"
    assert cancelled["trilemma.response.stream_end"] == "cancelled"
    assert failed["error.type"]
    for attributes in (failed, cancelled):
        assert attributes["gen_ai.response.id"] == case.response_id
        assert attributes["trilemma.cost.source"] in {"price_table", "unpriced"}


@every_stream
async def test_10_early_exit_of_async_generators(traced: Traced, case: Case, caplog: pytest.LogCaptureFixture) -> None:
    """10: "Failed to detach context" on early exit. openinference/issues/1769, openlit/issues/1369."""

    async def generate() -> Any:
        async for chunk in await open_async_stream(traced, case):
            yield chunk

    generator = generate()
    await anext(generator)
    await asyncio.create_task(generator.aclose())  # in another context than it was started in
    for _ in range(5):  # what the collector finds, the loop closes in tasks of its own
        gc.collect()
        await asyncio.sleep(0)
    dropped.end_late()
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert len(traced.spans()) == 1


@every_stream
async def test_11_no_context_is_held_while_streaming(traced: Traced, case: Case) -> None:
    """11: the root cause, a context attached across yields. opentelemetry-python/issues/2606."""
    before = otel_context.get_current()
    stream = await open_async_stream(traced, case)
    async for _ in stream:
        assert otel_context.get_current() is before
        assert not trace.get_current_span().get_span_context().is_valid
    assert otel_context.get_current() is before


def test_12_memory_stays_flat(traced: Traced) -> None:
    """12: memory leak, restarts by OOM. openllmetry/issues/2790."""
    ours = [tracemalloc.Filter(True, f"*/{package}/*") for package in ("trilemma", "opentelemetry")]
    make_calls(traced, 5)  # caches fill
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(4):
            make_calls(traced, 10)
            gc.collect()
            dropped.end_late()
            late_span.make_waiting()  # the last 128 spans, which wait for a reader, are no leak
            snapshot = tracemalloc.take_snapshot().filter_traces(ours)
            sizes.append(sum(each.size for each in snapshot.statistics("filename")))
    finally:
        tracemalloc.stop()
    # 90 calls and streams a round: 30 bytes kept of each would be seen. What leaks, grows in every round.
    assert min(later - earlier for earlier, later in pairwise(sizes)) < 90 * 30


@every_stream
def test_13_nothing_keeps_a_span(traced: Traced, case: Case) -> None:
    """13: memory leak in OpenTelemetry's traces. langfuse-python/pull/1639, langfuse/issues/2974."""
    list(open_stream(traced, case))
    next(iter(open_stream(traced, case)))
    case.find(traced.client(case, reply_whole(case.name)))(**case.arguments)
    gc.collect()
    dropped.end_late()
    alive = [weakref.ref(span) for span in traced.spans()]
    assert len(alive) == 3
    traced.exporter.clear()
    gc.collect()
    assert [reference() for reference in alive] == [None] * 3


@every_stream
def test_14_instrumented_twice_is_one_span(traced: Traced, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """14: two instrumentors, duplicate LLM spans. openinference/issues/2101. Here: ours twice, and the SDK's own."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", traced.provider)  # which makes anthropic trace itself
    instrumentor = TrilemmaInstrumentor()
    instrumentor.instrument(tracer_provider=traced.provider)
    try:
        case.find(traced.client(case, reply_whole(case.name)))(**case.arguments)
        list(open_stream(traced, case))
    finally:
        instrumentor.uninstrument()
    assert [span.instrumentation_scope.name for span in traced.spans() if span.instrumentation_scope] == [
        "trilemma"
    ] * 2


@pytest.mark.parametrize(
    "case", [path for path in one_row.CASES if path.stem.startswith("langchain")], ids=lambda path: path.stem
)
def test_15_framework_and_provider_spans_are_one_call(store: Store, case: Path) -> None:
    """15: LangChain and provider spans over-count spend 2.2 times. dd-trace-js/issues/8936."""
    one_row.test_calls_are_counted_once(store, case)


def test_16_container_spans_carry_no_usage(traced: Traced) -> None:
    """16: usage on container spans doubles totals. harness-sdk/issues/3602."""
    with task("outer"), task("inner"):
        CHAT.find(traced.client(CHAT, reply_whole(CHAT.name)))(**CHAT.arguments)
    with_usage = [s.name for s in traced.spans() if any("usage" in key or "cost" in key for key in s.attributes or {})]
    assert with_usage == ["chat gpt-4o-mini"]
    assert len(traced.spans()) == 3


@pytest.mark.parametrize("is_streamed", [False, True])
def test_17_cached_tokens_count_once(traced: Traced, is_streamed: bool) -> None:
    """17: Anthropic's cache tokens counted twice. langfuse/issues/12306."""
    if is_streamed:
        list(open_stream(traced, MESSAGES))
    else:
        MESSAGES.find(traced.client(MESSAGES, reply_whole(MESSAGES.name)))(**MESSAGES.arguments)
    record = traced.record()
    counts = [record[f"{kind}_tokens"] for kind in ("input", "cache_read", "cache_write", "cache_write_1h")]
    assert counts == [100, 64, 10, 6]
    # claude-sonnet-4-6: 3 per million in, 0.30 from the cache, 3.75 into it for 5 minutes, 6 for an hour, 15 out.
    parts = [record[f"cost_{part}"] for part in ("input", "cache_read", "cache_write", "output")]
    assert parts == pytest.approx([26 * 3e-6, 64 * 0.3e-6, 4 * 3.75e-6 + 6 * 6e-6, 20 * 15e-6])
    assert record["cost"] == pytest.approx(sum(parts))


@pytest.mark.parametrize(("tier", "factor"), [("default", 1), ("priority", 2), ("flex", 0.5)])
def test_18_service_tiers_have_their_price(tier: str, factor: float) -> None:
    """18: priority priced as standard, flex twice too high. langfuse/issues/13780, litellm/issues/13810."""
    call = {"provider": "openai", "response_model": "gpt-5", "input_tokens": 100_000}
    assert price(**call, service_tier=tier)["cost"] == pytest.approx(0.125 * factor)


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [("gcp.gemini", "gemini-2.5-pro", 0.375), ("anthropic", "claude-sonnet-4-5", 0.9), ("openai", "gpt-5.5", 1.5)],
)
def test_19_long_context_in_a_batch(provider: str, model: str, dollars: float) -> None:
    """19: long-context batch billed 2 or 1.5 times too low. litellm/pull/39861, genai-prices/issues/115."""
    call = {"provider": provider, "response_model": model, "input_tokens": 300_000}
    assert price(**call, batch=True)["cost"] == pytest.approx(dollars)
    assert price(**call)["cost"] == pytest.approx(2 * dollars)


def test_20_cost_is_there_and_none_for_a_cache_hit(traced: Traced) -> None:
    """20: no cost at all; cost charged on cache hits. openllmetry/issues/1042, langfuse/issues/2112."""
    client, cache = traced.client(CHAT, reply_whole(CHAT.name)), {}

    def ask(question: str) -> Any:
        if question not in cache:
            cache[question] = CHAT.find(client)(**CHAT.arguments)
        return cache[question]

    for _ in range(2):
        with task("ask", variant={"cache": "exact"}):
            ask("where?")
    costs = [dict(span.attributes or {}).get("trilemma.cost.total") for span in traced.spans()]
    assert costs == [pytest.approx(36 * 0.15e-6 + 64 * 0.075e-6 + 20 * 0.6e-6), None, None]


def test_21_no_network_at_the_start() -> None:
    """21: a price download blocks the start 90 to 120 s without network. cuga-agent/pull/513."""
    assert run_python("""
        import socket
        tried = []
        def refuse(*args, **kwargs):
            tried.append(args)
            raise OSError("no network here")
        socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
        import httpx2, json, openai, trilemma
        trilemma.instrument(export=False)
        answer = {"id": "c", "model": "gpt-4o-mini", "choices": [], "object": "chat.completion", "created": 1,
                  "usage": {"prompt_tokens": 0, "completion_tokens": 1000, "total_tokens": 1000}}
        transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=answer))
        client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))
        client.chat.completions.create(model="gpt-4o-mini", messages=[])
        from trilemma.price import price_call
        record = {"provider": "openai", "response_model": "gpt-4o-mini", "input_tokens": 0, "output_tokens": 1000}
        print(price_call(record, 1.79e9)["cost"], tried)
    """) == "0.0006 []"  # fmt: skip


@every_stream
def test_22_no_content_unless_switched_on(
    traced: Traced, case: Case, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """22: content recorded although disabled. openllmetry/issues/4188 and 2777, openllmetry/pull/4441."""
    for word in ("", "false", "NO_CONTENT", "off"):
        monkeypatch.setenv(CONTENT_SWITCH, word)
        traced.instrument()
        case.find(traced.client(case, reply_whole(case.name)))(**case.arguments)
        list(open_stream(traced, case))
        with pytest.raises(Exception, match=r"broken|onnection"):
            list(open_stream(traced, case, fails_after=5))
    told = "".join(span.to_json() for span in traced.spans()) + caplog.text
    secrets = ("Where is order", "Be brief", "It ships", "An order.", '"id": 7')
    assert len(traced.spans()) == 12
    assert not [secret for secret in secrets if secret in told or json.dumps(secret)[1:-1] in told]


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_23_retries_are_told_from_latency(traced: Traced, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """23: one span hides all retries; no time to first token. openinference/issues/3664 and 1746."""
    monkeypatch.setattr("time.sleep", traced.clock.advance)
    busy = reply_error(case.name, 429, headers={"retry-after": "2"})
    client = traced.client(case, busy, reply_stream(case.name), max_retries=2)
    list(case.find(client)(**case.arguments, stream=True))
    span, record = traced.span(), traced.record()
    assert [dict(event.attributes or {}).get("http.response.status_code") for event in span.events] == [429, 200]
    assert (record["retry_count"], record["retry_wait_s"]) == (1, 2.0)
    assert record["time_to_first_chunk_s"] == 0.5 + 2.0 + 0.5 + 0.125  # two requests, the wait, the first event
    assert record["time_to_first_content_s"] >= record["time_to_first_chunk_s"]


@export_failures.needs_fork
def test_24_gunicorn_preload(receiver: Receiver, environment: dict[str, str], tmp_path: Path) -> None:
    """24: gunicorn --preload exports nothing. langfuse/issues/7414, opentelemetry-python/issues/3307."""
    export_failures.test_gunicorn_preload(receiver, environment, tmp_path)


def test_25_big_spans_all_arrive(receiver: Receiver, environment: dict[str, str]) -> None:
    """25: big spans drop whole batches (143 spans over 16 MiB). aihub-core/pull/1795, collector/issues/6046."""
    run_program(
        """
        import trilemma
        trilemma.instrument()
        for number in range(143):
            with trilemma.task(f"t{number}") as task:
                task.span.set_attribute("gen_ai.input.messages", str(number % 10) * 120_000)
        """,
        environment,
    )
    assert sorted(int(span.name[1:]) for span in receiver.spans()) == list(range(143))
    assert max(receiver.sizes) < 4 * 1024 * 1024
