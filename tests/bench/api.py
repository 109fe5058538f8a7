"""Own the measurement of what is not the call itself: a price, a task, an import, a start by `trilemma run`.

Each is measured beside its floor in turns, in CPU time, so that a busy machine changes both alike.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import genai_prices
import trilemma
from genai_prices import Usage
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from trilemma.price import price_call
from trilemma.providers import PROVIDERS
from trilemma.task_spans import TaskSpanProcessor
from trilemma.telemetry import find_providers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.trace import Tracer

ROUNDS, LOOPS, STARTS = 15, 4000, 12
NOW_S = 1.79e9
RECORD = {
    "operation": "chat", "provider": "openai", "server_address": "api.openai.com", "request_model": "gpt-4o-mini",
    "response_model": "gpt-4o-mini-2024-07-18", "service_tier": "default", "input_tokens": 1200, "output_tokens": 180,
    "cache_read_tokens": 1024,
}  # fmt: skip
FACTS = {"trilemma.task.outcome": "success", "trilemma.task.outcome_source": "system"}


def main(_: Sequence[str]) -> int:
    """Measure and print a table: what, its floor, the ratio."""
    print("| what | µs | floor | µs | ratio |\n|---|---:|---|---:|---:|")
    compare("price of a call", lambda: price_call(RECORD, NOW_S), "genai-prices' own calc_price", ask_library)
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("bench")
    find_providers(lambda: provider)
    carried = {**trilemma.task("support.refund", **COMBINATION).attributes}

    def bare_span() -> None:
        with tracer.start_as_current_span("support.refund", attributes=carried) as span:
            span.set_attributes(FACTS)

    compare("a task with its combination and outcome", open_task, "a bare span with the same attributes", bare_span)
    compare_processor(carried)
    compare_decisions(provider, tracer)
    find_providers()
    compare_starts("import trilemma", ["-c", "import trilemma"], "import of OpenTelemetry's API", ["-c", API])
    switched = "import and instrument() after OpenTelemetry's SDK"
    compare_starts(switched, ["-c", SWITCH], "the SDK with a provider", ["-c", SDK])
    with_sdks = "the same with openai and anthropic imported"
    compare_starts(with_sdks, ["-c", LLMS + SWITCH], "all of it but trilemma", ["-c", LLMS + SDK])
    compare_starts(
        "start of a Python by trilemma run", ["-c", "pass"], "start of a Python", ["-c", "pass"], by_run=True
    )
    return 0


ROUTES, CHAIN = {"small": 0.9, "large": 0.1}, {"small": lambda: "yes"}
EXPERIMENT = trilemma.experiment("refund.context", {"top-3": 9, "top-10": 1}, unit="user", axis="context")
PROMPT = trilemma.prompt("refund", "Shall we refund case {case}?")
COMBINATION = {"input_id": "case-7", "prompt_name": "refund", "prompt_version": "v2", "variant": {"cache": "exact"}}
API = "import opentelemetry.trace, opentelemetry.baggage"
SDK = (
    "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider; "
    "trace.set_tracer_provider(TracerProvider())"
)
LLMS = "import openai, anthropic; "
SWITCH = f"{SDK}; import trilemma; trilemma.instrument()"


def open_task() -> None:
    """Run an empty task."""
    with trilemma.task("support.refund", **COMBINATION) as task:
        task.succeed()


def decide_ten() -> None:
    """Run a task with ten decisions, of every kind."""
    with trilemma.task("support.refund", input_id="case-7") as task:
        EXPERIMENT.assign("user-7")
        trilemma.route("model", ROUTES, policy_version="p1")
        with trilemma.context("kb", budget_tokens=2000) as blocks:
            blocks.keep("Refunds within 30 days.", id="policy", source="kb", tokens=120, score=0.9)
            blocks.drop("Our new office.", id="blog", source="kb", tokens=80, reason="low score")
        PROMPT.use("case")
        for name in ("answers", "pages"):
            with trilemma.cache(name, kind="semantic") as look:
                look.hit(similarity=0.93, saved_cost=0.002)
        for stage in ("input", "output"):
            with trilemma.guardrail("pii", stage=stage) as check:
                check.block("card number")
        trilemma.fallback("answer", CHAIN)
        task.succeed()


class Reader(SpanProcessor):
    """Look at what each span says, as an exporter does: a late span is written then."""

    def on_end(self, span: ReadableSpan) -> None:
        """Look."""
        assert span.attributes is not None


def compare_decisions(provider: TracerProvider, tracer: Tracer) -> None:
    """Measure a task with ten decisions beside its eleven spans, started and ended by hand with the same attributes."""
    kept = InMemorySpanExporter()
    processor = SimpleSpanProcessor(kept)
    provider.add_span_processor(processor)
    decide_ten()
    spans = sorted(kept.get_finished_spans(), key=lambda span: span.start_time or 0)
    processor.shutdown()
    provider._active_span_processor._span_processors = (Reader(),)
    whole, *decisions = [(span.name, dict(span.attributes or {})) for span in spans]
    assert len(decisions) == 10, [name for name, _ in decisions]

    def bare_spans() -> None:
        with tracer.start_as_current_span(whole[0], attributes=whole[1]):
            for name, attributes in decisions:
                with tracer.start_as_current_span(name, attributes=attributes):
                    pass

    compare("a task with ten decisions", decide_ten, "its eleven spans by hand, same attributes", bare_spans, few=True)


def ask_library() -> None:
    """Price the record by the library alone."""
    usage = Usage(input_tokens=1200, output_tokens=180, cache_read_tokens=1024)
    genai_prices.calc_price(usage, "gpt-4o-mini-2024-07-18", provider_id="openai")


def compare_processor(carried: dict[str, str]) -> None:
    """Measure a span beneath a task with TaskSpanProcessor, beside one that is given the attributes by hand."""
    with_processor, without = (TracerProvider(shutdown_on_exit=False) for _ in range(2))
    with_processor.add_span_processor(TaskSpanProcessor())
    aided, bare = with_processor.get_tracer("app"), without.get_tracer("app")
    with trilemma.task("support.refund", **COMBINATION):
        compare(
            "a span beneath a task, attributes by TaskSpanProcessor",
            lambda: aided.start_span("GET").end(),
            "a bare span given them by hand",
            lambda: bare.start_span("GET", attributes=carried).end(),
        )


def compare(
    what: str, measured: Callable[[], object], floor_name: str, floor: Callable[[], object], *, few: bool = False
) -> None:
    """Measure two functions in turns and print their medians and the median ratio; `few` where one call takes long."""
    loops = LOOPS // 10 if few else LOOPS
    pairs = [(time_loop(measured, loops), time_loop(floor, loops)) for _ in range(ROUNDS + 1)][1:]
    show(what, floor_name, pairs)


def time_loop(function: Callable[[], object], loops: int = LOOPS) -> float:
    """Return the CPU time of one call in µs."""
    started_s = time.process_time()
    for _ in range(loops):
        function()
    return (time.process_time() - started_s) / loops * 1e6


def compare_starts(
    what: str, words: list[str], floor_name: str, floor_words: list[str], *, by_run: bool = False
) -> None:
    """Measure two ways to start a Python in turns."""
    environment = dict(os.environ)
    aided = dict(environment)
    if by_run:
        aided["PYTHONPATH"] = str(Path(trilemma.__file__).parent / "bootstrap")
        aided["TRILEMMA_RUN_MODULES"] = ",".join(["trilemma", *PROVIDERS])
    pairs = [(time_start(words, aided), time_start(floor_words, environment)) for _ in range(STARTS + 1)][1:]
    show(what, floor_name, pairs)


def time_start(words: list[str], environment: dict[str, str]) -> float:
    """Return the CPU time of a Python's whole life in µs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e6


def show(what: str, floor_name: str, pairs: list[tuple[float, float]]) -> None:
    """Print a row of the table."""
    ours, floor = (median(side) for side in zip(*pairs, strict=True))
    ratio = median(one / other for one, other in pairs)
    print(f"| {what} | {ours:,.2f} | {floor_name} | {floor:,.2f} | {ratio:.2f} |", flush=True)
