"""Hold what switching the instrumentation on and off does to the SDKs, in whatever order things are imported."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import textwrap
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, TypeAlias

import pytest
from trilemma.errors import ProviderNotFoundError
from trilemma.instrumentation import instrument, uninstrument
from trilemma.providers import PROVIDERS, load_provider

State: TypeAlias = "dict[str, dict[str, Any]]"


def take_state(sdk: str) -> State:
    """Return every attribute of the SDK's modules, those that are hooked in any case, and of the classes in them."""
    import_module(sdk)
    for name in (f"{sdk}.client", *(hook.module for hook in load_provider(sdk).hooks)):
        with contextlib.suppress(ImportError):  # of another SDK, or of another release
            import_module(name)
    state: State = {}
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and f"{name}.".startswith(f"{sdk}."):
            state[name] = dict(vars(module))
            for found in list(vars(module).values()):
                if isinstance(found, type) and found.__module__ == name:
                    state[f"{name}.{found.__qualname__}"] = dict(vars(found))
    return state


def list_changes(before: State, after: State) -> list[str]:
    """Return what is another object than it was, or gone."""
    missing = object()
    return [
        f"{owner}.{name}"
        for owner, attributes in before.items()
        for name, value in attributes.items()
        if after.get(owner, {}).get(name, missing) is not value
        and not name.startswith("__pydantic_")  # a model is made when it is first used
    ]


@pytest.mark.parametrize("sdk", PROVIDERS)
def test_restores_exactly(sdk: str) -> None:
    """After uninstrument every attribute of the SDK is the very object it was, and none is more."""
    if find_spec(sdk.partition(".")[0]) is None:
        pytest.skip(f"{sdk} is not installed here: it needs another environment")
    uninstrument()
    take_state(sdk)  # which imports what the hooks are in
    before = take_state(sdk)
    instrument()
    during = take_state(sdk)
    uninstrument()
    after = take_state(sdk)
    assert list_changes(before, during) or list_changes(during, before)
    assert not list_changes(before, after)
    assert not list_changes(after, before)


def test_twice_is_once() -> None:
    """Instrumenting again, also by name, does nothing more."""
    instrument()
    first = take_state("openai")
    instrument(["openai"])
    instrument()
    assert not list_changes(first, take_state("openai"))
    uninstrument()


def test_one_provider_only() -> None:
    """Only what is asked for by name is patched."""
    uninstrument()
    before = take_state("anthropic")
    instrument("openai")  # type: ignore[arg-type]  # a lone name is as clear
    assert not list_changes(before, take_state("anthropic"))
    uninstrument()


def test_unknown_provider() -> None:
    """A name that is not known is an error that lists the known ones."""
    with pytest.raises(ProviderNotFoundError, match=r"'opnai'.*anthropic.*langchain.*openai"):
        instrument(["opnai"])


def test_missing_sdk_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK that was asked for by name and is not installed is an error that says what to install."""
    monkeypatch.setitem(PROVIDERS, "not_installed_sdk", "trilemma.providers.openai")
    with pytest.raises(ProviderNotFoundError, match="pip install not_installed_sdk"):
        instrument(["not_installed_sdk"])


def test_missing_sdk_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK that nobody asked for and that is not installed is passed over without a word."""
    monkeypatch.setitem(PROVIDERS, "not_installed_sdk", "trilemma.providers.openai")
    instrument()
    uninstrument()


def run(program: str) -> Any:
    """Run a program in a process of its own and return the JSON that it prints last."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


CALL = """
import json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))

def call(client):
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])

def make():
    import openai
    from tests.instrumentation.providers.cases import CHAT
    from tests.instrumentation.providers.wire import ManualClock, Script, make_client, reply_whole
    return make_client(CHAT, Script(ManualClock(), reply_whole(CHAT.name)))
"""


@pytest.mark.parametrize(
    "order",
    [
        ["instrument()", "client = make()", "trace.set_tracer_provider(provider)"],
        ["client = make()", "instrument()", "trace.set_tracer_provider(provider)"],
        ["trace.set_tracer_provider(provider)", "client = make()", "instrument()"],
        ["client = make()", "instrument(tracer_provider=provider)"],
        ["instrument()", "uninstrument()", "client = make()", "trace.set_tracer_provider(provider)", "instrument()"],
    ],
)
def test_any_order(order: list[str]) -> None:
    """A call has its span whatever came first: instrument, the SDK's import, the client, or the tracer provider."""
    lines = [CALL, "from trilemma.instrumentation import instrument, uninstrument", *order, "call(client)"]
    lines.append("print(json.dumps([span.name for span in exporter.get_finished_spans()]))")
    assert run("\n".join(textwrap.dedent(line) for line in lines)) == ["chat gpt-4o"]


def test_imports_no_sdk() -> None:
    """Instrumenting imports no provider SDK, no provider file, no prices, no ClickHouse, pandas or numpy."""
    program = """
        import sys, json
        from trilemma.instrumentation import instrument
        instrument()
        heavy = {"openai", "anthropic", "genai_prices", "pydantic", "chdb", "clickhouse_connect", "numpy", "pandas",
                 "trilemma.providers.openai", "trilemma.providers.anthropic"}
        print(json.dumps(sorted(heavy & set(sys.modules))))
    """
    assert run(program) == []


def test_request_hash_across_processes() -> None:
    """Equal requests have equal hashes in every process, and others have others."""
    program = f"""
{CALL}
from trilemma.instrumentation import instrument
instrument(tracer_provider=provider)
client = make()
call(client)
client.chat.completions.create(model="gpt-4o", messages=[{{"role": "user", "content": "ho"}}])
print(json.dumps([span.attributes["trilemma.request.hash"] for span in exporter.get_finished_spans()]))
"""
    first, second = run(program), run(program)
    assert first == second
    assert len(set(first)) == 2
