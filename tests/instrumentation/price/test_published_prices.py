"""Own the proof that a call costs what its provider publishes: each case is a line of a provider's price page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from trilemma.price import price_call

NOV_2026 = datetime(2026, 11, 1, 12, tzinfo=UTC)
MILLION = 1_000_000


def price(at: datetime = NOV_2026, **record: Any) -> dict[str, Any]:
    """Price a record with defaults: an answered chat call."""
    return dict(price_call({"operation": "chat", "input_tokens": 0, "output_tokens": 0, **record}, at.timestamp()))


# (what is published, the record, dollars). Sources: developers.openai.com/api/docs/pricing,
# platform.claude.com/docs/en/about-claude/pricing, ai.google.dev/gemini-api/docs/pricing, docs.perplexity.ai/pricing.
CASES: list[tuple[str, dict[str, Any], float]] = [
    ("gpt-4o-mini input 0.15", {"response_model": "gpt-4o-mini-2024-07-18", "input_tokens": MILLION}, 0.15),
    ("gpt-4o-mini output 0.60", {"response_model": "gpt-4o-mini", "output_tokens": MILLION}, 0.60),
    (
        "gpt-4o-mini cached input 0.075",
        {"response_model": "gpt-4o-mini", "input_tokens": MILLION, "cache_read_tokens": MILLION},
        0.075,
    ),
    ("gpt-5 standard 1.25", {"response_model": "gpt-5", "input_tokens": 100_000, "service_tier": "default"}, 0.125),
    ("gpt-5 priority 2.50", {"response_model": "gpt-5", "input_tokens": 100_000, "service_tier": "priority"}, 0.25),
    ("gpt-5 flex 0.625", {"response_model": "gpt-5", "input_tokens": 100_000, "service_tier": "flex"}, 0.0625),
    ("gpt-5 batch output 5", {"response_model": "gpt-5", "output_tokens": 100_000, "batch": True}, 0.5),
    (
        "text-embedding-3-small 0.02",
        {"response_model": "text-embedding-3-small", "input_tokens": MILLION, "operation": "embeddings"},
        0.02,
    ),
    (
        "claude-sonnet-4-5 cache write for 5 minutes 3.75",
        {"provider": "anthropic", "response_model": "claude-sonnet-4-5-20250929", "input_tokens": 100_000,
         "cache_write_tokens": 100_000},
        0.375,
    ),
    (
        "claude-sonnet-4-5 cache write for 1 hour 6",
        {"provider": "anthropic", "response_model": "claude-sonnet-4-5", "input_tokens": 100_000,
         "cache_write_tokens": 100_000, "cache_write_1h_tokens": 100_000},
        0.6,
    ),
    (
        "claude-sonnet-4-5 cache hit 0.30",
        {"provider": "anthropic", "response_model": "claude-sonnet-4-5", "input_tokens": 100_000,
         "cache_read_tokens": 100_000},
        0.03,
    ),
    (
        "claude-haiku-4-5 batch, half of 1 and 5",
        {"provider": "anthropic", "response_model": "claude-haiku-4-5", "input_tokens": MILLION,
         "output_tokens": MILLION, "service_tier": "batch"},
        3.0,
    ),
    (
        "claude-opus-5 fast mode 10",
        {"provider": "anthropic", "response_model": "claude-opus-5", "input_tokens": 100_000, "service_tier": "fast"},
        1.0,
    ),
    (
        "claude web search 10 per 1,000",
        {"provider": "anthropic", "response_model": "claude-haiku-4-5", "web_search_count": 3},
        0.03,
    ),
    (
        "gemini-2.5-pro up to 200k 1.25",
        {"provider": "gcp.gemini", "response_model": "gemini-2.5-pro", "input_tokens": 200_000},
        0.25,
    ),
    (
        "gemini-2.5-pro beyond 200k 2.50, output 15",
        {"provider": "gcp.gemini", "response_model": "gemini-2.5-pro", "input_tokens": 200_001, "output_tokens": 1000},
        200_001 * 2.5 / MILLION + 0.015,
    ),
    (
        "gemini-2.5-flash audio input 1.00, text 0.30",
        {"provider": "gcp.gemini", "response_model": "gemini-2.5-flash", "input_tokens": 30_000,
         "audio_input_tokens": 10_000},
        0.02 * 0.3 + 0.01,
    ),
    (
        "sonar, 12 per 1,000 requests",
        {"provider": "perplexity", "response_model": "sonar", "input_tokens": 1000},
        0.001 + 0.012,
    ),
    # Images and audio: developers.openai.com/api/docs/pricing ("Image generation", "Realtime and audio"), 2026-11-24.
    (
        "gpt-image-1 text input 5, image input 10, image output 40",
        {"operation": "image_generation", "response_model": "gpt-image-1", "input_tokens": 1000,
         "image_input_tokens": 400, "output_tokens": 4160},
        600 * 5e-6 + 400 * 10e-6 + 4160 * 40e-6,
    ),
    (
        "gpt-image-1.5 image input 8, text output 10, image output 32",
        {"operation": "image_generation", "response_model": "gpt-image-1.5", "input_tokens": 1000,
         "image_input_tokens": 1000, "output_tokens": 1100, "image_output_tokens": 1000},
        1000 * 8e-6 + 100 * 10e-6 + 1000 * 32e-6,
    ),
    (
        "gpt-realtime audio 32, cached audio 0.40, text 4, cached text 0.40, image 5, audio output 64, text output 16",
        {"response_model": "gpt-realtime", "input_tokens": 1000, "audio_input_tokens": 500, "image_input_tokens": 100,
         "cache_read_tokens": 300, "audio_cache_read_tokens": 200, "image_cache_read_tokens": 0,
         "output_tokens": 200, "audio_output_tokens": 150},
        300 * 4e-6 + 300 * 32e-6 + 100 * 5e-6 + 300 * 0.4e-6 + 50 * 16e-6 + 150 * 64e-6,
    ),
    (
        "gpt-4o-audio-preview audio 40 and 80, text 2.50 and 10",
        {"response_model": "gpt-4o-audio-preview-2024-12-17", "input_tokens": 1000, "audio_input_tokens": 400,
         "output_tokens": 200, "audio_output_tokens": 150},
        600 * 2.5e-6 + 400 * 40e-6 + 50 * 10e-6 + 150 * 80e-6,
    ),
    (
        "gpt-4o-transcribe audio input 6, text output 10",
        {"operation": "speech_to_text", "response_model": "gpt-4o-transcribe", "input_tokens": 1000,
         "audio_input_tokens": 1000, "output_tokens": 100},
        1000 * 6e-6 + 100 * 10e-6,
    ),
    (
        "whisper 0.006 per minute",
        {"operation": "speech_to_text", "request_model": "whisper-1", "input_tokens": None, "output_tokens": None,
         "audio_input_s": 90.0},
        0.009,
    ),
    (
        "tts-1 15 per million characters",
        {"operation": "text_to_speech", "request_model": "tts-1", "input_tokens": None, "output_tokens": None,
         "input_characters": 2000},
        0.03,
    ),
    (
        "tts-1-hd 30 per million characters",
        {"operation": "text_to_speech", "request_model": "tts-1-hd", "input_tokens": None, "output_tokens": None,
         "input_characters": 2000},
        0.06,
    ),
    (
        "moderation: free of charge",
        {"operation": "moderation", "response_model": "omni-moderation-latest", "input_tokens": None,
         "output_tokens": None},
        0.0,
    ),
    # Batches: "50% cost discount" of every model (developers.openai.com/api/docs/guides/batch, 2026-11-24); "50% of the
    # standard API prices", cache and all (platform.claude.com/docs/en/build-with-claude/batch-processing, 2026-11-24).
    (
        "gpt-4o-mini batch 0.075 and 0.30",
        {"response_model": "gpt-4o-mini", "input_tokens": MILLION, "output_tokens": MILLION, "batch": True},
        0.375,
    ),
    (
        "text-embedding-3-large batch 0.065",
        {"response_model": "text-embedding-3-large", "input_tokens": MILLION, "operation": "embeddings", "batch": True},
        0.065,
    ),
    (
        "claude-sonnet-4-5 batch: 1 hour's cache write 3, cache hit 0.15",
        {"provider": "anthropic", "response_model": "claude-sonnet-4-5", "input_tokens": 20_000, "batch": True,
         "cache_write_tokens": 10_000, "cache_write_1h_tokens": 10_000, "cache_read_tokens": 10_000},
        10_000 * 3e-6 + 10_000 * 0.15e-6,
    ),
    # The legacy models of developers.openai.com, api/docs/pricing, 2026-11-24.
    (
        "davinci-002, which answers as davinci, 2",
        {"operation": "text_completion", "request_model": "davinci-002", "response_model": "davinci:2023-07-21-v2",
         "input_tokens": MILLION},
        2.0,
    ),
    # groq.com/pricing, 2026-11-24.
    (
        "groq whisper-large-v3 0.111 per hour",
        {"provider": "groq", "operation": "speech_to_text", "request_model": "whisper-large-v3",
         "input_tokens": None, "output_tokens": None, "audio_input_s": 1800.0},
        0.0555,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("published", "record", "dollars"), CASES, ids=[case[0] for case in CASES])
def test_published_price(published: str, record: dict[str, Any], dollars: float) -> None:
    """A call costs what its provider's page says, by tier, batch, cache and length of context."""
    priced = price(**{"provider": "openai", **record})
    assert priced["cost"] == pytest.approx(dollars, rel=1e-12), published
    assert priced["cost_currency"] == "USD"
    assert priced["cost_source"] == "price_table"
    assert priced["price_version"] == "genai-prices/0.2.3"


