"""Hold what LangChain and LangGraph give: agents, tools, retrievers and chains around calls that are counted once."""

from __future__ import annotations

import asyncio
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.caches import InMemoryCache
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel, FakeListLLM
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from trilemma import guard, task
from trilemma.frameworks import langchain_fallbacks
from trilemma.instrumentation import uninstrument

from tests.instrumentation.frameworks.conftest import compare_mutated
from tests.instrumentation.frameworks.shop import agent_tree, lookup, lookup_async, refund, refund_async, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.instrumentation.frameworks.conftest import Record, Traced
    from tests.instrumentation.frameworks.fake_provider import FakeProvider
    from tests.instrumentation.receiver import Receiver

OPENAI, ANTHROPIC = "gpt-4o-mini", "claude-sonnet-4-6"
QUESTION = {"messages": [{"role": "user", "content": "Refund order 7"}]}


def make_model(name: str) -> BaseChatModel:
    """Return a model of a provider whose SDK is instrumented."""
    if name.startswith("claude"):
        return ChatAnthropic(model=name, max_retries=0)  # type: ignore[call-arg]
    return ChatOpenAI(model=name, max_retries=0, stream_usage=True)


def make_agent(name: str = OPENAI, tools: tuple[Any, ...] = (lookup, refund)) -> Any:
    """Return an agent with the two tools."""
    return create_agent(make_model(name), list(tools), name="helper")


class Homegrown(BaseChatModel):
    """A model of a provider that nobody instruments."""

    model: str = "home-1"
    fails: bool = False

    @property
    def _llm_type(self) -> str:
        return "home"

    def _generate(self, *_: Any, **__: Any) -> ChatResult:
        if self.fails:
            raise ConnectionError("no line")
        usage = {"input_tokens": 30, "output_tokens": 7, "total_tokens": 37, "input_token_details": {"cache_read": 20}}
        message = AIMessage("Refunded.", usage_metadata=usage, response_metadata={"finish_reason": "stop"})  # type: ignore[arg-type]
        return ChatResult(generations=[ChatGeneration(message=message)])


class HomegrownStream(Homegrown):
    """The same, which streams."""

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        for count, text in enumerate(("Refun", "ded.")):
            usage = {"input_tokens": 30 * count, "output_tokens": 7 * count, "total_tokens": 37 * count}
            chunk = AIMessageChunk(text, usage_metadata=usage)  # type: ignore[arg-type]
            yield ChatGenerationChunk(message=chunk)


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_agent(traced: Traced, provider: FakeProvider, model: str) -> None:
    """An agent's run is its span with its calls and tools beneath; the tokens are the provider's, once."""
    answer = make_agent(model).invoke(QUESTION)["messages"][-1].content
    assert answer == "Refunded."
    assert traced.tree() == agent_tree(model)
    assert traced.agents() == {"helper"}
    assert traced.tokens() == provider.tokens()
    assert [(span.attributes or {})["gen_ai.operation.name"] for span in traced.spans()][:3] == [
        "invoke_agent",
        "chat",
        "execute_tool",
    ]


@pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
def test_agent_streamed(traced: Traced, provider: FakeProvider, model: str) -> None:
    """Streamed by tokens it is the same."""
    chunks = list(make_agent(model).stream(QUESTION, stream_mode="messages"))
    assert len(chunks) > 3
    assert traced.tree() == agent_tree(model)
    assert traced.tokens() == provider.tokens()
    assert all((span.attributes or {})["gen_ai.request.stream"] for span in traced.calls())


async def test_agent_async(traced: Traced, provider: FakeProvider) -> None:
    """Async it is the same, streamed too."""
    agent = make_agent(tools=(tool(lookup_async), tool(refund_async)))
    await agent.ainvoke(QUESTION)
    assert traced.tree() == agent_tree(OPENAI)
    traced.exporter.clear()
    assert [chunk async for chunk in agent.astream(QUESTION, stream_mode="messages")]
    assert traced.tree() == agent_tree(OPENAI)


