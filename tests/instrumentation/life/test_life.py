"""Hold that in the ways apps live every span arrives, once, and whole: processes, threads, event loops, exits."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.instrumentation.export.programs import run_program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.instrumentation.receiver import ReceivedSpan, Receiver

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

# What the programs share: one call, whole or streamed, within a task of its own.
CALL = """
import os, openai, trilemma
MESSAGES = [{"role": "user", "content": "hi"}]
clients = {}  # one per process: a connection cannot be shared with a fork

def call(name, stream=False):
    client = clients.get(os.getpid()) or clients.setdefault(os.getpid(), openai.OpenAI(max_retries=0))
    with trilemma.task(name):
        return client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=stream)
"""


def find_calls(receiver: Receiver) -> list[ReceivedSpan]:
    """Return the call spans, which must be distinct, priced or streams, and beneath their own task."""
    spans = receiver.spans()
    assert len({(span.trace_id, span.span_id) for span in spans}) == len(spans), "a span came twice"
    tasks = {span.span_id: span for span in spans if span.name != "chat gpt-4o-mini"}
    calls = [span for span in spans if span.name == "chat gpt-4o-mini"]
    for span in calls:
        assert span.attributes["trilemma.task.name"] == tasks[span.parent_span_id].name
        assert span.attributes["gen_ai.response.model"] == "gpt-4o-mini-2024-07-18"
    return calls


def count_tasks(receiver: Receiver) -> dict[str, int]:
    """Return how many calls each task has, and hold that they were read whole."""
    calls = find_calls(receiver)
    names = [str(span.attributes["trilemma.task.name"]) for span in calls]
    for span in calls:
        assert span.attributes["gen_ai.usage.input_tokens"] == 1000
        assert span.attributes["trilemma.cost.source"] == "price_table"
        assert len(str(span.attributes["trilemma.request.hash"])) == 32
    return {name: names.count(name) for name in names}


@needs_fork
def test_fork_while_responses_wait(receiver: Receiver, environment: dict[str, str]) -> None:
    """A fork while responses wait to be read: the parent sends its own, the child only what it did itself."""
    run_program(
        f"""{CALL}
import os
trilemma.instrument()
for _ in range(5):
    call("parent")
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        call("child")
        raise SystemExit
    children.append(child)
for _ in range(5):
    call("parent")
for child in children:
    assert os.waitpid(child, 0)[1] == 0
""",
        environment,
    )
    assert count_tasks(receiver) == {"parent": 10, "child": 3}


@needs_fork
def test_fork_while_another_thread_calls(receiver: Receiver, environment: dict[str, str]) -> None:
    """Forks in the midst of other threads' calls and exports leave no lock held: every child's call arrives."""
    run_program(
        f"""{CALL}
import os, threading
trilemma.instrument()
call("parent")
stop = threading.Event()
def work():
    while not stop.is_set():
        call("thread")
        trilemma.flush()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(6):
    child = os.fork()
    if child == 0:
        call("child")
        trilemma.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
""",
        environment,
    )
    counts = count_tasks(receiver)
    assert (counts["parent"], counts["child"]) == (1, 6)


POOL = """
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from work import call
import trilemma

if __name__ == "__main__":
    trilemma.instrument()
    with ProcessPoolExecutor(2, mp_context=get_context(sys.argv[1]), initializer=trilemma.instrument) as pool:
        assert len(list(pool.map(call, ["pool"] * 6))) == 6
    call("parent")
"""


@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=needs_fork)])
def test_process_pool(receiver: Receiver, environment: dict[str, str], tmp_path: Path, method: str) -> None:
    """The workers of a process pool, forked or spawned, send all their spans before they end."""
    (tmp_path / "work.py").write_text(CALL)
    (tmp_path / "main.py").write_text(POOL)
    done = subprocess.run(
        [sys.executable, "main.py", method], cwd=tmp_path, env=environment, check=False, timeout=120,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert count_tasks(receiver) == {"pool": 6, "parent": 1}


@needs_fork
@pytest.mark.parametrize("end", ["raise SystemExit", "trilemma.flush(); os._exit(0)", "os.kill(os.getpid(), 15)"])
def test_prefork_workers(receiver: Receiver, environment: dict[str, str], end: str) -> None:
    """Workers as Celery has them: forked after instrument() and a warm-up call, fed by a pipe, ended in their way."""
    run_program(
        f"""{CALL}
import os
trilemma.instrument()
call("warm-up")
jobs, add = os.pipe()
workers = []
for _ in range(3):
    worker = os.fork()
    if worker == 0:
        os.close(add)
        while os.read(jobs, 1):
            call("job")
        {end}
    workers.append(worker)
os.write(add, b"j" * 12)
os.close(add)
for worker in workers:
    os.waitpid(worker, 0)
