"""Hold what LiteLLM gives: one call for each call of a provider, by its SDK or not, whatever retries and routes it."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import litellm
import pytest
from litellm import acompletion, completion  # as apps do, before the instrumentation is on
from litellm.caching import caching_handler
from litellm.caching.caching import Cache
from trilemma import guard, task
from trilemma.dropped import end_late
from trilemma.frameworks import litellm_router
from trilemma.instrumentation import uninstrument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.instrumentation.frameworks.conftest import Record, Traced
    from tests.instrumentation.frameworks.fake_provider import FakeProvider

OPENAI, ANTHROPIC = "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-6"
MODELS = {OPENAI: "chat gpt-4o-mini >", ANTHROPIC: "chat claude-sonnet-4-6 >"}
MESSAGES: list[Any] = [{"role": "user", "content": "Refund order 7"}]
pytestmark = pytest.mark.filterwarnings("default")  # LiteLLM has many of its own, of pydantic and unclosed sockets


@pytest.fixture(autouse=True)
def own_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget LiteLLM's clients, which belong to another test's event loop, and its retries."""
    litellm.in_memory_llm_clients_cache.flush_cache()
    monkeypatch.setattr(litellm, "cache", None)
    monkeypatch.setattr(litellm, "num_retries", None)
    return


def arguments(provider: FakeProvider, model: str, **more: Any) -> dict[str, Any]:
    """Return what to call LiteLLM with for this provider."""
    base = provider.url if model.startswith("anthropic") else f"{provider.url}/v1"
    return {"model": model, "messages": MESSAGES, "api_base": base, "max_retries": 0, **more}


def found(traced: Traced) -> dict[str, Any]:
    """Return the attributes of the one span there must be."""
    [span] = traced.spans()
    return dict(span.attributes or {})


@pytest.mark.parametrize("model", MODELS)
async def test_completion(traced: Traced, provider: FakeProvider, model: str) -> None:
    """A call is one span, sync and async, whether an SDK makes it or LiteLLM itself; its tokens are the provider's."""
    completion(**arguments(provider, model))
    await acompletion(**arguments(provider, model))
    assert traced.tree() == [MODELS[model]] * 2
    assert traced.tokens() == provider.tokens()
    assert all((span.attributes or {})["trilemma.cost.source"] == "price_table" for span in traced.spans())


@pytest.mark.parametrize("model", MODELS)
async def test_stream(traced: Traced, provider: FakeProvider, model: str) -> None:
    """A stream is one span, with its chunks timed."""
    wanted = arguments(provider, model, stream=True, stream_options={"include_usage": True})
    text = "".join(chunk.choices[0].delta.content or "" for chunk in completion(**wanted) if chunk.choices)
    chunks = [chunk async for chunk in await acompletion(**wanted)]
    assert text == "Refunded."
    assert len(chunks) > 2
    assert traced.tree() == [MODELS[model]] * 2
    assert traced.tokens() == provider.tokens()
    for span in traced.spans():
        known = span.attributes or {}
        assert known["trilemma.response.stream_end"] == "exhausted"
        assert known["gen_ai.response.time_to_first_chunk"] > 0  # type: ignore[operator]


def test_whole_span(traced: Traced, provider: FakeProvider) -> None:
    """A call that LiteLLM makes itself says what a provider's SDK would: who, where, what, how much."""
    completion(**arguments(provider, ANTHROPIC, temperature=0.5, max_tokens=99))
    known = found(traced)
    assert known["gen_ai.provider.name"] == "anthropic"
    assert (known["server.address"], known["server.port"]) == ("127.0.0.1", provider.port)
    assert (known["gen_ai.request.model"], known["gen_ai.response.model"]) == ("claude-sonnet-4-6",) * 2
    assert (known["gen_ai.request.temperature"], known["gen_ai.request.max_tokens"]) == (0.5, 99)
    assert known["gen_ai.response.finish_reasons"] == ("stop",)
    assert known["trilemma.provider.request_id"] == "req-1"
    assert known["trilemma.cost.total"] == pytest.approx((1001 * 3 + 11 * 15) / 1e6)
    assert "openai.api.type" not in known


