"""Be an application with real provider SDKs: `python -m tests.collector_config.real.traffic EMULATOR`.

It does what a user's code does: tasks, calls of every kind, failures, late outcomes, evaluations, spans of its own.
Where its telemetry goes is the environment's matter (OTEL_EXPORTER_OTLP_ENDPOINT).
"""

from __future__ import annotations

import contextlib
import sys

import trilemma

trilemma.instrument(service_name="shop")

import anthropic  # noqa: E402  # after instrument(), as in zero-code use
import openai  # noqa: E402
from opentelemetry import trace  # noqa: E402

MODEL, OTHER = "gpt-5.4-mini", "claude-sonnet-4-6"
ASK = [{"role": "user", "content": "Where is my parcel, größte Eile? \u2603\nBest,\nMax"}]


def main(emulator: str) -> None:
    """Do everything once."""
    chat = openai.OpenAI(base_url=f"{emulator}/v1", api_key="k")
    claude = anthropic.Anthropic(base_url=emulator, api_key="k")
    ids = [answer(chat, i) for i in range(6)]
    with trilemma.task(
        "support.summary", prompt_name="summary", prompt_version="v1", variant={"cache": "exact"}
    ) as task:
        list(claude.messages.create(model=OTHER, max_tokens=50, messages=ASK, stream=True))
        trilemma.evaluate("helpful", 0.75, explanation='short, "kind"', task=task)
        task.succeed(value=2.5)
    chat.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    chat.responses.create(model=MODEL, input="Hello")
    fail_and_break(chat)
    trilemma.outcome(ids[0], "failure", failure_mode="reopened", source="human", task_name="support.answer")
    trilemma.outcome(ids[1], "success", value=1.0)
    trilemma.evaluate("grounded", label="no", task_id=ids[2])


def answer(chat: openai.OpenAI, i: int) -> str:
    """Answer one mail, with a span of the application's own beneath the task, and return the task's id."""
    with trilemma.task("support.answer", input_id=f"mail-{i}", variant="blue" if i % 2 else None) as task:
        with trace.get_tracer("app").start_as_current_span("look up", attributes={"db.rows": i, "tags": ["a", "b"]}):
            pass
        chat.chat.completions.create(model=MODEL, messages=ASK, temperature=0.2, seed=i)
        if i > 3:
            task.fail("wrong_tone")
    return task.id


def fail_and_break(chat: openai.OpenAI) -> None:
    """Make the calls that go wrong: a refused one, and a stream that is left."""
    try:
        chat.chat.completions.create(model="no-such-model", messages=ASK)
    except openai.APIError as error:
        print(type(error).__name__)
    with chat.chat.completions.create(model=MODEL, messages=ASK, stream=True) as stream:
        for _ in stream:
            break
    with contextlib.suppress(ZeroDivisionError), trilemma.task("support.answer"):
        print(1 / 0)


if __name__ == "__main__":
    main(sys.argv[1])
