"""Own the proof that a task reaches what runs elsewhere: threads, asyncio, other processes by W3C baggage."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import textwrap
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import trilemma
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.propagate import extract, inject
from trilemma import task_attributes

if TYPE_CHECKING:
    from tests.instrumentation.receiver import Receiver
    from tests.instrumentation.task.conftest import Telemetry


def test_threads(telemetry: Telemetry) -> None:
    """A new thread knows no task; with `carry`, or in a copied context, it knows the one it was started from."""
    with trilemma.task("t") as task, ThreadPoolExecutor(4) as pool:
        bare = pool.submit(trilemma.current_task_id).result()
        carried = list(pool.map(trilemma.carry(lambda _: trilemma.current_task_id()), range(20)))
        copied = pool.submit(contextvars.copy_context().run, trilemma.current_task_id).result()
    assert bare is None
    assert carried == [task.id] * 20
    assert copied == task.id


def test_carry_leaves_no_trace(telemetry: Telemetry) -> None:
    """What a carried function does, result or exception, is the function's; its thread is as before."""
    seen = []

    def work(number: int, *, fail: bool) -> int:
        """Work."""
        if fail:
            raise KeyError(number)
        return number * 2

    with trilemma.task("t"):
        carried = trilemma.carry(work)

    def run() -> None:
        before = get_current()
        seen.append(carried(21, fail=False))
        with pytest.raises(KeyError):
            carried(1, fail=True)
        seen.append(get_current() is before)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [42, True]
    assert (carried.__name__, carried.__doc__) == ("work", "Work.")


async def test_asyncio(telemetry: Telemetry) -> None:
    """Tasks of asyncio, and functions it runs in threads, know the task they were started from."""
    with trilemma.task("t") as task:
        spawned = asyncio.create_task(asyncio.sleep(0, result=None))
        in_thread = await asyncio.to_thread(trilemma.current_task_id)

        async def ask() -> str | None:
            await asyncio.sleep(0)
            return trilemma.current_task_id()

        in_task = asyncio.create_task(ask())
        await spawned
    assert await in_task == task.id
    assert in_thread == task.id


def test_baggage_round_trip(telemetry: Telemetry) -> None:
    """What leaves by headers comes in as the same attributes, and nothing else of the task leaves."""
    headers: dict[str, str] = {}
    with trilemma.task("support.refund", input_id="case 7", version="2026.11", variant={"cache": "exact"}, value=3,
                       prompt_name="refund", prompt_version="v2"):  # fmt: skip
        inject(headers)
        here = dict(task_attributes())
    there = task_attributes(extract(headers, context=Context()))
    assert there == here
    assert "2026.11" not in headers["baggage"]
    assert set(headers) == {"traceparent", "baggage"}


TEXT = st.text(max_size=40)


@settings(max_examples=300, deadline=None)
@given(TEXT.filter(str.strip), TEXT, TEXT, TEXT)
def test_any_text_survives_the_headers(name: str, input_id: str, label: str, version: str) -> None:
    """Any text, with commas, percent signs, line ends, emoji or lone surrogates, comes through headers unchanged."""
    headers: dict[str, str] = {}
    with trilemma.task(name, input_id=input_id, variant=label, prompt_version=version):
        inject(headers)
        here = dict(task_attributes())
    assert headers["baggage"].isascii()
    assert not any(character in headers["baggage"] for character in "\r\n \"';\\")
    assert task_attributes(extract(headers, context=Context())) == here


def test_baggage_is_limited() -> None:
    """Long values stay in the process; the id goes first, and what the app itself has in its baggage stays."""
    headers: dict[str, str] = {}
    token = attach(baggage.set_baggage("app", "own"))
    try:
        with trilemma.task("t", id="run-1", input_id="x" * 5000, prompt_name="é" * 500, variant="B") as task:
            inject(headers)
            assert task_attributes()["trilemma.task.input_id"] == "x" * 5000
    finally:
        detach(token)
    assert len(headers["baggage"]) < 2048 + len("app=own,")
    assert "app=own" in headers["baggage"]
    there = task_attributes(extract(headers, context=Context()))
    assert there["trilemma.task.id"] == task.id
    assert "trilemma.task.input_id" not in there
    assert "gen_ai.prompt.name" not in there


