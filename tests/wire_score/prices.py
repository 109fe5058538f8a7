"""Own the question whether a model has a price: asked of the price table itself, not of our pricing."""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

from genai_prices import Usage, calc_price

__all__ = ["is_priced"]

_USAGE = Usage(input_tokens=1000, output_tokens=1000)


def is_priced(url: str, model: str) -> bool:
    """Tell whether the table has a price for `model` as served by the host of `url`."""
    parts = urlsplit(url)
    return _is_priced(f"{parts.scheme}://{parts.netloc}{parts.path[:20]}", model)


@cache
def _is_priced(url: str, model: str) -> bool:
    try:
        return calc_price(_USAGE, model, provider_api_url=url).total_price > 0
    except (LookupError, ValueError):
        return False