async def test_runs_at_once(traced: Traced, provider: FakeProvider) -> None:
    """Runs at the same time keep to themselves, and to their tasks."""
    agent = make_agent()

    async def run(number: int) -> None:
        with task("support.refund", id=f"run-{number}"):
            await agent.ainvoke(QUESTION)

    await asyncio.gather(*map(run, range(3)))
    assert traced.tree() == agent_tree(OPENAI, "support.refund", "invoke_agent helper") * 3
    for number in range(3):
        mine = [span for span in traced.spans() if (span.attributes or {})["trilemma.task.id"] == f"run-{number}"]
        assert len(mine) == 7
        assert len({span.context.trace_id for span in mine if span.context}) == 1
    assert traced.tokens() == provider.tokens()


def test_failing_provider(traced: Traced, provider: FakeProvider) -> None:
    """A provider's failure is on its call and on the agent around it, and reaches the app as ever."""
    with pytest.raises(openai.NotFoundError) as raised:
        make_agent("gpt-missing").invoke(QUESTION)
    failed = type(raised.value).__name__
    assert traced.tree() == [f"invoke_agent helper !{failed}", "  chat gpt-missing > !not_found_error"]


def test_failing_tool(traced: Traced, provider: FakeProvider) -> None:
    """A tool's failure is on its span and on the agent's."""
    with pytest.raises(LookupError):
        make_agent(tools=(lookup, refuse)).invoke(QUESTION)
    tree = traced.tree()
    assert tree[0] == "invoke_agent helper !LookupError"
    assert tree[-1] == "  execute_tool refund !LookupError"


def test_stream_left_early(traced: Traced, provider: FakeProvider) -> None:
    """An agent's stream that is left early ends its span, which is no failure."""
    for _ in make_agent().stream(QUESTION):
        break
    assert traced.tree()[0] == "invoke_agent helper"


def test_conversation(traced: Traced, provider: FakeProvider) -> None:
    """The thread that the app names is the conversation."""
    make_agent().invoke(QUESTION, {"configurable": {"thread_id": "thread-1"}})
    assert (traced.spans()[0].attributes or {})["gen_ai.conversation.id"] == "thread-1"


def test_no_content(traced: Traced, provider: FakeProvider) -> None:
    """Without being asked to, nothing that was said is recorded."""
    make_agent().invoke(QUESTION)
    assert not any(word in str(span.attributes) for span in traced.spans() for word in ("paid", "order 7", "refunded"))


@pytest.mark.usefixtures("content")
def test_content(traced: Traced, provider: FakeProvider) -> None:
    """With content on, a tool's span has its arguments and its result."""
    make_agent().invoke(QUESTION)
    [found, _] = [span.attributes or {} for span in traced.spans() if span.name.startswith("execute_tool")]
    assert found["gen_ai.tool.call.arguments"] == '{"order":"7"}'
    assert found["gen_ai.tool.call.result"] == '"order 7: paid"'
    assert str(found["gen_ai.tool.call.id"]).startswith("call_")
    assert found["gen_ai.tool.description"] == "Look an order up."


def test_chain_and_graph(traced: Traced, provider: FakeProvider) -> None:
    """A chain and a graph are workflows; a chain within a graph is no span of its own."""
    chain = ChatPromptTemplate.from_messages([("user", "{text}")]) | make_model(OPENAI)
    chain.invoke({"text": "Hi"})
    assert traced.tree() == ["invoke_workflow RunnableSequence", f"  chat {OPENAI} >"]
    traced.exporter.clear()
    graph = StateGraph(MessagesState)
    graph.add_node("answer", lambda _: {"messages": [chain.invoke({"text": "Hi"})]})
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    graph.compile(name="triage").invoke({"messages": []})
    assert traced.tree() == ["invoke_workflow triage", f"  chat {OPENAI} >"]


def test_batch(traced: Traced, provider: FakeProvider) -> None:
    """Calls of a batch, which run in threads, lie beneath the chain."""
    chain = ChatPromptTemplate.from_messages([("user", "{text}")]) | make_model(OPENAI)
    chain.batch([{"text": "Hi"}, {"text": "Ho"}])
    assert traced.tree() == ["invoke_workflow RunnableSequence", *[f"  chat {OPENAI} >"] * 2]
    assert traced.tokens() == provider.tokens()


