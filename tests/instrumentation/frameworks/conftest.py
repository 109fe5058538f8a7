"""Own the fixtures of the framework tests: the instrumentation into memory, a provider on loopback, trees of spans."""

from __future__ import annotations

import asyncio
import json
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

# Before the frameworks are imported: LiteLLM would fetch its price table, the Agents SDK send its traces.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("LITELLM_TELEMETRY", "False")
os.environ.setdefault("OPENAI_API_KEY", "sk-test")
os.environ.setdefault("ANTHROPIC_API_KEY", "sk-test")
os.environ.setdefault("LANGSMITH_TRACING", "false")

from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from trilemma import guard
from trilemma.instrumentation import instrument, uninstrument

from tests.instrumentation.frameworks.fake_provider import FakeProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

CASES = Path(__file__).parents[2] / "collector_config" / "schema" / "cases"

# Which file needs what. `make test` names the files of each environment; elsewhere those whose framework is not
# installed are left out.
NEEDS = {
    "test_langchain.py": "langchain",
    "test_litellm.py": "litellm",
    "test_litellm_mutated.py": "litellm",
    "test_llama_index.py": "llama_index",
    "test_mcp.py": "mcp",
    "test_openai_agents.py": "agents",
    "test_pydantic_ai.py": "pydantic_ai",
}
collect_ignore = [file for file, package in NEEDS.items() if find_spec(package) is None]


def pytest_configure(config: pytest.Config) -> None:
    """Let frameworks leave their clients open: they close them late or never."""
    config.addinivalue_line("filterwarnings", "ignore:unclosed:ResourceWarning")
    config.addinivalue_line("filterwarnings", "ignore:Unclosed:ResourceWarning")


Record: TypeAlias = "Callable[[str, dict[str, int]], None]"
"""From a name and the calls of each step to nothing, or a failure."""


