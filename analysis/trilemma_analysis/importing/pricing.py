"""Own the pricing of imported calls whose log names no cost: by the price table, at the prices of the call's day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from trilemma.price import price_call
from trilemma.registry import fields

from trilemma_analysis.importing.casting import ARROW_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["price_calls"]

_DAY_NS = 86400 * 10**9


def price_calls(values: dict[str, pa.Array], started_ns: np.ndarray) -> dict[str, pa.Array]:
    """Return the calls' columns with the cost that the price table gives where the log itself gives none."""
    records = pa.table(values).to_pylist()
    days = (started_ns // _DAY_NS * 86400).tolist()
    known: dict[Any, Mapping[str, Any]] = {}
    prices: list[Mapping[str, Any]] = []
    for record, day_s in zip(records, days, strict=True):
        if record.get("cost") is not None:
            prices.append({})
            continue
        key = (day_s, *(str(value) for value in record.values()))
        if key not in known:
            known[key] = price_call(record, float(day_s))
        prices.append(known[key])
    named = {name for price in prices for name in price}
    return values | {name: _merge(name, values.get(name), prices) for name in sorted(named)}


def _merge(name: str, own: pa.Array | None, prices: list[Mapping[str, Any]]) -> pa.Array:
    priced = pa.array([price.get(name) for price in prices], ARROW_TYPES[fields()[name].type])
    return priced if own is None else pc.coalesce(own, priced)
