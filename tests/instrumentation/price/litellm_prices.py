"""Compare our prices with litellm's table: `python -m tests.instrumentation.price.litellm_prices`.

litellm computes a call's cost by rates per token, with a suffix for what makes them differ (`_batches`, `_priority`,
`_above_200k_tokens`). Each of its rates is asked of `price_call` by a record that has nothing else in it.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trilemma.price import price_call

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Difference", "compare", "explain", "find_table", "fits", "load_reasons"]

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[3]
FILE = "model_prices_and_context_window_backup.json"
# litellm's provider to ours, for what the SDKs that are instrumented reach.
PROVIDERS = {
    "anthropic": "anthropic",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "deepseek": "deepseek",
    "fireworks_ai": "fireworks",
    "gemini": "gcp.gemini",
    "groq": "groq",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "openai": "openai",
    "perplexity": "perplexity",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "xai": "x_ai",
}
N = 1000
ROUNDING = 5e-4
_IN, _OUT = {"input_tokens": N, "output_tokens": 0}, {"input_tokens": 0, "output_tokens": N}
# litellm's rate to the record whose cost is N of it.
RATES: dict[str, dict[str, Any]] = {
    "input_cost_per_token": _IN,
    "output_cost_per_token": _OUT,
    "cache_read_input_token_cost": {**_IN, "cache_read_tokens": N},
    "cache_creation_input_token_cost": {**_IN, "cache_write_tokens": N},
    "cache_creation_input_token_cost_above_1hr": {**_IN, "cache_write_tokens": N, "cache_write_1h_tokens": N},
    "input_cost_per_audio_token": {**_IN, "audio_input_tokens": N},
    "output_cost_per_audio_token": {**_OUT, "audio_output_tokens": N},
    "cache_read_input_audio_token_cost": {
        **_IN, "audio_input_tokens": N, "cache_read_tokens": N, "audio_cache_read_tokens": N,
    },
    "input_cost_per_image_token": {**_IN, "image_input_tokens": N},
    "output_cost_per_image_token": {**_OUT, "image_output_tokens": N},
    "cache_read_input_image_token_cost": {
        **_IN, "image_input_tokens": N, "cache_read_tokens": N, "image_cache_read_tokens": N,
    },
    "output_cost_per_reasoning_token": {**_OUT, "reasoning_tokens": N},
    "input_cost_per_second": {"audio_input_s": float(N)},
    "input_cost_per_character": {"input_characters": N},
}  # fmt: skip
_KINDS = {name for record in RATES.values() for name in record} - {"input_tokens", "output_tokens"}
SUFFIXES: dict[str, dict[str, Any]] = {
    "": {},
    "_batches": {"batch": True},
    "_priority": {"service_tier": "priority"},
    "_flex": {"service_tier": "flex"},
}
_ABOVE = re.compile(r"_above_(\d+)k_tokens$")


class Difference(NamedTuple):
    """Be one rate in which the tables disagree: USD per million tokens, seconds or characters."""

    provider: str
    model: str
    rate: str
    ours: float
    theirs: float


def find_table() -> Path | None:
    """Return the path of an installed litellm's table: of this environment, or of the one for frameworks."""
    spec = find_spec("litellm")
    if spec is not None and spec.origin:
        return Path(spec.origin).with_name(FILE)
    return next(iter(sorted(ROOT.glob(f".venv-*/lib/python*/site-packages/litellm/{FILE}"))), None)


def compare(table: dict[str, dict[str, Any]]) -> Iterator[tuple[bool, Difference]]:
    """Yield, of each rate that both tables have, whether they agree but for rounding, and what they say."""
    seen = set()
    for name, entry in sorted(table.items()):
        provider = PROVIDERS.get(str(entry.get("litellm_provider")))
        if provider is None:
            continue
        model = _strip_prefix(name, entry["litellm_provider"])
        for rate, theirs in entry.items():
            record = _make_record(rate)
            if record is None or not isinstance(theirs, (int, float)) or (provider, model, rate) in seen:
                continue
            seen.add((provider, model, rate))
            ours = _ask(provider, model, record)
            if ours is not None:
                found = Difference(provider, model, rate, round(ours * 1e6, 6), round(theirs * 1e6, 6))
                yield abs(found.ours - found.theirs) <= ROUNDING * max(found.ours, found.theirs), found


def explain(found: Difference) -> str | None:
    """Return why the tables differ in a rate, by the list of known differences; None where nobody has looked yet."""
    return next((each["reason"] for each in load_reasons() if fits(each, found)), None)


def fits(reason: dict[str, str], found: Difference) -> bool:
    """Tell whether a listed reason is about a difference."""
    return reason["provider"] == found.provider and all(
        fnmatchcase(getattr(found, name), reason[name]) for name in ("model", "rate")
    )


@cache
def load_reasons() -> list[dict[str, str]]:
    """Return the list of known differences."""
    text = Path(__file__).with_name("litellm_differences.json").read_text(encoding="utf-8")
    reasons: list[dict[str, str]] = json.loads(text)["differences"]
    return reasons


def _strip_prefix(name: str, litellm_provider: str) -> str:
    for prefix in (f"{litellm_provider}/", f"{litellm_provider.partition('_')[0]}/"):
        name = name.removeprefix(prefix)
    return name


def _make_record(rate: str) -> dict[str, Any] | None:
    """Return what is asked of us for a rate of litellm's; None for one that we know nothing like."""
    suffix = next((each for each in SUFFIXES if each and rate.endswith(each)), "")
    plain = rate.removesuffix(suffix)
    above = _ABOVE.search(plain)
    if above is not None:
        plain = plain[: above.start()]
    record = RATES.get(plain)
    if record is None:
        return None
    return {**record, **SUFFIXES[suffix], "above": int(above[1]) * 1000 if above else 0}


def _ask(provider: str, model: str, record: dict[str, Any]) -> float | None:
    """Return what one unit costs by our table; None where it has no price."""
    asked = {**record, "provider": provider, "request_model": model, "operation": "chat"}
    above = asked.pop("above")
    costs = []
    for part in (asked, {**asked, **_IN, "input_tokens": 0}):  # with it, and without it
        if above and "input_tokens" in part:
            part["input_tokens"] += above + 1
        without = part is not asked
        for name in _KINDS if without else ():
            part.pop(name, None)
        priced = price_call(part, AT.timestamp())
        if priced.get("cost_source") != "price_table":
            return None
        costs.append(priced["cost"])
        if not above:
            return float(costs[0] - priced.get("cost_other", 0)) / N
    return float(costs[0] - costs[1]) / N


def main(arguments: Iterable[str]) -> None:
    """Print how many rates agree, and each difference with its reason as a line of JSON."""
    path = Path(next(iter(arguments), "")) if arguments else find_table()
    if path is None or not path.is_file():
        sys.exit("litellm's table is not here: give its path, or pip install litellm")
    table = json.loads(path.read_text(encoding="utf-8"))
    results = list(compare(table))
    agreeing = sum(agrees for agrees, _ in results)
    print(f"{agreeing} of {len(results)} rates agree", file=sys.stderr)
    for agrees, found in results:
        if not agrees:
            print(json.dumps({**found._asdict(), "reason": explain(found)}))


if __name__ == "__main__":
    main(sys.argv[1:])