def test_parts_add_up() -> None:
    """The parts are the four of the registry, each counts its tokens once, and their sum is the total."""
    priced = price(
        provider="anthropic",
        response_model="claude-sonnet-4-5",
        input_tokens=100_000,
        cache_read_tokens=50_000,
        cache_write_tokens=30_000,
        cache_write_1h_tokens=10_000,
        output_tokens=1000,
        web_search_count=1,
    )
    parts = {name: priced[name] for name in sorted(priced) if name.startswith("cost_") and name[5:] in PARTS}
    assert parts == pytest.approx(
        {
            "cost_input": 0.06,
            "cost_cache_read": 0.015,
            "cost_cache_write": 0.02 * 3.75 + 0.01 * 6,
            "cost_output": 0.015,
            "cost_other": 0.01,
        }
    )
    assert priced["cost"] == pytest.approx(sum(parts.values()))


PARTS = {"input", "cache_read", "cache_write", "output", "other"}


@pytest.mark.parametrize(("day", "dollars"), [("2025-06-09", 10.0), ("2025-06-10", 2.0)])
def test_price_of_the_day(day: str, dollars: float) -> None:
    """A call is priced as of its day: OpenAI cut o3 by 80 % on 2025-06-10."""
    at = datetime.fromisoformat(f"{day}T23:00+00:00")
    assert price(at, provider="openai", response_model="o3", input_tokens=MILLION)["cost"] == pytest.approx(dollars)


