"""Own lengths of time written as text that says its unit: 350ms, 1.5 s, 1m 30s, 01:02:03.5, PT1M30S."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from trilemma_analysis.importing.frame import as_text

if TYPE_CHECKING:
    from trilemma_analysis.importing.frame import Frame

__all__ = ["read_durations"]

_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0,
    "minute": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0, "d": 86400.0, "day": 86400.0,
}  # fmt: skip
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?)\s*([a-zµ]+)[\s,]*")
_CLOCK = re.compile(r"([0-9]+):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]*)?)")


def read_durations(values: pa.Array, what: str, frame: Frame) -> pa.Array:
    """Return the lengths in seconds; a row whose text is no length is rejected and becomes null."""
    encoded = as_text(values).cast(pa.string()).dictionary_encode()
    read = [_read_seconds(text.strip().lower()) for text in encoded.dictionary.to_pylist()]
    seconds = pa.array(read, pa.float64()).take(encoded.indices)
    bad = pc.and_(pc.is_valid(values), pc.is_null(seconds)).to_numpy(zero_copy_only=False)
    frame.reject(
        bad, lambda index: f"{what}: {values[index].as_py()!r} is no length with its unit, such as 350ms or 1:02:03"
    )
    return seconds


def _read_seconds(text: str) -> float | None:
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = map(float, clock.groups())
        return hours * 3600 + minutes * 60 + seconds
    rest, total = text.removeprefix("p").removeprefix("t"), 0.0
    while rest:
        part = _PART.match(rest)
        unit = "" if part is None else part[2] if part[2] in _SECONDS else part[2].removesuffix("s")
        if part is None or unit not in _SECONDS:
            return None
        total += float(part[1]) * _SECONDS[unit]
        rest = rest[part.end() :]
    return total if text else None
