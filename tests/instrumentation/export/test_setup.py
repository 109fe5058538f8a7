"""Own the proof of `trilemma.instrument()`: what it sets up, what it keeps, and that OTEL_* variables hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.instrumentation.export.programs import run_program
from tests.instrumentation.receiver import GrpcReceiver, Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

TASK = """
    import trilemma
    trilemma.instrument()
    with trilemma.task("t") as task:
        pass
    trilemma.outcome(task, "success")
"""


@pytest.fixture
def second_receiver() -> Iterator[Receiver]:
    """Receive what should go, or should not go, elsewhere."""
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def grpc_receiver() -> Iterator[GrpcReceiver]:
    """Receive OTLP over gRPC."""
    running = GrpcReceiver()
    yield running
    running.close()


def test_one_call_exports_everything(receiver: Receiver, environment: dict[str, str]) -> None:
    """One call, and the app's own spans, LLM calls, tasks and events arrive, also at an immediate exit."""
    run_program(
        """
        import openai, trilemma
        from opentelemetry import trace
        trilemma.instrument(service_name="shop")
        with trilemma.task("support.refund") as task, trace.get_tracer("shop").start_as_current_span("look up"):
            openai.OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
        trilemma.outcome(task, "success")
        """,
        environment,
    )
    spans = {span.name: span for span in receiver.spans()}
    assert set(spans) == {"support.refund", "look up", "chat gpt-4o-mini"}
    assert {span.attributes["trilemma.task.name"] for span in spans.values()} == {"support.refund"}
    call = spans["chat gpt-4o-mini"]
    assert call.attributes["trilemma.cost.total"] == pytest.approx(1000 * 0.15e-6 + 100 * 0.60e-6)
    assert call.attributes["trilemma.cost.source"] == "price_table"
    assert call.parent_span_id == spans["look up"].span_id
    assert call.resource["service.name"] == "shop"
    assert call.resource["telemetry.distro.name"] == "trilemma"
    assert [event.name for event in receiver.events()] == ["trilemma.task.outcome"]


@pytest.mark.parametrize("events", [True, False])
def test_grpc(grpc_receiver: GrpcReceiver, environment: dict[str, str], events: bool) -> None:
    """OTLP over gRPC works by variable, for spans and events, also where the first batch is that of the exit."""
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": grpc_receiver.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    done = run_program(TASK if events else TASK.replace("trilemma.outcome", "print"), {**environment, **variables})
    assert (done.stderr, grpc_receiver.span_names()) == ("", ["t"])
    assert grpc_receiver.event_names() == ["trilemma.task.outcome"] * events


def test_arguments_win_over_variables(
    receiver: Receiver, second_receiver: Receiver, environment: dict[str, str]
) -> None:
    """Endpoint, headers and service name given in code go before the variables."""
    run_program(
        f"""
        import trilemma
        trilemma.instrument(endpoint="{second_receiver.url}/", headers={{"x-key": "1"}}, service_name="mine")
        with trilemma.task("t"):
            pass
        """,
        environment,
        OTEL_SERVICE_NAME="other",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{receiver.url}/v1/traces",
    )
    assert receiver.requests == []
    [span] = second_receiver.spans()
    assert span.resource["service.name"] == "mine"
    assert second_receiver.headers[0]["x-key"] == "1"


def test_variables_of_the_exporter(receiver: Receiver, second_receiver: Receiver, environment: dict[str, str]) -> None:
    """Headers, compression, a signal's own endpoint, service name and resource attributes come from variables."""
    run_program(
        TASK,
        environment,
        OTEL_EXPORTER_OTLP_HEADERS="x-key=2",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"{second_receiver.url}/v1/logs",
        OTEL_SERVICE_NAME="named",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=staging",
    )
    [span] = receiver.spans()
    assert receiver.events() == []
    assert [event.name for event in second_receiver.events()] == ["trilemma.task.outcome"]
    assert receiver.headers[0]["x-key"] == "2"
    assert receiver.headers[0]["content-encoding"] == "gzip"
    assert span.resource["service.name"] == "named"
    assert span.resource["deployment.environment.name"] == "staging"