def test_nested_baggage() -> None:
    """An inner task's headers hold nothing of the outer one."""
    headers: dict[str, str] = {}
    with trilemma.task("outer", input_id="a", variant={"cache": "exact"}), trilemma.task("inner") as inner:
        inject(headers)
    assert task_attributes(extract(headers, context=Context())) == {
        "trilemma.task.name": "inner",
        "trilemma.task.id": inner.id,
    }


def test_a_message_within_a_task(telemetry: Telemetry) -> None:
    """A worker's own task gives way to the one a message brings, for as long as the message is worked on."""
    message: dict[str, str] = {}
    with trilemma.task("sent", id="sent-1"):
        inject(message)
    with trilemma.task("worker") as worker:
        token = attach(extract(message))
        assert (trilemma.current_task_id(), trilemma.current_task()) == ("sent-1", None)
        with trilemma.task("step") as step:
            assert trilemma.current_task() is step
        detach(token)
        assert trilemma.current_task() is worker


def test_foreign_baggage_is_no_task() -> None:
    """Baggage without a task's id is none, and other people's keys are not taken for a task's."""
    assert task_attributes(extract({"baggage": "trilemma.task.name=x,userId=7"}, context=Context())) == {}
    there = task_attributes(extract({"baggage": "trilemma.task.id=7,userId=8"}, context=Context()))
    assert there == {"trilemma.task.id": "7"}


SERVER = """
    import http.server, sys
    import openai, trilemma
    from opentelemetry.context import attach, detach
    from opentelemetry.propagate import extract

    trilemma.instrument(service_name="answers")
    client = openai.OpenAI()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            token = attach(extract(self.headers))
            try:
                client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
                body = trilemma.current_task_id().encode()
                trilemma.outcome(trilemma.current_task_id(), "failure", failure_mode="too_late", source="judge")
            finally:
                detach(token)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.handle_request()
"""


def test_two_processes_by_http(telemetry: Telemetry, receiver: Receiver, environment: dict[str, str]) -> None:
    """A task opened here is on the LLM call of another process, reached by HTTP, in one trace; it can judge it too."""
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVER)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        with trilemma.task("support.refund", input_id="case-7", variant={"route": "small"}) as task:
            headers: dict[str, str] = {}
            inject(headers)
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.read().decode() == task.id
        assert server.wait(30) == 0, server.stderr and server.stderr.read()
    [call] = receiver.spans()
    assert (call.scope, call.resource["service.name"]) == ("trilemma", "answers")
    assert call.attributes["gen_ai.usage.input_tokens"] == 1000
    assert {key: call.attributes[key] for key in task.attributes} == task.attributes
    context = task.span.get_span_context()
    assert (call.trace_id, call.parent_span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    [event] = receiver.events()
    assert event.attributes["trilemma.task.id"] == task.id
    assert event.attributes["trilemma.task.failure_mode"] == "too_late"


CHILD = """
    import os
    import trilemma
    from opentelemetry.context import attach
    from opentelemetry.propagate import extract

    attach(extract({key.lower(): value for key, value in os.environ.items()}))
    print(trilemma.task_attributes())
"""


def test_two_processes_by_environment(telemetry: Telemetry, environment: dict[str, str]) -> None:
    """A child process that is given the headers as environment variables runs in the task."""
    with trilemma.task("t", variant={"cache": "exact"}) as task:
        headers: dict[str, str] = {}
        inject(headers)
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(CHILD)],
            env={**environment, **{key.upper(): value for key, value in headers.items()}},
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
    assert child.stdout.strip() == str(dict(task.attributes))
