"""Hold that refusals in a field of their own, and what a content filter cut, are read, whole or streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from trilemma.providers.chat_completions import CHAT, fold_chat
from trilemma.providers.responses import RESPONSES
from trilemma.record import compile_reader

if TYPE_CHECKING:
    from trilemma.providers.spec import Endpoint

FILTERED = {"violence": {"filtered": True, "severity": "high"}, "hate": {"filtered": False}, "jailbreak": None}


def read(endpoint: Endpoint, body: dict[str, Any]) -> dict[str, Any]:
    """Return what is read of a body."""
    record: dict[str, Any] = {}
    compile_reader(endpoint.response)(body, record)
    return record


def test_chat() -> None:
    """A refusal is told; an answer without one says nothing of it."""
    refused = read(CHAT, {"choices": [{"message": {"content": None, "refusal": "I cannot."}}]})
    assert refused["refused"] is True
    plain = read(CHAT, {"choices": [{"message": {"content": "Yes.", "refusal": None}}]})
    assert not {"refused", "filtered"} & plain.keys()


def test_chat_stream() -> None:
    """A refusal that comes in pieces is one."""
    body: dict[str, Any] = {}
    for piece in ("I ", "cannot."):
        fold_chat(body, {"id": "x", "choices": [{"index": 0, "delta": {"refusal": piece}}]})
    assert read(CHAT, body)["refused"] is True


@pytest.mark.parametrize("place", ["prompt", "choice"])
def test_azure_filter(place: str) -> None:
    """What Azure's filter cut of a prompt or a choice is named by category."""
    body: dict[str, Any] = {"choices": [{"message": {"content": ""}}]}
    if place == "prompt":
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": FILTERED}]
    else:
        body["choices"][0]["content_filter_results"] = FILTERED
    assert read(CHAT, body)["filtered"] == ("violence",)


def test_responses() -> None:
    """A refusal is a part of a message there."""
    body = {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]}]}
    assert read(RESPONSES, body)["refused"] is True
    assert "refused" not in read(RESPONSES, {"output": [{"type": "message", "content": [{"type": "output_text"}]}]})