@pytest.mark.parametrize(
    ("variables", "span_count", "event_count"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, 0, 0),
        ({"OTEL_TRACES_EXPORTER": "none"}, 0, 1),
        ({"OTEL_LOGS_EXPORTER": "none"}, 1, 0),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, 0, 1),
        ({"OTEL_TRACES_EXPORTER": "console,otlp"}, 1, 1),
        (
            {"OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_BSP_MAX_QUEUE_SIZE": "1", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1"},
            1,
            1,
        ),
    ],
)
def test_variables_that_select(
    receiver: Receiver, environment: dict[str, str], variables: dict[str, str], span_count: int, event_count: int
) -> None:
    """The variables that switch off, sample, choose exporters and shape batches hold, and no log line complains."""
    done = run_program(TASK, {**environment, **variables})
    assert (len(receiver.spans()), len(receiver.events())) == (span_count, event_count)
    assert ('"name": "t"' in done.stdout) == ("console" in variables.get("OTEL_TRACES_EXPORTER", ""))
    assert done.stderr == ""


def test_disabled_patches_nothing(environment: dict[str, str]) -> None:
    """OTEL_SDK_DISABLED leaves the SDKs as they are, and the task API works."""
    done = run_program(
        """
        import openai, trilemma
        before = openai._base_client.SyncAPIClient.request
        trilemma.instrument()
        with trilemma.task("t") as task:
            task.succeed()
        print(openai._base_client.SyncAPIClient.request is before)
        """,
        environment,
        OTEL_SDK_DISABLED="true",
    )
    assert done.stdout == "True"


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ("endpoint='localhost:4318'", {}, ["'localhost:4318", "http://localhost:4318"]),
        ("protocol='smoke'", {}, ["'smoke'", "http/protobuf or grpc"]),
        ("", {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, ["'http/json'", "OTEL_EXPORTER_OTLP_PROTOCOL"]),
        ("", {"OTEL_TRACES_EXPORTER": "zipkin"}, ["OTEL_TRACES_EXPORTER=zipkin", "console"]),
        ("'cohere5'", {}, ["cohere5", "openai"]),
    ],
)
def test_bad_settings(environment: dict[str, str], arguments: str, variables: dict[str, str], words: list[str]) -> None:
    """A setting that cannot work is an error at once, with its name, its value and what may be; nothing is set up."""
    done = run_program(
        f"""
        import trilemma
        from opentelemetry import trace
        try:
            trilemma.instrument({arguments})
        except trilemma.ConfigurationError as error:
            print(error, type(trace.get_tracer_provider()).__name__)
        """,
        {**environment, **variables},
    )
    assert all(word in done.stdout for word in words), done.stdout
    assert "ProxyTracerProvider" in done.stdout


OWN_PROVIDER = """
    import trilemma
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exporter = InMemorySpanExporter()
    own = TracerProvider()
    own.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(own)
"""


def test_keeps_the_apps_provider(receiver: Receiver, environment: dict[str, str]) -> None:
    """A provider that the app has is kept, gets the task's attributes, and no second exporter; twice is once."""
    done = run_program(
        OWN_PROVIDER
        + """
    trilemma.instrument()
    trilemma.instrument()
    with trilemma.task("t") as task, trace.get_tracer("app").start_as_current_span("own"):
        pass
    print(trace.get_tracer_provider() is own, len(own._active_span_processor._span_processors))
    print([(span.name, span.attributes["trilemma.task.id"] == task.id) for span in exporter.get_finished_spans()])
""",
        environment,
    )
    assert done.stdout.splitlines() == ["True 2", "[('own', True), ('t', True)]"]
    assert receiver.spans() == []


def test_adds_an_exporter_when_asked(receiver: Receiver, environment: dict[str, str]) -> None:
    """With an endpoint in the call, the app's provider exports there too, once."""
    done = run_program(
        OWN_PROVIDER
        + f"""
    trilemma.instrument(endpoint="{receiver.url}")
    trilemma.instrument(endpoint="{receiver.url}")
    with trilemma.task("t"):
        pass
    print(len(exporter.get_finished_spans()))
""",
        environment,
        OTEL_EXPORTER_OTLP_ENDPOINT="",
    )
    assert done.stdout == "1"
    assert [span.name for span in receiver.spans()] == ["t"]


def test_given_provider(receiver: Receiver, environment: dict[str, str]) -> None:
    """A provider given in the call is used though it is not the global one, and nothing is set globally."""
    done = run_program(
        OWN_PROVIDER.replace("    trace.set_tracer_provider(own)\n", "")
        + """
    trilemma.instrument(tracer_provider=own)
    with trilemma.task("t"):
        pass
    print([span.name for span in exporter.get_finished_spans()], type(trace.get_tracer_provider()).__name__)
""",
        environment,
    )
    assert done.stdout == "['t'] ProxyTracerProvider"
    assert receiver.spans() == []


