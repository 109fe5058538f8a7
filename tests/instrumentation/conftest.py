"""Own the fixtures of tests that run programs: an OTLP receiver, an OpenAI server, and an environment for them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.instrumentation.fake_openai import FakeOpenAI
from tests.instrumentation.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Receive OTLP over HTTP."""
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def openai_server() -> Iterator[FakeOpenAI]:
    """Answer as OpenAI does."""
    running = FakeOpenAI()
    yield running
    running.close()


@pytest.fixture
def environment(receiver: Receiver, openai_server: FakeOpenAI) -> dict[str, str]:
    """Return an environment whose programs find this Python's commands, the receiver and the OpenAI server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "TRILEMMA_"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OPENAI_BASE_URL": openai_server.url,
        "OPENAI_API_KEY": "sk-test",
    }