def test_price_of_the_hour() -> None:
    """A call is priced by its time of day where the provider does: DeepSeek doubles its price in busy hours."""
    busy, quiet = (
        price(NOV_2026.replace(hour=hour), provider="deepseek", response_model="deepseek-flash", input_tokens=MILLION)
        for hour in (2, 5)
    )
    assert (busy["cost"], quiet["cost"]) == (pytest.approx(0.3), pytest.approx(0.15))


def test_host_decides_who_served() -> None:
    """The OpenAI SDK pointed at another provider is priced as that provider; at a proxy of the user's, by its name."""
    record = {"provider": "openai", "request_model": "openai/gpt-oss-120b", "input_tokens": MILLION}
    assert price(**record, server_address="api.groq.com")["cost"] == pytest.approx(0.15)
    proxied = {"provider": "openai", "request_model": "anthropic/claude-haiku-4-5", "input_tokens": MILLION}
    assert price(**proxied, server_address="litellm.internal")["cost"] == pytest.approx(1.0)
    assert price(**proxied, server_address="api.openai.com")["cost_source"] == "unpriced"


def test_azure_is_not_openai() -> None:
    """Azure's models have Azure's prices, by the conventions' provider name alone."""
    record = {"provider": "azure.ai.openai", "response_model": "gpt-4o-2024-08-06", "input_tokens": MILLION}
    assert price(**record)["cost"] == pytest.approx(2.5)
    assert price(**record, service_tier="priority")["unpriced_reason"] == "service_tier"


def test_free_is_zero() -> None:
    """A model that is free costs 0, which is known, not unknown."""
    priced = price(provider="openrouter", response_model="google/gemma-3-27b-it:free", input_tokens=5, output_tokens=5)
    assert (priced["cost"], priced["cost_source"]) == (0.0, "price_table")


