"""Own the comparison of a record's spans with what they must say, field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from trilemma.registry import fields

from tests.wire_score.expect import ANY, FIELDS, expect, expect_work, list_unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.wire_score.corpus import Record

__all__ = ["compare", "read_any_attributes", "read_attributes"]

Compared = dict[str, tuple[Any, Any, bool]]


def compare(
    record: Record, spans: Iterable[Mapping[str, Any]], *, read: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Compared:
    """Return {field: (expected, got, whether right)} of every field that either side says something about.

    A call has one span. A response may bring the result of work that no request waited for (a batch's item, a run, a
    background response): that is a span of its own, marked as deferred, and held to what the record says of the work.
    """
    found_spans = [read(span) for span in spans]
    calls = [found for found in found_spans if not found.get("deferred")]
    results = [found for found in found_spans if found.get("deferred")]
    found = calls[0] if calls else {}
    found |= {"spans": len(calls), "stream_complete": _is_complete(found)}
    compared = _compare(expect(record), found, list_unread(record))
    if results:
        compared |= _compare(expect_work(record), results[0], set(FIELDS))
    return compared


def _compare(expected: Mapping[str, Any], found: Mapping[str, Any], unread: set[str]) -> Compared:
    compared = {}
    for name in FIELDS:
        want, got = expected.get(name), found.get(name)
        if want is None and (got is None or name in unread):
            continue
        compared[name] = want, got, (got is not None if want == ANY else want == got)
    return compared


def _is_complete(found: Mapping[str, Any]) -> bool | None:
    """Tell whether a stream was read to its end, without error, to what comes last: why it finished, or its tokens."""
    if found.get("stream_end") is None:
        return None
    is_finished = bool(found.get("finish_reasons")) or found.get("output_tokens") is not None
    return found["stream_end"] == "exhausted" and found.get("error_type") is None and is_finished


def read_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a span's attributes by the registry's names."""
    named = ((name, attributes.get(entry.attribute)) for name, entry in fields().items())
    return {name: value for name, value in named if value is not None}


def read_any_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Do the same for another instrumentation's span, which may use older names of the conventions, or its own."""
    read = {}
    for name, entry in fields().items():
        for attribute in (entry.attribute, *entry.aliases):
            value = attributes.get(attribute)
            if value is not None:
                read[name] = _to_strings(value) if entry.type == "string[]" else value
                break
    return read


def _to_strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = [value]
    return tuple(str(item) for item in value) if isinstance(value, (list, tuple)) else (str(value),)