def test_usage_of_a_stream_is_the_providers(traced: Traced, provider: FakeProvider) -> None:
    """LiteLLM estimates the tokens of a stream where the provider tells none; a span has none then."""
    list(completion(**arguments(provider, OPENAI, stream=True)))
    assert "gen_ai.usage.input_tokens" not in found(traced)
    traced.exporter.clear()
    list(completion(**arguments(provider, ANTHROPIC, stream=True)))  # Anthropic tells them always
    assert found(traced)["gen_ai.usage.output_tokens"] == 12


@pytest.mark.parametrize("model", MODELS)
def test_stream_left_early(traced: Traced, provider: FakeProvider, model: str) -> None:
    """A stream that is dropped is one span, no failure, at its last chunk."""
    stream = completion(**arguments(provider, model, stream=True))
    next(iter(stream))
    del stream
    for _ in range(100):  # LiteLLM's streams are cycles, and its logging thread holds them for a while
        gc.collect()
        end_late()
        if traced.spans():
            break
        time.sleep(0.02)
    assert found(traced)["trilemma.response.stream_end"] in {"abandoned", "closed"}
    assert traced.tree() == [MODELS[model]]


@pytest.mark.parametrize("model", ["openai/gpt-missing", "anthropic/claude-missing"])
async def test_failure(traced: Traced, provider: FakeProvider, model: str) -> None:
    """A failure is one span with its status and type, and costs nothing."""
    with pytest.raises(litellm.NotFoundError):
        completion(**arguments(provider, model))
    with pytest.raises(litellm.NotFoundError):
        await acompletion(**arguments(provider, model, stream=True))
    for span in traced.spans():
        known = span.attributes or {}
        assert known["http.response.status_code"] == 404
        assert known["error.type"] in {"not_found_error", "NotFoundError"}
        assert known["trilemma.cost.total"] == 0
    assert len(traced.spans()) == 2


async def test_retries(traced: Traced, provider: FakeProvider) -> None:
    """Each of LiteLLM's retries is a call of its own; those that it has an SDK make are attempts of one."""
    for call in (completion, acompletion):
        provider.refusals = 1
        result = call(**arguments(provider, ANTHROPIC, num_retries=2))
        await result if asyncio.iscoroutine(result) else None
        assert traced.tree() == [f"{MODELS[ANTHROPIC]} !RateLimitError", MODELS[ANTHROPIC]]
        traced.exporter.clear()
    provider.refusals = 1
    completion(**arguments(provider, OPENAI, num_retries=2))
    assert len(traced.spans()) + found(traced)["http.request.resend_count"] == 2


def make_router(provider: FakeProvider, groups: dict[str, list[str]], **more: Any) -> litellm.Router:
    """Return a router with the models of each group, without retries."""
    models = [
        {"model_name": group, "litellm_params": arguments(provider, model)}
        for group, options in groups.items()
        for model in options
    ]
    return litellm.Router(model_list=models, num_retries=0, disable_cooldowns=True, **more)


def decisions(traced: Traced) -> list[tuple[Any, ...]]:
    """Return what each decision says, in order: the option, the place of an attempt, its result, its error."""
    names = ("decision.chosen", "fallback.attempt", "fallback.result")
    found = [span.attributes or {} for span in traced.spans()]
    return [
        (*(known.get(f"trilemma.{name}") for name in names), known.get("error.type"))
        for known in found
        if "trilemma.decision.kind" in known
    ]


MISSING = "anthropic/claude-missing"
FELL_BACK = [
    "support.refund",
    "  fallback first",
    "    fallback first !NotFoundError",
    "      chat claude-missing > !NotFoundError",
    "    fallback first",
    f"      {MODELS[ANTHROPIC]}",
]


async def test_router(traced: Traced, provider: FakeProvider) -> None:
    """Of a router with fallbacks each attempt is a decision with its call, beneath the task; async and streamed too."""
    router = make_router(provider, {"first": [MISSING], "second": [ANTHROPIC]}, fallbacks=[{"first": ["second"]}])
    told = [("second", None, None, None), ("first", 1, "failed", "NotFoundError"), ("second", 2, "accepted", None)]
    with task("support.refund"):
        router.completion("first", MESSAGES)
    assert traced.tree() == FELL_BACK
    assert decisions(traced) == told
    whole = traced.spans()[1].attributes or {}
    assert {key.removeprefix("trilemma."): value for key, value in whole.items() if "decision" in key} == {
        "decision.kind": "fallback",
        "decision.name": "first",
        "decision.candidates": ("first", "second"),
        "decision.chosen": "second",
        "decision.reason": "litellm",
    }
    assert whole["trilemma.task.name"] == "support.refund"
    traced.exporter.clear()
    with task("support.refund"):
        await router.acompletion("first", MESSAGES)
    assert (traced.tree(), decisions(traced)) == (FELL_BACK, told)
    traced.exporter.clear()
    with task("support.refund"):
        assert [chunk async for chunk in await router.acompletion("first", MESSAGES, stream=True)]
    assert (traced.tree(), decisions(traced)) == (FELL_BACK, told)
    assert traced.tokens()[0] > 0


