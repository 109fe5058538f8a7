"""Own the tables of the overhead benchmark: rounds in, Markdown lines out."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.bench.workloads import CHUNKS, TITLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Row", "write_report"]

Row = dict[str, Any]  # one process of one round: adapter, content, versions, start-up figures, work per workload
Key = tuple[str, str]  # adapter, content
STREAMS = ("W2", "W5")
BARE_SPAN: Key = ("bare-span", "off")


class Spread(NamedTuple):
    """A figure over the rounds."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Summarise the figures of all rounds."""
        return cls(statistics.median(figures), min(figures), max(figures))

    def text(self, digits: int = 0) -> str:
        """Return `median (least … greatest)`."""
        return f"{self.median:+.{digits}f} ({self.least:+.{digits}f} … {self.greatest:+.{digits}f})"


def write_report(rounds: list[list[Row]], names: list[str]) -> Iterator[str]:
    """Yield the report as lines of Markdown: one table per workload, then start-up and memory."""
    versions = next(row["versions"] for rows in rounds for row in rows if "versions" in row)
    yield ", ".join(f"{name} {version}" for name, version in versions.items()) + f"; {len(rounds)} rounds."
    yield "Median over rounds (least … greatest) of what is added to the same process switched off."
    for name in names:
        yield from ("", f"## {name}: {TITLES[name]}", "")
        yield from _write_workload(rounds, name)
    yield from ("", "## Start-up and memory, over OpenTelemetry alone", "")
    yield "| adapter | content | CPU ms until both SDKs have made a call | of these in switching on | MiB |"
    yield "|---|---|---|---|---|"
    yield from _write_start(rounds)


def _write_workload(rounds: list[list[Row]], name: str) -> Iterator[str]:
    yield "| adapter | content | added CPU µs | bare span = 1 | CPU µs per chunk | added wall µs | spans / attributes |"
    yield "|---|---|---|---|---|---|---|"
    keys = sorted({(row["adapter"], row["content"]) for row in rounds[0]})
    added = {key: _added(rounds, key, name, "cpu") for key in keys}
    for key in sorted(keys, key=lambda key: statistics.median(added[key] or [float("inf")])):
        if not added[key]:
            yield f"| {key[0]} | {key[1]} | {_error(rounds, key, name)} | | | | |"
            continue
        cpu, wall = Spread.of(added[key]), Spread.of(_added(rounds, key, name, "wall"))
        chunk = Spread(*(figure / CHUNKS for figure in cpu)).text(2) if name in STREAMS else ""
        work = next(row["work"][name] for row in _rows(rounds, key) if "spans" in row["work"].get(name, {}))
        recorded = f"{work['spans']:.2g} / {work['attributes']:.0f}"
        ratio = _ratio(added[key], added[BARE_SPAN[0], key[1]] or added[BARE_SPAN])
        yield f"| {key[0]} | {key[1]} | {cpu.text()} | {ratio} | {chunk} | {wall.text()} | {recorded} |"
    off = [
        statistics.median(row["work"][name]["off_cpu"]) for row in rounds[0] if "off_cpu" in row["work"].get(name, {})
    ]
    yield from ("", f"A call without any of them: {statistics.median(off):.0f} µs CPU")


def _write_start(rounds: list[list[Row]]) -> Iterator[str]:
    plain = [row for row in _rows(rounds, ("opentelemetry", "off")) if "start_ms" in row]
    for key in sorted({(row["adapter"], row["content"]) for row in rounds[0]}):
        rows = [row for row in _rows(rounds, key) if "start_ms" in row]
        if rows and key[0] != "opentelemetry":
            # Noise only ever adds to CPU: the least of the rounds is the truest.
            start, switch = (
                min(row[figure] for row in rows) - min(row[figure] for row in plain)
                for figure in ("start_ms", "switch_on_ms")
            )
            memory, before = (statistics.median(row["rss_kib"] for row in some) / 1024 for some in (rows, plain))
            yield f"| {key[0]} | {key[1]} | {start:+.0f} | {switch:+.0f} | {memory - before:+.1f} |"


def _added(rounds: list[list[Row]], key: Key, name: str, figure: str) -> list[float]:
    """Return per round the median over blocks of the difference between on and off."""
    result = []
    for row in _rows(rounds, key):
        work = row["work"].get(name, {})
        if f"on_{figure}" in work:
            pairs = zip(work[f"on_{figure}"], work[f"off_{figure}"], strict=True)
            result.append(statistics.median(on - off for on, off in pairs))
    return result


def _ratio(added: list[float], floor: list[float]) -> str:
    if not floor or statistics.median(floor) <= 0:
        return ""
    base = statistics.median(floor)
    return f"{statistics.median(added) / base:.2f} ({min(added) / base:.2f} … {max(added) / base:.2f})"


def _rows(rounds: list[list[Row]], key: Key) -> list[Row]:
    return [row for rows in rounds for row in rows if (row["adapter"], row["content"]) == key]


def _error(rounds: list[list[Row]], key: Key, name: str) -> str:
    row = _rows(rounds, key)[0]
    return f"failed: {row['work'].get(name, {}).get('error') or row.get('error')}"
