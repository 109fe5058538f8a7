"""Hold what Pydantic AI gives: agents and tools around calls that are counted once, also where it traces itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai import Agent, ModelHTTPError, ModelRetry
from pydantic_ai.capabilities.instrumentation import Instrumentation
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from trilemma import task
from trilemma.instrumentation import uninstrument

from tests.instrumentation.frameworks.shop import agent_tree, lookup, lookup_async, refund, refund_async, refuse

if TYPE_CHECKING:
    from tests.instrumentation.frameworks.conftest import Record, Traced
    from tests.instrumentation.frameworks.fake_provider import FakeProvider

MODELS: dict[str, Any] = {
    "gpt-4o-mini": OpenAIChatModel,
    "gpt-4.1-mini": OpenAIResponsesModel,
    "claude-sonnet-4-6": AnthropicModel,
}
MODEL = "gpt-4o-mini"


def make_agent(model: str = MODEL, tools: tuple[Any, ...] = (lookup, refund), **options: Any) -> Agent[None, str]:
    """Return an agent with the two tools."""
    kind = MODELS.get(model, OpenAIChatModel)
    maker: Any = (
        AnthropicProvider(anthropic_client=anthropic.AsyncAnthropic(max_retries=0))
        if kind is AnthropicModel
        else OpenAIProvider(openai_client=openai.AsyncOpenAI(max_retries=0))
    )
    return Agent(kind(model, provider=maker), tools=list(tools), name="helper", **options)


@pytest.mark.parametrize("model", MODELS)
async def test_agent(traced: Traced, provider: FakeProvider, model: str) -> None:
    """An agent's run is its span with its calls and tools beneath; the tokens are the provider's, once."""
    result = await make_agent(model).run("Refund order 7")
    assert result.output == "Refunded."
    assert traced.tree() == agent_tree(model)
    assert traced.agents() == {"helper"}
    assert traced.tokens() == provider.tokens()


@pytest.mark.usefixtures("own_loop")
def test_agent_sync(traced: Traced, provider: FakeProvider) -> None:
    """Sync it is the same."""
    make_agent().run_sync("Refund order 7")
    assert traced.tree() == agent_tree(MODEL)


@pytest.mark.parametrize("model", MODELS)
async def test_agent_streamed(traced: Traced, provider: FakeProvider, model: str) -> None:
    """Streamed it is the same."""
    async with make_agent(model, (lookup_async, refund_async)).run_stream("Refund order 7") as run:
        assert [text async for text in run.stream_text()][-1] == "Refunded."
    assert traced.tree() == agent_tree(model)
    assert traced.tokens() == provider.tokens()


async def test_agent_step_by_step(traced: Traced, provider: FakeProvider) -> None:
    """A run that the app drives itself is the same."""
    async with make_agent().iter("Refund order 7") as run:
        assert [node async for node in run]
    assert traced.tree() == agent_tree(MODEL)


async def test_runs_at_once(traced: Traced, provider: FakeProvider) -> None:
    """Runs at the same time keep to themselves, and to their tasks."""
    agent = make_agent()

    async def run(number: int) -> None:
        with task("support.refund", id=f"run-{number}"):
            await agent.run("Refund order 7")

    await asyncio.gather(*map(run, range(3)))
    assert traced.tree() == agent_tree(MODEL, "support.refund", "invoke_agent helper") * 3
    for number in range(3):
        mine = [span for span in traced.spans() if (span.attributes or {})["trilemma.task.id"] == f"run-{number}"]
        assert len({span.context.trace_id for span in mine if span.context}) == 1
        assert len(mine) == 7


async def test_failing_provider(traced: Traced, provider: FakeProvider) -> None:
    """A provider's failure is on its call and on the agent around it, and reaches the app as ever."""
    with pytest.raises(ModelHTTPError) as raised:
        await make_agent("gpt-missing").run("Refund order 7")
    assert traced.tree() == [
        f"invoke_agent helper !{type(raised.value).__name__}",
        "  chat gpt-missing > !not_found_error",
    ]


