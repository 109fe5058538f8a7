"""Own the reading of the genai-prices table: which model a call ran on, and its rates at a moment.

Importing this module loads the table (0.14 s, 30 MB), so only price.py does it, and late.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import genai_prices
from genai_prices.data_snapshot import DataSnapshot, find_provider_by_id, get_snapshot
from genai_prices.types import ModelInfo, ModelPrice, Provider, StartDateConstraint, TieredPrices, TimeOfDateConstraint
from genai_prices.types import Usage as TableUsage

from trilemma.providers.hosts import find_price_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

__all__ = ["Call", "Quote", "Rates", "get_snapshot", "name_version", "quote_call"]

# Words by which providers say "the ordinary price applies". Groq: its flex tier costs the same, with higher limits.
STANDARD_TIERS = frozenset({"auto", "default", "on_demand", "standard", "standard_only"})
SAME_PRICE_TIERS = frozenset({("groq", "flex")})
# What a batch costs of the ordinary price, whatever the model, where the table does not price the model's batch.
# Sources, 2026-11-24: "50% cost discount" at developers.openai.com, api/docs/guides/batch; "50% of the standard API
# prices" at platform.claude.com, docs/en/build-with-claude/batch-processing; "50% less cost than global standard" at
# learn.microsoft.com, azure/ai-services/openai/how-to/batch; "50% of the standard cost" at ai.google.dev,
# gemini-api/docs/batch-api; "50% discount" at docs.mistral.ai, batch; "50% lower cost" at console.groq.com, docs/batch.
BATCH_FACTORS = {"openai": 0.5, "anthropic": 0.5, "azure": 0.5, "google": 0.5, "mistral": 0.5, "groq": 0.5}
# USD per million tokens of audio, in and out, of models whose audio the table counts as text (developers.openai.com,
# api/docs/models, gpt-4o-audio-preview and gpt-4o-mini-audio-preview, 2026-11-24; litellm has the same).
AUDIO_RATES = {
    (provider, model): rates
    for provider in ("openai", "azure")
    for model, rates in (("gpt-4o-audio-preview", (40.0, 80.0)), ("gpt-4o-mini-audio-preview", (10.0, 20.0)))
}
_BATCH = {"processing": "batch"}
# Models that answer under a name the table does not have, though it has the model.
ANSWERED_AS = {"davinci:2023-07-21-v2": "davinci-002", "babbage:2023-07-21-v2": "babbage-002"}
# What is billed in place of tokens: our name, the table's price, and the usage that it is asked for.
_OTHER_UNITS = (
    ("audio_input_s", "input_audio_hours", ("audio_seconds", "input_audio_seconds")),
    ("input_characters", "input_mchars", ("input_characters",)),
)
_MEASURED = 3_600_000
# The table writes "free" as an empty price. These it leaves empty because the price is gone or has another unit.
NOT_FREE = frozenset({
    ("cerebras", "qwen-3-coder-480b"),
    ("huggingface_together", "ServiceNow-AI/Apriel-1.6-15b-Thinker"),
    ("huggingface_together", "prism-ml/Ternary-Bonsai-27B-AWQ-4bit"),
    ("huggingface_together", "prism-ml/Ternary-Bonsai-27B-gguf"),
    ("openrouter", "google/lyria-3-clip-preview"),
    ("openrouter", "google/lyria-3-pro-preview"),
})  # fmt: skip

_PROFILE = re.compile(r"^(?:us-gov|global|apac|us|eu|jp|au|in|ca|sa|me|af)\.")


class Call(NamedTuple):
    """What decides a call's rates, apart from its time and its number of input tokens."""

    provider: str | None
    server_address: str | None
    response_model: str | None
    request_model: str | None
    service_tier: str | None
    route: str | None
    batch: bool | None


class Rates(NamedTuple):
    """Price in USD per million: tokens of each exclusive kind (or what else `Quote.unit` says), searches, requests."""

    input: float
    cache_read: float = 0.0
    cache_write: float = 0.0
    cache_write_1h: float = 0.0
    audio_input: float = 0.0
    audio_cache_read: float = 0.0
    image_input: float = 0.0
    image_cache_read: float = 0.0
    output: float = 0.0
    audio_output: float = 0.0
    image_output: float = 0.0
    reasoning: float = 0.0
    search: float = 0.0
    request: float = 0.0


class Quote(NamedTuple):
    """A call's rates from `start_s` until before `end_s` (Unix seconds), by band of total input tokens.

    `bands` holds (threshold, rates), highest first: rates apply above it. `reason` says why there are none.
    `plain`: audio, image and reasoning tokens cost what others do. `cached_apart`: of these kinds ("audio", "image")
    cached tokens have a price of their own, so a call with cached input must say how much of it they are.
    `has_output`: output tokens have a price. `unit`: what is billed in place of tokens, by the registry's name.
    `is_free`: nothing of all this costs anything.
    """

    start_s: float
    end_s: float
    bands: tuple[tuple[int, Rates], ...] = ()
    reason: str | None = None
    plain: bool = True
    cached_apart: tuple[str, ...] = ()
    has_output: bool = True
    unit: str = ""
    is_free: bool = False


