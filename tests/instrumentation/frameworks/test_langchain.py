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
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from trilemma import task
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


def test_fallbacks(traced: Traced, provider: FakeProvider) -> None:
    """Of a model with fallbacks, every attempt is a call."""
    make_model("gpt-missing").with_fallbacks([make_model(OPENAI)]).invoke("Hi")
    assert traced.tree() == ["chat gpt-missing > !not_found_error", f"chat {OPENAI} >"]


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
