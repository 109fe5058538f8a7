"""Own the proof that a collector's failures stay away from the app: its calls, its log, its exit, its forks."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.instrumentation.export.programs import run_program
from tests.instrumentation.receiver import GrpcReceiver, Receiver

if TYPE_CHECKING:
    from pathlib import Path

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

SPANS = """
    import time, trilemma
    trilemma.instrument()
    started = time.perf_counter()
    for _ in range(5000):
        with trilemma.task("t"):
            pass
    print(time.perf_counter() - started)
"""


def find_free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_collector_away(environment: dict[str, str]) -> None:
    """Without a collector the app runs as fast, ends within seconds, and logs one line that says what to do."""
    endpoint = f"http://127.0.0.1:{find_free_port()}"
    done = run_program(SPANS, environment, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    lines = [line for line in done.stderr.splitlines() if "Queue full" not in line]
    assert len(lines) == 1, done.stderr
    # Which of the two the exporter says depends on where in its attempts the end of the program meets it.
    assert re.search(rf"{endpoint}/v1/traces \((Connection refused|.*timeout, max retries or shutdown.)\)", lines[0])
    assert "trilemma up" in lines[0]
    assert float(done.stdout) < 4
    assert done.duration_s < float(done.stdout) + 8


def test_collector_hangs(environment: dict[str, str]) -> None:
    """A collector that takes the connection and never answers delays the end of the app by seconds, not more."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        quick = run_program("print(0)", environment)
        code = "import trilemma; trilemma.instrument()\nwith trilemma.task('t') as task: pass\ntask.succeed()"
        done = run_program(code, environment, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert done.duration_s < quick.duration_s + 8
    assert re.search("no answer in time|timeout", done.stderr)
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("status", [400, 404, 413, 503])
def test_collector_refuses(receiver: Receiver, environment: dict[str, str], status: int) -> None:
    """A collector that answers with an error is named with it in one line."""
    receiver.status = status
    code = "import trilemma; trilemma.instrument()\nwith trilemma.task('t'): pass"
    done = run_program(code, environment)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "cannot deliver spans" in done.stderr


def test_collector_restarts(environment: dict[str, str]) -> None:
    """Spans of the time without a collector arrive when it is back, with the app running all along."""
    port = find_free_port()
    code = """
        import sys, trilemma
        trilemma.instrument()
        for line in sys.stdin:
            with trilemma.task(line.strip()):
                pass
            trilemma.flush()
            print(line.strip(), flush=True)
    """
    variables = {**environment, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
                 "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}  # fmt: skip
    app = subprocess.Popen(
        [sys.executable, "-c", re.sub("^        ", "", code, flags=re.MULTILINE)],
        env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with app:
        assert app.stdin
        assert app.stdout

        def say(word: str) -> None:
            assert app.stdin
            assert app.stdout
            app.stdin.write(f"{word}\n")
            app.stdin.flush()
            assert app.stdout.readline().strip() == word

        say("away")
        receiver = Receiver(port)
        try:
            say("back")
            assert [span.name for span in receiver.spans()] == ["back", "away"]
        finally:
            app.stdin.close()
            assert app.wait(30) == 0
            receiver.close()


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is no signal on Windows")
@pytest.mark.parametrize("work", ["time.sleep(60)", "threading.Event().wait(60)", "while True: pass"])
def test_sigterm(receiver: Receiver, environment: dict[str, str], work: str) -> None:
    """A program that SIGTERM ends in the middle of its work loses no span, and ends by the signal as ever."""
    code = f"""if True:
        import threading, time, trilemma
        trilemma.instrument()
        with trilemma.task("t"):
            pass
        print("ready", flush=True)
        {work}
    """
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE) as app:
        assert app.stdout
        assert app.stdout.readline() == b"ready\n"
        app.send_signal(signal.SIGTERM)
        assert app.wait(30) == -signal.SIGTERM
    assert [span.name for span in receiver.spans()] == ["t"]


def test_sigterm_of_the_apps_own(receiver: Receiver, environment: dict[str, str]) -> None:
    """A handler that the app has set is left alone."""
    code = """
        import signal, sys, trilemma
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        trilemma.instrument()
        print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)
    """
    assert run_program(code, environment).stdout == "True"


FORK = """
    import os, trilemma
    from opentelemetry import trace
    trilemma.instrument()
    if {before}:
        with trilemma.task("parent before"):
            pass
        trilemma.flush()
    with trilemma.task("parent unsent"):
        pass
    child = os.fork()
    if child == 0:
        with trilemma.task("child") as task:
            pass
        trilemma.outcome(task, "success")
        raise SystemExit
    os.waitpid(child, 0)
"""


@needs_fork
@pytest.mark.parametrize("before", [False, True])
def test_fork(receiver: Receiver, environment: dict[str, str], before: bool) -> None:
    """A forked child exports its own spans and events, whether or not the parent had a connection; none comes twice."""
    run_program(FORK.format(before=before), environment)
    names = sorted(span.name for span in receiver.spans())
    assert names == sorted(["child", "parent unsent", *(["parent before"] if before else [])])
    assert len(receiver.events()) == 1


@needs_fork
def test_fork_with_grpc(environment: dict[str, str]) -> None:
    """A child that is forked before the first export, as by gunicorn --preload, exports over gRPC too."""
    receiver = GrpcReceiver()
    try:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        run_program(FORK.format(before=False), {**environment, **variables})
        assert sorted(receiver.span_names()) == ["child", "parent unsent"]
    finally:
        receiver.close()


@needs_fork
def test_multiprocessing(receiver: Receiver, environment: dict[str, str]) -> None:
    """A child of multiprocessing, which ends past atexit, sends its spans all the same."""
    run_program(
        """
        import multiprocessing, trilemma
        def work():
            with trilemma.task("worked"):
                pass
        trilemma.instrument()
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
        """,
        environment,
    )
    assert [span.name for span in receiver.spans()] == ["worked"]


WSGI = """
import os
import openai, trilemma
trilemma.instrument(service_name="shop")
client = openai.OpenAI()

def app(environ, start_response):
    with trilemma.task("answer") as task:
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
        task.succeed()
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"""


@needs_fork
def test_gunicorn_preload(receiver: Receiver, environment: dict[str, str], tmp_path: Path) -> None:
    """Gunicorn --preload, which forks its workers after the app is loaded, exports from every worker (complaint 24)."""
    (tmp_path / "shop.py").write_text(WSGI)
    port = find_free_port()
    command = ["gunicorn", "--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}", "shop:app"]
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log, start_new_session=True) as server:
        try:
            workers = set()
            ends_at_s = time.monotonic() + 60
            while len(workers) < 2:
                assert time.monotonic() < ends_at_s, (tmp_path / "log").read_text()
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                        workers.add(answer.read())
                except OSError:
                    time.sleep(0.1)
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    calls = [span for span in receiver.spans() if span.name == "chat gpt-4o-mini"]
    tasks = [span for span in receiver.spans() if span.name == "answer"]
    assert len(calls) == len(tasks) >= 2
    assert {span.attributes["trilemma.task.id"] for span in calls} == {
        span.attributes["trilemma.task.id"] for span in tasks
    }
    assert all(span.attributes["trilemma.cost.source"] == "price_table" for span in calls)