def test_provider_says_so() -> None:
    """The provider's own figure (OpenRouter's usage.cost) goes before the table."""
    priced = price(provider="openrouter", response_model="openai/gpt-5", input_tokens=MILLION, cost=0.0123)
    assert priced == {"cost": 0.0123, "cost_currency": "USD", "cost_source": "provider"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"response_model": "gpt-99-nonesuch"}, "model"),
        ({"response_model": "my-llama", "request_model": "gpt-5"}, "model"),
        ({"response_model": None}, "model"),
        ({"provider": "acme", "response_model": "gpt-5"}, "model"),
        ({"provider": "cerebras", "response_model": "qwen-3-coder-480b"}, "model"),
        ({"provider": "groq", "response_model": "whisper-large-v3"}, "usage"),
        ({"service_tier": "priority", "provider": "anthropic", "response_model": "claude-haiku-4-5"}, "service_tier"),
        ({"service_tier": "scale"}, "service_tier"),
        ({"batch": True, "provider": "cerebras", "response_model": "llama3.1-8b"}, "batch"),
        ({"operation": "image_generation", "response_model": "gpt-image-1.5"}, "usage"),
        ({"response_model": "gpt-realtime", "input_tokens": 9, "cache_read_tokens": 5, "audio_input_tokens": 5},
         "usage"),
        ({"response_model": "whisper-1", "input_tokens": None, "audio_input_s": -1.0}, "usage"),
        ({"response_model": "dall-e-3", "operation": "image_generation", "input_tokens": None, "output_tokens": None},
         "usage"),
        ({"input_tokens": None, "output_tokens": None}, "usage"),
        ({"input_tokens": None}, "usage"),
        ({"input_tokens": 10, "cache_read_tokens": 11}, "usage"),
        ({"cache_write_tokens": 1, "cache_write_1h_tokens": 2}, "usage"),
        ({"input_tokens": "many"}, "usage"),
        ({"input_tokens": float("nan")}, "usage"),
        ({"provider": "gcp.gemini", "response_model": "gemini-2.5-flash", "input_tokens": 90, "cache_read_tokens": 5,
          "audio_input_tokens": 5}, "usage"),
    ],
)  # fmt: skip
def test_unknown_is_absent(record: dict[str, Any], reason: str) -> None:
    """What cannot be priced has no cost, and says why; it is never 0 and never priced as something else."""
    record = {"provider": "openai", "response_model": "gpt-5", "input_tokens": 1000, "output_tokens": 10, **record}
    assert price(**record) == {"cost_source": "unpriced", "unpriced_reason": reason}


def test_work_that_broke_off() -> None:
    """A call whose output was never counted has the parts of its cost that are known, and no total."""
    started = {"provider": "anthropic", "response_model": "claude-sonnet-4-6", "input_tokens": 1000}
    priced = price(**started, cache_read_tokens=400, output_tokens=None)
    assert priced["cost_input"] == pytest.approx(600 * 3 / 1e6)
    assert priced["cost_cache_read"] == pytest.approx(400 * 0.3 / 1e6)
    assert (priced["cost_source"], priced["unpriced_reason"]) == ("unpriced", "usage")
    assert not {"cost", "cost_output"} & priced.keys()


@pytest.mark.parametrize(
    ("status", "provider", "source"),
    [
        (429, "openai", "not_billed"),
        (400, "anthropic", "not_billed"),
        (529, "anthropic", "not_billed"),
        (400, "azure.ai.openai", "unpriced"),
        (408, "openai", "unpriced"),
        (504, "openai", "unpriced"),
        (200, "openai", "unpriced"),
        (None, "openai", "unpriced"),
    ],
)
def test_refused_is_not_billed(status: int | None, provider: str, source: str) -> None:
    """A request that the provider refused costs 0; one that may have been worked on has an unknown cost."""
    priced = price(provider=provider, request_model="gpt-5", input_tokens=None, output_tokens=None, http_status=status)
    assert (priced["cost_source"], priced.get("cost")) == (source, 0.0 if source == "not_billed" else None)


def test_dated_snapshot_of_what_was_asked() -> None:
    """An answer's unknown snapshot of the model asked for is priced as that model."""
    record = {"provider": "anthropic", "request_model": "claude-haiku-4-5", "input_tokens": MILLION}
    assert price(**record, response_model="claude-haiku-4-5-20991231")["cost"] == pytest.approx(1.0)
