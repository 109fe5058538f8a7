"""Hold the mapping's times: forms, zones, origins, offsets, and the spread of dates over their day."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from trilemma.errors import ImportFileError
from trilemma_analysis.importing.times import parse_time

from tests.analysis.importing.conftest import frame_of

NOON = datetime(2024, 7, 6, 12, tzinfo=UTC)


def read(toml: str, *values: Any, fractions: tuple[float, ...] = (0.0,)) -> list[datetime | str]:
    """Return the moments that the TOML expression reads from the column `at`, or the reason why there is none."""
    frame = frame_of(at=list(values))
    time = parse_time(tomllib.loads(f"x = {toml}")["x"], "started_at")
    moments_ns, known = time.evaluate(frame, np.resize(np.array(fractions), len(values)))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return [
        epoch + timedelta(microseconds=int(moment_ns) / 1000) if there else frame.reasons.get(index, "")
        for index, (moment_ns, there) in enumerate(zip(moments_ns, known, strict=True))
    ]


@pytest.mark.parametrize(
    ("toml", "value"),
    [
        ('"{at}"', "2024-07-06T12:00:00Z"),
        ('"{at}"', "2024-07-06 14:00:00+02:00"),
        ('"{at}"', "2024-07-06T12:00:00"),
        ('"{at}"', datetime(2024, 7, 6, 12)),  # noqa: DTZ001
        ('{ from = "{at}", timezone = "Europe/Berlin" }', "2024-07-06T14:00:00"),
        ('{ from = "{at}", timezone = "Europe/Berlin" }', datetime(2024, 7, 6, 14)),  # noqa: DTZ001
        ('{ from = "{at}", time = "epoch_s" }', 1720267200),
        ('{ from = "{at}", time = "epoch_s" }', "1720267200.0"),
        ('{ from = "{at}", time = "epoch_ms" }', 1720267200000),
        ('{ from = "{at}", time = "epoch_us" }', 1720267200000000),
        ('{ from = "{at}", time = "epoch_ns" }', 1720267200000000000),
        ('{ from = "{at}", time = "epoch_s", origin = 2024-07-06 }', 43200),
        ('{ from = "{at}", time = "%d.%m.%Y %H:%M" }', "06.07.2024 12:00"),
        ('{ from = "{at}", time = "date", offset_s = 43200 }', "2024-07-06"),
        ('{ from = "{at}", time = "date", offset_s = 43200 }', date(2024, 7, 6)),
        ('{ from = 2024-07-06, offset_s = { product = ["{at}", 3600] } }', 12),
        ("2024-07-06T12:00:00Z", None),
    ],
)
def test_time_forms(toml: str, value: Any) -> None:
    """Each form of a time reads the same moment; one without a zone is UTC unless the mapping says otherwise."""
    assert read(toml, value) == [NOON]


@pytest.mark.parametrize(
    ("toml", "value", "reason"),
    [
        ('"{at}"', "yesterday", "started_at: 'yesterday' is no time of the form iso"),
        ('"{at}"', 1720267200, "started_at: 1720267200 is a number; say time = 'epoch_s'"),
        ('{ from = "{at}", time = "epoch_s" }', 1720267200000000000, "is no epoch_s of our age"),
        ('{ from = "{at}", time = "epoch_ms" }', "soon", "is no number"),
        ('"{at}"', "0001-01-01T00:00:00", "lies outside the years 1900 to 2262"),
        ('"{at}"', None, ""),
    ],
)
def test_time_that_is_none(toml: str, value: Any, reason: str) -> None:
    """A value that is no time makes a bad row that says so; null is just unknown."""
    (found,) = read(toml, value)
    assert isinstance(found, str)
    assert reason in found


def test_nanoseconds_survive() -> None:
    """An epoch in nanoseconds keeps its last digit."""
    moments_ns, _ = parse_time({"from": "{at}", "time": "epoch_ns"}, "x").evaluate(
        frame_of(at=[1720267200123456789]), np.zeros(1)
    )
    assert moments_ns.tolist() == [1720267200123456789]


def test_spread_stays_within_the_day() -> None:
    """A date is spread over its day by the row's fraction: at its begin for 0, before its end for nearly 1."""
    spread = '{ from = "{at}", time = "date", spread = "day" }'
    first, middle, last = read(spread, *["2024-07-06"] * 3, fractions=(0.0, 0.5, 1 - 2**-53))
    assert (first, middle) == (NOON - timedelta(hours=12), NOON)
    assert NOON < last < NOON + timedelta(hours=12)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('{ from = "{at}", time = "stardate" }', "time 'stardate' is unknown; use iso"),
        ('{ from = "{at}", spread = "week" }', "spread 'week' is unknown"),
        ('{ from = "{at}", timezone = "Mars/Base" }', "timezone 'Mars/Base' is unknown"),
        ('{ from = "{at}", origin = "long ago" }', "origin 'long ago' is no ISO time"),
    ],
)
def test_wrong_time_is_explained(toml: str, message: str) -> None:
    """An option with an impossible value is an error that says what there is."""
    with pytest.raises(ImportFileError, match=message):
        parse_time(tomllib.loads(f"x = {toml}")["x"], "started_at")