def test_provider_without_hash(receiver: Receiver, environment: dict[str, str]) -> None:
    """A provider that has no hash, as Logfire's has none, is taken like any other, once."""
    done = run_program(
        OWN_PROVIDER.replace(
            "    trace.set_tracer_provider(own)",
            "    type(own).__eq__, type(own).__hash__ = (lambda self, other: self is other), None\n"
            "    trace.set_tracer_provider(own)",
        )
        + """
    trilemma.instrument()
    trilemma.instrument()
    with trilemma.task("t"):
        pass
    print([span.name for span in exporter.get_finished_spans()], own.__hash__)
""",
        environment,
    )
    assert done.stdout == "['t'] None", done.stderr
    assert receiver.spans() == []


def test_patch_only(receiver: Receiver, environment: dict[str, str]) -> None:
    """With export off, nothing is set up, and a provider that the app sets later is found."""
    done = run_program(
        """
    import trilemma
    trilemma.instrument(export=False)
"""
        + OWN_PROVIDER
        + """
    with trilemma.task("t"):
        pass
    print([span.name for span in exporter.get_finished_spans()])
""",
        environment,
    )
    assert done.stdout == "['t']"
    assert receiver.requests == []


def test_metrics_only_when_asked(receiver: Receiver, environment: dict[str, str]) -> None:
    """No meter provider is set up unless a variable asks for metrics by name."""
    code = """
        import trilemma
        from opentelemetry import metrics
        trilemma.instrument()
        metrics.get_meter("app").create_counter("calls").add(1)
    """
    run_program(code, environment)
    assert [path for path, _ in receiver.requests] == []
    run_program(code, environment, OTEL_METRICS_EXPORTER="otlp")
    [request] = [request for path, request in receiver.requests if path == "/v1/metrics"]
    names = {
        metric.name for group in request.resource_metrics for scope in group.scope_metrics for metric in scope.metrics
    }
    assert "calls" in names


def test_uninstrument_and_again(receiver: Receiver, environment: dict[str, str]) -> None:
    """Switching off restores the SDK; switching on again exports by the same provider, once."""
    run_program(
        """
        import openai, trilemma
        client = openai.OpenAI()
        def call():
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
        trilemma.instrument()
        call()
        trilemma.uninstrument()
        call()
        trilemma.instrument()
        call()
        """,
        environment,
    )
    assert [span.name for span in receiver.spans()] == ["chat gpt-4o-mini"] * 2


def test_flush(receiver: Receiver, environment: dict[str, str]) -> None:
    """Flush sends what waits: a process may end by os._exit after it and lose nothing."""
    run_program(TASK + "\n    trilemma.flush()\n    import os; os._exit(0)\n", environment)
    assert [span.name for span in receiver.spans()] == ["t"]
    assert len(receiver.events()) == 1


def test_opentelemetrys_instrumentor(environment: dict[str, str]) -> None:
    """The class behind OpenTelemetry's entry point instruments with the providers it is given, and can be undone."""
    done = run_program(
        OWN_PROVIDER.replace("    trace.set_tracer_provider(own)\n", "")
        + """
    import openai
    from trilemma.instrumentor import TrilemmaInstrumentor
    before = openai._base_client.SyncAPIClient.request
    TrilemmaInstrumentor().instrument(tracer_provider=own)
    openai.OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hi"}])
    TrilemmaInstrumentor().uninstrument()
    print([span.name for span in exporter.get_finished_spans()], openai._base_client.SyncAPIClient.request is before)
""",
        environment,
    )
    assert done.stdout == "['chat gpt-4o-mini'] True"


def test_without_opentelemetrys_instrumentor(environment: dict[str, str]) -> None:
    """Where opentelemetry-instrumentation is not installed, nothing of trilemma misses it."""
    code = """
        import sys
        sys.modules["opentelemetry.instrumentation"] = None
        import trilemma
        trilemma.instrument(export=False)
        from trilemma.instrumentor import TrilemmaInstrumentor
        print(TrilemmaInstrumentor.__mro__[1].__name__)
    """
    assert run_program(code, environment).stdout == "object"