def name_version(snapshot: DataSnapshot) -> str:
    """Return name and version of the table in use, with the time of its update when the app keeps it updated."""
    version = f"genai-prices/{genai_prices.__version__}"
    return f"{version}+{snapshot.timestamp:%Y%m%dT%H%M%S}" if snapshot.from_auto_update else version


def quote_call(call: Call, started_at_s: float, snapshot: DataSnapshot) -> Quote:
    """Look up the rates of `call` at `started_at_s`."""
    found = _find_model(call, snapshot)
    if found is None:
        return Quote(-math.inf, math.inf, reason="model")
    provider, model = found
    start_s, end_s = _find_interval(model, started_at_s)
    now = datetime.fromtimestamp(started_at_s, UTC)
    context = _price_context(call, provider)
    discount = 1.0
    if context and not _has_variant(provider, model, context, now):
        if context != _BATCH or provider.id not in BATCH_FACTORS:
            return Quote(start_s, end_s, reason="batch" if call.batch else "service_tier")
        context, discount = {}, BATCH_FACTORS[provider.id]
    price = model.get_prices(now, context)
    units = {name for name, value in price.__dict__.items() if value is not None}
    if units and "input_mtok" not in units:
        return _quote_other_unit(price, units, Quote(start_s, end_s))
    if not units and (provider.id, model.id) in NOT_FREE:
        return Quote(start_s, end_s, reason="model")
    thresholds = _find_thresholds(price)
    bands = tuple((threshold, _measure_rates(price, threshold + 2, discount)) for threshold in thresholds)
    if (audio := AUDIO_RATES.get((provider.id, model.id))) and "input_audio_mtok" not in units:
        heard, spoken = (rate * discount for rate in audio)
        bands = tuple((start, rates._replace(audio_input=heard, audio_output=spoken)) for start, rates in bands)
    return Quote(
        start_s,
        end_s,
        bands,
        plain=all(_is_plain(rates) for _, rates in bands),
        cached_apart=tuple(kind for kind in ("audio", "image") if f"cache_{kind}_read_mtok" in units),
        has_output="output_mtok" in units or not units,
        is_free=not any(rate for _, rates in bands for rate in rates),
    )


def _is_plain(rates: Rates) -> bool:
    return (
        rates.audio_input == rates.image_input == rates.input
        and rates.audio_cache_read == rates.image_cache_read == rates.cache_read
        and rates.audio_output == rates.image_output == rates.output == rates.reasoning
    )


def _quote_other_unit(price: ModelPrice, units: set[str], quote: Quote) -> Quote:
    """Quote a model that is billed by the length of the audio it hears, or by the characters it speaks."""
    for unit, priced_as, usage in _OTHER_UNITS:
        if priced_as in units:
            total = price.calc_price(TableUsage(**dict.fromkeys(usage, _MEASURED)))["total_price"]
            return quote._replace(bands=((0, Rates(input=float(total) * 1_000_000 / _MEASURED)),), unit=unit)
    return quote._replace(reason="model")


def _find_model(call: Call, snapshot: DataSnapshot) -> tuple[Provider, ModelInfo] | None:
    """Find who served the call (its host knows better than the SDK's name) and the model that answered."""
    host_provider = _find_host(call.server_address, snapshot)
    routed = find_provider_by_id(snapshot.providers, f"{call.provider}_{call.route}") if call.route else None
    provider = routed or host_provider or _find_named(call.provider, snapshot)
    for model_ref in _list_model_refs(call):
        if provider and (model := provider.find_model(model_ref, all_providers=snapshot.providers)):
            return provider, model
        # A proxy such as LiteLLM's names the provider in the model: "anthropic/claude-...".
        prefix, _, rest = model_ref.partition("/")
        proxied = find_provider_by_id(snapshot.providers, prefix) if rest and not host_provider else None
        if proxied and (model := proxied.find_model(rest, all_providers=snapshot.providers)):
            return proxied, model
    return None


def _find_host(server_address: str | None, snapshot: DataSnapshot) -> Provider | None:
    url = f"https://{server_address}"
    matches = (provider for provider in snapshot.providers if re.match(provider.api_pattern, url))
    return next(matches, None) if server_address else None


def _find_named(name: str | None, snapshot: DataSnapshot) -> Provider | None:
    price_id = find_price_id(name) if name else None
    return find_provider_by_id(snapshot.providers, price_id) if price_id else None


