"""Hold what MCP gives: a span for a client's tool call, the server's beneath it, and the task carried along."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer
from opentelemetry import trace
from trilemma import task
from trilemma.engine import Engine
from trilemma.frameworks.spans import Container, tool
from trilemma.instrumentation import uninstrument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.instrumentation.frameworks.conftest import Traced


def make_server() -> MCPServer:
    """Return a server with a tool, which fails for order 0."""
    server = MCPServer("shop")

    @server.tool()
    def lookup(order: str) -> str:
        """Look an order up."""
        if order == "0":
            raise ValueError("no such order")
        return f"order {order}: paid"

    return server


def tools_of(traced: Traced) -> list[str]:
    """Return the lines of the tree that are tool calls."""
    return [line for line in traced.tree() if "tools/call" in line or "execute_tool" in line]


async def test_tool_call(traced: Traced) -> None:
    """A tool call is a CLIENT span by the conventions, with the server's beneath it."""
    async with Client(make_server()) as client:
        result = await client.call_tool("lookup", {"order": "7"})
    assert not result.is_error
    assert tools_of(traced) == ["tools/call lookup >", "  tools/call lookup <"]
    [found] = [span.attributes or {} for span in traced.spans() if span.kind is trace.SpanKind.CLIENT]
    assert found["mcp.method.name"] == "tools/call"
    assert found["gen_ai.operation.name"] == "execute_tool"
    assert found["gen_ai.tool.name"] == "lookup"


async def test_failing_tool(traced: Traced) -> None:
    """A tool's failure, which is no exception for the client, is on both spans."""
    async with Client(make_server()) as client:
        assert (await client.call_tool("lookup", {"order": "0"})).is_error
    assert tools_of(traced) == ["tools/call lookup > !tool_error", "  tools/call lookup < !tool_error"]


async def test_task(traced: Traced) -> None:
    """Client's and server's spans belong to the task that the tool serves."""
    async with Client(make_server()) as client:
        with task("support.refund", id="run-1"):
            await client.call_tool("lookup", {"order": "7"})
    calls = [span.attributes or {} for span in traced.spans() if span.name == "tools/call lookup"]
    assert [found["trilemma.task.id"] for found in calls] == ["run-1", "run-1"]


async def test_over_http(traced: Traced) -> None:
    """Over HTTP the request's ``_meta`` carries trace and task to the server, which goes on with both."""
    app = make_server().streamable_http_app()
    sent: list[dict[str, Any]] = []

    async def record(scope: Any, receive: Any, send: Any) -> None:
        async def receive_noted() -> Any:
            message = await receive()
            if body := message.get("body"):
                sent.append(json.loads(body))
            return message

        await app(scope, receive_noted, send)

    async with (
        serve(record, app) as url,
        streamable_http_client(url) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        with task("support.refund", id="run-1"):
            await session.call_tool("lookup", {"order": "7"})
    [meta] = [body["params"]["_meta"] for body in sent if body.get("method") == "tools/call"]
    assert meta["traceparent"]
    assert "trilemma.task.id=run-1" in meta["baggage"]
    [client, server] = [span for span in traced.spans() if span.name == "tools/call lookup"]
    assert server.parent is not None
    assert client.context is not None
    assert server.parent.span_id == client.context.span_id
    assert (client.attributes or {})["jsonrpc.request.id"] == (server.attributes or {})["jsonrpc.request.id"]
    assert (server.attributes or {})["trilemma.task.id"] == "run-1"
    assert "initialize >" in traced.tree()


async def test_within_an_agent(traced: Traced) -> None:
    """Where an agent's tool is MCP's, the execution is counted on the agent's span only."""
    async with Client(make_server()) as client:
        with Container(tool(Engine(), "lookup")):
            await client.call_tool("lookup", {"order": "7"})
    assert tools_of(traced)[:2] == ["execute_tool lookup", "  tools/call lookup >"]
    [found] = [span.attributes or {} for span in traced.spans() if span.kind is trace.SpanKind.CLIENT]
    assert "gen_ai.operation.name" not in found


@pytest.mark.parametrize("on", [False, True])
async def test_content(traced: Traced, on: bool, request: pytest.FixtureRequest) -> None:
    """Arguments and result are recorded only where content is on."""
    if on:
        request.getfixturevalue("content")
    async with Client(make_server()) as client:
        await client.call_tool("lookup", {"order": "7"})
    said = [str(span.attributes) for span in traced.spans()]
    assert any("order 7: paid" in text for text in said) is on
    assert any('{"order":"7"}' in text for text in said) is on


async def test_switched_off(traced: Traced) -> None:
    """After uninstrument nothing of ours is left."""
    uninstrument()
    async with Client(make_server()) as client:
        await client.call_tool("lookup", {"order": "7"})
    assert not traced.spans()


@asynccontextmanager
async def serve(app: Any, starlette: Any) -> AsyncIterator[str]:
    """Serve an ASGI app on loopback and return the URL of its MCP endpoint."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    async with starlette.router.lifespan_context(starlette):
        running = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # uvicorn tells by this alone
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
        server.should_exit = True
        await running