class Traced:
    """Hold the spans so far."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def instrument(self, **options: Any) -> None:
        """Switch the instrumentation on anew."""
        uninstrument()
        instrument(tracer_provider=self.provider, **options)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Be one step of an app: a trace with a span of the app's own around."""
        with self.provider.get_tracer("app").start_as_current_span(name):
            yield

    def spans(self) -> list[ReadableSpan]:
        """Return the spans that have ended, in the order of their start."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def calls(self) -> list[ReadableSpan]:
        """Return those with a provider: calls."""
        return [span for span in self.spans() if "gen_ai.provider.name" in (span.attributes or {})]

    def agents(self) -> set[Any]:
        """Return the agents that made the calls, as the calls say."""
        return {(span.attributes or {}).get("gen_ai.agent.name") for span in self.calls()}

    def tokens(self) -> tuple[int, int]:
        """Return the sums of the tokens over all spans, whatever they are."""
        names = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
        found = [(span.attributes or {}).get(name, 0) for name in names for span in self.spans()]
        half = len(found) // 2
        return sum(found[:half]), sum(found[half:])  # type: ignore[arg-type]

    def tree(self) -> list[str]:
        """Return the spans as lines: indented by depth, in the order of start, CLIENT ones marked, failures named."""
        spans = self.spans()
        below: dict[int | None, list[ReadableSpan]] = {}
        ids = {span.context.span_id for span in spans if span.context}
        for span in spans:
            parent = span.parent.span_id if span.parent and span.parent.span_id in ids else None
            below.setdefault(parent, []).append(span)
        return [line for span in below.get(None, []) for line in _draw(span, below, "")]


def _draw(span: ReadableSpan, below: dict[int | None, list[ReadableSpan]], indent: str) -> Iterator[str]:
    kind = {SpanKind.CLIENT: " >", SpanKind.SERVER: " <"}.get(span.kind, "")
    failed = f" !{(span.attributes or {}).get('error.type')}" if span.status.status_code is StatusCode.ERROR else ""
    yield f"{indent}{span.name}{kind}{failed}"
    for child in below.get(span.context.span_id if span.context else 0, []):
        yield from _draw(child, below, indent + "  ")


@pytest.fixture
def traced() -> Iterator[Traced]:
    """Trace everything into memory, raise our own errors, and restore afterwards."""
    held = Traced()
    guard.raise_errors(True)
    held.instrument()
    yield held
    uninstrument()
    guard.raise_errors(False)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """Serve OpenAI's and Anthropic's APIs, where the SDKs look for them."""
    running = FakeProvider()
    monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/v1")
    monkeypatch.setenv("OPENAI_API_BASE", f"{running.url}/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", running.url)
    yield running
    running.close()


@pytest.fixture
def own_loop() -> Iterator[None]:
    """Give a sync run, which makes an event loop and leaves it open, one that is closed afterwards."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch, traced: Traced) -> None:
    """Switch the capture of content on."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    traced.instrument()


@pytest.fixture
def recorded(traced: Traced) -> Record:
    """Compare the spans so far with those that the store is tested with; TRILEMMA_RECORD=1 makes them those."""

    def check(name: str, calls: dict[str, int]) -> None:
        path = CASES / f"frameworks+{name}.jsonl"
        lines = [
            json.dumps({"calls": calls}),
            *(json.dumps(_to_row(span), separators=(",", ":")) for span in traced.spans()),
        ]
        if os.environ.get("TRILEMMA_RECORD"):
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        assert _find_shape(path.read_text(encoding="utf-8").splitlines()) == _find_shape(lines)

    return check


def compare_mutated(traced: Traced, provider: FakeProvider, calls: Iterable[Callable[[], Any]], seeds: int) -> None:
    """Hold that calls whose responses are broken do the same with and without us, and are one span each."""
    for call, seed in product(calls, range(seeds)):
        provider.seed = seed
        uninstrument()
        bare = _try(call, provider)
        traced.exporter.clear()
        traced.instrument()
        assert _try(call, provider) == bare, seed
        assert len(traced.calls()) == 1, seed


def _try(call: Callable[[], Any], provider: FakeProvider) -> tuple[str, str]:
    provider.ledger.clear()  # its length is in the responses
    try:
        return "returned", re.sub(r"(chatcmpl|lc_run|req)-[\w-]+|created['=: ]+\d+|0x[0-9a-f]+", "", str(call()))
    except Exception as error:  # noqa: BLE001  # whichever: it is compared
        return "raised", type(error).__name__


def _to_row(span: ReadableSpan) -> dict[str, Any]:
    """Return a span as the collector's exporter inserts it."""
    assert span.context is not None
    assert span.instrumentation_scope is not None
    return {
        "Timestamp": span.start_time,
        "TraceId": f"{span.context.trace_id:032x}",
        "SpanId": f"{span.context.span_id:016x}",
        "ParentSpanId": f"{span.parent.span_id:016x}" if span.parent else "",
        "SpanName": span.name,
        "SpanKind": span.kind.name.capitalize(),
        "ScopeName": span.instrumentation_scope.name,
        "ScopeVersion": "",
        "SpanAttributes": {key: _to_text(value) for key, value in (span.attributes or {}).items()},
        "Duration": (span.end_time or 0) - (span.start_time or 0),
        "StatusCode": span.status.status_code.name.capitalize(),
        "StatusMessage": "",
    }


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, tuple | list) else str(value)


def _find_shape(lines: list[str]) -> tuple[Any, list[tuple[str, ...]]]:
    """Return what must not differ from run to run: which spans lie beneath which, and the tokens of each."""
    head, *rows = map(json.loads, lines)
    names = {row["SpanId"]: row["SpanName"] for row in rows}
    tokens = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
    return head, sorted(
        (
            names.get(row["ParentSpanId"], ""),
            *(row[key] for key in ("SpanName", "SpanKind", "ScopeName", "StatusCode")),
            *(row["SpanAttributes"].get(key, "") for key in tokens),
        )
        for row in rows
    )