""",
        environment,
    )
    assert count_tasks(receiver) == {"warm-up": 1, "job": 12}


ASGI = (
    CALL
    + """
import asyncio
aclient = openai.AsyncOpenAI(max_retries=0)
trilemma.instrument()

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    with trilemma.task("answer"):
        stream = await aclient.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for chunk in stream:
            text = chunk.choices[0].delta.content or ""
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body"})
"""
)


def find_free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_uvicorn(receiver: Receiver, environment: dict[str, str], tmp_path: Path) -> None:
    """An ASGI app under uvicorn hands streams on; SIGTERM ends it, and every span has arrived."""
    (tmp_path / "shop.py").write_text(ASGI)
    port = find_free_port()
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "--lifespan", "off", "shop:app"]
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log, stdout=log) as server:
        try:
            answers: list[bytes] = []
            ends_at_s = time.monotonic() + 60
            while len(answers) < 5:
                assert time.monotonic() < ends_at_s, (tmp_path / "log").read_text()
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                        answers.append(answer.read())
                except OSError:
                    time.sleep(0.1)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)
    assert answers == [b"Refunded."] * 5
    assert count_tasks(receiver) == {"answer": 5}
    assert {span.attributes["trilemma.response.stream_end"] for span in find_calls(receiver)} == {"exhausted"}


def test_threads(receiver: Receiver, environment: dict[str, str]) -> None:
    """Calls of many threads, whole and streamed, each have their span beneath the right task."""
    run_program(
        f"""{CALL}
from concurrent.futures import ThreadPoolExecutor
trilemma.instrument()
def work(number):
    if number % 2:
        return call("whole")
    return list(call("streamed", stream=True))
with ThreadPoolExecutor(8) as pool:
    list(pool.map(work, range(60)))
""",
        environment,
    )
    assert count_tasks(receiver) == {"whole": 30, "streamed": 30}


def test_nested_event_loops(receiver: Receiver, environment: dict[str, str]) -> None:
    """A loop in a thread of a loop, and a sync call within a coroutine: each call beneath the task it was made in."""
    run_program(
        f"""{CALL}
import asyncio
trilemma.instrument()
async def acall(name):
    async with openai.AsyncOpenAI(max_retries=0) as aclient:
        with trilemma.task(name):
            return await aclient.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
async def main():
    with trilemma.task("outer"):
        await asyncio.gather(acall("first"), acall("second"))
        call("sync within")
        await asyncio.to_thread(lambda: asyncio.run(acall("inner loop")))
asyncio.run(main())
asyncio.run(acall("second run"))
""",
        environment,
    )
    assert count_tasks(receiver) == dict.fromkeys(("first", "second", "sync within", "inner loop", "second run"), 1)


ABANDONED = {
    "dropped": "next(iter(call('left', stream=True)))",
    "never read": "call('left', stream=True)",
    "held at exit": "held = call('left', stream=True); next(held)",
    "in a cycle": "held = [call('left', stream=True)]; next(held[0]); held.append(held); del held",
    "generator left": "made = (chunk for chunk in call('left', stream=True)); next(made); del made",
    "async, loop ends": (
        "import asyncio\\n"
        "async def main():\\n"
        "    with trilemma.task('left'):\\n"
        "        create = openai.AsyncOpenAI().chat.completions.create\\n"
        "        made = await create(model='gpt-4o-mini', messages=MESSAGES, stream=True)\\n"
        "    async for _ in made: break\\n"
        "asyncio.run(main())"
    ),
}


@pytest.mark.parametrize("way", ABANDONED)
def test_stream_left(receiver: Receiver, environment: dict[str, str], way: str) -> None:
    """A stream that the app leaves, in whatever way, is one span by the exit at the latest."""
    run_program(f"{CALL}\ntrilemma.instrument()\n{ABANDONED[way]}\n".replace("\\n", "\n"), environment)
    if way == "never read":
        [span] = [span for span in receiver.spans() if span.name == "chat gpt-4o-mini"]
    else:
        [span] = find_calls(receiver)
    assert span.attributes["trilemma.response.stream_end"] in {"abandoned", "closed"}


@pytest.mark.parametrize(
    "end",
    ["", "raise SystemExit(0)", "import threading; threading.Thread(target=lambda: call('last')).start()",
     "import atexit; atexit.register(call, 'last')"],
)  # fmt: skip
def test_exit(receiver: Receiver, environment: dict[str, str], end: str) -> None:
    """At any orderly end, a call of a thread that outlives the main one or of an exit handler included, all arrive."""
    run_program(f"{CALL}\ntrilemma.instrument()\ncall('first')\n{end}\n", environment)
    assert count_tasks(receiver) == {"first": 1, **({"last": 1} if "last" in end else {})}
