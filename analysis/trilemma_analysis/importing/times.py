"""Own the times of a mapping: ISO, epoch, dates or formats become nanoseconds, and dates are spread over their day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from trilemma.errors import ImportFileError

from trilemma_analysis.importing.casting import cast_column
from trilemma_analysis.importing.expression_parser import parse_expression

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from trilemma_analysis.importing.expressions import Expression
    from trilemma_analysis.importing.frame import Frame

__all__ = ["TimeExpression", "parse_time"]

_EPOCHS = {"epoch_s": 10**9, "epoch_ms": 10**6, "epoch_us": 10**3, "epoch_ns": 1}
_SPREADS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}
_KEYS = ("time", "timezone", "origin", "offset_s", "spread")
# What DateTime64(9) holds: https://clickhouse.com/docs/sql-reference/data-types/datetime64
_EARLIEST_NS, _LATEST_NS = -2208988800 * 10**9, 9223286400 * 10**9


@dataclass(frozen=True)
class TimeExpression:
    """A moment per row: a source read by a format, plus an offset in seconds, plus a spread that its row id decides."""

    what: str
    source: Expression
    form: str
    zone: tzinfo
    origin_ns: int = 0
    offset_s: Expression | None = None
    spread_s: float = 0.0

    def evaluate(self, frame: Frame, fractions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return int64 nanoseconds since 1970 UTC, and a boolean array that says where they are known.

        `fractions` are numbers in [0, 1), one per row, the same for the same row in every run.
        """
        values = self.source.evaluate(frame)
        moments_ns = self._read_epoch(values, frame) if self.form in _EPOCHS else self._read_dates(values, frame)
        known = pc.is_valid(moments_ns).to_numpy(zero_copy_only=False)
        result = pc.fill_null(moments_ns, 0).to_numpy(zero_copy_only=False) + self.origin_ns
        if self.offset_s is not None:
            offset_s = pc.fill_null(cast_column(self.offset_s.evaluate(frame), "double", self.what, frame), 0.0)
            result = result + (offset_s.to_numpy(zero_copy_only=False) * 1e9).astype(np.int64)
        if self.spread_s:
            result = result + (fractions * self.spread_s * 1e6).astype(np.int64) * 1000
        beyond = known & ((result < _EARLIEST_NS) | (result > _LATEST_NS))
        frame.reject(
            beyond, lambda index: f"{self.what}: {values[index].as_py()!r} lies outside the years 1900 to 2262"
        )
        return np.where(known & ~beyond, result, 0), known & ~beyond

    def paths(self) -> Iterator[str]:
        """Yield every path the expression reads."""
        yield from self.source.paths()
        if self.offset_s is not None:
            yield from self.offset_s.paths()

    def _read_epoch(self, values: pa.Array, frame: Frame) -> pa.Array:
        factor = _EPOCHS[self.form]
        exact = pa.types.is_integer(values.type)  # a float does not hold the last digits of nanoseconds
        numbers = values.cast(pa.int64()) if exact else cast_column(values, "double", self.what, frame)
        plain = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False)
        fits = np.abs(plain) <= _LATEST_NS // factor
        frame.reject(~fits, lambda index: f"{self.what}: {values[index].as_py()!r} is no {self.form} of our age")
        moments = np.where(fits, plain, 0) * factor
        moments = moments if exact else np.rint(moments)
        known = pc.and_(pc.is_valid(numbers), pa.array(fits))
        return pc.if_else(known, pa.array(moments.astype(np.int64)), pa.scalar(None, pa.int64()))

    def _read_dates(self, values: pa.Array, frame: Frame) -> pa.Array:
        if pa.types.is_date(values.type):
            values = values.cast(pa.timestamp("s"))
        if pa.types.is_timestamp(values.type):
            return _localize(values, self.zone).cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
        if not (pa.types.is_string(values.type) or pa.types.is_null(values.type)):
            bad = pc.is_valid(values).to_numpy(zero_copy_only=False)
            frame.reject(bad, lambda index: f"{self.what}: {values[index].as_py()!r} is a number; say time = 'epoch_s'")
            return pa.nulls(frame.size, pa.int64())
        encoded = values.cast(pa.string()).dictionary_encode()
        read = [self._read_text(text) for text in encoded.dictionary.to_pylist()]
        moments = pa.array(read, pa.int64()).take(encoded.indices)
        bad = pc.and_(pc.is_valid(values), pc.is_null(moments)).to_numpy(zero_copy_only=False)
        frame.reject(bad, lambda index: f"{self.what}: {values[index].as_py()!r} is no time of the form {self.form}")
        return moments

    def _read_text(self, text: str) -> int | None:
        try:
            if self.form in {"iso", "date"}:
                moment = datetime.fromisoformat(text.strip())
            else:
                moment = datetime.strptime(text.strip(), self.form)  # noqa: DTZ007 (the zone is set below)
        except ValueError:
            return None
        moment_ns = _to_ns(moment if moment.tzinfo else moment.replace(tzinfo=self.zone))
        return max(_EARLIEST_NS - 1, min(moment_ns, _LATEST_NS + 1))  # 64 bits would not hold the year 1


def parse_time(value: Any, what: str) -> TimeExpression:
    """Read a time as TOML gives it: a template, a TOML date, or a table with time, timezone, origin, offset_s, spread.

    Raises:
        ImportFileError: the mapping uses a word or shape that does not exist here.
    """
    table = dict(value) if isinstance(value, dict) else {"from": value}
    if hasattr(table.get("from"), "isoformat"):
        table["from"] = table["from"].isoformat()
    options = {key: table.pop(key) for key in _KEYS if key in table}
    form = options.get("time", "iso")
    if form not in {"iso", "date", *_EPOCHS} and "%" not in form:
        raise ImportFileError(f"{what}: time {form!r} is unknown; use iso, date, {', '.join(_EPOCHS)} or a %-format")
    spread = options.get("spread", 0)
    if not isinstance(spread, int | float) and spread not in _SPREADS:
        raise ImportFileError(f"{what}: spread {spread!r} is unknown; use {', '.join(_SPREADS)} or a number of seconds")
    return TimeExpression(
        what,
        parse_expression(table, what),
        form,
        _find_zone(options.get("timezone", "UTC"), what),
        _read_origin(options.get("origin"), what),
        parse_expression(options["offset_s"], f"{what}.offset_s") if "offset_s" in options else None,
        _SPREADS[spread] if isinstance(spread, str) else float(spread),
    )


def _find_zone(name: str, what: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ImportFileError(f"{what}: timezone {name!r} is unknown; use a name such as Europe/Berlin") from error


def _read_origin(value: Any, what: str) -> int:
    if value is None:
        return 0
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ImportFileError(f"{what}: origin {value!r} is no ISO time") from error
    return _to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _to_ns(moment: datetime) -> int:
    """Return exact nanoseconds since 1970; float seconds would lose the last digits."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return ((delta.days * 86400 + delta.seconds) * 10**6 + delta.microseconds) * 1000


def _localize(values: pa.Array, zone: tzinfo) -> pa.Array:
    if values.type.tz:
        return values
    name = "UTC" if zone is UTC else str(zone)
    return pc.assume_timezone(values, timezone=name, ambiguous="earliest", nonexistent="latest")
