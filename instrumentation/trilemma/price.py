"""Own what a call cost: the provider's own figure where it gives one, else the price table, else nothing.

The table is loaded once, late and off the caller's time (``load_soon``). Rates are looked up once per model, tier and
period, then a price is a few multiplications.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from trilemma.fork import keep_from_forking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trilemma.price_table import Quote, Rates

__all__ = ["load_soon", "price_call"]

_PER = 1_000_000  # rates are per million units
_MAX_QUOTES = 2048  # models x tiers a process sees; beyond it the cache starts anew
_MAYBE_FREE = ("moderation",)  # operations that report no usage, where a free model costs a known 0
_quotes: dict[tuple[Any, ...], Quote] = {}
_quoted_snapshot: Any = None
_price_version = ""
_table: Any = None  # the module trilemma.price_table once loaded, False when it cannot be
_log = logging.getLogger(__name__)


def price_call(record: Mapping[str, Any], started_at_s: float) -> Mapping[str, Any]:
    """Price a call record (registry names) that started at `started_at_s` (Unix seconds).

    Returns registry names: ``cost`` in total and in parts, ``cost_currency``, ``cost_source``, ``price_version``; or
    ``cost_source`` "unpriced" with ``unpriced_reason`` and no cost. Never raises for what a provider may send.
    Source of rates: the genai-prices table; of the provider's own figure: ``record["cost"]``.
    """
    reported = record.get("cost")
    if reported is not None and _is_amount(reported):
        return {
            "cost": float(reported),
            "cost_currency": record.get("cost_currency") or "USD",
            "cost_source": "provider",
        }
    get = record.get
    has_usage = (
        get("input_tokens") is not None
        or get("output_tokens") is not None
        or get("audio_input_s") is not None
        or get("input_characters") is not None
    )
    if not has_usage and get("operation") not in _MAYBE_FREE:
        return _price_without_usage(record)
    try:
        quote = _find_quote(record, started_at_s)
    except TypeError:  # an unhashable model name or the like
        return _unpriced("model")
    if quote is None:
        return _unpriced("table")
    return _apply(record, quote, has_usage=has_usage)


def load_soon() -> None:
    """Start loading the price table in the background, so that the wait for the provider's answer hides it."""
    if _table is None:
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
            threading.Thread(target=_load_table, name="trilemma-prices", daemon=False).start()


def _find_quote(record: Mapping[str, Any], started_at_s: float) -> Quote | None:
    """Return the rates for the record, from the cache while they hold."""
    get = record.get
    key = (
        get("provider"),
        get("server_address"),
        get("response_model"),
        get("request_model"),
        get("service_tier") or get("request_service_tier"),
        get("route"),
        get("batch"),
    )
    quote = _quotes.get(key)
    if quote is not None and quote.start_s <= started_at_s < quote.end_s and _table.get_snapshot() is _quoted_snapshot:
        return quote
    return _look_up(key, started_at_s)


def _look_up(key: tuple[Any, ...], started_at_s: float) -> Quote | None:
    global _quoted_snapshot, _price_version
    table = _table or _load_table()
    if not table:
        return None
    snapshot = table.get_snapshot()
    if snapshot is not _quoted_snapshot or len(_quotes) >= _MAX_QUOTES:
        _quotes.clear()
        _quoted_snapshot, _price_version = snapshot, table.name_version(snapshot)
    words = (value if isinstance(value, str) else None for value in key[:-1])
    quote: Quote = table.quote_call(table.Call(*words, batch=bool(key[-1])), started_at_s, snapshot)
    _quotes[key] = quote
    return quote


class _Counts(NamedTuple):
    """Tokens of each exclusive kind: each is counted once, unlike in a record, where cached ones are input too."""

    input: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    audio_input: int
    audio_cache_read: int
    image_input: int
    image_cache_read: int
    output: int
    audio_output: int
    image_output: int
    reasoning: int


def _apply(record: Mapping[str, Any], quote: Quote, *, has_usage: bool) -> Mapping[str, Any]:
    if quote.is_free:
        return _sum({"cost_input": 0.0})
    if not has_usage:
        return _price_without_usage(record)
    if quote.reason:
        return _unpriced(quote.reason)
    return _multiply_unit(record, quote) if quote.unit else _multiply(record, quote)


def _multiply(record: Mapping[str, Any], quote: Quote) -> Mapping[str, Any]:
    try:
        counts = _split_counts(record.get, quote)
        if counts is None:
            return _price_started(record, quote)
        rates = _choose_rates(quote, record["input_tokens"])
        plain = quote.plain  # then there is but one kind of each
        parts: dict[str, Any] = {
            "cost_input": counts.input * rates.input / _PER if plain else _sum_input(counts, rates),
            "cost_output": counts.output * rates.output / _PER if plain else _sum_output(counts, rates),
        }
        if record.get("cache_read_tokens") is not None:
            read = counts.cache_read * rates.cache_read / _PER if plain else _sum_cached(counts, rates)
            parts["cost_cache_read"] = read
        if record.get("cache_write_tokens") is not None:
            written = counts.cache_write * rates.cache_write + counts.cache_write_1h * rates.cache_write_1h
            parts["cost_cache_write"] = written / _PER
        if other := rates.request + (record.get("web_search_count") or 0) * rates.search:
            parts["cost_other"] = other / _PER
        return _sum(parts)
    except TypeError:  # a count that is no number
        return _unpriced("usage")


