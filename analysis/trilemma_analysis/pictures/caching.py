"""Own the pictures of caching: what comes again, what the provider's cache reads, what the app's own caches answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trilemma_analysis.findings.repeated_requests import TRIED_S
from trilemma_analysis.pictures.marks import by_task, read_time, share_of, share_of_moments, width_of
from trilemma_analysis.pictures.picture import Frame, Mark, Picture

if TYPE_CHECKING:
    from trilemma_analysis.analysis import Analysis

__all__ = ["ASKS", "KINDS", "NEEDS", "QUESTIONS", "TITLE", "TOPIC", "make"]

TOPIC = "caching"
TITLE = "Caching"
ASKS = "What would a cache answer in the order the requests came, and what do the caches there are do?"
NEEDS = (
    "Requests carry a hash in traces of trilemma (imported logs may not); own caches are traced with `trilemma.cache`."
)
KINDS = ("repeated_requests", "prefix_cache", "semantic_cache")
QUESTIONS = ("repeated_requests", "cache_reads", "cache_hits")
TTLS = dict(zip(TRIED_S, ("5 minutes", "1 hour", "6 hours", "1 day", "1 week"), strict=True))


def make(analysis: Analysis) -> list[Picture]:
    """Return the pictures of each task."""
    return [*_draw_repeats(analysis), *_draw_reads(analysis), *_draw_hits(analysis)]


def _draw_repeats(analysis: Analysis) -> list[Picture]:
    level = analysis.options.confidence
    rows = analysis.ask("repeated_requests", ttls_s=list(TRIED_S))
    return [
        Frame(TOPIC, task, level).draw(
            "How long would an exact cache have to keep its answers?",
            "share of requests that it would have answered, by how long it keeps an answer",
            [Mark(name=TTLS[float(row["ttl_s"])], estimate=share_of_moments(row, "hit", level)) for row in lines],
            question="repeated_requests",
            form="bars",
        )
        for task, lines in by_task(rows).items()
        if any(row["hits"] for row in lines)
    ]


def _draw_reads(analysis: Analysis) -> list[Picture]:
    width_s = width_of(analysis)
    rows = analysis.ask("cache_reads", width_s=width_s)
    return [
        Frame(TOPIC, task, analysis.options.confidence).draw(
            "What does the provider's prompt cache read?",
            "share of input tokens read from the cache",
            [_mark_read(row, width_s, analysis.options.confidence) for row in lines],
            question="cache_reads",
            form="lines",
        )
        for task, lines in by_task(rows).items()
        if any(row["read_x"] for row in lines)
    ]


def _mark_read(row: dict[str, Any], width_s: int, level: float) -> Mark:
    at = read_time(row["bucket"], width_s)
    return Mark(name=row["request_model"], at=at, estimate=share_of_moments(row, "read", level))


def _draw_hits(analysis: Analysis) -> list[Picture]:
    level = analysis.options.confidence
    rows = analysis.ask("cache_hits")
    return [
        Frame(TOPIC, task, level).draw(
            "How often do the app's own caches answer, and how often wrongly?",
            "share",
            [mark for row in lines for mark in _mark_hits(row, level)],
            question="cache_hits",
        )
        for task, lines in by_task(rows).items()
    ]


def _mark_hits(row: dict[str, Any], level: float) -> list[Mark]:
    name = f"{row['cache']} ({row['cache_kind']})" if row["cache_kind"] else row["cache"]
    marked = row["marked_right"] + row["marked_wrong"]
    hits = Mark(name=name, group="hits, of lookups", estimate=share_of(row["hits"], row["lookups"], level))
    wrong = Mark(name=name, group="wrong, of marked hits", estimate=share_of(row["marked_wrong"], marked, level))
    return [hits, wrong] if marked else [hits]
