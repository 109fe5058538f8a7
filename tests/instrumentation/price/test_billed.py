"""Hold our prices to what providers billed: recorded answers that state their own cost, priced without it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
from trilemma.price import price_call
from trilemma.providers.chat_completions import CHAT
from trilemma.providers.responses import RESPONSES
from trilemma.record import compile_reader

from tests.wire_score.corpus import load_records

if TYPE_CHECKING:
    from pathlib import Path

PROVIDERS = {"xai": "x_ai", "perplexity": "perplexity"}  # OpenRouter's depends on whom it chose for the call
READERS = {"openai.chat": compile_reader(CHAT.response), "openai.responses": compile_reader(RESPONSES.response)}
ROUNDING = {"x_ai": 1e-9, "perplexity": 1.1e-5}  # xAI says it to the tick; Perplexity rounds each of two parts


@pytest.mark.shared
def test_costs_what_was_billed(shared: Path) -> None:
    """The tokens of a recorded answer cost by the table what its provider says it billed for them.

    Left out: what xAI billed for tools, and Perplexity's fee per request, which goes by the depth of the search.
    """
    seen, wrong = Counter[str](), []
    for record in load_records(shared / "data/wire/dev.jsonl.gz"):
        provider, read = PROVIDERS.get(record["provider"]), READERS.get(record["endpoint"])
        if provider is None or read is None or record["status"] != 200:
            continue
        call: dict[str, Any] = {
            "operation": "chat", "provider": provider, "request_model": record["expected"]["request_model"],
        }  # fmt: skip
        body = read_body(record)
        read(body, call)
        billed = call.pop("cost", None)
        if billed is None or is_more_than_tokens(body):
            continue
        priced = price_call(call, read_time(record["recorded_at"]))
        seen[provider] += 1
        billed -= (body["usage"].get("cost") or {}).get("request_cost", 0)
        if abs(priced.get("cost", 0) - priced.get("cost_other", 0) - billed) > ROUNDING[provider]:
            wrong.append((record["id"], call, billed, priced))
    print(seen)
    assert not wrong
    assert seen["x_ai"] > 40
    assert seen["perplexity"] > 15


def read_body(record: Any) -> dict[str, Any]:
    """Return a response, whole or as its events add up to it."""
    if record["wire"] != "sse":
        whole: dict[str, Any] = json.loads(record["response_body"])
        return whole
    body: dict[str, Any] = {}
    for line in record["response_body"].splitlines():
        if line.startswith("data: {"):
            event = json.loads(line[6:])
            body.update(event.get("response") or (event if event.get("usage") else {}))
    return body


def is_more_than_tokens(body: dict[str, Any]) -> bool:
    """Tell whether the provider ran tools, which it bills apart."""
    usage = body.get("usage") or {}
    return bool(usage.get("num_server_side_tools_used") or usage.get("num_sources_used"))


def read_time(text: str | None) -> float:
    """Return when a recording was made (Unix s); where it does not say, a day of the time of most."""
    text = text or "2026-06-01T12:00:00+00:00"
    return (parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)).timestamp()
