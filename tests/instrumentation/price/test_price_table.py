"""Own the proof that our rates are the library's, over every model, moment and variant of its table."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices, Usage
from hypothesis import given, settings
from hypothesis import strategies as st
from trilemma import price as price_module
from trilemma.price import price_call
from trilemma.price_table import AUDIO_RATES, BATCH_FACTORS, NOT_FREE, name_version

SNAPSHOT = get_snapshot()
MODELS = [(provider, model) for provider in SNAPSHOT.providers for model in provider.models]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Registry name -> the library's name.
UNITS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "audio_input_tokens": "input_audio_tokens",
    "audio_output_tokens": "output_audio_tokens",
    "audio_cache_read_tokens": "cache_audio_read_tokens",
    "image_input_tokens": "input_image_tokens",
    "image_cache_read_tokens": "cache_image_read_tokens",
    "image_output_tokens": "output_image_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
    "web_search_count": "web_searches",
}


def draw_counts(chance: random.Random) -> dict[str, int]:
    """Draw consistent counts: parts within their whole, totals on both sides of the tiers' thresholds."""
    total = chance.choice([0, 7, 199_999, 200_000, 200_001, 272_001, chance.randrange(2_000_000)])
    cached, written = (chance.randrange(total // 4 + 1) for _ in range(2))
    audio, image = (chance.choice([0, chance.randrange(total // 8 + 1)]) for _ in range(2))
    output = chance.randrange(50_000)
    return {
        "input_tokens": total,
        "output_tokens": output,
        "cache_read_tokens": cached,
        "cache_write_tokens": written,
        "cache_write_1h_tokens": chance.randrange(written + 1),
        "audio_input_tokens": audio,
        "audio_output_tokens": chance.choice([0, chance.randrange(output // 3 + 1)]),
        "audio_cache_read_tokens": chance.randrange(min(audio, cached // 2) + 1),
        "image_input_tokens": image,
        "image_cache_read_tokens": chance.randrange(min(image, cached // 2) + 1),
        "image_output_tokens": chance.choice([0, chance.randrange(output // 3 + 1)]),
        "reasoning_tokens": chance.choice([0, chance.randrange(output // 3 + 1)]),
        "web_search_count": chance.choice([0, 2]),
    }


def list_moments(model: ModelInfo, chance: random.Random) -> list[datetime]:
    """List moments on both sides of every change of price, and some at random."""
    entries = [*(model.prices if isinstance(model.prices, list) else []), *(model.price_variants or ())]
    days = [entry.constraint.start_date for entry in entries if isinstance(entry.constraint, StartDateConstraint)]
    midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() for day in days]
    hours = [NOON.timestamp() + 3600 * chance.randrange(-2000, 2000) for _ in range(3)]
    return [datetime.fromtimestamp(at, UTC) for at in (*hours, *(at + step for at in midnights for step in (-1, 0, 1)))]


def list_contexts(provider: Provider, model: ModelInfo) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """List (record fields, the library's price context) for the ordinary price and for each variant."""
    contexts: list[tuple[dict[str, Any], dict[str, str]]] = [({}, {})]
    for variant in model.price_variants or ():
        if variant.when == {"processing": "batch"}:
            contexts.append(({"batch": True}, variant.when))
        elif "service_tier" in variant.when:
            contexts.append(({"service_tier": variant.when["service_tier"]}, variant.when))
        elif provider.id == "anthropic" and variant.when == {"speed": "fast"}:
            contexts.append(({"service_tier": "fast"}, variant.when))
    return contexts


def look_up(provider: Provider, model: ModelInfo) -> tuple[Provider, ModelInfo] | None:
    """Return what the library finds by the model's id; None where its rules do not match their own id."""
    try:
        return SNAPSHOT.find_provider_model(model.id, None, provider.id, None)
    except LookupError:
        return None


def ask_library(
    found: tuple[Provider, ModelInfo], counts: dict[str, int], at: datetime, context: dict[str, str]
) -> float | None:
    """Return the library's total; None where it finds the counts contradictory."""
    provider, model = found
    usage = Usage(**{UNITS[name]: count for name, count in counts.items()})
    try:
        return float(
            model.calc_price(usage, provider, genai_request_timestamp=at, price_context=context or None).total_price
        )
    except ValueError:
        return None


def is_priced_by_token(provider: Provider, price: ModelPrice, counts: dict[str, int]) -> bool:
    """Tell whether the table's price covers these counts: the library counts as 0 what it has no price for."""
    keys = {key for key, value in price.__dict__.items() if value is not None}
    return "input_mtok" in keys and (counts["output_tokens"] == 0 or "output_mtok" in keys)


def test_equals_the_library_for_every_model() -> None:
    """Every model of the table costs to 12 digits what the library computes, or has no cost where that has none."""
    chance = random.Random(20261124)
    compared = 0
    for provider, model in MODELS:
        found = look_up(provider, model)
        if found is None:
            continue
        for fields, context in list_contexts(*found):
            for at in list_moments(found[1], chance):
                counts = draw_counts(chance)
                ours = price_call(
                    {"provider": provider.id, "response_model": model.id, **counts, **fields}, at.timestamp()
                )
                compared += compare(found, counts, at, context, dict(ours))
    assert compared > 9_000


def compare(
    found: tuple[Provider, ModelInfo],
    counts: dict[str, int],
    at: datetime,
    context: dict[str, str],
    ours: dict[str, Any],
) -> bool:
    """Assert that `ours` is right; return whether there were two figures to compare."""
    provider, model = found
    standard = model.get_prices(at, context or None)
    empty = not any(value is not None for value in standard.__dict__.values())
    active = [
        v for v in model.price_variants or () if v.when == context and (not v.constraint or v.constraint.active(at))
    ]
    theirs = ask_library(found, counts, at, context)
    is_audio = counts.get("audio_input_tokens", 0) + counts.get("audio_output_tokens", 0) > 0
    if is_audio and (provider.id, model.id) in AUDIO_RATES:
        return False  # ours alone
    where = (provider.id, model.id, counts, at, context, ours)
    if context == {"processing": "batch"} and not active and provider.id in BATCH_FACTORS:
        # The provider's discount off the ordinary price of tokens.
        return compare(found, counts, at, {}, {**ours, **undo_discount(ours, BATCH_FACTORS[provider.id])})
    if context and context != {"service_tier": "default"} and not active:
        assert ours["unpriced_reason"] in {"batch", "service_tier"}, where
    elif (provider.id, model.id) in NOT_FREE or not (empty or is_priced_by_token(provider, standard, counts)):
        assert ours["unpriced_reason"] in {"model", "usage"}, where
    elif theirs is None:
        assert ours["unpriced_reason"] == "usage", where
    else:
        assert ours["cost"] == pytest.approx(theirs, rel=1e-12, abs=1e-18), where
        return True
    assert "cost" not in ours, where
    return False


def undo_discount(ours: dict[str, Any], factor: float) -> dict[str, float]:
    """Return the cost at the ordinary price; what is not for tokens has no discount."""
    other = ours.get("cost_other", 0)
    return {"cost": (ours["cost"] - other) / factor + other} if "cost" in ours else {}


def test_every_hour_of_time_dependent_prices() -> None:
    """Prices by time of day equal the library's at every quarter of an hour, asked in any order."""
    deepseek = next(provider for provider in SNAPSHOT.providers if provider.id == "deepseek")
    counts = {"input_tokens": 1_000_000, "output_tokens": 1000}
    moments = [datetime.fromtimestamp(NOON.timestamp() + 900 * quarter, UTC) for quarter in range(2 * 96)]
    random.Random(7).shuffle(moments)
    for model in deepseek.models:
        for at in moments:
            record = {"provider": "deepseek", "response_model": model.id, **counts}
            theirs = SNAPSHOT.calc(Usage(**counts), model.id, "deepseek", None, at).total_price
            assert price_call(record, at.timestamp())["cost"] == pytest.approx(float(theirs), rel=1e-12)


def test_tiers_are_cliffs() -> None:
    """Above a threshold of input tokens all tokens have the higher rate; at it, none has."""
    tiered = [
        (provider, model, value.tiers[0].start)
        for provider, model in MODELS
        if isinstance(model.prices, ModelPrice) and isinstance(value := model.prices.input_mtok, TieredPrices)
    ]
    assert len(tiered) > 50
    for provider, model, threshold in tiered:
        found = look_up(provider, model)
        for tokens in (threshold, threshold + 1) if found else ():
            counts = {"input_tokens": tokens, "output_tokens": 0}
            ours = price_call({"provider": provider.id, "response_model": model.id, **counts}, NOON.timestamp())
            assert found
            assert compare(found, counts, NOON, {}, dict(ours))


def test_free_models_are_known_to_be_free() -> None:
    """A model that a table update leaves without any price must be looked at: free, or its price unknown?"""
    free = {
        ("azure", "mai-ds-r1:free"),
        ("github-copilot", "gpt-4o"),
        ("google", "gemma-3"),
        ("openai", "moderation"),
        ("openrouter", "gemini-2.5-pro-exp-03-25"),
    }
    empty = {
        (provider.id, model.id)
        for provider, model in MODELS
        if isinstance(model.prices, ModelPrice) and not any(v is not None for v in model.prices.__dict__.values())
    }
    assert free | NOT_FREE <= empty
    unexplained = {key for key in empty - NOT_FREE if not key[1].endswith(":free") and key[0] != "google"}
    assert unexplained == {
        *(("github-copilot", name) for name in ("gpt-3.5-turbo", "gpt-4.1", "gpt-4o", "gpt-4o-mini")),
        ("openai", "moderation"),
        ("openrouter", "gemini-2.5-pro-exp-03-25"),
        ("openrouter", "google/gemini-flash-1.5-8b-exp"),
        ("openrouter", "stealth/crouton-alpha"),
    }  # fmt: skip


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.lists(st.integers(), max_size=2),
    st.sampled_from(["openai", "anthropic", "gpt-5", "claude-sonnet-4-5", "priority"]),
)  # fmt: skip
NAMES = [*UNITS, "provider", "server_address", "request_model", "response_model", "service_tier", "batch", "cost",
         "http_status", "operation", "cost_currency"]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), JUNK), st.floats(0, 4e9))
def test_no_record_breaks_it(record: dict[str, Any], at_s: float) -> None:
    """Whatever a provider sends, pricing returns: an amount with its currency, or the reason for none."""
    priced = price_call(record, at_s)
    if priced["cost_source"] == "unpriced":
        assert "cost" not in priced
        assert priced["unpriced_reason"] in {"model", "usage", "service_tier", "batch"}
    else:
        assert 0 <= priced["cost"] < float("inf")
        assert priced["cost_currency"]


def test_cache_is_bounded() -> None:
    """A process that meets ever new model names does not grow without end."""
    for number in range(price_module._MAX_QUOTES + 50):
        price_call({"provider": "openai", "request_model": f"m{number}", "input_tokens": 1, "output_tokens": 1}, 0.0)
    assert len(price_module._quotes) <= price_module._MAX_QUOTES


def test_follows_a_table_that_the_app_updates() -> None:
    """An app that keeps genai-prices updated gets the new rates at once, and a version that says so."""
    record = {"provider": "openai", "response_model": "gpt-4o-mini", "input_tokens": 1_000_000, "output_tokens": 0}
    assert price_call(record, NOON.timestamp())["cost"] == pytest.approx(0.15)
    openai = next(provider for provider in SNAPSHOT.providers if provider.id == "openai")
    model = ModelInfo(id="gpt-4o-mini", match=openai.models[0].match, prices=ModelPrice())
    updated = DataSnapshot(
        [Provider(id="openai", name="", api_pattern="^none$", models=[model])], from_auto_update=True
    )
    set_custom_snapshot(updated)
    try:
        priced = price_call({**record, "response_model": openai.models[0].id}, NOON.timestamp())
        assert priced["price_version"] == name_version(updated)
        assert priced["price_version"].startswith("genai-prices/0.2.3+")
        assert price_call(record, NOON.timestamp())["cost_source"] == "unpriced"
    finally:
        set_custom_snapshot(None)
    assert price_call(record, NOON.timestamp())["cost"] == pytest.approx(0.15)
