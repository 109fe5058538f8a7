"""Hold what LlamaIndex gives: agents, workflows, tools, retrievers and engines around calls that are counted once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI, OpenAIResponses
from trilemma import task
from trilemma.instrumentation import uninstrument
from workflows import Workflow, step
from workflows.events import StartEvent, StopEvent

from tests.instrumentation.frameworks.shop import agent_tree, lookup, lookup_async, refund, refund_async, refuse

if TYPE_CHECKING:
    from tests.instrumentation.frameworks.conftest import Record, Traced
    from tests.instrumentation.frameworks.fake_provider import FakeProvider

MODEL = "gpt-4o-mini"
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::pydantic.warnings.PydanticDeprecatedSince20"
)


def make_model(provider: FakeProvider, kind: Any = OpenAI, **options: Any) -> Any:
    """Return a model that asks for the usage of its streams."""
    more = {"additional_kwargs": {"stream_options": {"include_usage": True}}} if options.pop("streaming", False) else {}
    return kind(model=MODEL, api_base=f"{provider.url}/v1", max_retries=0, **more, **options)


def make_agent(
    provider: FakeProvider, tools: tuple[Any, ...] = (lookup, refund), *, streaming: bool = False, kind: Any = OpenAI
) -> FunctionAgent:
    """Return an agent with the two tools."""
    model = make_model(provider, kind, streaming=streaming)
    return FunctionAgent(name="helper", tools=list(tools), llm=model, streaming=streaming)


@pytest.mark.parametrize("kind", [OpenAI, OpenAIResponses])
async def test_agent(traced: Traced, provider: FakeProvider, kind: Any) -> None:
    """An agent's run is its span with its calls and tools beneath; the tokens are the provider's, once."""
    assert str(await make_agent(provider, kind=kind).run("Refund order 7")) == "Refunded."
    assert traced.tree() == agent_tree(MODEL)
    assert traced.agents() == {"helper"}
    assert traced.tokens() == provider.tokens()


async def test_agent_streamed(traced: Traced, provider: FakeProvider) -> None:
    """Streamed it is the same, though the app goes on while the agent runs."""
    tools = (FunctionTool.from_defaults(async_fn=lookup_async), FunctionTool.from_defaults(async_fn=refund_async))
    handler = make_agent(provider, tools, streaming=True).run("Refund order 7")
    with traced.step("meanwhile"):
        assert [event async for event in handler.stream_events()]
    await handler
    await asyncio.sleep(0)
    assert traced.tree() == [*agent_tree(MODEL), "meanwhile"]
    assert traced.tokens() == provider.tokens()


async def test_runs_at_once(traced: Traced, provider: FakeProvider) -> None:
    """Runs at the same time keep to themselves, and to their tasks."""
    agent = make_agent(provider)

    async def run(number: int) -> None:
        with task("support.refund", id=f"run-{number}"):
            await agent.run("Refund order 7")

    await asyncio.gather(*map(run, range(3)))
    assert traced.tree() == agent_tree(MODEL, "support.refund", "invoke_agent helper") * 3
    for number in range(3):
        mine = [span for span in traced.spans() if (span.attributes or {})["trilemma.task.id"] == f"run-{number}"]
        assert len({span.context.trace_id for span in mine if span.context}) == 1
        assert len(mine) == 7


async def test_agent_workflow(traced: Traced, provider: FakeProvider) -> None:
    """A workflow of agents is a workflow with the calls and tools of its agents."""
    await AgentWorkflow(agents=[make_agent(provider)]).run("Refund order 7")
    assert traced.tree() == agent_tree(MODEL, "invoke_workflow AgentWorkflow")


async def test_workflow(traced: Traced, provider: FakeProvider) -> None:
    """A workflow of the app's own is one too, with its calls beneath."""
    model = make_model(provider)

    class Triage(Workflow):
        @step
        async def answer(self, _: StartEvent) -> StopEvent:
            return StopEvent(result=str(await model.acomplete("Hi")))

    assert await Triage().run() == "Refunded."
    assert traced.tree() == ["invoke_workflow Triage", f"  chat {MODEL} >"]