def _list_model_refs(call: Call) -> Iterator[str]:
    """Yield the model that answered; the one asked for only where it cannot be another one."""
    # Google may name one as a resource: "models/gemini-2.5-pro".
    answered, asked = (name and name.removeprefix("models/") for name in (call.response_model, call.request_model))
    answered = ANSWERED_AS.get(answered or "", answered)
    if call.provider == "aws.bedrock":
        yield from _list_bedrock_ids(answered if answered and answered.startswith("arn:") else asked)
    if answered:
        yield answered
    if asked and asked != answered and (not answered or answered.startswith(asked)):
        yield asked


def _list_bedrock_ids(asked: str | None) -> Iterator[str]:
    """Yield Bedrock's ids of a model: unlike the answer's name, they say which profile serves it, at its own price."""
    name = (asked or "").rpartition("/")[2]  # of an ARN
    if name:
        yield name
        yield _PROFILE.sub("", name)


def _price_context(call: Call, provider: Provider) -> dict[str, str]:
    """Say what makes the call's price differ from the ordinary one, in the table's words."""
    tier = (call.service_tier or "").lower()
    if call.batch or tier == "batch":
        return _BATCH
    if not tier or tier in STANDARD_TIERS or (provider.id, tier) in SAME_PRICE_TIERS:
        return {}
    return {"speed": "fast"} if (provider.id, tier) == ("anthropic", "fast") else {"service_tier": tier}


def _has_variant(provider: Provider, model: ModelInfo, context: dict[str, str], now: datetime) -> bool:
    """Tell whether the table prices this context; the library would fall back to the ordinary price without a word."""
    own = any(model is candidate for candidate in provider.models)  # variants do not pass to a reseller's models
    return own and any(
        variant.when == context and (variant.constraint is None or variant.constraint.active(now))
        for variant in model.price_variants or ()
    )


def _find_interval(model: ModelInfo, started_at_s: float) -> tuple[float, float]:
    """Find between which moments the price at `started_at_s` holds: prices change by date and by time of day."""
    conditional = model.prices if isinstance(model.prices, list) else []
    constraints = [entry.constraint for entry in (*conditional, *(model.price_variants or ()))]
    edges = [edge for constraint in constraints for edge in _list_edges(constraint, started_at_s)]
    start_s = max((edge for edge in edges if edge <= started_at_s), default=-math.inf)
    return start_s, min((edge for edge in edges if edge > started_at_s), default=math.inf)


def _list_edges(constraint: Any, around_s: float) -> Iterator[float]:
    if isinstance(constraint, StartDateConstraint):
        day = constraint.start_date
        yield datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    elif isinstance(constraint, TimeOfDateConstraint):
        today = datetime.fromtimestamp(around_s, UTC).date()
        for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
            for moment in (constraint.start_time, constraint.end_time):
                yield datetime.combine(day, moment, tzinfo=moment.tzinfo or UTC).timestamp()
    elif constraint is not None:  # a kind of condition this version does not know: look up anew each time
        yield from (around_s, math.nextafter(around_s, math.inf))


def _find_thresholds(price: ModelPrice) -> list[int]:
    """List the input-token counts above which other rates apply, highest first, 0 included."""
    tiered = (value for value in price.__dict__.values() if isinstance(value, TieredPrices))
    return sorted({0, *(tier.start for value in tiered for tier in value.tiers)}, reverse=True)


def _measure_rates(price: ModelPrice, input_tokens: int, discount: float) -> Rates:
    """Measure the rates by asking the library what one more unit costs at `input_tokens`; it owns the rules.

    `discount` is a factor on tokens; searches and fees per request have none.
    """

    def ask(**usage: int) -> Decimal:
        asked = {"input_tokens": input_tokens, "output_tokens": 0, **usage}
        return price.calc_price(TableUsage(**asked))["total_price"] * 1_000_000

    base = ask()
    one_input = ask(input_tokens=input_tokens + 1) - base

    def kind(**usage: int) -> float:
        return float(ask(**usage) - base + one_input) * discount

    return Rates(
        input=float(one_input) * discount,
        cache_read=kind(cache_read_tokens=1),
        cache_write=kind(cache_write_tokens=1),
        cache_write_1h=kind(cache_write_tokens=1, cache_write_1h_tokens=1),
        audio_input=kind(input_audio_tokens=1),
        audio_cache_read=kind(input_audio_tokens=1, cache_read_tokens=1, cache_audio_read_tokens=1),
        image_input=kind(input_image_tokens=1),
        image_cache_read=kind(input_image_tokens=1, cache_read_tokens=1, cache_image_read_tokens=1),
        output=float(ask(output_tokens=1) - base) * discount,
        audio_output=float(ask(output_tokens=1, output_audio_tokens=1) - base) * discount,
        image_output=float(ask(output_tokens=1, output_image_tokens=1) - base) * discount,
        reasoning=float(ask(output_tokens=1, output_reasoning_tokens=1) - base) * discount,
        search=float(ask(web_searches=1) - base),
        request=float(ask(input_tokens=0)),
    )
