"""Own the proof of `trilemma run`: programs as users start them, in real processes, with the real openai SDK."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.instrumentation.export.test_failures import find_free_port

if TYPE_CHECKING:
    from tests.instrumentation.fake_openai import FakeOpenAI
    from tests.instrumentation.receiver import Receiver

TRILEMMA = str(Path(sys.executable).with_name("trilemma"))
APP = """
import sys
import openai

client = openai.OpenAI()
answer = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}])
print(answer.choices[0].message.content, *sys.argv[1:])
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Write a program that knows nothing of trilemma."""
    path = tmp_path / "shop.py"
    path.write_text(APP)
    return path


def run_trilemma(
    words: list[str], environment: dict[str, str], directory: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `trilemma run` with words after it."""
    return subprocess.run(
        [TRILEMMA, "run", *words], env=environment, cwd=directory, input=stdin, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


def test_a_program_without_code(app: Path, receiver: Receiver, environment: dict[str, str]) -> None:
    """A program that knows nothing of trilemma has its calls traced, priced and exported; its output is its own."""
    done = run_trilemma(["--", "python", str(app), "--option", "-x"], environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Refunded. --option -x\n", "")
    [call] = receiver.spans()
    assert (call.scope, call.name) == ("trilemma", "chat gpt-4o-mini")
    assert call.attributes["gen_ai.usage.output_tokens"] == 100
    assert call.attributes["trilemma.cost.total"] == pytest.approx(0.00021)
    assert call.resource["service.name"] == "shop"
    assert "Hello" not in str(call)


@pytest.mark.parametrize(
    "words", [["-m", "shop", "a"], ["-X", "dev", "shop.py", "a"], ["-c", "import runpy; runpy.run_path('shop.py')"]]
)
def test_ways_to_start_python(app: Path, receiver: Receiver, environment: dict[str, str], words: list[str]) -> None:
    """Modules, Python's own options and -c are passed on as they are."""
    done = run_trilemma(["--", "python", *words], environment, app.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Refunded.")
    assert len(receiver.spans()) == 1


def test_without_separator(app: Path, receiver: Receiver, environment: dict[str, str]) -> None:
    """The -- may be left out, options of the program's stay its own, and a .py file alone runs with this Python."""
    done = run_trilemma(["--service-name", "till", str(app), "--", "-v"], environment)
    assert (done.returncode, done.stdout) == (0, "Refunded. -- -v\n"), done.stderr
    assert receiver.spans()[0].resource["service.name"] == "till"


def test_options(app: Path, receiver: Receiver, environment: dict[str, str]) -> None:
    """Endpoint, service name and content are set by options, and go before the variables."""
    environment = {**environment, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SERVICE_NAME": "other"}
    options = ["--endpoint", receiver.url, "--protocol", "http/protobuf", "--service-name", "till", "--content"]
    done = run_trilemma([*options, "--", "python", str(app)], environment)
    assert (done.returncode, done.stderr) == (0, "")
    [call] = receiver.spans()
    assert call.resource["service.name"] == "till"
    assert "Hello" in call.attributes["gen_ai.input.messages"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(7)", 7), ("1/0", 1), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9)],
)
def test_exit_codes(environment: dict[str, str], code: str, expected: int) -> None:
    """The program's exit code is the command's."""
    assert run_trilemma(["--", "python", "-c", code], environment).returncode == expected


def test_streams_and_signals(receiver: Receiver, environment: dict[str, str]) -> None:
    """Standard input reaches the program, and a signal to the command is a signal to the program, in one process."""
    code = """if True:
        import signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(41))
        print(sys.stdin.readline(), flush=True)
        signal.pause()
    """
    with subprocess.Popen(
        [TRILEMMA, "run", "--", "python", "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    ) as running:  # fmt: skip
        assert running.stdin
        assert running.stdout
        running.stdin.write("hello\n")
        running.stdin.flush()
        assert running.stdout.readline() == "hello\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 41


def test_child_processes(app: Path, receiver: Receiver, environment: dict[str, str]) -> None:
    """Every Python that the program starts is traced too, by subprocess and by both ways of multiprocessing."""
    code = f"""
        import multiprocessing, runpy, subprocess, sys
        def work():
            runpy.run_path({str(app)!r})
        if __name__ == "__main__":
            subprocess.run([sys.executable, {str(app)!r}], check=True)
            for method in ("spawn", "fork"):
                child = multiprocessing.get_context(method).Process(target=work)
                child.start()
                child.join()
                assert child.exitcode == 0
    """
    parent = app.with_name("parent.py")
    parent.write_text(textwrap.dedent(code))
    done = run_trilemma(["--", "python", str(parent)], environment)
    assert done.returncode == 0, done.stderr
    assert len(receiver.spans()) == 3
    assert {span.resource["service.name"] for span in receiver.spans()} == {"parent"}


def test_uvicorn(receiver: Receiver, environment: dict[str, str], tmp_path: Path) -> None:
    """An ASGI server started by its own command is traced, its async calls included."""
    (tmp_path / "web.py").write_text("""
import openai
client = openai.AsyncOpenAI()
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})
""")
    port = find_free_port()
    command = [TRILEMMA, "run", "--", "uvicorn", "--port", str(port), "--log-level", "warning", "web:app"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as server:
        try:
            assert wait_for_page(port) == b"done"
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) in {0, -signal.SIGTERM}
    assert [span.name for span in receiver.spans()] == ["chat gpt-4o-mini"]
    assert receiver.spans()[0].resource["service.name"] == "uvicorn"


def wait_for_page(port: int, limit_s: float = 60.0) -> bytes:
    """Ask a server for a page until it answers."""
    ends_at_s = time.monotonic() + limit_s
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                return bytes(answer.read())
        except OSError:
            assert time.monotonic() < ends_at_s
            time.sleep(0.1)


def test_the_apps_sitecustomize(app: Path, receiver: Receiver, environment: dict[str, str]) -> None:
    """A sitecustomize of the app's own runs as before, and before any of its code."""
    (app.parent / "sitecustomize.py").write_text("import builtins; builtins.mark = 'own sitecustomize'\n")
    (app.parent / "more.py").write_text(
        "import runpy, sitecustomize\nprint(mark, sitecustomize.__file__)\nrunpy.run_path('shop.py')\n"
    )
    environment = {**environment, "PYTHONPATH": str(app.parent)}
    done = run_trilemma(["--", "python", "more.py"], environment, app.parent)
    assert done.stdout.splitlines() == [f"own sitecustomize {app.parent / 'sitecustomize.py'}", "Refunded."], (
        done.stderr
    )
    assert len(receiver.spans()) == 1


def test_a_broken_sitecustomize(app: Path, receiver: Receiver, environment: dict[str, str]) -> None:
    """An error in the app's own sitecustomize is reported by Python as ever, and the program is traced."""
    (app.parent / "sitecustomize.py").write_text("1/0\n")
    environment = {**environment, "PYTHONPATH": str(app.parent)}
    done = run_trilemma(["--", "python", str(app)], environment)
    assert "ZeroDivisionError" in done.stderr
    assert len(receiver.spans()) == 1


def test_the_apps_own_provider(app: Path, receiver: Receiver, environment: dict[str, str]) -> None:
    """A program that sets up OpenTelemetry itself keeps its provider and exporters; --endpoint adds one more."""
    own = app.with_name("own.py")
    own.write_text("""
import runpy
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, ConsoleSpanExporter
provider = TracerProvider()
exporter = ConsoleSpanExporter(formatter=lambda span: "own: " + span.name + chr(10))
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
runpy.run_path("shop.py")
""")
    done = run_trilemma(["--", "python", "own.py"], environment, app.parent)
    assert (done.stdout.splitlines(), done.stderr) == (["own: chat gpt-4o-mini", "Refunded."], "")
    assert receiver.spans() == []
    run_trilemma(["--endpoint", receiver.url, "--", "python", "own.py"], environment, app.parent)
    assert len(receiver.spans()) == 1


def test_a_python_without_trilemma(environment: dict[str, str], tmp_path: Path) -> None:
    """A Python that cannot import trilemma runs its program untraced, with one line that says how to change that."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    (tmp_path / "openai.py").write_text("print('an SDK')\n")
    done = run_trilemma(["--", python, "-c", "import openai; print('runs')"], environment, tmp_path)
    assert (done.returncode, done.stdout) == (0, "an SDK\nruns\n")
    [line] = done.stderr.splitlines()
    assert f"{python} -m pip install trilemma" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "needs a program"),
        (["--"], "needs a program"),
        (["--", "no-such-program"], "'no-such-program' on PATH"),
        (["--endpoint", "nonsense", "--", "python", "-c", "print('ran')"], "'nonsense/v1/traces'"),
    ],
)
def test_bad_commands(environment: dict[str, str], words: list[str], message: str) -> None:
    """A command that cannot run is an error with the next step, exit code 1, and nothing is started."""
    done = run_trilemma(words, environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_bad_variable(environment: dict[str, str]) -> None:
    """A variable that cannot work stops `trilemma run` before the program; a program that sets one runs untraced."""
    bad = {**environment, "OTEL_TRACES_EXPORTER": "zipkin"}
    done = run_trilemma(["--", "python", "-c", "print('ran')"], bad)
    assert (done.returncode, done.stdout) == (1, "")
    assert "OTEL_TRACES_EXPORTER=zipkin" in done.stderr
    code = """if True:
        import os, subprocess, sys
        os.environ["OTEL_TRACES_EXPORTER"] = "zipkin"
        subprocess.run([sys.executable, "-c", "import openai; print(1)"])
    """
    done = run_trilemma(["--", "python", "-c", code], environment)
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert "runs untraced" in done.stderr


def test_costs_little_where_no_llm_is_called(environment: dict[str, str]) -> None:
    """A process that imports no provider's SDK loads nothing of trilemma, of OpenTelemetry or of anything heavy."""
    code = "import sys; loaded = {name.partition('.')[0] for name in sys.modules} - {'sitecustomize'}\n"
    code += "print(sorted(loaded - sys.stdlib_module_names))"
    bare = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run_trilemma(["--", "python", "-c", code], environment).stdout == bare.stdout


def test_imports_stay_as_they_are(environment: dict[str, str]) -> None:
    """The watch for imports leaves modules, loaders and import hooks as they would be, and goes when it has done."""
    code = """if True:
        import sys
        try:
            import openai.nonsense
        except ModuleNotFoundError as error:
            print(error.name)
        import anthropic, openai, trilemma
        print(type(openai.__loader__).__name__, type(openai.__spec__.loader).__name__, vars(openai.__loader__).keys())
        print([finder for finder in sys.meta_path if "Watch" in type(finder).__name__])
        print(hasattr(anthropic._base_client.SyncAPIClient.request, "__wrapped__"))
        print(hasattr(openai._base_client.SyncAPIClient.request, "__wrapped__"))
    """
    done = run_trilemma(["--", "python", "-c", code], environment)
    assert done.stdout.splitlines()[0] == "openai.nonsense"
    assert "SourceFileLoader SourceFileLoader dict_keys(['name', 'path'])" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-3:] == ["[]", "True", "True"]


def test_tasks_without_a_providers_sdk(receiver: Receiver, environment: dict[str, str]) -> None:
    """A program that only opens tasks exports them too."""
    done = run_trilemma(["--", "python", "-c", "import trilemma\nwith trilemma.task('t'): pass"], environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert [span.name for span in receiver.spans()] == ["t"]


def test_sigterm(receiver: Receiver, environment: dict[str, str], app: Path) -> None:
    """A traced program that SIGTERM ends sends its last spans; an untraced one ends as ever."""
    for words, count in ((["-c", "import time; print(1, flush=True); time.sleep(60)"], 0), ([str(app), "wait"], 1)):
        app.write_text(APP + "\nsys.stdout.flush(); import time; time.sleep(60)\n")
        command = [TRILEMMA, "run", "--", "python", *words]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as running:
            assert running.stdout
            running.stdout.readline()
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == -signal.SIGTERM
        assert len(receiver.spans()) == count


@pytest.mark.parametrize("distro", [True, False])
def test_opentelemetry_instrument(
    app: Path, receiver: Receiver, openai_server: FakeOpenAI, environment: dict[str, str], distro: bool
) -> None:
    """OpenTelemetry's own command loads trilemma by its entry point; its distribution exports, or we do: one span."""
    if not distro:
        environment = {**environment, "OTEL_PYTHON_DISTRO": "none", "OTEL_PYTHON_CONFIGURATOR": "none"}
    command = ["opentelemetry-instrument", "--exporter_otlp_protocol", "http/protobuf", "python", str(app)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "Refunded.\n"), done.stderr
    [call] = receiver.spans()
    assert (call.scope, call.name) == ("trilemma", "chat gpt-4o-mini")
    assert len(openai_server.headers) == 1
    assert ("telemetry.distro.name" in call.resource) == (not distro)


def test_both_commands(app: Path, receiver: Receiver, environment: dict[str, str]) -> None:
    """`trilemma run -- opentelemetry-instrument ...` traces each call once."""
    words = ["--", "opentelemetry-instrument", "--exporter_otlp_protocol", "http/protobuf", "python", str(app)]
    done = run_trilemma(words, environment)
    assert done.returncode == 0, done.stderr
    assert [span.name for span in receiver.spans()] == ["chat gpt-4o-mini"]


def test_environment_of_the_program(environment: dict[str, str]) -> None:
    """The program's environment is as it was, but for PYTHONPATH, the service's name and what is ours."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    seen = json.loads(run_trilemma(["--", "python", "-c", code], environment).stdout)
    changed = {key for key in seen.keys() | environment.keys() if seen.get(key) != environment.get(key)}
    expected = {"PYTHONPATH", "OTEL_SERVICE_NAME", "TRILEMMA_RUN_MODULES"}
    assert changed - {"LC_CTYPE", "__CF_USER_TEXT_ENCODING"} <= expected
    assert seen["PYTHONPATH"].split(os.pathsep)[0].endswith("bootstrap")
