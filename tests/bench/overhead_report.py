"""Own the tables of the overhead benchmark: rounds in, Markdown lines out."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.bench.workloads import CHUNKS, TITLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Row", "write_report"]

Row = dict[str, Any]  # one process of one round: adapter, content, python, started, work per workload
Key = tuple[str, str]  # adapter, content
STREAMS = ("W2", "W5")


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
    started = next(row["started"] for rows in rounds for row in rows if row["adapter"] == "baseline")
    yield (
        f"openai {started['openai']}, anthropic {started['anthropic']}, opentelemetry-sdk {started['opentelemetry']}; "
        f"{len(rounds)} rounds. Median over rounds (least … greatest) of what is added to the baseline."
    )
    for name in names:
        yield from ("", f"## {name}: {TITLES[name]}", "")
        yield from _write_workload(rounds, name)
    yield from ("", "## Start-up and memory, over OpenTelemetry alone in the same environment", "")
    yield "| adapter | content | CPU ms until both SDKs have made a call | of these in switching on | MiB |"
    yield "|---|---|---|---|---|"
    yield from _write_start(rounds)


def _write_workload(rounds: list[list[Row]], name: str) -> Iterator[str]:
    yield "| adapter | content | added CPU µs | added wall µs | bare span = 1 | CPU µs per chunk | spans / attributes |"
    yield "|---|---|---|---|---|---|---|"
    added = {key: _added(rounds, key, name, "cpu_us") for key in _keys(rounds)}
    for key in sorted(added, key=lambda key: statistics.median(added[key] or [float("inf")])):
        if not added[key]:
            yield f"| {key[0]} | {key[1]} | {_error(rounds, key, name)} | | | | |"
            continue
        cpu, wall = Spread.of(added[key]), Spread.of(_added(rounds, key, name, "wall_us"))
        bare = added.get(("bare-span", key[1])) or added.get(("bare-span", "off")) or []
        ratio = f"{cpu.median / statistics.median(bare):.2f}" if bare and key[0] != "opentelemetry" else ""
        chunk = Spread(*(figure / CHUNKS for figure in cpu)).text(2) if name in STREAMS else ""
        work = next(row for row in rounds[-1] if (row["adapter"], row["content"]) == key)["work"][name]
        recorded = f"{work.get('spans_per_call', 0):.2g} / {work.get('attributes_per_call', 0):.0f}"
        yield f"| {key[0]} | {key[1]} | {cpu.text()} | {wall.text()} | {ratio} | {chunk} | {recorded} |"
    base = [
        statistics.median(row["work"][name]["cpu_us"])
        for row in _rows(rounds, "baseline")
        if "cpu_us" in row["work"][name]
    ]
    yield ""
    yield f"baseline: {Spread.of(base).text().replace('+', '')} µs CPU per call"


def _write_start(rounds: list[list[Row]]) -> Iterator[str]:
    for adapter, content in _keys(rounds):
        if adapter == "opentelemetry":
            continue
        rows = [row for row in _rows(rounds, adapter) if row["content"] == content and "error" not in row["started"]]
        if not rows:
            continue
        plain = [row for row in _rows(rounds, "opentelemetry") if row["python"] == rows[0]["python"]]
        # Noise only ever adds to CPU: the least of the rounds is the truest.
        start, switch = (_least(rows, key) - _least(plain, key) for key in ("start_ms", "switch_on_ms"))
        memory = statistics.median(row["started"]["rss_kib"] for row in rows)
        memory -= statistics.median(row["started"]["rss_kib"] for row in plain)
        yield f"| {adapter} | {content} | {start:+.0f} | {switch:+.0f} | {memory / 1024:+.1f} |"


def _added(rounds: list[list[Row]], key: Key, name: str, figure: str) -> list[float]:
    """Return per round the median over blocks of the difference to the baseline block beside it."""
    result = []
    for rows in rounds:
        row = next((row for row in rows if (row["adapter"], row["content"]) == key), None)
        if row is None or figure not in row["work"][name]:
            continue
        base = next(b for b in rows if b["adapter"] == "baseline" and b["python"] == row["python"])["work"][name]
        if figure in base:
            pairs = zip(row["work"][name][figure], base[figure], strict=True)
            result.append(statistics.median(ours - theirs for ours, theirs in pairs))
    return result


def _keys(rounds: list[list[Row]]) -> list[Key]:
    """Return what was measured; OpenTelemetry alone once, from the project's own environment."""
    keys = {(row["adapter"], row["content"]): None for row in rounds[0] if row["adapter"] != "baseline"}
    return sorted(keys)


def _rows(rounds: list[list[Row]], adapter: str) -> list[Row]:
    return [row for rows in rounds for row in rows if row["adapter"] == adapter]


def _least(rows: list[Row], key: str) -> float:
    return min(float(row["started"][key]) for row in rows)


def _error(rounds: list[list[Row]], key: Key, name: str) -> str:
    row = next(row for row in rounds[0] if (row["adapter"], row["content"]) == key)
    return f"failed: {row['work'][name].get('error') or row['started'].get('error')}"
