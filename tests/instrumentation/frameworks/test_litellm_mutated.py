"""Hold that responses no provider should send harm no user of LiteLLM: recorded ones, broken at random places (seeded).

LiteLLM is given clients whose transport is in memory: with sockets it leaves broken streams to the garbage collector,
which then closes connections in the middle of whatever runs.
"""

from __future__ import annotations

import re
import time
import warnings
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import litellm
import openai
import pytest
from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler
from trilemma import guard
from trilemma.instrumentation import uninstrument

from tests.instrumentation.providers.mutations import mutate
from tests.wire_score.corpus import load_records
from tests.wire_score.drivers.stainless import find_http
from tests.wire_score.outcome import Outcome, ask, let_go
from tests.wire_score.runner import is_async
from tests.wire_score.transport import make_transport

if TYPE_CHECKING:
    from pathlib import Path

    from tests.instrumentation.frameworks.conftest import Traced
    from tests.wire_score.corpus import Record

pytestmark = [
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # LiteLLM has many of its own, of pydantic and unclosed sockets
]

BUDGET = 250  # broken responses for each of the two ways: by the openai SDK, and by LiteLLM itself
LET_GO_WITHIN_S = 10
MODELS = {"openai.chat": "openai/gpt-4o-mini", "anthropic.messages": "anthropic/claude-sonnet-4-6"}
# What LiteLLM makes up where the response lacks it, anew each time.
_MADE_UP = re.compile(
    r"(chatcmpl-|call_|toolu_)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|created=\d+"
)


class Client(NamedTuple):
    """Be a client that LiteLLM is given, and the transport beneath it."""

    given: Any
    transport: Any


@pytest.mark.parametrize("endpoint", MODELS)
def test_mutated(
    traced: Traced, shared: Path, endpoint: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with a response, the user gets what he gets without us, and there is one span."""
    monkeypatch.setattr(litellm, "num_retries", 0)
    random = Random(f"trilemma litellm {endpoint}")  # to choose what to break
    records = [
        record
        for record in load_records(shared / "data/wire/dev.jsonl.gz")
        if record["endpoint"] == endpoint and record["status"] == 200 and isinstance(record["request_body"], dict)
    ]
    mutants = [mutate(random.choice(records), random) for _ in range(BUDGET)]
    uninstrument()
    without_us = [send(mutant) for mutant in mutants]
    guard.raise_errors(False)
    traced.instrument()
    for mutant, expected in zip(mutants, without_us, strict=True):
        assert send(mutant) == expected, mutant["mutation"]
        assert len(wait_for_spans(traced)) == 1, mutant["mutation"]
        traced.exporter.clear()
    assert sum(outcome.error is None for outcome in without_us) > 0.2 * len(mutants)
    assert not [entry.getMessage() for entry in caplog.records if entry.name == "trilemma"]


def wait_for_spans(traced: Traced) -> list[Any]:
    """Return the spans; a stream that broke off ends when LiteLLM's own threads, which log its failure, let it go."""
    stop = time.monotonic() + LET_GO_WITHIN_S
    while not traced.spans() and time.monotonic() < stop:
        let_go()
        time.sleep(0.01)
    return traced.spans()


def send(mutant: Record) -> Outcome:
    """Ask LiteLLM for a completion that the broken response answers."""
    model, is_awaited = MODELS[mutant["endpoint"]], is_async(mutant)
    client = make_client(mutant["endpoint"], is_awaited=is_awaited)
    function = litellm.acompletion if is_awaited else litellm.completion
    wanted = {"stream": True} if mutant["stream"] else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = ask(
            client.transport,
            mutant,
            lambda: function(
                model=model, messages=[{"role": "user", "content": "Refund order 7"}], client=client.given,
                max_retries=0, num_retries=0, **wanted,
            ),
            is_async=is_awaited,
            is_stream=lambda result: isinstance(result, litellm.CustomStreamWrapper),
        )  # fmt: skip
    outcome.result = outcome.result and _MADE_UP.sub("?", outcome.result)
    outcome.chunks = [_MADE_UP.sub("?", chunk) for chunk in outcome.chunks]
    return outcome


@cache
def make_client(endpoint: str, *, is_awaited: bool) -> Client:
    """Return the client for an endpoint: the openai SDK's, or LiteLLM's own."""
    http = find_http(openai) if endpoint == "openai.chat" else httpx
    transport = make_transport(http)
    inner = (http.AsyncClient if is_awaited else http.Client)(transport=transport, trust_env=False)
    if endpoint == "openai.chat":
        kind = openai.AsyncOpenAI if is_awaited else openai.OpenAI
        return Client(kind(api_key="k", max_retries=0, http_client=inner), transport)
    handler: Any = (AsyncHTTPHandler if is_awaited else HTTPHandler)()
    handler.client = inner
    return Client(handler, transport)