async def test_failing_tool(traced: Traced, provider: FakeProvider) -> None:
    """A tool's failure is on its span and on the agent's; one that the model is to try again is on the tool's."""
    with pytest.raises(LookupError):
        await make_agent(tools=(lookup, refuse)).run("Refund order 7")
    tree = traced.tree()
    assert (tree[0], tree[-1]) == ("invoke_agent helper !LookupError", "  execute_tool refund !LookupError")
    traced.exporter.clear()

    def refund(amount: int) -> str:
        raise ModelRetry(f"not {amount}")

    await make_agent(tools=(lookup, refund)).run("Refund order 7")
    tree = traced.tree()
    assert tree[0] == "invoke_agent helper"
    assert "  execute_tool refund !ToolRetryError" in tree


async def test_conversation(traced: Traced, provider: FakeProvider) -> None:
    """The conversation that the app names is on the agent."""
    await make_agent().run("Refund order 7", conversation_id="chat-1")
    assert (traced.spans()[0].attributes or {})["gen_ai.conversation.id"] == "chat-1"


async def test_no_content(traced: Traced, provider: FakeProvider) -> None:
    """Without being asked to, nothing that was said is recorded."""
    await make_agent().run("Refund order 7")
    assert not any(word in str(span.attributes) for span in traced.spans() for word in ("paid", "order 7", "refunded"))


@pytest.mark.usefixtures("content")
async def test_content(traced: Traced, provider: FakeProvider) -> None:
    """With content on, a tool's span has its arguments and its result."""
    await make_agent().run("Refund order 7")
    [found, _] = [span.attributes or {} for span in traced.spans() if span.name.startswith("execute_tool")]
    assert "7" in str(found["gen_ai.tool.call.arguments"])
    assert found["gen_ai.tool.call.result"] == '"order 7: paid"'
    assert found["gen_ai.tool.description"] == "Look an order up."


@pytest.mark.parametrize("way", ["agent", "capability", "run", "all"])
async def test_traces_itself(traced: Traced, provider: FakeProvider, way: str) -> None:
    """Where Pydantic AI's own instrumentation is on, its agent and tools are there once: as its spans, not as ours."""
    theirs = InMemorySpanExporter()
    own = TracerProvider(shutdown_on_exit=False)
    own.add_span_processor(SimpleSpanProcessor(theirs))
    settings = InstrumentationSettings(tracer_provider=own, include_content=False)
    agent = make_agent(capabilities=[Instrumentation(settings)] if way == "capability" else [])
    agent.instrument = settings if way == "agent" else None
    Agent.instrument_all(settings if way == "all" else False)
    try:
        await agent.run("Refund order 7", capabilities=[Instrumentation(settings)] if way == "run" else [])
    finally:
        Agent.instrument_all(False)
    assert sorted(traced.tree()) == [f"chat {MODEL} >"] * 3
    names = [span.name for span in theirs.get_finished_spans()]
    assert len([name for name in names if name.startswith("execute_tool")]) == 2
    assert any("helper" in name for name in names)


async def test_switched_off(traced: Traced, provider: FakeProvider) -> None:
    """After uninstrument nothing is left."""
    uninstrument()
    await make_agent().run("Refund order 7")
    assert not traced.spans()


async def test_recorded(traced: Traced, provider: FakeProvider, recorded: Record) -> None:
    """The store is tested with these very spans, Pydantic AI's own among them: one row for each call."""
    with traced.step("agent"):
        await make_agent().run("Refund order 7")
    with traced.step("streamed"):
        async with make_agent("claude-sonnet-4-6").run_stream("Refund order 7") as run:
            assert [text async for text in run.stream_text()]
    agent = make_agent()
    agent.instrument = InstrumentationSettings(tracer_provider=traced.provider, include_content=False)
    with traced.step("traces itself"):
        await agent.run("Refund order 7")
    recorded("pydantic_ai", {"agent": 3, "streamed": 3, "traces itself": 3})