async def test_failing_provider(traced: Traced, provider: FakeProvider) -> None:
    """A provider's failure is on its call and on the agent around it, and reaches the app as ever."""
    provider.refusals = 1
    with pytest.raises(openai.RateLimitError):
        await make_agent(provider).run("Refund order 7")
    assert traced.tree() == ["invoke_agent helper !RateLimitError", f"  chat {MODEL} > !rate_limit_error"]


async def test_failing_tool(traced: Traced, provider: FakeProvider) -> None:
    """A tool's failure, which is given to the model, is on its span."""
    await make_agent(provider, (lookup, refuse)).run("Refund order 7")
    tree = traced.tree()
    assert tree[0] == "invoke_agent helper"
    assert "  execute_tool refund !LookupError" in tree


async def test_no_content(traced: Traced, provider: FakeProvider) -> None:
    """Without being asked to, nothing that was said is recorded."""
    await make_agent(provider).run("Refund order 7")
    assert not any(word in str(span.attributes) for span in traced.spans() for word in ("paid", "order 7", "refunded"))


@pytest.mark.usefixtures("content")
async def test_content(traced: Traced, provider: FakeProvider) -> None:
    """With content on, a tool's span has its arguments and its result."""
    await make_agent(provider).run("Refund order 7")
    [known, _] = [span.attributes or {} for span in traced.spans() if span.name.startswith("execute_tool")]
    assert known["gen_ai.tool.call.arguments"] == '{"order":"7"}'
    assert known["gen_ai.tool.call.result"] == '"order 7: paid"'


async def test_retrieval(traced: Traced, provider: FakeProvider) -> None:
    """A search is a retrieval; a query engine is a workflow of a retrieval and a call."""
    index = VectorStoreIndex.from_documents([Document(text="paid")], embed_model=MockEmbedding(4))
    index.as_retriever(similarity_top_k=3).retrieve("order 7")
    await index.as_retriever().aretrieve("order 7")
    assert traced.tree() == ["retrieval VectorIndexRetriever >"] * 2
    assert (traced.spans()[0].attributes or {})["gen_ai.retrieval.top_k"] == 3
    traced.exporter.clear()
    index.as_query_engine(llm=make_model(provider)).query("order 7")
    assert traced.tree() == [
        "invoke_workflow RetrieverQueryEngine",
        "  retrieval VectorIndexRetriever >",
        f"  chat {MODEL} >",
    ]
    assert traced.tokens() == provider.tokens()


async def test_react_agent(traced: Traced, provider: FakeProvider) -> None:
    """An agent of another kind is one too."""
    agent = ReActAgent(name="thinker", llm=make_model(provider), streaming=False)
    await agent.run("Hi", max_iterations=1, early_stopping_method="generate")
    assert traced.tree()[0].startswith("invoke_agent thinker")
    assert traced.tokens() == provider.tokens()


async def test_switched_off(traced: Traced, provider: FakeProvider) -> None:
    """After uninstrument nothing is left."""
    uninstrument()
    await make_agent(provider).run("Refund order 7")
    assert not traced.spans()


async def test_recorded(traced: Traced, provider: FakeProvider, recorded: Record) -> None:
    """The store is tested with these very spans: one row for each call."""
    with traced.step("agent"):
        await make_agent(provider).run("Refund order 7")
    with traced.step("streamed"):
        await make_agent(provider, streaming=True).run("Refund order 7")
    index = VectorStoreIndex.from_documents([Document(text="paid")], embed_model=MockEmbedding(4))
    with traced.step("query"):
        index.as_query_engine(llm=make_model(provider)).query("order 7")
    recorded("llama_index", {"agent": 3, "streamed": 3, "query": 1})