MISSING = "gpt-missing"
FELL_BACK = [
    "support.refund",
    "  fallback answer",
    "    fallback answer !OpenAIModelNotFoundError",  # LangChain's own, which is a NotFoundError
    f"      chat {MISSING} > !not_found_error",
    "    fallback answer",
    f"      chat {OPENAI} >",
]


def decisions(traced: Traced) -> list[tuple[Any, ...]]:
    """Return what each decision says, in order: the option, the place of an attempt, its result, its error."""
    names = ("decision.chosen", "fallback.attempt", "fallback.result")
    found = [span.attributes or {} for span in traced.spans()]
    return [
        (*(known.get(f"trilemma.{name}") for name in names), known.get("error.type"))
        for known in found
        if "trilemma.decision.kind" in known
    ]


async def test_fallbacks(traced: Traced, provider: FakeProvider) -> None:
    """Of a model with fallbacks each attempt is a decision with its call, beneath the task; async and streamed too."""
    model = make_model(MISSING).with_fallbacks([make_model(OPENAI)]).with_config(run_name="answer")

    async def join(stream: Any) -> str:
        return "".join([chunk.text async for chunk in stream])

    runs: list[Any] = [
        lambda: model.invoke("Hi").text,
        lambda: "".join(chunk.text for chunk in model.stream("Hi")),
        lambda: model.ainvoke("Hi"),
        lambda: join(model.astream("Hi")),
    ]
    for run in runs:
        with task("support.refund"):
            answer = run()
            answer = await answer if asyncio.iscoroutine(answer) else answer
        assert getattr(answer, "text", answer) == "Refunded."
        assert traced.tree() == FELL_BACK
        assert decisions(traced) == [
            (OPENAI, None, None, None),
            (MISSING, 1, "failed", "OpenAIModelNotFoundError"),
            (OPENAI, 2, "accepted", None),
        ]
        assert traced.tokens() == provider.tokens()
        whole = traced.spans()[1].attributes or {}
        assert whole["trilemma.decision.candidates"] == (MISSING, OPENAI)
        assert (whole["trilemma.decision.name"], whole["trilemma.decision.reason"]) == ("answer", "langchain")
        assert whole["trilemma.task.name"] == "support.refund"
        traced.exporter.clear()
        provider.ledger.clear()


def test_fallbacks_that_fail(traced: Traced, provider: FakeProvider) -> None:
    """Where no option answers, or one fails unexpectedly, the error is the app's, and the chain has failed."""
    model = make_model(MISSING).with_fallbacks([Homegrown(fails=True)])
    with pytest.raises(openai.NotFoundError):  # LangChain raises the first error
        model.invoke("Hi")
    with pytest.raises(openai.NotFoundError):
        list(model.stream("Hi"))
    told = [
        (None, None, None, "ConnectionError"),
        (MISSING, 1, "failed", "OpenAIModelNotFoundError"),
        ("home-1", 2, "failed", "ConnectionError"),
    ]
    assert decisions(traced) == told * 2
    traced.exporter.clear()
    with pytest.raises(openai.NotFoundError):
        make_model(MISSING).with_fallbacks([Homegrown()], exceptions_to_handle=(TimeoutError,)).invoke("Hi")
    assert decisions(traced) == [
        (None, None, None, "OpenAIModelNotFoundError"),
        (MISSING, 1, "failed", "OpenAIModelNotFoundError"),
    ]


def test_fallbacks_between_chains(traced: Traced, provider: FakeProvider) -> None:
    """Chains fall back too, each named for its model; the first that answers is the only attempt."""

    def make_chain(model: str) -> Any:
        return ChatPromptTemplate.from_messages([("user", "{text}")]) | make_model(model).bind(stop=["."])

    chain = make_chain(OPENAI).with_fallbacks([make_chain(ANTHROPIC), RunnableLambda(str, name="sorry")])
    assert chain.invoke({"text": "Hi"}).text == "Refunded."
    assert (traced.spans()[0].attributes or {})["trilemma.decision.candidates"] == (OPENAI, ANTHROPIC, "sorry")
    assert decisions(traced) == [(OPENAI, None, None, None), (OPENAI, 1, "accepted", None)]
    name = "fallback RunnableWithFallbacks"
    assert traced.tree() == [name, f"  {name}", "    invoke_workflow RunnableSequence", f"      chat {OPENAI} >"]


