"""Hold what the OpenAI Agents SDK gives: runs, agents and tools around calls that are counted once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
import pytest
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    function_tool,
    handoff,
    set_trace_processors,
    trace,
)
from trilemma import task
from trilemma.instrumentation import uninstrument

from tests.instrumentation.frameworks.shop import agent_tree, lookup, lookup_async, refund, refund_async, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.instrumentation.frameworks.conftest import Record, Traced
    from tests.instrumentation.frameworks.fake_provider import FakeProvider

MODEL = "gpt-4o-mini"
TREE = agent_tree(MODEL, "invoke_workflow Agent workflow", "invoke_agent helper")
TOOLS = (function_tool(lookup), function_tool(refund))


@pytest.fixture(autouse=True)
def no_upload() -> Iterator[None]:
    """Have the SDK send its own traces nowhere; ours do not need its processors."""
    set_trace_processors([])
    return


def make_agent(model: str = MODEL, tools: tuple[Any, ...] = TOOLS, api: Any = OpenAIResponsesModel) -> Agent[Any]:
    """Return an agent with the two tools."""
    client = openai.AsyncOpenAI(max_retries=0)
    return Agent(name="helper", model=api(model, client), tools=list(tools))


@pytest.mark.parametrize("api", [OpenAIResponsesModel, OpenAIChatCompletionsModel])
async def test_agent(traced: Traced, provider: FakeProvider, api: Any) -> None:
    """An agent's run is its span with its calls and tools beneath; the tokens are the provider's, once."""
    result = await Runner.run(make_agent(api=api), "Refund order 7")
    assert result.final_output == "Refunded."
    assert traced.tree() == TREE
    assert traced.agents() == {"helper"}
    assert traced.tokens() == provider.tokens()


@pytest.mark.usefixtures("own_loop")
def test_agent_sync(traced: Traced, provider: FakeProvider) -> None:
    """Sync it is the same."""
    Runner.run_sync(make_agent(), "Refund order 7")
    assert traced.tree() == TREE


async def test_agent_streamed(traced: Traced, provider: FakeProvider) -> None:
    """Streamed it is the same, though the run is a task of its own then."""
    tools = (function_tool(lookup_async), function_tool(refund_async))
    run = Runner.run_streamed(make_agent(tools=tools), "Refund order 7")
    assert [event async for event in run.stream_events()]
    assert traced.tree() == TREE
    assert traced.tokens() == provider.tokens()
    assert all((span.attributes or {})["gen_ai.request.stream"] for span in traced.calls())


async def test_runs_at_once(traced: Traced, provider: FakeProvider) -> None:
    """Runs at the same time keep to themselves, and to their tasks."""

    async def run(number: int) -> None:
        with task("support.refund", id=f"run-{number}"):
            await Runner.run(make_agent(), "Refund order 7")

    await asyncio.gather(*map(run, range(3)))
    around = ("support.refund", "invoke_workflow Agent workflow", "invoke_agent helper")
    assert traced.tree() == agent_tree(MODEL, *around) * 3
    for number in range(3):
        mine = [span for span in traced.spans() if (span.attributes or {})["trilemma.task.id"] == f"run-{number}"]
        assert len({span.context.trace_id for span in mine if span.context}) == 1
        assert len(mine) == 8


async def test_handoff(traced: Traced, provider: FakeProvider) -> None:
    """Of agents that hand over, each has its own calls; both are of the one run, which has the app's name."""
    first = make_agent(tools=())
    first.tools, first.handoffs = [TOOLS[0]], [handoff(make_agent(), tool_name_override="refund")]
    first.name = "triage"
    with trace("Refunds", group_id="chat-1"):
        await Runner.run(first, "Refund order 7")
    tree = traced.tree()
    assert [line for line in tree if "invoke" in line] == [
        "invoke_workflow Refunds",
        "  invoke_agent triage",
        "  invoke_agent helper",
    ]
    assert (traced.spans()[0].attributes or {})["gen_ai.conversation.id"] == "chat-1"
    assert traced.agents() == {"triage", "helper"}
    assert traced.tokens() == provider.tokens()


async def test_failing_provider(traced: Traced, provider: FakeProvider) -> None:
    """A provider's failure is on its call and on the agent around it, and reaches the app as ever."""
    with pytest.raises(openai.NotFoundError):
        await Runner.run(make_agent("gpt-missing"), "Refund order 7")
    assert traced.tree() == [
        "invoke_workflow Agent workflow",
        "  invoke_agent helper !agent_error",
        "    chat gpt-missing > !not_found_error",
    ]


async def test_failing_tool(traced: Traced, provider: FakeProvider) -> None:
    """A tool's failure, which the SDK gives to the model without its name, is on its span."""
    await Runner.run(make_agent(tools=(TOOLS[0], function_tool(refuse))), "Refund order 7")
    [failed] = [span for span in traced.spans() if span.name == "execute_tool refund"]
    assert (failed.attributes or {})["error.type"] == "tool_error"


async def test_no_content(traced: Traced, provider: FakeProvider) -> None:
    """Without being asked to, nothing that was said is recorded."""
    await Runner.run(make_agent(), "Refund order 7")
    assert not any(word in str(span.attributes) for span in traced.spans() for word in ("paid", "order 7", "refunded"))


@pytest.mark.usefixtures("content")
async def test_content(traced: Traced, provider: FakeProvider) -> None:
    """With content on, a tool's span has its arguments and its result."""
    await Runner.run(make_agent(), "Refund order 7")
    [found, _] = [span.attributes or {} for span in traced.spans() if span.name.startswith("execute_tool")]
    assert "7" in str(found["gen_ai.tool.call.arguments"])
    assert found["gen_ai.tool.call.result"] == '"order 7: paid"'


async def test_tracing_disabled(traced: Traced, provider: FakeProvider) -> None:
    """Where the app has switched the SDK's tracing off, the calls are there all the same."""
    await Runner.run(make_agent(), "Refund order 7", run_config=RunConfig(tracing_disabled=True))
    assert traced.tree() == [f"chat {MODEL} >"] * 3


async def test_switched_off(traced: Traced, provider: FakeProvider) -> None:
    """After uninstrument nothing is left."""
    uninstrument()
    await Runner.run(make_agent(), "Refund order 7")
    assert not traced.spans()


async def test_recorded(traced: Traced, provider: FakeProvider, recorded: Record) -> None:
    """The store is tested with these very spans: one row for each call."""
    with traced.step("agent"):
        await Runner.run(make_agent(), "Refund order 7")
    with traced.step("streamed"):
        assert [event async for event in Runner.run_streamed(make_agent(), "Refund order 7").stream_events()]
    recorded("openai_agents", {"agent": 3, "streamed": 3})