async def test_router_that_fails(traced: Traced, provider: FakeProvider) -> None:
    """Where no option answers, the last error is the user's, and the whole chain has failed; what led on is in it."""
    groups = {"first": [MISSING], "second": ["openai/gpt-missing"], "third": [MISSING]}
    router = make_router(provider, groups, fallbacks=[{"first": ["second"]}, {"second": ["third"]}])
    with pytest.raises(litellm.NotFoundError):
        await router.acompletion("first", MESSAGES)
    assert decisions(traced) == [
        (None, None, None, "NotFoundError"),
        ("first", 1, "failed", "NotFoundError"),
        ("second", 2, "failed", "NotFoundError"),
        ("third", 3, "failed", "NotFoundError"),
    ]
    whole = traced.spans()[0].attributes or {}
    assert whole["trilemma.decision.candidates"] == ("first", "second", "third")


async def test_router_that_times_out(traced: Traced, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout is told from other failures, retries stay within their attempt, and later calls start anew."""
    router = make_router(provider, {"first": [ANTHROPIC], "second": [ANTHROPIC]})
    with monkeypatch.context() as patched:
        patched.setattr(router, "fallbacks", [{"*": ["second"]}])
        await router.acompletion("first", MESSAGES, mock_timeout=True, timeout=0.01, num_retries=1)
    assert decisions(traced) == [
        ("second", None, None, None),
        ("first", 1, "timed_out", "Timeout"),
        ("second", 2, "accepted", None),
    ]
    traced.exporter.clear()
    await router.acompletion("first", MESSAGES)
    assert traced.tree() == [MODELS[ANTHROPIC]]


async def test_router_without_a_choice(traced: Traced, provider: FakeProvider) -> None:
    """A call with nothing to fall back to and one deployment is no decision, whether it works or fails."""
    router = make_router(provider, {"first": [ANTHROPIC], "lost": [MISSING]}, fallbacks=[{"other": ["first"]}])
    await router.acompletion("first", MESSAGES)
    router.completion("first", MESSAGES)
    with pytest.raises(litellm.NotFoundError):
        await router.acompletion("lost", MESSAGES)
    assert traced.tree() == [MODELS[ANTHROPIC]] * 2 + ["chat claude-missing > !NotFoundError"]


@pytest.mark.parametrize("strategy", ["simple-shuffle", "usage-based-routing"])
async def test_router_that_chooses(traced: Traced, provider: FakeProvider, strategy: str) -> None:
    """Which of a group's deployments a router picks is a decision, once, without a probability that nobody knows."""
    router = make_router(provider, {"both": [ANTHROPIC, OPENAI]}, routing_strategy=strategy)
    with task("support.refund"):
        router.completion("both", MESSAGES)
        await router.acompletion("both", MESSAGES)
    models = {(call.attributes or {})["gen_ai.request.model"]: call for call in traced.calls()}
    routes = [span.attributes or {} for span in traced.spans() if span.name == "route both"]
    assert len(routes) == len(traced.calls()) == 2
    for known in routes:
        assert known["trilemma.decision.candidates"] == (ANTHROPIC, OPENAI)
        assert str(known["trilemma.decision.chosen"]).partition("/")[2] in models
        assert known["trilemma.decision.reason"] == strategy
        assert "trilemma.decision.probability" not in known


async def test_router_of_equal_deployments(traced: Traced, provider: FakeProvider) -> None:
    """Deployments of one model are told apart by LiteLLM's ids, and the one recorded is the one that answers."""
    router = make_router(provider, {"both": [ANTHROPIC]})
    router.add_deployment(
        litellm.Deployment("both", litellm.LiteLLM_Params(**arguments(provider, ANTHROPIC, max_tokens=99)))
    )
    answer: Any = await router.acompletion("both", MESSAGES)
    known = traced.spans()[0].attributes or {}
    assert known["trilemma.decision.candidates"] == tuple(router.get_model_ids())
    assert known["trilemma.decision.chosen"] == answer._hidden_params["model_id"]


async def test_fallbacks_of_a_call(traced: Traced, provider: FakeProvider) -> None:
    """The fallbacks given with a call are a chain too: sync, async, streamed; one that answers at once is told."""
    base = f"{provider.url}/v1"
    wanted = arguments(provider, MISSING, fallbacks=[ANTHROPIC, {"model": OPENAI, "api_base": base}])
    told = [(ANTHROPIC, None, None, None), (MISSING, 1, "failed", "NotFoundError"), (ANTHROPIC, 2, "accepted", None)]
    tree = [line.replace("fallback first", f"fallback {MISSING}") for line in FELL_BACK]
    with task("support.refund"):
        completion(**wanted)
    assert (traced.tree(), decisions(traced)) == (tree, told)
    assert (traced.spans()[1].attributes or {})["trilemma.decision.candidates"] == (MISSING, ANTHROPIC, OPENAI)
    traced.exporter.clear()
    with task("support.refund"):
        stream: Any = await acompletion(**wanted, stream=True)
        assert [chunk async for chunk in stream]
    assert (traced.tree(), decisions(traced)) == (tree, told)
    traced.exporter.clear()
    await acompletion(**arguments(provider, ANTHROPIC, fallbacks=[OPENAI]))
    assert traced.tree() == [f"fallback {ANTHROPIC}", f"  fallback {ANTHROPIC}", f"    {MODELS[ANTHROPIC]}"]
    assert decisions(traced) == [(ANTHROPIC, None, None, None), (ANTHROPIC, 1, "accepted", None)]


async def test_fallbacks_at_once(traced: Traced, provider: FakeProvider) -> None:
    """Chains that run at the same time keep to their tasks."""
    router = make_router(provider, {"first": [MISSING], "second": [ANTHROPIC]}, fallbacks=[{"first": ["second"]}])

    async def run(number: int) -> None:
        with task("support.refund", id=f"run-{number}"):
            await router.acompletion("first", MESSAGES)

    await asyncio.gather(*map(run, range(4)))
    assert traced.tree() == FELL_BACK * 4
    assert len({(span.attributes or {})["trilemma.task.id"] for span in traced.spans()}) == 4


def test_fallbacks_switched_off(traced: Traced, provider: FakeProvider) -> None:
    """After uninstrument a router decides unseen, also one that was made before."""
    router = make_router(provider, {"first": [MISSING], "second": [ANTHROPIC]}, fallbacks=[{"first": ["second"]}])
    uninstrument()
    router.completion("first", MESSAGES)
    assert not traced.spans()


async def test_fallbacks_with_a_bug_of_ours(
    traced: Traced, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in our reading of a router is logged, and the router does as ever."""
    guard.raise_errors(False)
    for name in ("_find_targets", "_name_deployments"):
        monkeypatch.setattr(litellm_router, name, lambda *_: 1 / 0)
    groups = {"first": [MISSING], "second": [ANTHROPIC, OPENAI]}
    router = make_router(provider, groups, fallbacks=[{"first": ["second"]}])
    await router.acompletion("first", MESSAGES)
    assert [span.name for span in traced.spans()] == [span.name for span in traced.calls()]
    assert len(traced.calls()) == 2
    assert caplog.text.count("trilemma: ZeroDivisionError failed in") == 2


async def test_other_endpoints(traced: Traced, provider: FakeProvider) -> None:
    """Embeddings, reranking, images, responses and text completions are calls, with the provider's tokens once."""
    base, own = f"{provider.url}/v1", provider.url
    litellm.embedding(model="openai/text-embedding-3-small", input=["x"], api_base=base)
    await litellm.aembedding(model="openai/text-embedding-3-small", input=["x"], api_base=base)
    litellm.rerank(model="cohere/rerank-v3.5", query="q", documents=["d"], api_key="k", api_base=f"{base}/rerank")
    await litellm.arerank(
        model="cohere/rerank-v3.5", query="q", documents=["d"], api_key="k", api_base=f"{base}/rerank"
    )
    assert traced.tree() == ["embeddings text-embedding-3-small >"] * 2 + ["rerank rerank-v3.5 >"] * 2
    assert traced.tokens()[0] == provider.tokens()[0]
    assert {(span.attributes or {})["gen_ai.provider.name"] for span in traced.spans()} == {"openai", "cohere"}
    traced.exporter.clear()
    provider.ledger.clear()
    for model, url in ((OPENAI, base), (ANTHROPIC, own)):
        litellm.responses(model=model, input="Hi", api_base=url)
        await litellm.aresponses(model=model, input="Hi", api_base=url)
        assert [event async for event in await litellm.aresponses(model=model, input="Hi", api_base=url, stream=True)]
    litellm.text_completion(model=ANTHROPIC, prompt="Hi", api_base=own)
    assert list(litellm.text_completion(model=ANTHROPIC, prompt="Hi", api_base=own, stream=True))
    stream: Any = await litellm.atext_completion(model=ANTHROPIC, prompt="Hi", api_base=own, stream=True)
    assert [chunk async for chunk in stream]
    assert len(traced.spans()) == len(provider.ledger) == 9
    assert traced.tokens() == provider.tokens()
    await litellm.aimage_generation(model="openai/gpt-image-1", prompt="hi", api_base=base)
    assert len(traced.spans()) == 10


def test_cache(traced: Traced, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """What LiteLLM's cache answers, or a mock, is no call."""
    # A question about pass-through streams, for which this LiteLLM wants its proxy installed.
    monkeypatch.setattr(caching_handler, "_should_defer_streaming_cache_hit_callbacks", lambda **_: False)
    litellm.cache = Cache()
    for _ in range(2):
        completion(**arguments(provider, ANTHROPIC, caching=True))
    completion(**arguments(provider, ANTHROPIC, mock_response="Refunded."))
    assert traced.tree() == [MODELS[ANTHROPIC]]


async def test_calls_at_once(traced: Traced, provider: FakeProvider) -> None:
    """Calls at the same time keep to their tasks."""

    async def run(number: int) -> None:
        with task("support.refund", id=f"run-{number}"):
            await acompletion(**arguments(provider, (OPENAI, ANTHROPIC)[number % 2]))

    await asyncio.gather(*map(run, range(6)))
    assert sorted((span.attributes or {})["trilemma.task.id"] for span in traced.calls()) == [
        f"run-{number}" for number in range(6)
    ]
    assert sorted(traced.tree()) == sorted(
        line for number in range(6) for line in ("support.refund", f"  {list(MODELS.values())[number % 2]}")
    )


@pytest.mark.usefixtures("content")
def test_content(traced: Traced, provider: FakeProvider) -> None:
    """With content on, the messages are those of the conventions; without, there are none."""
    completion(**arguments(provider, ANTHROPIC))
    known = found(traced)
    assert "Refund order 7" in known["gen_ai.input.messages"]
    assert "Refunded." in known["gen_ai.output.messages"]
    traced.exporter.clear()


def test_no_content(traced: Traced, provider: FakeProvider) -> None:
    """Without being asked to, nothing that was said is recorded; equal requests have equal hashes all the same."""
    for _ in range(2):
        completion(**arguments(provider, ANTHROPIC))
    first, second = (span.attributes or {} for span in traced.spans())
    assert first["trilemma.request.hash"] == second["trilemma.request.hash"]
    assert "Refund order 7" not in str(first)


def test_switched_off(traced: Traced, provider: FakeProvider) -> None:
    """After uninstrument nothing is left, also in functions that were imported before."""
    uninstrument()
    completion(**arguments(provider, ANTHROPIC))
    assert not traced.spans()


async def test_recorded(traced: Traced, provider: FakeProvider, recorded: Record) -> None:
    """The store is tested with these very spans: one row for each call."""
    for model in MODELS:
        with traced.step(model):
            completion(**arguments(provider, model))
            await acompletion(**arguments(provider, model))
            assert list(completion(**arguments(provider, model, stream=True)))
    with traced.step("retry"):
        provider.refusals = 1
        completion(**arguments(provider, ANTHROPIC, num_retries=2))
    recorded("litellm", {**dict.fromkeys(MODELS, 3), "retry": 2})
