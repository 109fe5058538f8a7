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
    batch: bool | None


class Rates(NamedTuple):
    """Price in USD per million: tokens of each exclusive kind, searches, requests."""

    input: float
    cache_read: float
    cache_write: float
    cache_write_1h: float
    audio_input: float
    output: float
    audio_output: float
    reasoning: float
    search: float
    request: float


class Quote(NamedTuple):
    """A call's rates from `start_s` until before `end_s` (Unix seconds), by band of total input tokens.

    `bands` holds (threshold, rates), highest first: rates apply above it. `reason` says why there are none.
    `plain`: audio and reasoning tokens cost what others do. `split_unknown`: cached audio has its own price, so a call
    with both cached and audio input cannot be priced from its counts. `has_output`: output tokens have a price.
    """

    start_s: float
    end_s: float
    bands: tuple[tuple[int, Rates], ...] = ()
    reason: str | None = None
    plain: bool = True
    split_unknown: bool = False
    has_output: bool = True


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
    if context and not _has_variant(provider, model, context, now):
        return Quote(start_s, end_s, reason="batch" if call.batch else "service_tier")
    price = model.get_prices(now, context)
    units = {name for name, value in price.__dict__.items() if value is not None}
    if ("input_mtok" not in units) if units else ((provider.id, model.id) in NOT_FREE):
        return Quote(start_s, end_s, reason="model")
    bands = tuple((threshold, _measure_rates(price, threshold + 2)) for threshold in _find_thresholds(price))
    return Quote(
        start_s,
        end_s,
        bands,
        plain=all(
            rates.audio_input == rates.input and rates.audio_output == rates.output == rates.reasoning
            for _, rates in bands
        ),
        split_unknown="cache_audio_read_mtok" in units,
        has_output="output_mtok" in units or not units,
    )


def _find_model(call: Call, snapshot: DataSnapshot) -> tuple[Provider, ModelInfo] | None:
    """Find who served the call (its host knows better than the SDK's name) and the model that answered."""
    host_provider = _find_host(call.server_address, snapshot)
    provider = host_provider or _find_named(call.provider, snapshot)
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
        return {"processing": "batch"}
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


def _measure_rates(price: ModelPrice, input_tokens: int) -> Rates:
    """Measure the rates by asking the library what one more unit costs at `input_tokens`; it owns the rules."""

    def ask(**usage: int) -> Decimal:
        asked = {"input_tokens": input_tokens, "output_tokens": 0, **usage}
        return price.calc_price(TableUsage(**asked))["total_price"] * 1_000_000

    base = ask()
    one_input = ask(input_tokens=input_tokens + 1) - base
    return Rates(
        input=float(one_input),
        cache_read=float(ask(cache_read_tokens=1) - base + one_input),
        cache_write=float(ask(cache_write_tokens=1) - base + one_input),
        cache_write_1h=float(ask(cache_write_tokens=1, cache_write_1h_tokens=1) - base + one_input),
        audio_input=float(ask(input_audio_tokens=1) - base + one_input),
        output=float(ask(output_tokens=1) - base),
        audio_output=float(ask(output_tokens=1, output_audio_tokens=1) - base),
        reasoning=float(ask(output_tokens=1, output_reasoning_tokens=1) - base),
        search=float(ask(web_searches=1) - base),
        request=float(ask(input_tokens=0)),
    )