def test_fallbacks_leave_the_stream(traced: Traced, provider: FakeProvider) -> None:
    """A stream that breaks after its first chunk is not asked again; one that is left early is no failure."""

    class Breaks(Homegrown):
        def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
            yield ChatGenerationChunk(message=AIMessageChunk("Refun"))
            raise ConnectionError("no line")

    model = Breaks().with_fallbacks([make_model(OPENAI)])
    stream = model.stream("Hi")
    assert next(stream).text == "Refun"
    with pytest.raises(ConnectionError):
        next(stream)
    assert decisions(traced) == [("home-1", None, None, None), ("home-1", 1, "accepted", None)]
    traced.exporter.clear()
    stream = model.stream("Hi")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert decisions(traced) == [("home-1", None, None, None), ("home-1", 1, "accepted", None)]
    assert [(span.attributes or {})["trilemma.response.stream_end"] for span in traced.calls()] == ["abandoned"]


async def test_no_fallbacks(traced: Traced, provider: FakeProvider) -> None:
    """Without anything to fall back to there is no decision; a batch, which asks by rounds, has its calls only."""
    model = make_model(OPENAI).with_fallbacks([])
    model.invoke("Hi")
    await model.ainvoke("Hi")
    assert traced.tree() == [f"chat {OPENAI} >"] * 2
    traced.exporter.clear()
    make_model(MISSING).with_fallbacks([make_model(OPENAI)]).batch(["Hi"])
    assert traced.tree() == [f"chat {MISSING} > !not_found_error", f"chat {OPENAI} >"]


async def test_fallbacks_at_once(traced: Traced, provider: FakeProvider) -> None:
    """Chains that run at the same time keep to their tasks."""
    model = make_model(MISSING).with_fallbacks([make_model(OPENAI)]).with_config(run_name="answer")

    async def run(number: int) -> None:
        with task("support.refund", id=f"run-{number}"):
            await model.ainvoke("Hi")

    await asyncio.gather(*map(run, range(4)))
    assert traced.tree() == FELL_BACK * 4


async def test_fallbacks_cancelled(traced: Traced) -> None:
    """A run that is cancelled is no failure and asks nobody else."""

    async def wait(_: Any) -> None:
        await asyncio.sleep(9)

    run = asyncio.create_task(RunnableLambda(wait).with_fallbacks([Homegrown()]).ainvoke("Hi"))
    await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert decisions(traced) == [(None, None, None, None), ("wait", 1, "cancelled", None)]