def _multiply_unit(record: Mapping[str, Any], quote: Quote) -> Mapping[str, Any]:
    """Price a call that is billed by something else than tokens."""
    amount = record.get(quote.unit)
    if not _is_amount(amount):
        return _unpriced("usage")
    return _sum({"cost_input": amount * quote.bands[0][1].input / _PER})  # type: ignore[operator]  # an amount


def _sum(parts: dict[str, Any]) -> Mapping[str, Any]:
    total = sum(parts.values())
    if not _is_amount(total):
        return _unpriced("usage")
    parts["cost"] = total
    parts["cost_currency"] = "USD"
    parts["cost_source"] = "price_table"
    parts["price_version"] = _price_version
    return parts


def _price_started(record: Mapping[str, Any], quote: Quote) -> Mapping[str, Any]:
    """Price the input of a call that broke off before its output was counted: parts are known, the total is not."""
    if record.get("input_tokens") is None or record.get("output_tokens") is not None:
        return _unpriced("usage")
    known = _multiply({**record, "output_tokens": 0}, quote)
    return {**{name: known[name] for name in known.keys() - {"cost", "cost_output"}}, **_unpriced("usage")}


def _split_counts(get: Callable[[str], Any], quote: Quote) -> _Counts | None:
    """Split a record's counts into exclusive kinds, or return None where they are missing or contradict each other."""
    total_input, total_output = get("input_tokens"), get("output_tokens")
    if total_input is None or (total_output is None and quote.has_output and get("operation") != "embeddings"):
        return None
    total_output = total_output or 0
    cached, written = get("cache_read_tokens") or 0, get("cache_write_tokens") or 0
    if (billed := get("billed_input_tokens")) is not None:  # what the provider itself says it bills
        total_input, total_output, cached, written = billed, get("billed_output_tokens") or 0, 0, 0
    written_1h = get("cache_write_1h_tokens") or 0
    heard = seen = heard_cached = seen_cached = spoken = drawn = reasoning = 0  # audio and images
    if not quote.plain:
        heard, seen = get("audio_input_tokens") or 0, get("image_input_tokens") or 0
        heard_cached, seen_cached = get("audio_cache_read_tokens") or 0, get("image_cache_read_tokens") or 0
        spoken, drawn = get("audio_output_tokens") or 0, get("image_output_tokens") or 0
        reasoning = get("reasoning_tokens") or 0
    counts = _Counts(
        total_input - cached - written - (heard - heard_cached) - (seen - seen_cached),
        cached - heard_cached - seen_cached,
        written - written_1h,
        written_1h,
        heard - heard_cached,
        heard_cached,
        seen - seen_cached,
        seen_cached,
        total_output - spoken - drawn - reasoning,
        spoken,
        drawn,
        reasoning,
    )
    if (
        cached
        and quote.cached_apart
        and any(get(f"{kind}_input_tokens") and get(f"{kind}_cache_read_tokens") is None for kind in quote.cached_apart)
    ):
        return None
    if total_output and (not quote.has_output or _is_drawing_unknown(get, quote)):
        return None
    return None if min(counts) < 0 else counts


def _is_drawing_unknown(get: Callable[[str], Any], quote: Quote) -> bool:
    """Tell whether a maker of images did not say which of its output tokens are images, which cost more than text."""
    apart = quote.bands[0][1].image_output != quote.bands[0][1].output
    return apart and get("operation") == "image_generation" and get("image_output_tokens") is None


def _sum_input(counts: _Counts, rates: Rates) -> float:
    return (
        counts.input * rates.input + counts.audio_input * rates.audio_input + counts.image_input * rates.image_input
    ) / _PER


def _sum_cached(counts: _Counts, rates: Rates) -> float:
    return (
        counts.cache_read * rates.cache_read
        + counts.audio_cache_read * rates.audio_cache_read
        + counts.image_cache_read * rates.image_cache_read
    ) / _PER


def _sum_output(counts: _Counts, rates: Rates) -> float:
    return (
        counts.output * rates.output
        + counts.audio_output * rates.audio_output
        + counts.image_output * rates.image_output
        + counts.reasoning * rates.reasoning
    ) / _PER


def _choose_rates(quote: Quote, input_tokens: int) -> Rates:
    for threshold, rates in quote.bands:
        if input_tokens > threshold:
            return rates
    return quote.bands[-1][1]


def _price_without_usage(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Price a call that reported no tokens: 0 where the provider refused it before any work, else unknown.

    Providers do not bill a request they answered with an error. "If your request fails with a 400 or 500 error, you
    won't be charged for the tokens used" (Gemini API billing FAQ). Excepted: time-outs, where work may have been done,
    and Azure's 400, which its content filter also sends after billed work (Azure OpenAI, "Manage costs").
    """
    status = record.get("http_status")
    refused = isinstance(status, int) and status >= 400 and status not in {408, 499, 504}
    if refused and not (status == 400 and str(record.get("provider")).startswith("azure")):
        return {"cost": 0.0, "cost_currency": "USD", "cost_source": "not_billed"}
    return _unpriced("usage")


def _unpriced(reason: str) -> Mapping[str, Any]:
    return {"cost_source": "unpriced", "unpriced_reason": reason}


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf


def _load_table() -> Any:
    """Import the table once; False when it cannot be, so that no later call tries again."""
    global _table  # noqa: PLW0603 - one table per process
    with keep_from_forking():
        if _table is None:
            try:
                from trilemma import price_table
            except Exception as error:  # noqa: BLE001 - a broken table must not break a call: its calls stay unpriced
                _log.warning(
                    "the price table cannot be loaded, so calls stay unpriced: %r. Reinstall genai-prices", error
                )
                _table = False
            else:
                price_table.get_snapshot()
                _table = price_table
        return _table