def test_fallbacks_with_a_bug_of_ours(
    traced: Traced, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error in our reading of a chain is logged, and the chain runs as ever."""
    guard.raise_errors(False)
    monkeypatch.setattr(langchain_fallbacks, "_name_option", lambda _: 1 / 0)
    answer = make_model(MISSING).with_fallbacks([make_model(OPENAI)]).invoke("Hi")
    assert answer.text == "Refunded."
    assert traced.tree() == [f"chat {MISSING} > !not_found_error", f"chat {OPENAI} >"]
    assert "ZeroDivisionError failed in _observe" in caplog.text


async def test_retriever(traced: Traced) -> None:
    """A retriever's search is a retrieval."""

    class Shelf(BaseRetriever):
        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            return [Document(query)]

    Shelf().invoke("refunds")
    await Shelf().ainvoke("refunds")
    assert traced.tree() == ["retrieval Shelf >"] * 2


def test_model_without_instrumented_sdk(traced: Traced) -> None:
    """A model that nobody instruments has a call, from what LangChain knows of it."""
    Homegrown(name="x").invoke("Hi")
    [span] = traced.spans()
    found = span.attributes or {}
    assert traced.tree() == ["chat home-1 >"]
    assert found["gen_ai.provider.name"] == "homegrown"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.cache_read.input_tokens"]) == (30, 20)
    assert found["gen_ai.response.finish_reasons"] == ("stop",)
    assert found["trilemma.cost.unpriced_reason"] == "model"


async def test_its_stream(traced: Traced) -> None:
    """Its stream has its chunks timed and its usage added up; one that is left early is a call too."""
    text = "".join([chunk.text async for chunk in HomegrownStream().astream("Hi")])
    assert text == "Refunded."
    assert "".join(chunk.text for chunk in HomegrownStream().stream("Hi")) == text
    for span in traced.spans():
        found = span.attributes or {}
        assert (found["gen_ai.usage.output_tokens"], found["trilemma.response.stream_end"]) == (7, "exhausted")
        assert found["trilemma.response.time_to_first_content"]
    assert len(traced.spans()) == 2
    traced.exporter.clear()
    stream = HomegrownStream().stream("Hi")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert [(span.attributes or {})["trilemma.response.stream_end"] for span in traced.spans()] == ["abandoned"]


def test_its_failure(traced: Traced) -> None:
    """Its failure is the call's."""
    with pytest.raises(ConnectionError):
        Homegrown(fails=True).invoke("Hi")
    assert traced.tree() == ["chat home-1 > !ConnectionError"]


def test_its_cache(traced: Traced) -> None:
    """What LangChain's cache answers is no call."""
    model = Homegrown(cache=InMemoryCache())
    assert model.invoke("Hi").text == model.invoke("Hi").text
    assert traced.tree() == ["chat home-1 >"]


@pytest.mark.usefixtures("content")
def test_its_content(traced: Traced) -> None:
    """With content on, its messages are those of the conventions."""
    Homegrown().invoke("Hi")
    found = traced.spans()[0].attributes or {}
    assert found["gen_ai.input.messages"] == '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'
    assert "Refunded." in str(found["gen_ai.output.messages"])


def test_text_model(traced: Traced) -> None:
    """An old text model has a call too."""
    FakeListLLM(responses=["Refunded."]).invoke("Hi")
    assert [(span.attributes or {})["gen_ai.operation.name"] for span in traced.spans()] == ["text_completion"]


def test_without_code(provider: FakeProvider, environment: dict[str, str], receiver: Receiver, tmp_path: Path) -> None:
    """`trilemma run` traces a program with an agent whole, though the program knows nothing of it."""
    app = tmp_path / "app.py"
    app.write_text(
        "from langchain.agents import create_agent\n"
        "from langchain_openai import ChatOpenAI\n"
        f"from tests.instrumentation.frameworks.shop import lookup, refund\n"
        f"model = ChatOpenAI(model={OPENAI!r}, base_url='{provider.url}/v1')\n"
        "agent = create_agent(model, [lookup, refund], name='helper')\n"
        f"print(agent.invoke({QUESTION!r})['messages'][-1].content)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["trilemma", "run", "--", "python", str(app)],
        env={**environment, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "Refunded.\n"), done.stderr
    assert sorted(span.name for span in receiver.spans()) == sorted(line.strip(" >") for line in agent_tree(OPENAI))


def test_mutated(traced: Traced, provider: FakeProvider) -> None:
    """Whatever a provider answers, LangChain does with it what it does without us."""
    models = [make_model(name) for name in (OPENAI, ANTHROPIC)]
    whole = [partial(model.invoke, "Hi") for model in models]
    streams = [partial(lambda model: list(model.stream("Hi")), model) for model in models]
    compare_mutated(traced, provider, [*whole, *streams], seeds=15)


def test_switched_off(traced: Traced, provider: FakeProvider) -> None:
    """After uninstrument nothing is left."""
    uninstrument()
    make_agent().invoke(QUESTION)
    assert not traced.spans()


def test_recorded(traced: Traced, provider: FakeProvider, recorded: Record) -> None:
    """The store is tested with these very spans: one row for each call."""
    with traced.step("agent"):
        make_agent().invoke(QUESTION)
    with traced.step("streamed"):
        list(make_agent(ANTHROPIC).stream(QUESTION, stream_mode="messages"))
    with traced.step("fallback"):
        make_model("gpt-missing").with_fallbacks([make_model(OPENAI)]).invoke("Hi")
    with traced.step("homegrown"):
        messages: list[BaseMessage] = [Homegrown().invoke("Hi")]
        list(HomegrownStream().stream(messages))
    recorded("langchain", {"agent": 3, "streamed": 3, "fallback": 2, "homegrown": 2})
